"""Several runs as one: their probabilities averaged, as a run of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from wbc_core.errors import WbcError
from wbc_core.evaluation.confidence import VALIDATION, validation_predictions
from wbc_core.evaluation.metrics import Floats, Integers
from wbc_core.evaluation.report import evaluate_run, held_out, sha256_of
from wbc_core.evaluation.reports import list_reports, load_report
from wbc_core.progress import Progress, part_of, silent
from wbc_core.quiet import import_keras_quietly
from wbc_core.records import Json, content_id
from wbc_core.training.predict import best_model_path, load_model
from wbc_core.training.runs import ENSEMBLE, Run, load_run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

if TYPE_CHECKING:
    import keras

WEIGHTS = ("mean", "validation")
"""All members count alike; or as much as makes the log loss on the validation images smallest."""

_STEPS = 10_000
_CLOSE = 1e-6


def fit_weights(labels: Integers, probabilities: Floats) -> Floats:
    """Weigh members so that the log loss of their mixture is smallest.

    With p_ij the probability that member j gives to the true class of image i, the mean of
    log(sum_j w_j p_ij) is concave in the weights, and EM for the proportions of a mixture climbs to its only
    top: w_j <- w_j mean_i(p_ij / sum_k w_k p_ik) (Dempster, Laird & Rubin, J. R. Statist. Soc. B 39, 1977,
    section 4.3). It ends where no weights could gain a millionth of a nat: the largest factor of a step,
    minus 1, bounds the gain.

    Args:
        labels: True labels, integers (n,), n at least 1.
        probabilities: Floats (members, n, K).

    Returns:
        Weights (members,), at least 0, summing to 1.

    Example:
        >>> fit_weights(np.array([0, 1]), np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5]] * 2])).round(2)
        array([1., 0.])
    """
    given = np.asarray(probabilities, dtype=np.float64)[:, np.arange(len(labels)), labels].T
    given = np.clip(given, np.finfo(np.float64).eps, None)
    weights = np.full(given.shape[1], 1 / given.shape[1])
    for _ in range(_STEPS):
        factors = (given / (given @ weights)[:, None]).mean(axis=0)
        if factors.max() - 1 < _CLOSE:
            break
        weights = weights * factors
    fitted: Floats = weights / weights.sum()
    return fitted


def _checked_members(workspace: Workspace, run_ids: Sequence[str], weights: str) -> list[Run]:
    if weights not in WEIGHTS:
        raise WbcError("There are no such weights.", expected=f"one of {', '.join(WEIGHTS)}", got=weights)
    if len(run_ids) < 2 or len(set(run_ids)) < len(run_ids):
        raise WbcError(
            "An ensemble needs members.",
            expected="at least two different runs",
            got=", ".join(run_ids) or "none",
            fix="Name them: `wbc ensemble RUN RUN`.",
        )
    members = [load_run(workspace, run_id) for run_id in sorted(run_ids)]
    for told in ("split", "class_names", "image_shape"):
        one, *others = (getattr(run, told) for run in members)
        for run, other in zip(members[1:], others, strict=True):
            if other != one:
                raise WbcError(
                    f"{members[0].id} and {run.id} cannot answer together: they differ in their "
                    f"{told.replace('_', ' ')}.",
                    expected=str(one),
                    got=str(other),
                    fix="Choose runs of one split.",
                )
    return members


def _weights_of(workspace: Workspace, members: Sequence[Run], weights: str) -> tuple[float, ...]:
    if weights == "mean":
        return (1 / len(members),) * len(members)
    found = {run.id: validation_predictions(workspace, run.id) for run in members}
    missing = [run_id for run_id, predictions in found.items() if predictions is None]
    if missing:
        commands = "; ".join(f"`wbc evaluate {run_id}`" for run_id in missing)
        raise WbcError(
            "Weights are fitted on the members' validation predictions.",
            got=f"none of {', '.join(missing)}",
            fix=f"Run {commands} first.",
        )
    tables = [predictions for predictions in found.values() if predictions is not None]
    labels = np.asarray(tables[0][0], dtype=np.int64)
    if any(not np.array_equal(labels, other) for other, _ in tables):
        raise WbcError("The members were evaluated on different images.", fix="Evaluate them again.")
    fitted = fit_weights(labels, np.stack([table for _, table in tables]))
    return tuple(float(weight) for weight in fitted)


def combine(members: "Sequence[keras.Model]", weights: Sequence[float]) -> "keras.Model":
    """One network of several: the weighted sum of their probabilities.

    Args:
        members: Classifiers of the same images and classes; they are renamed.
        weights: One a member, summing to 1.
    """
    import keras

    images = keras.Input(members[0].input_shape[1:], name="image")
    parts = []
    for number, (member, weight) in enumerate(zip(members, weights, strict=True)):
        member.name = f"member{number}"
        # float32 whatever a member computes in, so that half precision never rounds a probability.
        scaled = keras.layers.Rescaling(weight, dtype="float32", name=f"weight{number}")
        parts.append(scaled(member(images)))
    return keras.Model(images, keras.layers.Add(dtype="float32", name="probabilities")(parts), name=ENSEMBLE)


def build_ensemble(
    workspace: Workspace, run_ids: Sequence[str], weights: str = "mean", progress: Progress = silent
) -> Json:
    """Make an ensemble of runs, a run of its own with a model, and evaluate it.

    The same members with the same models and weights are the same ensemble: it is not built again.

    Args:
        workspace: The lab.
        run_ids: At least two runs of one split, in any order.
        weights: One of `WEIGHTS`.
        progress: Where to report.

    Returns:
        `run`, its id; `members` and `weights`, in the same order; `parameters`, their sum; `part`,
        `accuracy`, `accuracy_ci`, `macro_f1` and `macro_f1_ci` of its report; `chosen_on_part`: whether the
        weights were fitted on the very images of that report, which then reads too good.

    Raises:
        WbcError: Too few runs, runs that cannot answer together, no model yet, or no validation predictions
            to fit weights on; nothing is written.
    """
    members = _checked_members(workspace, run_ids, weights)
    models = [sha256_of(best_model_path(workspace, run.id)) for run in members]
    made_of = {"members": [run.id for run in members], "models": models, "weights": weights}
    run_id = content_id("en", made_of)
    if not workspace.run_dir(run_id).exists():
        _write(workspace, run_id, members, weights, part_of(progress, 0.0, 0.4))
    progress(0.4, "Evaluating the ensemble")
    if held_out(workspace, load_run(workspace, run_id)).part not in list_reports(workspace, run_id):
        evaluate_run(workspace, run_id, progress=part_of(progress, 0.4, 1.0))
    run, report = load_run(workspace, run_id), load_report(workspace, run_id)
    if run.val_accuracy is None:
        run = replace(run, val_accuracy=load_report(workspace, run_id, VALIDATION)["accuracy"])
        write_run(workspace, run)
    figures = ("part", "accuracy", "accuracy_ci", "macro_f1", "macro_f1_ci")
    return {
        "run": run_id,
        "members": list(run.members),
        "weights": list(run.member_weights),
        "parameters": run.parameters,
        **{name: report[name] for name in figures},
        "chosen_on_part": weights == "validation" and report["part"] == VALIDATION,
    }


def _write(
    workspace: Workspace, run_id: str, members: Sequence[Run], weights: str, progress: Progress
) -> None:
    """Write the folder of an ensemble at once: its model, spec and summary."""
    shares = _weights_of(workspace, members, weights)
    import_keras_quietly()
    networks = []
    for number, member in enumerate(members):
        progress(number / len(members), f"Opening {member.id}")
        networks.append(load_model(workspace, member.id))
    model = combine(networks, shares)
    first = members[0]
    run = replace(
        first,
        id=run_id,
        spec=RunSpec(prepared=first.prepared, backbone=ENSEMBLE),
        parameters=model.count_params(),
        epochs=0,
        best_epoch=0,
        val_accuracy=None,
        seconds=sum(member.seconds for member in members),
        device="cpu",
        device_name="its members'",
        created=now(),
        finished=True,
        ended=f"an ensemble of {len(members)} runs",
        leaky=any(member.leaky for member in members),
        members=tuple(member.id for member in members),
        member_weights=shares,
        member_weighting=weights,
    )
    with workspace.atomic_path(workspace.run_dir(run_id)) as scratch:
        scratch.mkdir()
        model.save(scratch / "best.keras")
        workspace.write_json(scratch / "spec.json", run.spec.to_json())
        write_run(workspace, run, scratch)
