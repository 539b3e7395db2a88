"""The server as a person starts it: every page opens, none loads TensorFlow, an empty lab offers the demo."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.pages import PAGES
from tests.browser.conftest import Lab, Open, serve
from wbc_core.records import Dataset


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
    with serve(tmp_path / "workspace", tmp_path / "server.log") as lab, browser.new_context() as context:
        page = context.new_page()
        page.goto(lab.url)
        page.get_by_role("button", name="Build the demo").click()
        page.get_by_text("Building the demo").wait_for()
        assert page.locator(".stException").count() == 0
