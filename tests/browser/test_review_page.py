"""The Review page in a real browser: the choice of check, thresholds, the map, the blind second review."""

import re

from playwright.sync_api import Page

from tests.browser.conftest import Lab, Open
from tests.browser.test_review_grid import (
    PHONE,
    actions,
    focused,
    mark,
    on_outbox,
    review_path,
    rows,
    saved,
)
from tests.waiting import wait_until
from wbc_core.curation import agreement, review
from wbc_core.curation.scan import load_findings
from wbc_core.records import Dataset


def name(page: Page, person: str) -> None:
    field = page.get_by_role("textbox", name="Your name")
    field.fill(person)
    field.press("Enter")


def test_checks_are_chosen_by_click_and_arrow_and_count_what_is_left(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    page = open_page(review_path(demo))
    first = rows(page)[0]
    chosen = page.get_by_role("radio", name="Exact duplicates")
    flagged = {
        row for found in load_findings(lab.workspace, demo.id, "exact_duplicates") for row in found.rows
    }
    assert chosen.get_attribute("aria-checked") == "true"
    assert chosen.locator(".count").inner_text() == str(len(flagged))
    before = chosen.bounding_box()
    page.keyboard.press("d")
    wait_until(lambda: actions(lab, demo) == {first: "drop"}, "the decision in the log")
    # One copy fewer to look at, two where the other one is then the last of its group.
    left = re.compile(f"^({len(flagged) - 1}|{len(flagged) - 2})$")
    chosen.locator(".count", has_text=left).wait_for()
    assert chosen.bounding_box() == before
    chosen.press("ArrowRight")
    page.wait_for_url("**check=near_duplicates*")
    page.get_by_role("radio", name="Exposure").click()
    page.wait_for_url("**check=exposure*")
    assert page.locator("[data-check][aria-checked=true]").get_attribute("data-check") == "exposure"


def test_a_threshold_moves_the_count_and_outlives_a_reload(demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo, "blur"))
    slider = page.get_by_role("slider").first
    before = page.get_by_text(" flagged", exact=False).first.inner_text()
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_url("**threshold-blur=*")
    page.get_by_text(before, exact=True).wait_for(state="detached")
    after = page.get_by_text("Threshold ·").inner_text()
    page.reload()
    page.get_by_text(after, exact=True).wait_for()


def test_the_evidence_hangs_under_the_picture_in_focus(demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    rows(page)
    page.keyboard.press("ArrowRight")
    hint = page.locator(".tile").nth(1).locator(".hint")
    assert "same pixels" in hint.inner_text()
    assert page.locator(".hint").count() == 1
    picture, words = page.locator(".tile .picture").nth(1).bounding_box(), hint.bounding_box()
    assert words["y"] >= picture["y"] + picture["height"]
    # All of it is to be read: one that is too long for the room above the bar hangs over the picture.
    page.locator(".gallery.actions").evaluate("""gallery => {
      const { grid } = gallery.gallery;
      grid.items.at(-1).title = "Evidence of many words. ".repeat(20);
      grid.moveFocus(grid.items.length - 1);
    }""")
    page.locator(".hint.above").wait_for()
    bar, words = page.locator(".gallery.actions .bar").bounding_box(), page.locator(".hint").bounding_box()
    assert words["y"] + words["height"] <= bar["y"]
    whole = "words => words.scrollHeight <= words.clientHeight"
    assert page.locator(".hint .words").evaluate(whole)


def test_copies_are_enlarged_side_by_side(demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    first, second, *_ = rows(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("z")
    assert f"Row {second}" in page.locator("dialog.zoom .what").inner_text()
    assert f"Beside it: Row {first}" in page.locator("dialog.zoom figcaption").inner_text()
    sides = [box.bounding_box() for box in page.locator("dialog.zoom img").all()]
    assert sides[0]["y"] == sides[1]["y"]


def test_enlarged_one_image_after_the_other_is_decided_on_by_touch(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    page = open_page(review_path(demo), **PHONE)
    first, second, third, *_ = rows(page)
    zoom = page.locator("dialog.zoom")
    page.locator(".bar [data-do=zoom]").tap()
    zoom.locator("[data-do=drop]").tap()
    assert f"Row {second}" in zoom.locator(".what").inner_text()
    zoom.locator("[data-do=next]").tap()
    assert f"Row {third}" in zoom.locator(".what").inner_text()
    zoom.locator("[data-do=previous]").tap()
    zoom.locator("[data-do=keep]").tap()
    wait_until(lambda: actions(lab, demo) == {first: "drop", second: "keep"}, "both in the log")
    zoom.locator("[data-do=undo]").tap()
    assert f"Row {second}" in zoom.locator(".what").inner_text()
    wait_until(lambda: actions(lab, demo) == {first: "drop"}, "the last one taken back")
    box = zoom.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_after_a_click_on_a_check_the_arrows_are_for_its_pictures(demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    rows(page)
    page.get_by_role("radio", name="Near duplicates").click()
    page.wait_for_url("**check=near_duplicates*")
    wait_until(lambda: "alike" in page.locator(".tile").first.get_attribute("title"), "the near duplicates")
    page.keyboard.press("ArrowRight")
    assert focused(page) == rows(page)[1]
    assert "check=near_duplicates" in page.url


def test_the_later_of_two_decisions_on_one_image_stands_and_both_are_logged(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    pages = [open_page(review_path(demo)) for _ in range(2)]
    for page, person in zip(pages, ("Anna", "Ben"), strict=True):
        first = rows(page)[0]
        name(page, person)
        page.wait_for_timeout(800)
    before = len(review.decision_log(lab.workspace, demo.id))
    for page, key, action in zip(pages, "dk", ("drop", "keep"), strict=True):
        page.locator(".tile").first.click()
        page.keyboard.press(key)
        wait_until(lambda action=action: actions(lab, demo) == {first: action}, f"the {action}")
    log = review.decision_log(lab.workspace, demo.id)[before:]
    assert [(line.who, line.action) for line in log] == [("Anna", "drop"), ("Ben", "keep")]


def lasso_all(page: Page) -> None:
    page.locator("canvas").scroll_into_view_if_needed()
    box = page.locator("canvas").bounding_box()
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    for x, y in ((right, box["y"] + 3), (right, bottom), (box["x"] + 3, bottom)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def test_the_map_shows_a_thumbnail_on_hover_and_opens_what_is_drawn_around(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    page = open_page(f"/review?dataset={demo.id}&view=map")
    page.locator("canvas").wait_for()
    page.get_by_role("radio", name="Flag").click()
    # The spot of the first image, from the page's own numbers.
    spot = """map => { const { plot } = map.map; return plot.toScreen(plot.x[0], plot.y[0]); }"""
    left, top = page.locator(".map").evaluate(spot)
    page.locator("canvas").hover(position={"x": left, "y": top})
    page.locator(".card img[src^='data:image/webp']").wait_for()
    assert "Row " in page.locator(".card .words").inner_text()
    lasso_all(page)
    page.get_by_text(f"{demo.images} images").last.wait_for()
    first_page = rows(page)
    page.locator(".tile").last.click()
    # Beyond its end the arrows go on to the next page, and back.
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**page-map=2*")
    wait_until(lambda: first_page[0] not in rows(page), "the second page")
    assert focused(page) == rows(page)[0]
    page.keyboard.press("ArrowUp")
    wait_until(lambda: rows(page) == first_page, "the first page")
    assert focused(page) == first_page[-1]
    worst = first_page[0]
    page.locator(".tile").first.click()
    page.keyboard.press("d")
    wait_until(lambda: actions(lab, demo) == {worst: "drop"}, "a decision from the map")
    assert lab.decisions(demo)[worst].check is None
    page.get_by_role("radio", name="Decision").click()
    page.locator(".legend button", has_text="Dropped").locator(".count", has_text="1").wait_for()
    page.get_by_role("radio", name="Class").click()
    page.locator(".legend button").first.click()
    page.get_by_text("What the legend hides is left out").wait_for()
    # Coming back finds the outline, what is hidden, and a Reset that clears both.
    page.get_by_text("Findings").first.click()
    page.locator("canvas").wait_for(state="detached")
    page.get_by_text("Map").first.click()
    page.get_by_text("What the legend hides is left out").wait_for()
    drawn = page.locator(".map").evaluate("map => [map.map.plot.outline.length, map.map.plot.hidden.size]")
    assert drawn[0] > 3
    assert drawn[1] == 1
    page.get_by_role("button", name="Reset").click()
    page.get_by_text("lie inside").wait_for(state="detached")


def test_enlarged_a_tap_while_the_next_page_comes_decides_nothing(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    page = open_page(f"/review?dataset={demo.id}&view=map")
    page.locator("canvas").wait_for()
    lasso_all(page)
    before = rows(page)
    page.locator(".tile").last.click()
    page.keyboard.press("z")
    # At once, so that no answer can come between the taps.
    told = page.locator(".gallery.actions").evaluate("""root => {
      const { gallery } = root;
      const tap = (wanted) => root.querySelector(`dialog.zoom [data-do=${wanted}]`).click();
      const send = gallery.setTriggerValue;
      let turns = 0;
      gallery.setTriggerValue = (...given) => { turns += 1; send(...given); };
      ["next", "drop", "next"].forEach(tap);
      return [turns, gallery.outbox.last];
    }""")
    assert told == [1, 0]
    page.wait_for_url("**page-map=2*")
    wait_until(lambda: before[0] not in rows(page), "the second page")
    first = rows(page)[0]
    page.locator("dialog.zoom [data-do=drop]").click()
    wait_until(lambda: actions(lab, demo) == {first: "drop"}, "the decision on the page that came")


def test_a_lasso_neither_sends_nor_draws_the_points_again(demo: Dataset, open_page: Open) -> None:
    page = open_page(f"/review?dataset={demo.id}&view=map")
    received: list[bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(frame)))
    page.reload()
    page.locator("canvas").wait_for()
    page.wait_for_timeout(500)
    page.locator(".map").evaluate("""map => {
      const { plot } = map.map;
      const draw = plot.drawPoints.bind(plot);
      window.drawn = 0;
      plot.drawPoints = (...given) => { window.drawn += 1; draw(...given); };
    }""")
    assert sum(b'"points"' in frame for frame in received) == 1
    lasso_all(page)
    assert rows(page)
    assert sum(b'"points"' in frame for frame in received) == 1
    assert page.evaluate("window.drawn") == 0
    page.get_by_role("radio", name="Flag").click()
    page.wait_for_function("window.drawn === 1")


def test_hostile_class_names_are_only_text_on_the_map(hostile: Dataset, open_page: Open) -> None:
    page = open_page(f"/review?dataset={hostile.id}&view=map")
    page.locator(".legend button", has_text="<img src=x").wait_for()
    lasso_all(page)
    rows(page)
    assert page.evaluate("window.owned") is None


def test_the_map_and_the_checks_fit_on_a_phone(demo: Dataset, open_page: Open) -> None:
    page = open_page(f"/review?dataset={demo.id}&view=map", **PHONE)
    page.locator("canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_text("Findings").first.tap()
    rows(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("radio", name="Exposure").tap()
    page.wait_for_url("**check=exposure*")


def test_keys_after_a_name_are_no_letters_of_it(lab: Lab, demo: Dataset, open_page: Open) -> None:
    page = open_page(review_path(demo))
    first, *_ = rows(page)
    name(page, "Ada")
    page.keyboard.press("d")
    wait_until(lambda: actions(lab, demo) == {first: "drop"}, "the decision in the log")
    assert lab.decisions(demo)[first].who == "Ada"
    assert page.get_by_role("textbox", name="Your name").input_value() == "Ada"


def test_a_second_person_reviews_unseen_and_a_disagreement_is_settled(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    found = [entry for entry in load_findings(lab.workspace, demo.id, "exact_duplicates") if entry.flagged]
    first, second = found[0].rows[:2]
    review.decide(lab.workspace, demo.id, {first: ("keep", None), second: ("drop", None)}, who="Anna")
    page = open_page(f"/review?dataset={demo.id}&check=exact_duplicates&view=second")
    name(page, "Ben")
    rows(page)
    # Nothing of Anna's shows.
    assert (mark(page, first), mark(page, second)) == ("", "")
    page.locator(f".tile[data-row='{first}']:focus").wait_for()
    page.keyboard.press("d")
    page.locator(f".tile[data-row='{second}']").click()
    page.keyboard.press("d")
    wait_until(
        lambda: (
            {row for said in agreement.opinions(lab.workspace, demo.id).values() for row in said.effective}
            == {first, second}
        ),
        "two opinions",
    )
    saved(page)
    assert actions(lab, demo) == {first: "keep", second: "drop"}
    page.get_by_text("Compare and settle").click()
    page.get_by_text("First: keep · Ben: drop").wait_for()
    # The pictures of the step before leave the page a moment later. Its copies stand beside it, as they are.
    wait_until(lambda: rows(page) == list(found[0].rows), "the one disagreement, beside its copies")
    wait_until(lambda: mark(page, second) == "drop", "what holds for its copy")
    assert mark(page, first) == ""
    assert page.locator(".frame .tile").count() == len(found[0].rows)
    page.keyboard.press("d")
    wait_until(lambda: actions(lab, demo)[first] == "drop", "the settled decision")
    page.get_by_text("1 of 1 disagreement settled").wait_for()
    # Settled, it leaves the open ones.
    page.locator(".tile").first.wait_for(state="detached")
    page.get_by_text("All disagreements").click()
    assert mark(page, first) == "drop"
    while agreement.take_back_opinion(lab.workspace, demo.id, who="Ben"):
        pass


def test_settling_goes_from_one_disagreement_to_the_next_and_leaves_the_copies_beside_them(
    lab: Lab, demo: Dataset, open_page: Open
) -> None:
    found = [entry for entry in load_findings(lab.workspace, demo.id, "exact_duplicates") if entry.flagged]
    asked = [entry.rows[1] for entry in found[:3]]
    review.decide(lab.workspace, demo.id, dict.fromkeys(asked, ("keep", None)), who="Anna")
    verdicts = dict.fromkeys(asked, ("drop", None))
    agreement.give_opinion(lab.workspace, demo.id, verdicts, who="Ben", check="exact_duplicates")
    page = open_page(f"/review?dataset={demo.id}&view=second&second=compare")
    first, second, third = (row for row in rows(page) if row in asked)
    page.locator(f".tile[data-row='{third}']").focus()
    page.keyboard.press("d")
    page.locator(f".tile[data-row='{third}']").wait_for(state="detached")
    assert focused(page) == second
    page.keyboard.press("Control+a")
    assert page.locator(".tile[aria-selected=true]").count() == 2
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    # Before the server has answered.
    on_outbox(page, "outbox.held = outbox.send; outbox.send = () => {}")
    page.keyboard.press("d")
    assert focused(page) == second
    page.keyboard.press("d")
    on_outbox(page, "outbox.send = outbox.held; outbox.flush()")
    wait_until(lambda: actions(lab, demo) == {first: "drop", second: "drop", third: "drop"}, "all settled")
    while agreement.take_back_opinion(lab.workspace, demo.id, who="Ben"):
        pass
