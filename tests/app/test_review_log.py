"""Presses on the Review page in the decision log, which of them Undo takes back, and how the log is shown."""

import pytest
from sqlalchemy import delete, insert

from app import cache, state
from app.components import review_actions
from tests.app.opening import page_drawn_by
from tests.app.review_page import press
from wbc_core.curation import agreement, review
from wbc_core.curation.clean import clean_set
from wbc_core.database import decisions, transaction
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


def test_a_line_that_becomes_visible_late_is_in_the_clean_set_and_the_agreement(
    demo_dataset: Dataset,
) -> None:
    workspace = Workspace.default()
    for row in (3, 4):
        review.decide(workspace, demo_dataset.id, {row: ("drop", None)}, who="Ada")
        agreement.give_opinion(workspace, demo_dataset.id, {row: ("drop", None)}, who="Ben")
    early = review.decision_log(workspace, demo_dataset.id)[0]
    with transaction(workspace) as connection:
        connection.execute(delete(decisions).where(decisions.c.id == early.id))
    found = [(cache.clean_set(demo_dataset.id).dropped, cache.agreement_with(demo_dataset.id, "Ben").images)]
    with transaction(workspace) as connection:
        connection.execute(insert(decisions), [vars(early)])
    found += [(cache.clean_set(demo_dataset.id).dropped, cache.agreement_with(demo_dataset.id, "Ben").images)]
    assert found == [(1, 1), (2, 2)]
    # The export is refused where the page and the log differ.
    assert cache.clean_set(demo_dataset.id).id == clean_set(workspace, demo_dataset.id).id


def test_the_log_shows_a_step_of_many_images_as_one_line(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    review.decide(workspace, demo_dataset.id, dict.fromkeys((3, 4, 5), ("drop", None)), who="Anna")
    review.decide(workspace, demo_dataset.id, {9: ("keep", None)}, who="Anna")
    page = page_drawn_by(_draw_log, demo_dataset.id).run()
    assert not page.exception
    table = page.dataframe[0].value
    assert table[["Images", "Action"]].to_numpy().tolist() == [["row 9", "keep"], ["3 images", "drop"]]


def _draw_log(dataset_id: str) -> None:
    from app import state
    from app.components import review_actions
    from wbc_core.datasets import store

    review_actions.log(store.read_dataset(state.workspace(), dataset_id))


def test_a_press_is_one_step_in_the_log_and_undo_takes_back_only_ones_own(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    review_actions.write(press(demo_dataset, "drop", [3, 4]))
    review_actions.write(press(demo_dataset, "relabel", [5], label=1))
    review.decide(workspace, demo_dataset.id, {9: ("drop", None)}, who="somebody else")
    log = review.decision_log(workspace, demo_dataset.id)
    assert {(entry.who, entry.check) for entry in log[:3]} == {(state.person(), "blur")}
    review_actions.write(press(demo_dataset, "undo", []))
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {3, 4, 9}
    review_actions.write(press(demo_dataset, "undo", []))
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {9}


def test_two_people_without_names_take_back_only_their_own(demo_dataset: Dataset) -> None:
    workspace, actions = Workspace.default(), []
    visits = [page_drawn_by(_press, demo_dataset.id) for _ in range(2)]
    for row, visit in enumerate(visits):
        visit.query_params["row"] = str(row)
        visit.run()
    assert len({line.who for line in review.decision_log(workspace, demo_dataset.id)}) == 2
    visits[0].query_params["row"] = "undo"
    for _ in range(2):
        visits[0].run()
        actions.append(sorted(review.effective_decisions(workspace, demo_dataset.id)))
    assert actions == [[1], [1]]


def _press(dataset_id: str) -> None:
    import json

    import streamlit as st

    from app.components import review_actions

    row = st.query_params["row"]
    about = {"context": json.dumps({"dataset": dataset_id}), "label": None, "seq": 1, "client": "tab"}
    action, rows = ("undo", []) if row == "undo" else ("drop", [int(row)])
    review_actions.write({**about, "action": action, "rows": rows})


def test_a_press_from_a_browser_is_checked_by_the_core(demo_dataset: Dataset) -> None:
    with pytest.raises(WbcError):
        review_actions.write(press(demo_dataset, "drop", [10**6]))
    with pytest.raises(WbcError):
        review_actions.write(press(demo_dataset, "explode", [1]))
