"""Blind second review: kappa as others compute it, and opinions that decide nothing until settled."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import inspect, text

from tests.core.curation.conftest import noise_images, write_dataset
from wbc_core.curation.agreement import (
    agreement,
    cohen_kappa,
    give_opinion,
    opinions,
    opinions_stamp,
    settle,
    take_back_opinion,
)
from wbc_core.curation.clean import clean_set
from wbc_core.curation.review import decide, decision_log, effective_decisions, undo
from wbc_core.database import engine_of, second_opinions
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

VERDICTS = (("keep", None), ("drop", None), ("relabel", 0), ("relabel", 1))


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn(any_workspace: Workspace, seed: int) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(40)).id
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 4, 40)
    second = np.where(generator.random(40) < 0.6, first, generator.integers(0, 4, 40))
    decide(workspace, dataset, {row: VERDICTS[code] for row, code in enumerate(first)}, who="Ada")
    give_opinion(workspace, dataset, {row: VERDICTS[code] for row, code in enumerate(second)}, who="Ben")
    found = agreement(workspace, dataset, "Ben")
    assert found.images == 40
    assert found.agreed == (first == second).sum()
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))
    assert found.interval[0] < found.kappa < found.interval[1]
    assert list(found.disagreements) == np.flatnonzero(first != second).tolist() == found.open


@pytest.mark.parametrize("pairs", [{}, {("keep", "keep"): 9}])
def test_kappa_is_undefined_without_images_or_with_one_verdict_for_all(pairs: dict) -> None:
    assert cohen_kappa(pairs) is None


def test_opinions_change_nothing_until_a_disagreement_is_settled(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(6)).id
    decide(workspace, dataset, {0: ("drop", None), 1: ("keep", None), 2: ("drop", None)}, who="Ada")
    before, log = clean_set(workspace, dataset).id, decision_log(workspace, dataset)
    give_opinion(workspace, dataset, {0: ("drop", None), 1: ("drop", None)}, who="Ben", check="blur")
    give_opinion(workspace, dataset, {2: ("relabel", 1), 5: ("drop", None)}, who="Ben")
    assert (clean_set(workspace, dataset).id, decision_log(workspace, dataset)) == (before, log)
    found = agreement(workspace, dataset, "Ben")
    assert (found.images, found.agreed, found.open) == (3, 1, [1, 2])
    settle(workspace, dataset, {1: ("drop", None)}, who="Cleo", second="Ben")
    assert effective_decisions(workspace, dataset)[1].action == "drop"
    assert "Ben" in decision_log(workspace, dataset)[-1].reason
    after = agreement(workspace, dataset, "Ben")
    assert after.kappa == found.kappa
    assert (after.open, after.settled) == ([2], {1})
    undo(workspace, dataset, who="Cleo")
    assert agreement(workspace, dataset, "Ben") == found


def test_a_step_of_opinions_is_taken_back_by_its_own_person_only(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(6)).id
    assert opinions_stamp(workspace, dataset) == (0, 0)
    give_opinion(workspace, dataset, {0: ("drop", None)}, who="Ben")
    give_opinion(workspace, dataset, {0: ("keep", None), 1: ("keep", None)}, who=" Ben ")
    give_opinion(workspace, dataset, {2: ("keep", None)}, who="Cleo")
    head, lines = opinions_stamp(workspace, dataset)
    assert take_back_opinion(workspace, dataset, who="Ben") == 2
    assert (lines, opinions_stamp(workspace, dataset)) == (4, (head + 2, 6))
    standing = opinions(workspace, dataset)
    assert {row: line.action for row, line in standing["Ben"].effective.items()} == {0: "drop"}
    assert list(standing["Cleo"].effective) == [2]
    assert take_back_opinion(workspace, dataset, who="Ben") == 1
    assert take_back_opinion(workspace, dataset, who="Ben") == 0


def test_who_judges_twice_does_not_agree_with_themselves(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, noise_images(4)).id
    decide(workspace, dataset, {0: ("drop", None), 1: ("drop", None)}, who="Ada")
    decide(workspace, dataset, {1: ("drop", None)}, who="Ben")
    give_opinion(workspace, dataset, {0: ("drop", None), 1: ("drop", None), 2: ("keep", None)}, who="Ben")
    assert agreement(workspace, dataset, "Ben").images == 2
    decide(workspace, dataset, {2: ("keep", None)}, who="Ben")
    assert agreement(workspace, dataset, "Ben").images == 2


def test_a_wrong_verdict_is_refused_whole(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, noise_images(4)).id
    for wrong in ({0: ("keep", None), 9: ("keep", None)}, {0: ("explode", None)}, {0: ("relabel", 7)}, {}):
        with pytest.raises(WbcError):
            give_opinion(workspace, dataset, wrong, who="Ben")
        with pytest.raises(WbcError):
            settle(workspace, dataset, wrong, who="Ada", second="Ben")
    with pytest.raises(WbcError):
        give_opinion(workspace, dataset, {0: ("keep", None)}, who=" ")
    assert opinions(workspace, dataset) == {}
    assert effective_decisions(workspace, dataset) == {}


def test_a_database_from_before_second_opinions_still_opens(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, noise_images(4)).id
    decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
    with engine_of(workspace).begin() as connection:
        connection.execute(text("DROP TABLE second_opinions"))
    from wbc_core import database

    database._engine.cache_clear()
    assert second_opinions.name in inspect(engine_of(workspace)).get_table_names()
    assert opinions(workspace, dataset) == {}
    assert list(effective_decisions(workspace, dataset)) == [0]
