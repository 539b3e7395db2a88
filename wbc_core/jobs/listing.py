"""The list of jobs as a person reads it: one short line each, by which two runs are told apart."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from wbc_core.augment.prepare import load_prepared
from wbc_core.errors import WbcError
from wbc_core.jobs.clones import launched_spec
from wbc_core.records import Job, Json
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now, seconds_between

_WIDTH = 100
"""Characters of a line."""
_LONGEST = 27
"""Characters of what a job does: `train mobilenet_v3_large`, `robustness job-0123456789`."""
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def short_list(workspace: Workspace, jobs: Sequence[Job]) -> list[dict[str, str]]:
    """Lay jobs out for a screen of 100 characters.

    Args:
        workspace: Whose jobs.
        jobs: The jobs, in the order of the lines.

    Returns:
        `id`, `what` (kind and backbone, run or source), `state`, `done` (epochs of a training, else a share),
        `accuracy` (of a training, on the held-out images), `age` (since it was submitted) and `about`: why
        it waits again, if so, and what `what_tells` does.
    """
    lines = [
        {
            "id": job.id,
            "what": _clipped(f"{job.kind} {_subject(job.spec)}".strip(), _LONGEST),
            "state": _state(job),
            "done": _done(job),
            "accuracy": _accuracy(job),
            "age": _age(job),
        }
        for job in jobs
    ]
    about = what_tells(workspace, jobs, shown_already=["epochs"])
    widths = [max(map(len, [name, *(line[name] for line in lines)])) for name in lines[0]] if lines else []
    room = _WIDTH - sum(width + 2 for width in widths)
    for line, job in zip(lines, jobs, strict=True):
        # Why it waits again: its worker was stopped, or its node had no room for it.
        again = job.state == "queued" and job.message.startswith("Waiting: ")
        told = f"{job.message} {about[job.id]}" if again else about[job.id]
        line["about"] = _clipped(" ".join(told.split()), room)
    return lines


def what_tells(
    workspace: Workspace, jobs: Sequence[Job], shown_already: Collection[str] = ()
) -> dict[str, str]:
    """What jobs of one list are told apart by, beside what each does.

    Args:
        workspace: Whose jobs.
        jobs: The jobs.
        shown_already: Settings that the list has in a column of their own.

    Returns:
        Id of each to why it failed; else of a training what its sweep varies, then what others of its
        backbone do not share, its recipe or settings, and the settings that are no defaults; else nothing.
    """
    specs = {job.id: _settings(workspace, job) for job in jobs if job.kind == "train"}
    same: dict[str, list[Json]] = {}
    for spec in specs.values():
        same.setdefault(spec["backbone"], []).append(spec)
    unshared = {
        backbone: [name for name in ("prepared", *SETTINGS) if len({spec[name] for spec in own}) > 1]
        for backbone, own in same.items()
    }
    told = {}
    for job in jobs:
        words = [f"{job.priority} priority"] if job.priority != "normal" else []
        if job.id in specs:
            spec = specs[job.id]
            names = _by_what_they_tell(job, spec, unshared[spec["backbone"]])
            names = [name for name in names if name not in shown_already]
            words += [_setting(workspace, name, spec[name]) for name in names]
        failed = job.state == "failed"
        told[job.id] = " ".join((job.error or "").split()) if failed else " ".join(filter(None, words))
    return told


def _by_what_they_tell(job: Job, spec: Json, unshared: Sequence[str]) -> list[str]:
    """Names of settings, those first that tell a training best from others of its backbone."""
    plain = RunSpec("", "").to_json()
    changed = [name for name in SETTINGS if spec[name] != plain[name]]
    # A default tells least: others show what they have instead.
    order = [*job.spec.get("sweep", {}).get("space", {}), *(name for name in unshared if name == "prepared")]
    order += [*(name for name in unshared if name in changed), *changed, *unshared]
    return list(dict.fromkeys(order))


def _setting(workspace: Workspace, name: str, value: Any) -> str:
    if name == "prepared":
        with suppress(WbcError):  # the set may be gone
            return f"{load_prepared(workspace, value).recipe.name} recipe"
        return ""
    return f"{name}={_written(value)}"


def _settings(workspace: Workspace, job: Job) -> Json:
    with suppress(WbcError):  # the list must show a job whose files are damaged
        return launched_spec(workspace, job)
    return RunSpec.from_json(job.spec).to_json()


def _subject(spec: Json) -> str:
    """What a job is about: the first of these that its spec names."""
    for name in ("backbone", "run", "dataset", "split", "sweep"):
        if isinstance(spec.get(name), str):
            return str(spec[name])
    if "specs" in spec:
        return str(spec["specs"][0]["backbone"])
    return PurePath(str(spec.get("source", ""))).name


def _state(job: Job) -> str:
    if job.state == "queued" and job.paused:
        return "paused"
    return "stopping" if job.state == "running" and job.cancel_requested else job.state


def _done(job: Job) -> str:
    if job.kind == "train":
        return f"{(job.result or {}).get('epochs') or job.epoch or 0}/{job.spec['epochs']}"
    return f"{job.progress:.0%}"


def accuracy_of(job: Job) -> float | None:
    """The accuracy of a training on the held-out images, 0..1; None where it is not known."""
    return (job.result or {}).get("accuracy") if job.kind == "train" else None


def _accuracy(job: Job) -> str:
    found = accuracy_of(job)
    return "-" if found is None else f"{found:.1%}"


def _age(job: Job) -> str:
    passed = seconds_between(job.created, now())
    size, unit = next((entry for entry in _UNITS if passed >= entry[0]), _UNITS[-1])
    return f"{int(passed // size)} {unit}"


def _written(value: Any) -> str:
    if isinstance(value, str) and value.startswith("file:"):
        return f"file:{PurePath(value).name}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _clipped(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(0, room - 1)].rstrip()}…"
