"""The commands that measure a trained run further: `wbc robustness` and `wbc latency`."""

from typing import Annotated

from typer import Argument, Option

from wbc_core.command_line import command, run_task, split_values, whole_numbers
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


@command("latency")
def latency(workspace: Workspace, run: RunReference) -> Json:
    """Time a run's model on this machine: one image, and a batch of 32."""
    return run_task(workspace, "latency", {"run": run})
