"""Marks on predicted pictures: for a person to look at, and unlike everything that the run learnt from."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.checks.foreign import FOREIGN, Familiar
from wbc_core.curation.measure import measure
from wbc_core.datasets.store import find_dataset
from wbc_core.errors import WbcError
from wbc_core.evaluation.confidence import validation_predictions
from wbc_core.evaluation.cost_decisions import least_cost_decisions
from wbc_core.evaluation.risk_coverage import threshold_for
from wbc_core.evaluation.temperature import with_temperature
from wbc_core.progress import Progress, silent
from wbc_core.splitting import split_table
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace

_MARK = "mark: "
FOR_A_PERSON = f"{_MARK}for a person"
FOREIGN_PICTURE = f"{_MARK}foreign"
FOREIGN_SCORE = f"{_MARK}times as unlike the training images"
LEAST_COST = f"{_MARK}class of least expected cost"


def class_columns(table: pd.DataFrame) -> list[str]:
    """The columns of a table of predictions that hold probabilities: all but file, predicted and marks."""
    return [name for name in table.columns[2:] if not str(name).startswith(_MARK)]


def probability_table(table: pd.DataFrame) -> NDArray[np.float64]:
    """The probabilities of a table of predictions, float64 (n, K)."""
    # By place: a class may be called "file" or "predicted".
    return table.iloc[:, 2 : 2 + len(class_columns(table))].to_numpy(dtype=np.float64)


def person_threshold(
    workspace: Workspace,
    run_id: str,
    *,
    share: float | None = None,
    least_probability: float | None = None,
    temperature: float | None = None,
    tta: bool = False,
) -> float | None:
    """The probability below which a prediction goes to a person.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        share: Above 0 and below 1: the threshold below which this share of the validation images lies.
        least_probability: Or the threshold itself, in 0..1.
        temperature: That of the predictions, which the validation images' are brought to; None for none.
        tta: Whether predictions are averaged over the symmetries of every picture.

    Returns:
        The threshold, None where neither is asked for.

    Raises:
        WbcError: Both are asked for, a number out of its range, or a share of a run without validation
            predictions.
    """
    if share is not None and least_probability is not None:
        raise WbcError("Both a share and a least probability were given.", fix="Give one of them.")
    for value, name in ((share, "share for a person"), (least_probability, "least probability")):
        if value is not None and not 0 < value < 1:
            raise WbcError(f"The {name} cannot be used.", expected="a number between 0 and 1", got=value)
    if share is None:
        return least_probability
    validation = validation_predictions(workspace, run_id, tta=tta)
    if validation is None:
        views = " --tta" if tta else ""
        raise WbcError(
            f"Run {run_id} has no validation predictions{' of averaged views' if tta else ''} yet, on which "
            "the threshold is chosen.",
            fix=f"Run `wbc evaluate {run_id}{views}` first, or give a least probability.",
        )
    chances = with_temperature(validation[1], temperature) if temperature else validation[1]
    return threshold_for(chances.max(axis=1), share)


def training_images(workspace: Workspace, run: Run, progress: Progress = silent) -> Familiar:
    """What the scan's check for foreign pictures calls ordinary among the images that a run learnt from.

    Args:
        workspace: The lab.
        run: The run; the train part of its split counts, without anything made from it.
        progress: Told how far measuring is, which a scan may have done before.
    """
    measured = measure(workspace, find_dataset(workspace, run.dataset), ["appearance"], progress)
    table = split_table(workspace, run.split)
    rows = table.loc[table["part"] == "train", "row"].to_numpy(dtype=np.int64)
    once = np.unique(measured.first_copy[rows])
    return Familiar(measured["appearance"][once])


def with_marks(
    table: pd.DataFrame,
    threshold: float | None,
    scores: NDArray[np.float64] | None = None,
    foreign_from: float = FOREIGN.threshold,
) -> pd.DataFrame:
    """Add the columns of marks to a table of predictions.

    Args:
        table: Columns file, predicted and one probability a class; marks that are there are replaced.
        threshold: Probability of the predicted class below which a picture goes to a person; None for no such
            column.
        scores: How unlike the training images each picture is (`Familiar.unlikeness`); None for no column.
        foreign_from: Score from which a picture is foreign (`Familiar.threshold`).
    """
    marked = table.copy()
    if threshold is not None:
        chances = probability_table(table)
        marked[FOR_A_PERSON] = chances.max(axis=1, initial=0.0) < threshold
    if scores is not None:
        marked[FOREIGN_PICTURE] = scores >= foreign_from
        marked[FOREIGN_SCORE] = scores
    return marked


def with_least_cost(table: pd.DataFrame, costs: npt.ArrayLike) -> pd.DataFrame:
    """Add the class of least expected cost of each picture, beside its most probable one.

    Args:
        table: Predictions, calibrated where they can be.
        costs: Floats (K, K), [true][predicted], as the lab has set them.
    """
    named = np.array(class_columns(table), dtype=object)
    return table.assign(**{LEAST_COST: named[least_cost_decisions(probability_table(table), costs)]})


def marked(table: pd.DataFrame) -> dict[str, int | None]:
    """How many pictures have each mark: `for_a_person` and `foreign`, None where it was not asked for."""
    marks = {"for_a_person": FOR_A_PERSON, "foreign": FOREIGN_PICTURE}
    return {name: int(table[column].sum()) if column in table else None for name, column in marks.items()}
