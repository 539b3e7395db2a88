"""The server as a person starts it: every page opens, none loads TensorFlow, an empty lab offers the demo."""

from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from app.pages import PAGES
from tests.browser.conftest import Lab, Open, serve, window
from wbc_core.jobs import queue
from wbc_core.records import Dataset
from wbc_core.training.runs import HISTORY_COLUMNS
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


@pytest.mark.parametrize("view", list(PAGES))
def test_every_page_opens_from_its_own_address(lab: Lab, demo: Dataset, open_page: Open, view: str) -> None:
    page = open_page(f"/{'' if view == 'dataset' else view}?dataset={demo.id}")
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')")
    assert page.locator(".stException").count() == 0
    assert demo.id in page.url
    assert "libtensorflow" not in Path(f"/proc/{lab.process_id}/maps").read_text()


def test_the_chain_bar_leads_to_other_pages_and_keeps_the_data_set(demo: Dataset, open_page: Open) -> None:
    page = open_page(f"/review?dataset={demo.id}")
    page.locator(".st-key-chain-bar").get_by_text("split").click()
    page.wait_for_url("**/split_balance?*")
    assert f"dataset={demo.id}" in page.url
    page.locator(".st-key-chain-bar").get_by_text("demo 240").click()
    page.get_by_text("A sample of each class").wait_for()
    assert f"dataset={demo.id}" in page.url


def test_names_from_files_are_shown_as_text(hostile: Dataset, open_page: Open) -> None:
    page = open_page(f"/?dataset={hostile.id}")
    page.locator(".tile .name").first.wait_for()
    assert page.locator(".tile .name").first.inner_text() == hostile.class_names[0]
    assert "hostile <b>set</b>" in page.locator(".st-key-chain-bar").inner_text()
    page.goto(page.url.replace("/?", "/review?"))
    page.locator(".stMainBlockContainer h1").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("window.owned") is None


def test_an_empty_lab_offers_the_demo(browser: Browser, tmp_path: Path) -> None:
    with serve(tmp_path / "workspace", tmp_path / "server.log") as lab, window(browser) as page:
        page.goto(lab.url)
        page.get_by_role("button", name="Build the demo").click()
        page.get_by_text("Building the demo").wait_for()
        assert page.locator(".stException").count() == 0


CURVE = ".js-plotly-plot path.js-line"
WATCH_FRAMES = """curve => {
  window.frames = [];
  const look = () => {
    const page = document.querySelector("[data-testid=stMain]");
    window.frames.push([Boolean(document.querySelector(curve)), page.scrollHeight]);
    requestAnimationFrame(look);
  };
  look();
}"""


def write_epochs(workspace: Workspace, run: str, epochs: int) -> None:
    rows = [
        [epoch, 1 / epoch, 0.5, 1 / epoch, 0.5 + epoch / 100, 1e-3, 2.0, 200.0]
        for epoch in range(1, epochs + 1)
    ]
    with workspace.atomic_path(workspace.run_dir(run) / "history.csv") as scratch:
        pd.DataFrame(rows, columns=list(HISTORY_COLUMNS)).to_csv(scratch, index=False)


def test_a_reload_in_mid_run_shows_the_same_run_and_its_curves_grow_without_flicker(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    spec = RunSpec("pr-0123456789ab", "cnn").to_json()
    jobs = [queue.submit(lab.workspace, "train", spec).id for _ in range(3)]
    claims = [queue.claim_next(lab.workspace, ["train"], "cpu", only=job) for job in jobs[:2]]
    write_epochs(lab.workspace, jobs[1], 2)
    try:
        page = open_page(f"/jobs?dataset={demo.id}&job={jobs[1]}")
        page.reload()
        page.get_by_text("2 of 2").wait_for()
        assert f"job={jobs[1]}" in page.url
        page.locator(CURVE).first.wait_for(state="attached")
        page.evaluate(WATCH_FRAMES, CURVE)
        write_epochs(lab.workspace, jobs[1], 3)
        page.get_by_text("3 of 3").wait_for()
        page.wait_for_timeout(500)
        frames = page.evaluate("window.frames")
        assert all(curve for curve, _ in frames)
        assert len({height for _, height in frames}) == 1
        # By keyboard alone: the queue's buttons can be reached and pressed.
        page.locator(f".st-key-pause-{jobs[2]} button").focus()
        page.keyboard.press("Enter")
        page.locator(f".st-key-start-{jobs[2]} button").wait_for()
        assert queue.get_job(lab.workspace, jobs[2]).paused
    finally:
        queue.cancel(lab.workspace, jobs[2])
        for claimed in claims:
            assert claimed is not None
            queue.finish(lab.workspace, claimed[0].id, claimed[1], "cancelled")
