"""Pictures unlike those that a run learnt from, and what goes to a person."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.results_lab import RUN, add_report, add_run, build_dataset, build_split
from wbc_core.curation.checks.foreign import FOREIGN, Familiar
from wbc_core.curation.measures.appearance import appearance
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.errors import WbcError
from wbc_core.evaluation.marks import (
    FOREIGN_PICTURE,
    LEAST_COST,
    person_threshold,
    training_images,
    with_least_cost,
    with_marks,
)
from wbc_core.evaluation.prediction_csv import read_predictions, write_predictions
from wbc_core.workspace import Workspace


def test_other_cells_are_familiar_and_other_pictures_are_not() -> None:
    generator = np.random.default_rng(0)
    known = Familiar(appearance(draw_cells(generator, generator.integers(0, 8, 240))))
    assert known.threshold >= FOREIGN.threshold
    cells = appearance(draw_cells(generator, generator.integers(0, 8, 60)))
    stripes = np.zeros((1, 96, 96, 3), np.uint8)
    stripes[:, ::2] = (255, 255, 0)
    noise = generator.integers(0, 256, (1, 96, 96, 3), dtype=np.uint8)
    others = appearance(np.concatenate([stripes, noise]))
    assert (known.unlikeness(cells) < known.threshold).mean() > 0.95
    assert (known.unlikeness(others) > known.threshold).all()
    table = pd.DataFrame({"file": ["a", "b"], "predicted": ["x", "x"], "x": [1.0, 1.0]})
    marked = with_marks(table, None, known.unlikeness(others), known.threshold)
    assert marked[FOREIGN_PICTURE].all()
    few = Familiar(appearance(draw_cells(generator, np.zeros(5, int))))
    assert (few.enough, few.unlikeness(others).tolist()) == (False, [0, 0])


def test_only_the_train_part_is_known(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    run = add_run(workspace, build_split(workspace, dataset, fractions=(0.25, 0.75))[1], RUN)
    # 60 images, of which a quarter is too few to tell what is ordinary.
    assert not training_images(workspace, run).enough


def test_a_share_for_a_person_is_chosen_on_validation(workspace: Workspace) -> None:
    run = add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN)
    with pytest.raises(WbcError, match=f"wbc evaluate {RUN}"):
        person_threshold(workspace, RUN, share=0.1)
    add_report(workspace, run, right=0.7)
    low, high = (person_threshold(workspace, RUN, share=share) for share in (0.1, 0.5))
    assert 0 < low < high < 1
    # A threshold is that of probabilities as predictions have them: the higher the temperature, the lower.
    assert person_threshold(workspace, RUN, share=0.5, temperature=4.0) < high
    assert person_threshold(workspace, RUN, least_probability=0.8) == 0.8
    assert person_threshold(workspace, RUN) is None
    with pytest.raises(WbcError, match="averaged views"):
        person_threshold(workspace, RUN, share=0.1, tta=True)


def test_the_class_of_least_expected_cost_stands_beside(tmp_path: Path) -> None:
    table = pd.DataFrame({"file": ["a", "b"], "predicted": ["x", "x"], "x": [0.9, 0.6], "y": [0.1, 0.4]})
    named = with_least_cost(table, [[0, 1], [2, 0]])
    assert named[LEAST_COST].tolist() == ["x", "y"]
    with (tmp_path / "out.csv").open("w", newline="") as stream:
        write_predictions(named, stream)
    assert read_predictions(tmp_path / "out.csv").equals(named)
