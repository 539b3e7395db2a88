"""The name of the person in a real browser: it outlives a reload, and what is pressed is logged under it."""

import pytest

from tests.browser.conftest import Lab, Open
from tests.browser.test_review_grid import actions, on_outbox, review_path, rows, saved
from tests.browser.test_review_page import name
from tests.waiting import wait_until
from wbc_core.records import Dataset


def test_a_name_outlives_a_reload_and_undo_with_it(lab: Lab, demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    field = page.get_by_role("textbox", name="Your name")
    rows(page)
    name(page, "Ada")
    page.keyboard.press("d")
    saved(page)
    page.reload()
    rows(page)
    wait_until(lambda: field.input_value() == "Ada", "the name of before")
    page.get_by_role("button", name="Undo last step").click()
    wait_until(lambda: actions(lab, demo) == {}, "the step undone")
    name(page, "")
    page.wait_for_function("sessionStorage.getItem('wbc-person') === ''")


@pytest.mark.parametrize("pressed", ["after the reload", "before the reload"])
def test_a_press_that_comes_before_the_name_of_before_a_reload_is_logged_under_it(
    lab: Lab, demo: Dataset, open_page: Open, pressed: str
) -> None:
    page = open_page(review_path(demo))
    first, second, *_ = rows(page)
    name(page, "Ada")
    page.keyboard.press("d")
    saved(page)
    if pressed == "before the reload":
        on_outbox(page, "outbox.send = () => {}")
        page.keyboard.press("d")
    # The name waits for a page that seems to be drawn still.
    busy = "document.head.insertAdjacentHTML('afterbegin', '<meta data-test-script-state=running>')"
    page.add_init_script(f"addEventListener('DOMContentLoaded', () => {busy})")
    page.reload()
    rows(page)
    if pressed == "after the reload":
        page.locator(f".tile[data-row='{second}']").click()
        page.keyboard.press("d")
    wait_until(lambda: second in actions(lab, demo), "the decision in the log")
    assert {entry.who for entry in lab.decisions(demo).values()} == {"Ada"}
    page.keyboard.press("u")
    wait_until(lambda: actions(lab, demo) == {first: "drop"}, "the last one taken back")


def test_a_name_outlives_a_reload_where_there_is_nothing_to_decide_on(demo: Dataset, open_page: Open) -> None:
    page = open_page(f"/?dataset={demo.id}")
    name(page, "Ada")
    page.wait_for_function("sessionStorage.getItem('wbc-person') === 'Ada'")
    page.reload()
    field = page.get_by_role("textbox", name="Your name")
    wait_until(lambda: field.input_value() == "Ada", "the name of before")
