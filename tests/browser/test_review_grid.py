"""The image grid in a real browser: keys, selection, touch, and that no decision is ever lost."""

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Page

from tests.browser.conftest import Lab, Open, serve, window
from tests.waiting import wait_until
from wbc_core.curation import review
from wbc_core.curation.scan import load_findings
from wbc_core.curation.standing import nothing_decided
from wbc_core.curation.suggestions import open_suggestions, suggestions_of
from wbc_core.datasets.store import load_table
from wbc_core.records import Dataset

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def review_path(dataset: Dataset, check: str = "exact_duplicates") -> str:
    return f"/review?dataset={dataset.id}&check={check}"


def rows(page: Page) -> list[int]:
    page.locator(".tile").first.wait_for()
    return page.locator(".tile").evaluate_all("tiles => tiles.map(tile => Number(tile.dataset.row))")


def mark(page: Page, row: int) -> str:
    return page.locator(f".tile[data-row='{row}']").get_attribute("data-mark") or ""


def focused(page: Page) -> int:
    return int(page.evaluate("document.activeElement.shadowRoot.activeElement.dataset.row"))


def actions(lab: Lab, dataset: Dataset) -> dict[int, str]:
    return {row: decision.action for row, decision in lab.decisions(dataset).items()}


def saved(page: Page) -> None:
    page.locator(".gallery.actions .saved", has_text="Saved").wait_for()


def on_outbox(page: Page, does: str) -> None:
    page.locator(".gallery.actions").evaluate(f"grid => {{ const {{ outbox }} = grid.gallery; {does}; }}")


def test_keys_decide_at_once_and_reach_the_log(lab: Lab, demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    first, second, third, *_ = rows(page)
    page.keyboard.press("d")
    # The mark is there before the server can have heard of it.
    assert mark(page, first) == "drop"
    page.keyboard.press("k")
    page.keyboard.press("r")
    page.keyboard.press("2")
    assert (mark(page, second), mark(page, third)) == ("keep", "relabel")
    expected = {first: "drop", second: "keep", third: "relabel"}
    wait_until(lambda: actions(lab, demo) == expected, "three decisions in the log")
    assert lab.decisions(demo)[third].label == 1
    assert lab.decisions(demo)[first].check == "exact_duplicates"
    page.keyboard.press("u")
    assert mark(page, third) == ""
    assert focused(page) == third
    wait_until(lambda: actions(lab, demo) == {first: "drop", second: "keep"}, "the undo in the log")
    saved(page)
    assert (mark(page, first), mark(page, second), mark(page, third)) == ("drop", "keep", "")


def test_a_press_writes_anew_only_the_pictures_that_it_changes(demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo, "exposure"))
    first, second, third, *_ = rows(page)
    page.locator(".gallery.actions .grid").evaluate("""grid => {
      window.written = new Set();
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const tile = (target.nodeType === 1 ? target : target.parentElement)?.closest(".tile");
          if (tile) window.written.add(Number(tile.dataset.row));
        }
      }).observe(grid, { subtree: true, childList: true, attributes: true, characterData: true });
    }""")
    page.keyboard.press("k")
    saved(page)
    page.keyboard.press("d")
    page.locator(".gallery.actions .saved", has_text="Saving").wait_for()
    saved(page)
    assert set(page.evaluate("[...window.written]")) == {first, second, third}


def open_to_accept(lab: Lab, demo: Dataset) -> dict[int, str]:
    """The exact duplicates that accepting all would drop: groups whose labels conflict are left out."""
    found = load_findings(lab.workspace, demo.id, "exact_duplicates")
    flagged = [entry for entry in found if entry.flagged]
    labels = load_table(lab.workspace, demo.id)["label"].to_numpy()
    made = suggestions_of("exact_duplicates", flagged, demo.class_names, labels)
    return {row: action for row, (action, _) in open_suggestions(made, nothing_decided(demo)).actions.items()}


def test_a_key_accepts_what_is_suggested_where_nothing_is_decided(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    wanted = open_to_accept(lab, demo)
    row, *others = wanted
    page = open_page(review_path(demo))
    rows(page)
    page.locator(f".tile[data-row='{row}']").click()
    page.keyboard.press("a")
    assert mark(page, row) == "drop"
    wait_until(lambda: actions(lab, demo) == {row: "drop"}, "the suggestion in the log")
    page.keyboard.press("u")
    page.keyboard.press("k")
    page.keyboard.press("Control+a")
    page.keyboard.press("a")
    dropped = dict.fromkeys(others, "drop")
    wait_until(lambda: dropped.items() <= actions(lab, demo).items(), "all the others' in the log")
    assert actions(lab, demo)[row] == "keep"
    assert len({entry.step for entry in lab.decisions(demo).values()}) == 2
    page.keyboard.press("u")
    wait_until(lambda: actions(lab, demo) == {row: "keep"}, "the step undone")


def test_a_range_is_dropped_as_one_step(lab: Lab, demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    shown = rows(page)
    page.locator(".tile").nth(1).click()
    page.locator(".tile").nth(4).click(modifiers=["Shift"])
    page.locator(".tile").nth(2).click(modifiers=["Control"])
    assert page.locator(".tile[aria-selected=true]").count() == 3
    page.keyboard.press("d")
    wait_until(lambda: set(actions(lab, demo)) == {shown[1], shown[3], shown[4]}, "the range in the log")
    assert len({decision.step for decision in lab.decisions(demo).values()}) == 1
    assert page.locator(".tile[aria-selected=true]").count() == 0


def test_arrows_space_and_home_move_and_select(demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    rows(page)
    for key in ("ArrowRight", "ArrowRight", "Space", "Home", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert page.locator(".tile[aria-selected=true]").count() == 2
    assert page.locator(".tile[tabindex='0']").count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".tile[aria-selected=true]").count() == 0
    page.keyboard.press("z")
    assert page.locator("dialog.zoom[open]").count() == 1
    page.keyboard.press("z")
    page.keyboard.press("?")
    assert page.locator("dialog.help[open]").count() == 1


def test_focus_and_scroll_survive_the_rerun(lab: Lab, demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    last = rows(page)[-1]
    page.keyboard.press("End")
    scroll = "document.querySelector('.stMain').scrollTop"
    before = page.evaluate(scroll)
    page.keyboard.press("d")
    wait_until(lambda: actions(lab, demo) == {last: "drop"}, "the decision in the log")
    saved(page)
    page.get_by_text("1 dropped").first.wait_for()
    assert page.evaluate(scroll) == before
    assert focused(page) == last


def test_a_reload_in_mid_review_keeps_the_place_and_the_decisions(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    page = open_page(review_path(demo, "blur"))
    page.locator(".stMainBlockContainer").get_by_text("Exact duplicates").click()
    page.wait_for_url("**check=exact_duplicates*")
    # The URL changes before the pictures do.
    page.locator(".hint", has_text="same pixels").wait_for()
    shown = rows(page)
    page.keyboard.press("d")
    # At once, before the batch was sent: the tab itself remembers it.
    page.reload()
    wait_until(lambda: actions(lab, demo) == {shown[0]: "drop"}, "the decision after a reload")
    assert rows(page) == shown
    page.locator(f".tile[data-row='{shown[0]}'][data-mark=drop]").wait_for()
    assert "check=exact_duplicates" in page.url


def test_closing_the_tab_a_second_after_a_press_loses_nothing(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    page = open_page(review_path(demo))
    shown = rows(page)
    for key in "ddkd":
        page.keyboard.press(key)
    page.wait_for_timeout(1000)
    page.close()
    expected = dict(zip(shown, ["drop", "drop", "keep", "drop"], strict=False))
    wait_until(lambda: actions(lab, demo) == expected, "four decisions of a closed tab")


def test_decisions_outlive_a_killed_server_and_none_is_written_twice(
    lab: Lab, demo: Dataset, browser: Browser, tmp_path: Path
) -> None:
    path, log = review_path(demo), tmp_path / "server.log"
    before = len(review.decision_log(lab.workspace, demo.id))
    with window(browser) as page:
        with serve(lab.workspace.home, log) as first:
            page.goto(first.url + path)
            shown = rows(page)
            # The server is killed after it wrote and before the tab hears of it.
            page.locator(".gallery.actions").evaluate(
                "grid => { grid.gallery.outbox.acknowledge = () => 0; }"
            )
            for key in "kddu":
                page.keyboard.press(key)
            written = {shown[0]: "keep", shown[1]: "drop"}
            wait_until(lambda: actions(lab, demo) == written, "decisions and an undo before the kill")
            os.kill(first.process_id, signal.SIGKILL)
        on_outbox(page, "delete outbox.acknowledge")
        page.keyboard.press("k")
        assert mark(page, shown[2]) == "keep"
        with serve(lab.workspace.home, log, int(first.url.rpartition(":")[2])):
            expected = {**written, shown[2]: "keep"}
            wait_until(lambda: actions(lab, demo) == expected, "the decision made meanwhile")
    assert len(review.decision_log(lab.workspace, demo.id)) == before + 5


def test_a_duplicated_tab_loses_and_doubles_nothing(lab: Lab, demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    shown = rows(page)
    before = len(review.decision_log(lab.workspace, demo.id))
    on_outbox(page, "outbox.held = outbox.send, outbox.send = () => {}")
    page.keyboard.press("d")
    with page.expect_popup() as opened:
        # As a duplicate does, it begins with a copy of the tab's storage.
        page.evaluate("window.open(location.href)")
    copy = opened.value
    wait_until(lambda: actions(lab, demo) == {shown[0]: "drop"}, "the copy sends what it inherited")
    copy.locator(".tile").nth(1).click()
    copy.keyboard.press("k")
    saved(copy)
    page.keyboard.press("d")
    page.keyboard.press("k")
    page.locator(".gallery.actions").evaluate(
        "grid => { const { outbox } = grid.gallery; outbox.send = outbox.held; }"
    )
    expected = {shown[0]: "drop", shown[1]: "drop", shown[2]: "keep"}
    wait_until(lambda: actions(lab, demo) == expected, "the presses of both tabs")
    assert len(review.decision_log(lab.workspace, demo.id)) == before + 4


def test_two_people_review_at_once_and_undo_only_their_own(lab: Lab, demo: Dataset, open_page: Open) -> None:
    pages = {}
    for name in ("Anna", "Ben"):
        pages[name] = open_page(review_path(demo))
        field = pages[name].get_by_role("textbox", name="Your name")
        field.fill(name)
        field.press("Enter")
        rows(pages[name])
        pages[name].wait_for_timeout(800)
    shown = rows(pages["Anna"])
    pages["Anna"].locator(".tile").nth(0).click()
    pages["Anna"].keyboard.press("d")
    wait_until(lambda: shown[0] in actions(lab, demo), "Anna's decision")
    pages["Ben"].locator(".tile").nth(1).click()
    pages["Ben"].keyboard.press("k")
    wait_until(lambda: shown[1] in actions(lab, demo), "Ben's decision")
    assert {row: entry.who for row, entry in lab.decisions(demo).items()} == {
        shown[0]: "Anna",
        shown[1]: "Ben",
    }
    pages["Anna"].keyboard.press("u")
    wait_until(lambda: actions(lab, demo) == {shown[1]: "keep"}, "Anna's undo")


def test_all_suggestions_are_accepted_and_undone_in_the_page(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    page = open_page(review_path(demo))
    found = [entry for entry in load_findings(lab.workspace, demo.id, "exact_duplicates") if entry.flagged]
    agreeing = [entry for entry in found if not entry.evidence.startswith("Conflict")]
    surplus = {int(row) for entry in agreeing for row, wanted in entry.suggested.items() if wanted == "drop"}
    left = f"{len(found) - len(agreeing)} groups whose labels conflict are left for you to decide."
    page.get_by_text(left).wait_for()
    page.get_by_role("button", name=f"Accept all {len(surplus)} suggestions").click()
    page.get_by_role("button", name=f"Drop {len(surplus)} images").click()
    wait_until(lambda: set(actions(lab, demo)) == surplus, "all suggestions in the log")
    page.get_by_text(f"{len(surplus)} dropped").wait_for()
    page.get_by_role("button", name="Undo last step").click()
    wait_until(lambda: actions(lab, demo) == {}, "the step undone")


def test_a_phone_can_review_by_touch(lab: Lab, demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo), **PHONE)
    shown = rows(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".tile").nth(0).tap()
    page.locator(".tile").nth(1).tap()
    assert page.locator(".tile[aria-selected=true]").count() == 2
    page.get_by_role("button", name="Drop", exact=True).tap()
    wait_until(lambda: actions(lab, demo) == dict.fromkeys(shown[:2], "drop"), "two taps in the log")
    page.locator(".tile").nth(2).tap()
    page.get_by_role("button", name="Relabel").tap()
    page.locator("dialog.chooser button[data-label='3']").tap()
    wait_until(lambda: actions(lab, demo).get(shown[2]) == "relabel", "the new class in the log")
    assert lab.decisions(demo)[shown[2]].label == 3
    box = page.get_by_role("button", name="Keep", exact=True).bounding_box()
    assert box is not None
    assert box["height"] >= 44


@pytest.mark.parametrize("check", ["exact_duplicates", "exposure"])
def test_a_phone_shows_the_first_pictures_without_scrolling(
    demo: Dataset, open_page: Open, check: str
) -> None:
    page = open_page(review_path(demo, check), **PHONE)
    rows(page)

    def box(selector: str) -> FloatRect:
        place = page.locator(selector).first.bounding_box()
        assert place is not None
        return place

    bar, picture = box(".gallery.actions .bar"), box(".tile")
    assert picture["y"] + picture["height"] <= bar["y"]
    assert bar["height"] <= 0.12 * 844
    lines = ((".st-key-accept-all", ".st-key-undo-step"), (".st-key-view", ".st-key-scan-choice"))
    for left, right in (map(box, line) for line in lines):
        assert right["y"] < left["y"] + left["height"] / 2 < right["y"] + right["height"]
    # All of the evidence is to be read after a tap.
    page.locator(".gallery .about").tap()
    whole = "words => words.scrollWidth <= words.clientWidth"
    assert page.locator(".bar .evidence").evaluate(whole)
