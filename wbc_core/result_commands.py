"""The commands that look further into a trained run: `wbc robustness`, `slices`, `latency`, .."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from wbc_core.command_line import (
    command,
    console_progress,
    quiet_tensorflow,
    run_task,
    split_values,
    whole_numbers,
)
from wbc_core.errors import WbcError
from wbc_core.records import Json
from wbc_core.workspace import Workspace

RunReference = Annotated[str, Argument(metavar="RUN", help="Id of a run.")]
Tta = Annotated[bool, Option("--tta", help="Average over the 8 flips and quarter turns.")]


@command("robustness")
def robustness(
    workspace: Workspace,
    run: RunReference,
    shifts: Annotated[str | None, Option(metavar="A,B", help="Only these shifts.")] = None,
    strengths: Annotated[str | None, Option(metavar="1,3,5", help="Only these strengths, 1 to 5.")] = None,
    tta: Tta = False,
    baseline: Annotated[str | None, Option(metavar="RUN", help="Compare with this run's errors.")] = None,
) -> Json:
    """Evaluate a run under every shift and strength; what is there already is not computed again."""
    from wbc_core.evaluation.robustness import check_baseline, compare_with

    chosen: Json = {
        "shifts": split_values([shifts]) if shifts else None,
        "strengths": whole_numbers([strengths]) if strengths else None,
    }
    if baseline:
        check_baseline(workspace, run, baseline)
    result = run_task(workspace, "robustness", {"run": run, "tta": tta, **chosen})
    if baseline:
        result["relative"] = compare_with(workspace, run, baseline, tta=tta, **chosen)
    return result


@command("slices")
def slices(
    workspace: Workspace,
    run: RunReference,
    report: Annotated[str | None, Option(help="Name of a report: test, validation-tta, ..")] = None,
    minimum: Annotated[int | None, Option(min=1, help="Images of a slice at least; 20 by default.")] = None,
) -> Json:
    """Find the slices on which a run does worse: by source, brightness, size and resemblance."""
    return run_task(workspace, "slices", {"run": run, "report": report, "minimum": minimum})


@command("latency")
def latency(workspace: Workspace, run: RunReference) -> Json:
    """Time a run's model on this machine: one image, and a batch of 32."""
    return run_task(workspace, "latency", {"run": run})


@command("ensemble")
def ensemble(
    workspace: Workspace,
    runs: Annotated[list[str], Argument(metavar="RUN RUN ..", help="Ids of runs on one split.")],
    weights: Annotated[
        str, Option(help="mean, or validation: fitted on the validation predictions by log loss.")
    ] = "mean",
) -> Json:
    """Average the probabilities of several runs: a run of its own, evaluated like any other."""
    return run_task(workspace, "ensemble", {"runs": runs, "weights": weights})


@command("explain")
def explain(
    workspace: Workspace,
    run: RunReference,
    out: Annotated[Path, Option(metavar="DIR", help="A new folder for pictures and explanations.json.")],
    row: Annotated[list[str] | None, Option(help="Explain these rows of the data set: 3,17,40-52.")] = None,
    confused: Annotated[
        str | None,
        Option(metavar="TRUE,PREDICTED", help="Explain the held-out images that were confused this way."),
    ] = None,
    at_most: Annotated[int, Option(min=1, help="With --confused: so many images, the worst first.")] = 12,
    patch: Annotated[int | None, Option(help="Side of the occlusion patch, in pixels.")] = None,
    stride: Annotated[int | None, Option(help="Distance of the patches, in pixels.")] = None,
) -> Json:
    """Show why a run named images as it did: Grad-CAM, occlusion maps, nearest train images."""
    from wbc_core.evaluation.explain import confused_images, find_cell, patch_of
    from wbc_core.training.runs import load_run

    if bool(row) == bool(confused):
        raise WbcError(
            "Say which images to explain.", expected="either --row or --confused", got="both or none"
        )
    about = load_run(workspace, run)
    patch_of(about.image_shape, patch, stride)
    rows, mix_ups = whole_numbers(row or []), []
    if confused:
        true, predicted = find_cell(about.class_names, confused)
        mix_ups = [[true, predicted]]
        rows = confused_images(workspace, run, true, predicted)["row"].tolist()[:at_most]
    spec = {"run": run, "rows": rows, "mix_ups": mix_ups, "patch": patch, "stride": stride}
    return run_task(workspace, "explain", spec | {"out": str(out.resolve())})


@command("costs")
def costs(
    workspace: Workspace,
    run: RunReference,
    part: Annotated[str | None, Option(metavar="REPORT", help="Of this report, such as test-tta.")] = None,
    matrix: Annotated[
        Path | None, Option("--set", metavar="FILE.csv", help="Keep these costs of mix-ups first.")
    ] = None,
    out: Annotated[Path | None, Option(metavar="FILE.csv", help="Write the costs to this file.")] = None,
) -> Json:
    """What a run's mix-ups cost, and what deciding by least expected cost saves."""
    from wbc_core.evaluation.cost_decisions import report_costs
    from wbc_core.evaluation.mixup_costs import costs_as_csv, keep_costs, read_costs
    from wbc_core.evaluation.reports import load_report
    from wbc_core.workspace import whole_file

    classes = load_report(workspace, run, part)["classes"]
    if matrix is not None:
        keep_costs(workspace, read_costs(matrix, classes), classes)
    result = report_costs(workspace, run, part)
    if out is not None:
        with whole_file(out) as scratch:
            scratch.write_text(costs_as_csv(result["costs"], classes), encoding="utf-8")
    return {"run": run, "classes": classes, **result}


@command("predict")
def predict(
    workspace: Workspace,
    run: RunReference,
    source: Annotated[Path, Argument(metavar="SOURCE", help="A picture, a folder, a zip or an npz file.")],
    out: Annotated[Path | None, Option(help="Write the table to this CSV file.")] = None,
    tta: Tta = False,
    share: Annotated[
        float | None,
        Option("--person-share", help="Mark for a person: so many of the least certain, such as 0.05."),
    ] = None,
    least: Annotated[
        float | None, Option("--least-probability", help="Or mark what is less probable than this.")
    ] = None,
    check_foreign: Annotated[
        bool, Option("--check-foreign", help="Mark pictures unlike all that the run learnt from.")
    ] = False,
) -> Json | list[Json]:
    """Name the class of each picture; columns file, predicted, one calibrated probability a class, marks."""
    from wbc_core.evaluation.predictions import predict_source
    from wbc_core.jobs.busy_gpu import leave_gpu_to_training

    leave_gpu_to_training(workspace)
    marks: Json = {"share": share, "least_probability": least, "check_foreign": check_foreign}
    if out is not None:
        spec = {"run": run, "source": str(source.resolve()), "out": str(out.resolve()), "tta": tta}
        return run_task(workspace, "predict", spec | marks)
    quiet_tensorflow()
    with console_progress() as progress:
        table = predict_source(workspace, run, source.resolve(), tta=tta, progress=progress, **marks)
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]
