"""The blind second review: who sees what, where verdicts go, and how far two people agree."""

from streamlit.testing.v1 import AppTest

from app import state
from app.components import review_actions, review_cuts
from app.components.gallery import Press
from tests.app.review_page import open_review, shown_text
from wbc_core.curation import agreement, review
from wbc_core.curation.suggestions import accept
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


def second_review(person: str, step: str = "judge", **parameters: str) -> AppTest:
    page = open_review(view="second", second=step, **parameters)
    page.text_input(key="person").set_value(person).run()
    return page


def test_a_second_review_needs_a_name_and_shows_nobody_elses_verdicts(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    accept(workspace, demo_dataset.id, ["exact_duplicates"], who="Anna")
    nameless = open_review(view="second", check="exact_duplicates")
    assert "your name" in shown_text(nameless)
    assert not nameless.get("progress")
    page = second_review("Ben", check="exact_duplicates")
    assert not page.exception
    assert "**0** of" in page.get("progress")[0].proto.text
    assert "Anna" not in shown_text(page)
    assert not page.expander
    row = review_cuts.cut(demo_dataset.id, "exact_duplicates").findings[0].rows[0]
    agreement.give_opinion(workspace, demo_dataset.id, {row: ("drop", None)}, who="Ben")
    page.run()
    assert "1 dropped" in page.get("progress")[0].proto.text


def test_presses_go_to_the_log_they_belong_to(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    review.decide(workspace, dataset, {3: ("keep", None)}, who="Anna")
    judged = review_actions.context(demo_dataset, "blur", second=True)
    same = {"client": "tab", "seq": 1, "label": None}
    review_actions.write(Press(**same, context=judged, action="drop", rows=[3, 4]))
    assert review.effective_decisions(workspace, dataset).keys() == {3}
    assert agreement.agreement(workspace, dataset, state.person()).open == [3]
    settled = review_actions.context(demo_dataset, settles=state.person())
    review_actions.write(Press(**same, context=settled, action="drop", rows=[3]))
    assert review.effective_decisions(workspace, dataset)[3].action == "drop"
    assert agreement.agreement(workspace, dataset, state.person()).open == []
    review_actions.write(Press(**same, context=judged, action="undo", rows=[]))
    assert agreement.opinions(workspace, dataset) == {}
    assert review.effective_decisions(workspace, dataset)[3].action == "drop"


def test_kappa_says_what_it_was_computed_on(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    review.decide(workspace, dataset, {3: ("keep", None), 4: ("drop", None), 5: ("keep", None)}, who="Anna")
    assert "Nobody has given" in shown_text(second_review("Ben", "compare"))
    agreement.give_opinion(workspace, dataset, {3: ("keep", None), 4: ("drop", None)}, who="Ben")
    agreement.give_opinion(workspace, dataset, {5: ("drop", None), 6: ("drop", None)}, who="Ben")
    page = second_review("Cleo", "compare")
    assert not page.exception
    assert page.metric[0].value == "0.40"
    assert "**3** images that both Ben and somebody else" in shown_text(page)
    assert "**0** of 1 disagreements settled" in page.get("progress")[0].proto.text
    assert "Every disagreement" not in shown_text(page)
    agreement.settle(workspace, dataset, {5: ("drop", None)}, who="Cleo", second="Ben")
    page.run()
    assert "**1** of 1 disagreements settled" in page.get("progress")[0].proto.text
    assert "Every disagreement is settled." in shown_text(page)
    page.segmented_control(key="disagreements-shown").set_value("all").run()
    assert not page.exception
    assert "Every disagreement is settled." not in shown_text(page)
