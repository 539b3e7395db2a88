"""The `wbc` command: every step of the lab for scripts, with the contract of the design's section 5."""

import os
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from wbc_core.command_line import (
    WorkFailed,
    application,
    command,
    console_progress,
    key_values,
    run_application,
    split_values,
    whole_numbers,
)
from wbc_core.errors import WbcError
from wbc_core.jobs.tasks import TASKS
from wbc_core.records import Json
from wbc_core.workspace import Workspace

DatasetReference = Annotated[str, Argument(metavar="DATASET", help="Id or name of a data set.")]
RunReference = Annotated[str, Argument(metavar="RUN", help="Id of a run.")]
Tta = Annotated[bool, Option("--tta", help="Average over the 8 flips and quarter turns.")]


def _dataset(workspace: Workspace, reference: str) -> str:
    from wbc_core.datasets.store import find_dataset

    return find_dataset(workspace, reference).id


def _in_place(workspace: Workspace, kind: str, spec: Json) -> Json:
    """Run a task in this process: the same function that a job of this kind runs."""
    _quiet_tensorflow()
    with console_progress() as progress:
        return TASKS.get(kind)(workspace, "", spec, progress)


def _quiet_tensorflow() -> None:
    """Keep what TensorFlow says about missing GPUs off standard error, where an error is one line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@command("import")
def import_(
    workspace: Workspace,
    source: Annotated[
        Path, Argument(metavar="SOURCE", help="An npz file, class folders (zip too), or a CSV file.")
    ],
    name: Annotated[str | None, Option(help="What to call the data set; the file's name by default.")] = None,
    size: Annotated[int | None, Option(help="Resize to SIZE x SIZE pixels.")] = None,
    classes: Annotated[str | None, Option(help="Class names in label order, separated by commas.")] = None,
) -> Json:
    """Bring images and labels into the lab."""
    names = split_values([classes]) if classes else None
    spec = {"source": str(source.resolve()), "name": name, "size": size, "classes": names}
    return _in_place(workspace, "import", spec)


@command("scan")
def scan(
    workspace: Workspace,
    dataset: DatasetReference,
    checks: Annotated[list[str] | None, Option(help="Only these checks, separated by commas.")] = None,
    deep: Annotated[bool, Option("--deep", help="Compare images as a network sees them.")] = False,
    embedding: Annotated[
        str | None, Option(metavar="RUN|BACKBONE", help="Which network; EfficientNet-Lite0 by default.")
    ] = None,
    ray: Annotated[
        str | None, Option(metavar="ADDRESS", help="Measure on a Ray cluster: HOST:PORT, ray://.. or auto.")
    ] = None,
) -> Json:
    """Look for bad images."""
    from wbc_core.evaluation.embedding import DEFAULT_EMBEDDING

    spec = {
        "dataset": _dataset(workspace, dataset),
        "checks": split_values(checks) if checks else None,
        "embedding": embedding or (DEFAULT_EMBEDDING if deep else None),
        "ray": ray,
    }
    return _in_place(workspace, "scan", spec)


@command("findings")
def findings(
    workspace: Workspace,
    dataset: DatasetReference,
    check: Annotated[str | None, Option(help="Only this check.")] = None,
) -> list[Json]:
    """List what the scan found, worst first."""
    from wbc_core.curation.scan import load_findings

    return [
        {
            "check": found.check,
            "rows": list(found.rows),
            "score": found.score,
            "flagged": found.flagged,
            "suggested": found.suggested,
            "evidence": found.evidence,
        }
        for found in load_findings(workspace, _dataset(workspace, dataset), check)
    ]


@command("decide")
def decide(
    workspace: Workspace,
    dataset: DatasetReference,
    accept: Annotated[list[str] | None, Option(help="Follow these checks' suggestions, or `all`.")] = None,
    drop: Annotated[list[str] | None, Option(help="Drop these rows: 3,17,40-52.")] = None,
    keep: Annotated[list[str] | None, Option(help="Keep these rows.")] = None,
    relabel: Annotated[list[str] | None, Option(help="Give rows another class: ROW=CLASS.")] = None,
    undo: Annotated[int | None, Option(min=1, help="Take the last N steps back.")] = None,
    from_: Annotated[
        Path | None,
        Option("--from", metavar="FILE.csv", help="Make the decisions of an exported file again."),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="With --from: only say what would change.")] = False,
    by: Annotated[str, Option(help="Who decides.")] = "command line",
) -> Json:
    """Keep, drop or relabel images; every decision is logged and can be undone."""
    from wbc_core.curation import review
    from wbc_core.curation.checks import CHECKS
    from wbc_core.datasets.store import find_dataset

    given = [option for option in (accept, drop, keep, relabel, undo, from_) if option]
    if len(given) != 1:
        raise WbcError(
            "One decision at a time.",
            expected="exactly one of --accept, --drop, --keep, --relabel, --undo, --from",
            got=len(given),
        )
    record = find_dataset(workspace, dataset)
    if from_ is not None:
        return _decide_from(workspace, record.id, from_, by, dry_run)
    if dry_run:
        raise WbcError("--dry-run goes with --from only.", fix="Leave it out, or name a file by --from.")
    if accept:
        chosen = CHECKS.names() if accept == ["all"] else split_values(accept)
        decided = review.accept(workspace, record.id, chosen, who=by)
    elif undo:
        decided = review.undo(workspace, record.id, undo, who=by)
    else:
        actions: dict[int, tuple[str, int | None]] = dict.fromkeys(whole_numbers(drop or []), ("drop", None))
        actions |= dict.fromkeys(whole_numbers(keep or []), ("keep", None))
        for row, class_name in key_values(split_values(relabel or []), "ROW=CLASS").items():
            if class_name not in record.class_names:
                known = ", ".join(record.class_names)
                raise WbcError(f"There is no class {class_name!r}.", expected=f"one of {known}")
            actions[whole_numbers([row])[0]] = ("relabel", record.class_names.index(class_name))
        review.decide(workspace, record.id, actions, who=by)
        decided = len(actions)
    return {"decided": decided, "head": review.head(workspace, record.id)}


def _decide_from(workspace: Workspace, dataset_id: str, path: Path, by: str, dry_run: bool) -> Json:
    """Make the decisions of a CSV file again, or only say what that would change."""
    from wbc_core.curation import replay, review

    plan = replay.plan_replay(workspace, dataset_id, path)
    decided = 0 if dry_run else replay.apply_replay(workspace, plan, who=by)
    return {
        "decided": decided,
        "head": review.head(workspace, dataset_id),
        "effect": plan.effect,
        "unchanged": plan.unchanged,
        "unknown": {"images": len(plan.unknown), "first": list(plan.unknown[:10])},
    }


@command("clean")
def clean(
    workspace: Workspace,
    dataset: DatasetReference,
    export: Annotated[
        str | None, Option(metavar="FILE.npz|FILE.zip|DIR/", help="Write the clean set there.")
    ] = None,
    report: Annotated[
        Path | None, Option(metavar="FILE.html|FILE.pdf", help="Write the cleaning report there.")
    ] = None,
) -> Json:
    """Show the clean set that the decisions leave; write it, or a report on how it came about."""
    from wbc_core.curation.clean import clean_counts, clean_set
    from wbc_core.curation.cleaning_report import write_report
    from wbc_core.curation.export import export_clean_set

    cleaned = clean_set(workspace, _dataset(workspace, dataset))
    if export is not None:
        with console_progress() as progress:
            export_clean_set(workspace, cleaned, export, progress)
    if report is not None:
        write_report(workspace, cleaned.dataset.id, report.resolve())
    counts = clean_counts(cleaned)
    return {"clean": cleaned.id, "kept": len(cleaned.rows), "dropped": cleaned.dropped, "classes": counts}


@command("split")
def split(
    workspace: Workspace,
    dataset: DatasetReference,
    fractions: Annotated[str, Option(help="Shares of train, validation[, test].")] = "0.7,0.3",
    seed: Annotated[int, Option(min=0, help="Seed of the shuffle.")] = 0,
) -> Json:
    """Split the clean set; classes in proportion, duplicates together."""
    from wbc_core.datasets.store import find_dataset
    from wbc_core.splitting import make_split

    record = find_dataset(workspace, dataset)
    try:
        shares = tuple(float(share) for share in fractions.split(","))
    except ValueError:
        raise WbcError(
            "The fractions are not numbers.", expected="numbers such as 0.7,0.3", got=repr(fractions)
        ) from None
    with console_progress() as progress:
        made = make_split(workspace, record.id, fractions=shares, seed=seed, progress=progress)
    parts = {part: dict(zip(record.class_names, counts, strict=True)) for part, counts in made.parts.items()}
    return {"split": made.id, "parts": parts}


@command("prepare")
def prepare(
    workspace: Workspace,
    split: Annotated[str, Argument(metavar="SPLIT", help="Id of a split.")],
    recipe: Annotated[str, Option(metavar="NAME|FILE", help="A preset, a saved recipe, or a JSON file.")],
) -> Json:
    """Balance and augment the train part of a split."""
    from wbc_core.augment.recipe import load_recipe

    spec = {"split": split, "recipe": load_recipe(workspace, recipe).to_json()}
    return _in_place(workspace, "prepare", spec)


@command("train")
def train(
    workspace: Workspace,
    prepared: Annotated[str, Argument(metavar="PREPARED", help="Id of a prepared set.")],
    backbone: Annotated[str, Option(help="Name of a backbone.")],
    set_: Annotated[list[str] | None, Option("--set", help="A setting: key=value.")] = None,
    wait: Annotated[bool, Option("--wait", help="Follow the run to its end.")] = False,
) -> Json:
    """Queue a training; with --wait, follow it, and run it here where no worker is alive."""
    from wbc_core.jobs.queue import submit
    from wbc_core.training.spec import RunSpec

    spec = RunSpec.parse(prepared, backbone, key_values(set_ or [], "key=value"))
    job = submit(workspace, "train", check_prepared(workspace, spec.to_json()))
    return follow_run(workspace, job.id) if wait else {"run": job.id}


def check_prepared(workspace: Workspace, spec: Json) -> Json:
    """Refuse a run on a prepared set that is not there before it is queued."""
    from wbc_core.augment.prepare import load_prepared

    load_prepared(workspace, spec["prepared"])
    return spec


def follow_run(workspace: Workspace, job_id: str) -> Json:
    """Follow a job to its end and tell how it ended."""
    from wbc_core.jobs.worker import follow

    with console_progress() as progress:
        job = follow(workspace, job_id, progress)
    if job.state != "succeeded":
        raise WorkFailed(f"Run {job_id} {job.state}. {job.error or ''}".strip())
    return {"run": job_id, "state": job.state, **(job.result or {})}


@command("sweep")
def sweep(
    workspace: Workspace,
    prepared: Annotated[str, Argument(metavar="PREPARED", help="Id of a prepared set.")],
    backbone: Annotated[str, Option(help="Name of a backbone.")],
    grid: Annotated[list[str], Option(help="A setting and its values: key=a,b.")],
    set_: Annotated[list[str] | None, Option("--set", help="A setting that all runs share.")] = None,
    search: Annotated[str, Option(help="grid (every combination) or tpe.")] = "grid",
    trials: Annotated[int | None, Option(min=1, help="How many runs.")] = None,
) -> Json:
    """Queue runs that differ in a few settings."""
    from wbc_core.jobs.sweep import start_sweep

    check_prepared(workspace, {"prepared": prepared})
    values = {key: split_values([text]) for key, text in key_values(grid, "key=a,b").items()}
    settings = key_values(set_ or [], "key=value")
    made, runs = start_sweep(
        workspace, prepared, backbone, values, settings=settings, search=search, trials=trials
    )
    return {"sweep": made, "runs": runs}


@command("jobs")
def jobs(
    workspace: Workspace,
    action: Annotated[str, Argument(help="list, show, cancel, resume or logs.")] = "list",
    job: Annotated[str | None, Argument(metavar="[ID]", help="Id of a job.")] = None,
) -> Json | list[Json]:
    """List the jobs, or show, cancel or resume one, or read its log."""
    from wbc_core.jobs import queue

    actions = ("list", "show", "cancel", "resume", "logs")
    if action not in actions:
        raise WbcError(f"There is no `wbc jobs {action}`.", expected=f"one of {', '.join(actions)}")
    if action == "list":
        return [listed.to_json() for listed in queue.list_jobs(workspace)]
    if job is None:
        raise WbcError(f"`wbc jobs {action}` needs the id of a job.", fix="`wbc jobs list` shows them.")
    if action == "logs":
        return {"id": job, "log": queue.read_log(workspace, job)}
    act = {"show": queue.get_job, "cancel": queue.cancel, "resume": queue.resume}[action]
    return act(workspace, job).to_json()


@command("worker")
def worker(
    workspace: Workspace,
    devices: Annotated[str | None, Option(help="cpu, gpu, or 0,1; all GPUs by default.")] = None,
) -> None:
    """Run jobs until Ctrl-C; running ones then go back to the queue."""
    from wbc_core.jobs.devices import parse_devices
    from wbc_core.jobs.worker import run_worker

    run_worker(workspace, parse_devices(devices))


@command("evaluate")
def evaluate(
    workspace: Workspace,
    run: RunReference,
    data: Annotated[Path | None, Option(help="An npz file; else the held-out part.")] = None,
    tta: Tta = False,
    shift: Annotated[
        str | None, Option(help="Shift the images first: photometric, geometric, occlusion, combined, ..")
    ] = None,
    strength: Annotated[int, Option(help="Strength of the shift, 1 to 5.")] = 3,
) -> Json:
    """Report on a run: accuracy, per-class figures with intervals, confusion matrix, calibration."""
    path = str(data.resolve()) if data else None
    spec = {"run": run, "data": path, "tta": tta, "shift": shift, "strength": strength}
    return _in_place(workspace, "evaluate", spec)


@command("predict")
def predict(
    workspace: Workspace,
    run: RunReference,
    source: Annotated[Path, Argument(metavar="SOURCE", help="A picture, a folder, a zip or an npz file.")],
    out: Annotated[Path | None, Option(help="Write the table to this CSV file.")] = None,
    tta: Tta = False,
) -> Json | list[Json]:
    """Name the class of each picture; columns file, predicted, one probability a class."""
    from wbc_core.evaluation.predictions import predict_source

    if out is not None:
        spec = {"run": run, "source": str(source.resolve()), "out": str(out.resolve()), "tta": tta}
        return _in_place(workspace, "predict", spec)
    _quiet_tensorflow()
    with console_progress() as progress:
        table = predict_source(workspace, run, source.resolve(), out=None, tta=tta, progress=progress)
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


@command("compare")
def compare(
    workspace: Workspace,
    runs: Annotated[list[str], Argument(metavar="RUN RUN ..", help="Ids of runs on one split.")],
) -> Json:
    """Compare runs: pairwise differences with intervals, and McNemar's p."""
    from wbc_core.evaluation.compare import compare as compare_runs

    return compare_runs(workspace, runs)


@command("export")
def export(
    workspace: Workspace,
    run: RunReference,
    directory: Annotated[Path, Argument(metavar="DIR", help="Folder to write to; made when missing.")],
    to: Annotated[str, Option(help="keras, onnx, savedmodel or card.")],
) -> Json:
    """Take a trained model out of the lab, checked after it was written."""
    return _in_place(workspace, "export", {"run": run, "to": to, "directory": str(directory.resolve())})


@command("demo")
def demo(workspace: Workspace) -> Json:
    """Build the synthetic lab end to end: data, scan, decisions, split, two runs, their comparison."""
    from wbc_core.evaluation.compare import compare as compare_runs

    built = _in_place(workspace, "demo", {})
    for run in built["runs"]:
        follow_run(workspace, run)
    return {**built, "comparison": compare_runs(workspace, built["runs"])}


@command("lab")
def lab(
    workspace: Workspace,
    port: Annotated[int, Option(min=1, max=65535, help="TCP port of the server.")] = 8501,
    no_worker: Annotated[bool, Option("--no-worker", help="Serve only; a worker runs elsewhere.")] = False,
) -> None:
    """Open the lab in the browser: the Streamlit server and one worker, ended together by Ctrl-C."""
    from wbc_core.jobs.server import run_lab

    status = run_lab(workspace, port=port, with_worker=not no_worker)
    if status:
        raise WorkFailed(f"The server ended with status {status}.")


def main() -> None:
    """Entry point of the `wbc` command."""
    run_application(application)


if __name__ == "__main__":
    main()
