"""A click on the confusion matrix opens that cell's images, on a wide and on a narrow screen."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Lab, serve
from tests.results_lab import NAMES, add_report, add_run, build_dataset, build_split
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
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{results.url}/report?run={RUN}")
    settled = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    matrix = page.locator(".stPlotlyChart").first
    area = matrix.locator(".nsewdrag").first
    expect(area).to_be_attached(timeout=30_000)
    expect(page.get_by_text("taken for").first).to_be_visible(timeout=30_000)
    for true, predicted in ((1, 1), (2, 2)):
        expect(settled).to_be_attached(timeout=30_000)
        matrix.scroll_into_view_if_needed()
        box = area.bounding_box()
        assert box is not None
        # Off the middle of the cell, where a person also clicks.
        across, down = (predicted + 0.6) / len(NAMES), (true + 0.4) / len(NAMES)
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        expect(page.get_by_text(f"{NAMES[true].capitalize()} recognised")).to_be_visible(timeout=15_000)
        expect(page).to_have_url(re.compile(f"cell={true}-{predicted}"))
    page.reload()
    expect(page.get_by_text("Platelet recognised")).to_be_visible(timeout=30_000)
    page.close()
