"""A click on the confusion matrix opens the images of that cell to decide on, on wide and narrow screens."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Lab, serve, window
from tests.results_lab import NAMES, add_report, add_run, build_dataset, build_split
from tests.waiting import wait_until
from wbc_core.datasets.store import list_datasets
from wbc_core.workspace import Workspace

RUN = "job-0123456789ab"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with one run and its report."""
    folder = tmp_path_factory.mktemp("results")
    workspace = Workspace(folder / "workspace")
    dataset = build_dataset(workspace)
    add_report(workspace, add_run(workspace, build_split(workspace, dataset)[1], RUN), right=0.7)
    with serve(workspace.home, folder / "server.log") as running:
        yield running


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_a_click_opens_the_images_of_a_cell(browser: Browser, results: Lab, width: int, height: int) -> None:
    with window(browser, viewport={"width": width, "height": height}) as page:
        page.goto(f"{results.url}/report?run={RUN}")
        settled = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
        matrix = page.locator(".stPlotlyChart").first
        area = matrix.locator(".nsewdrag").first
        expect(area).to_be_attached()
        expect(page.get_by_text("taken for").first).to_be_visible()
        for true, predicted in ((1, 1), (2, 2)):
            expect(settled).to_be_attached()
            matrix.scroll_into_view_if_needed()
            box = area.bounding_box()
            assert box is not None
            # Off the middle of the cell, where a person also clicks.
            across, down = (predicted + 0.6) / len(NAMES), (true + 0.4) / len(NAMES)
            page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
            page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
            expect(page.get_by_text(f"{NAMES[true].capitalize()} recognised")).to_be_visible()
            expect(page).to_have_url(re.compile(f"cell={true}-{predicted}"))
        page.reload()
        expect(page.get_by_text("Platelet recognised")).to_be_visible()


def test_keys_and_buttons_decide_on_the_images_of_a_cell(browser: Browser, results: Lab) -> None:
    (dataset,) = list_datasets(results.workspace)
    with window(browser, viewport={"width": 390, "height": 844}) as page:
        page.goto(f"{results.url}/report?run={RUN}&cell=0-1")
        page.locator(".gallery.actions .tile").first.wait_for()
        expect(page.get_by_text("Nothing was decided since this run's clean set")).to_be_visible()
        tiles = page.locator(".tile").evaluate_all("tiles => tiles.map(tile => Number(tile.dataset.row))")
        first, second, third, *_ = tiles
        # The predicted class is offered first, so that Enter takes it.
        for key in ("k", "d", "r", "Enter"):
            page.keyboard.press(key)
        made = {first: "keep", second: "drop", third: "relabel"}

        def stands() -> dict[int, str]:
            return {row: entry.action for row, entry in results.decisions(dataset).items()}

        wait_until(lambda: stands() == made, "three decisions in the log")
        decisions = results.decisions(dataset)
        assert decisions[third].label == 1
        assert decisions[first].reason == (f"{RUN}: basophil taken for lymphocyte, the label is right")
        expect(page.get_by_text("3 images decided since this run's clean set")).to_be_visible()
        page.locator(".bar [data-do=undo]").click()
        wait_until(lambda: third not in stands(), "the undo in the log")
        page.locator(".bar [data-do=relabel]").click()
        choices = page.locator(".choices button")
        assert [choice.split()[-1] for choice in choices.all_inner_texts()] == [NAMES[1], NAMES[0], NAMES[2]]
        choices.nth(2).click()
        wait_until(lambda: len(results.decisions(dataset)) == 3, "the relabelling by the button")
        page.reload()
        page.locator(f".tile[data-row='{second}'][data-mark=drop]").wait_for()
        page.get_by_role("button", name="Train again…").click()
        expect(page.get_by_role("button", name="Train again with 2 changes")).to_be_visible()
        page.get_by_text("Confusions", exact=True).click()
        page.get_by_role("link", name="See the log").click()
        expect(page.get_by_text("Decision log")).to_be_visible()
        expect(page.locator("[data-testid=stDataFrame]").last).to_be_visible()


def test_the_camera_on_a_chart_saves_what_was_chosen(browser: Browser, results: Lab) -> None:
    with window(browser) as page:
        page.goto(f"{results.url}/report?run={RUN}")
        chart = page.locator(".stPlotlyChart").first
        expect(chart.locator(".main-svg").first).to_be_attached()
        for name, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
            page.get_by_role("radio", name=name, exact=True).click()
            chart.hover()

            def saved(suffix: str = f".{name.lower()}", begins: bytes = begins) -> bool:
                with page.expect_download() as download:
                    chart.locator(".modebar-btn").first.click()
                fits = download.value.path().read_bytes().startswith(begins)
                return fits and download.value.suggested_filename.endswith(suffix)

            wait_until(saved, f"a chart saved as {name}")
