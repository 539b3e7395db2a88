"""The `wbc` command: every step of the lab for scripts; see the other modules of commands too."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import wbc_core.training_commands  # noqa: F401  # its commands are registered
from wbc_core.command_line import (
    Shown,
    WorkFailed,
    application,
    command,
    console_progress,
    key_values,
    run_application,
    run_task,
)
from wbc_core.curation_commands import DatasetReference
from wbc_core.errors import WbcError
from wbc_core.quiet import say
from wbc_core.records import PRIORITIES, Job, Json
from wbc_core.result_commands import RunReference, Tta
from wbc_core.study_commands import follow_run
from wbc_core.workspace import Workspace

Devices = Annotated[
    str | None,
    Option(help="cpu, gpu, or 0,1; all GPUs by default. A device named twice is shared by two trainings."),
]


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
    return run_task(workspace, "prepare", spec)


@command("jobs")
def jobs(
    workspace: Workspace,
    action: Annotated[
        str,
        Argument(
            help="list, show, cancel, resume, logs; of waiting jobs: pause, start, first, up, down, and "
            "their priority: high, normal, low; of a training: clone it, retry it with half the batch."
        ),
    ] = "list",
    job: Annotated[
        str | None,
        Argument(metavar="[ID]", help="Id of a job; pause and start take the whole queue without."),
    ] = None,
    epochs: Annotated[
        int | None,
        Option(
            min=1,
            help="With resume: continue a finished run to so many epochs in all. With show: what that would "
            "do to its learning rate.",
        ),
    ] = None,
    set_: Annotated[list[str] | None, Option("--set", help="With clone: a changed setting.")] = None,
) -> Json | Shown:
    """List the jobs; show, cancel or resume one, or read its log; order and pause those that wait."""
    from wbc_core.jobs import clones, launching, order, queue
    from wbc_core.jobs.listing import short_list

    of_one = ("show", "cancel", "resume", "logs", "clone", "retry", *order.MOVES, *PRIORITIES)
    actions = ("list", "pause", "start", *of_one)
    if action not in actions:
        raise WbcError(f"There is no `wbc jobs {action}`.", expected=f"one of {', '.join(actions)}")
    if action == "list":
        listed = queue.recent_jobs(workspace)
        lines = short_list(workspace, listed) or "No job has been submitted yet."
        return Shown([entry.to_json() for entry in listed], lines)
    if job is None and action in ("pause", "start"):
        (order.pause_queue if action == "pause" else order.start_queue)(workspace)
        waiting = [entry.id for entry in order.waiting_jobs(workspace)]
        return {"paused": order.queue_is_paused(workspace), "waiting": waiting}
    if job is None:
        raise WbcError(f"`wbc jobs {action}` needs the id of a job.", fix="`wbc jobs list` shows them.")
    if action == "logs":
        return {"id": job, "log": queue.read_log(workspace, job)}
    if action in order.MOVES:
        return order.move(workspace, job, action).to_json()
    if action in PRIORITIES:
        return order.set_priority(workspace, job, action).to_json()
    if action == "clone":
        return _compared(workspace, clones.clone_run(workspace, job, key_values(set_ or [], "key=value")))
    if action == "retry":
        return _compared(workspace, clones.retry_with_half_batch(workspace, job))
    if action in ("show", "resume") and epochs is not None:
        foreseen = clones.foresee_continuation(workspace, job, epochs)
        if action == "show":
            return {**queue.get_job(workspace, job).to_json(), "learning_rate_ahead": foreseen}
        say(foreseen)
        return _compared(workspace, clones.continue_run(workspace, job, epochs))
    act = {
        "show": queue.get_job,
        "cancel": queue.cancel,
        "resume": launching.resume,
        "pause": order.pause,
        "start": order.start,
    }[action]
    return act(workspace, job).to_json()


def _compared(workspace: Workspace, job: Job) -> Json:
    """A training, and under `differences` each setting that it does not share with its origin: then, now."""
    from wbc_core.jobs.clones import differences

    changed = {name: list(values) for name, values in differences(workspace, job).items()}
    return {**job.to_json(), "differences": changed}


@command("worker")
def worker(
    workspace: Workspace,
    devices: Devices = None,
    ray: Annotated[str | None, Option(metavar="ADDRESS", help="Run them on this Ray cluster.")] = None,
) -> None:
    """Run jobs until Ctrl-C; running ones then go back to the queue."""
    from wbc_core.jobs.devices import parse_devices
    from wbc_core.jobs.executors import LocalExecutor
    from wbc_core.jobs.ray_executor import on_ray
    from wbc_core.jobs.worker import run_worker

    if ray is None:
        run_worker(workspace, LocalExecutor(parse_devices(devices)))
        return
    if devices is not None:
        raise WbcError("--devices and --ray exclude each other.", fix="A cluster says itself what it has.")
    with on_ray(workspace, ray) as executor:
        run_worker(workspace, executor)


@command("track")
def track(
    workspace: Workspace,
    only_list: Annotated[bool, Option("--list", help="Show what is not sent, and send nothing.")] = False,
) -> Json:
    """Send to MLflow, at MLFLOW_TRACKING_URI, what it missed of the runs."""
    from wbc_core.tracking.mirror import client_of, describe_unsent, in_words, send_missed
    from wbc_core.tracking.state import server_name, tracking_uri

    uri = tracking_uri()
    if uri is None:
        raise WbcError(
            "MLFLOW_TRACKING_URI is not set.",
            expected="the address of an MLflow server, such as http://localhost:5000",
            fix="Set it; runs trained before are sent too.",
        )
    sent: list[str] = []
    if not only_list:
        client_of(uri)
        try:
            sent.extend(send_missed(workspace, uri, running=True))
        except Exception as error:
            left = [entry["run"] for entry in describe_unsent(workspace, uri)]
            raise WorkFailed(f"MLflow was not sent {' '.join(left)}. {in_words(error, uri)}") from error
    return {"server": server_name(uri), "sent": sent, "unsent": describe_unsent(workspace, uri)}


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
    return run_task(workspace, "evaluate", spec)


@command("compare")
def compare(
    workspace: Workspace,
    runs: Annotated[
        list[str], Argument(metavar="RUN RUN ..", help="Ids of runs; each split is compared by itself.")
    ],
    out: Annotated[Path | None, Option(help="Write it too: FILE.html, .tex or .csv.")] = None,
) -> Json:
    """Compare runs: seeds pooled, pairwise differences with intervals, and McNemar's p."""
    from wbc_core.evaluation.compare import compare_splits, one_comparison

    comparisons = compare_splits(workspace, runs)
    if out is not None:
        from wbc_core.export.comparison_files import write_comparison

        write_comparison(workspace, comparisons, out)
    return one_comparison(comparisons)


@command("export")
def export(
    workspace: Workspace,
    run: RunReference,
    directory: Annotated[Path, Argument(metavar="DIR", help="Folder to write to; made when missing.")],
    to: Annotated[str, Option(help="keras, savedmodel, onnx, litert, litert_int8, card, or all.")],
) -> Json:
    """Take a trained model out of the lab, checked after it was written."""
    return run_task(workspace, "export", {"run": run, "to": to, "directory": str(directory.resolve())})


@command("demo")
def demo(workspace: Workspace) -> Json:
    """Build the synthetic lab end to end: data, scan, decisions, split, two runs, their comparison."""
    from wbc_core.evaluation.compare import compare as compare_runs

    built = run_task(workspace, "demo", {})
    for run in built["runs"]:
        follow_run(workspace, run)
    return {**built, "comparison": compare_runs(workspace, built["runs"])}


@command("lab")
def lab(
    workspace: Workspace,
    port: Annotated[int, Option(min=1, max=65535, help="TCP port of the server.")] = 8501,
    no_worker: Annotated[bool, Option("--no-worker", help="Serve only; a worker runs elsewhere.")] = False,
    devices: Devices = None,
) -> None:
    """Open the lab in the browser: the Streamlit server and one worker, ended together by Ctrl-C."""
    from wbc_core.jobs.server import run_lab

    if no_worker and devices is not None:
        raise WbcError("--devices and --no-worker exclude each other.", fix="Give `wbc worker` the devices.")
    status = run_lab(workspace, port=port, with_worker=not no_worker, devices=devices)
    if status:
        raise WorkFailed("The server or the worker died again and again.")


def main() -> None:
    """Entry point of the `wbc` command."""
    run_application(application)


if __name__ == "__main__":
    main()
