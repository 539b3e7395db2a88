"""Launching trainings: what is checked before one is queued, and what it will cost.

Every training comes into the queue through here, new or resumed, from a page, from the command line or from a
study, so that what would only fail in the job is refused before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wbc_core.augment.prepare import load_prepared
from wbc_core.backbones.entry import Backbone, ImageShape
from wbc_core.backbones.freezing import check_something_frozen
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import model_of_run, other_size, published_weights, weights_file
from wbc_core.database import transaction
from wbc_core.datasets.store import read_dataset
from wbc_core.jobs.devices import device_kind, visible_gpus
from wbc_core.jobs.queue import (
    check_priority,
    get_job,
    get_jobs,
    list_jobs,
    live_workers,
    spec_to_resume,
    submit,
)
from wbc_core.records import TERMINAL_STATES, Job, Json
from wbc_core.splitting import load_split
from wbc_core.training.checkpoint import saved_epochs
from wbc_core.training.device import check_precision
from wbc_core.training.estimate import Cost, foreseen_cost
from wbc_core.training.runs import load_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


@dataclass(frozen=True)
class TrainingSet:
    """What a run on a prepared set goes through in an epoch.

    Attributes:
        images: Train images.
        held_out: Validation images.
        online: Whether the recipe changes the images in every epoch.
        image_shape: Height, width and 3 channels, in pixels.
    """

    images: int
    held_out: int
    online: bool
    image_shape: ImageShape

    @classmethod
    def of(cls, workspace: Workspace, prepared: str) -> "TrainingSet":
        """Look a prepared set up.

        Raises:
            WbcError: There is no such set.
        """
        entry = load_prepared(workspace, prepared)
        held_out = sum(load_split(workspace, entry.split).parts.get("validation", []))
        shape = read_dataset(workspace, entry.dataset).image_shape
        return cls(entry.images, held_out, bool(entry.recipe.online), shape)

    def cost(self, spec: RunSpec, done: int = 0) -> Cost:
        """What a run on it will cost after so many epochs that are finished already, foreseen."""
        return foreseen_cost(
            spec,
            self.images,
            self.held_out,
            online=self.online,
            image_size=self.image_shape[0],
            done=done,
        )


def training_device(workspace: Workspace) -> str:
    """Where a training that is launched now will run: `gpu` or `cpu`.

    On what the workers that are alive train on; where none is, on what a worker of this machine would.
    """
    devices = live_workers(workspace) or (["gpu"] if visible_gpus() else ["cpu"])
    kinds = {device_kind(device) for worker in devices for device in worker.split(",")}
    return "gpu" if "gpu" in kinds else "cpu"


def check_launch(
    workspace: Workspace, spec: RunSpec, image_shape: ImageShape, device: str, *, done: int = 0
) -> None:
    """Refuse a run that its job could only fail at.

    Args:
        workspace: The lab.
        spec: The run.
        image_shape: Of the images that it learns from.
        device: What `training_device` says.
        done: Epochs that are finished already: its first weights are not needed any more then.

    Raises:
        WbcError: The backbone cannot take images of this size, the device cannot compute in its precision,
            what it is to freeze is nothing of its backbone, or the weights that it begins with are not there,
            or those of another backbone or size.
    """
    spec.check_images(image_shape)
    check_precision(spec.precision, device)
    if not done:
        check_something_frozen(spec.freeze, spec.backbone)
        _check_weights(workspace, spec, image_shape)


def _check_weights(workspace: Workspace, spec: RunSpec, image_shape: ImageShape) -> None:
    backbone = BACKBONES.get(spec.backbone)
    kind, _, argument = spec.weights.partition(":")
    if kind == "imagenet":
        published_weights(backbone)
    elif kind == "file" and not any(":ray:" in devices for devices in live_workers(workspace)):
        weights_file(argument, workspace)  # a node of a cluster may have a file that is not here
    elif kind == "run":
        seen = _seen_by_run(workspace, argument, backbone)
        if not backbone.same_weights(seen, spec.backbone_shape(image_shape)):
            raise other_size(backbone, argument, seen, spec.backbone_shape(image_shape))


def _seen_by_run(workspace: Workspace, run_id: str, backbone: Backbone) -> ImageShape:
    """What the backbone of `run:ID` sees of its images; refuses one whose model cannot come in time."""
    for job in get_jobs(workspace, [run_id]):
        if job.kind == "train" and job.spec["backbone"] == backbone.name and job.state not in TERMINAL_STATES:
            waited_for = RunSpec.from_json(job.spec)
            return waited_for.backbone_shape(TrainingSet.of(workspace, waited_for.prepared).image_shape)
    model_of_run(backbone, run_id, workspace)
    run = load_run(workspace, run_id)
    return run.spec.backbone_shape(run.image_shape)


def known_costs(workspace: Workspace, specs: Sequence[RunSpec], done: int = 0) -> list[Cost]:
    """What each run costs: as measured on the kind of device that it will train on, else foreseen.

    Args:
        workspace: The lab.
        specs: The runs.
        done: Epochs that are finished already, where they go on from another run.

    Raises:
        WbcError: A prepared set is not there.
    """
    return _costs(workspace, specs, training_sets(workspace, specs), training_device(workspace), done)


def _costs(
    workspace: Workspace,
    specs: Sequence[RunSpec],
    sets: Mapping[str, TrainingSet],
    device: str,
    done: int,
) -> list[Cost]:
    measured = {} if done else _measured(workspace, device)
    return [measured.get(spec) or sets[spec.prepared].cost(spec, done) for spec in specs]


def training_sets(workspace: Workspace, specs: Sequence[RunSpec]) -> Mapping[str, TrainingSet]:
    """The prepared sets of some runs, by id, each looked up once."""
    return {prepared: TrainingSet.of(workspace, prepared) for prepared in {spec.prepared for spec in specs}}


def _measured(workspace: Workspace, device: str) -> dict[RunSpec, Cost]:
    finished = list_jobs(workspace, states=("succeeded",), kind="dry_run")
    return {
        RunSpec.from_json(job.spec): Cost.from_json(job.result or {})
        for job in reversed(finished)
        if device_kind(job.device) == device
    }


def launch(workspace: Workspace, spec: Json, *, done: int = 0, priority: str = "normal") -> Job:
    """Queue a training, as `launch_all` does."""
    return launch_all(workspace, [spec], done=done, priority=priority)[0]


def launch_all(
    workspace: Workspace, specs: Sequence[Json], *, done: int = 0, priority: str = "normal"
) -> list[Job]:
    """Queue trainings, all or none of them, each with its known cost as `foreseen`.

    Args:
        workspace: Whose queue.
        specs: The RunSpec of each as JSON, with what else its job is to know.
        done: Epochs that are finished already, where they go on from another run.
        priority: As of `submit`.

    Raises:
        WbcError: A prepared set is not there, `check_launch` refuses a run, or there is no such priority;
            nothing is queued then.
    """
    check_priority(priority)
    runs = [RunSpec.from_json(spec) for spec in specs]
    # Looked up once: what is checked and what is foreseen are of the same sets and the same device.
    sets, device = training_sets(workspace, runs), training_device(workspace)
    _check_each(workspace, runs, sets, device, done)
    costs = _costs(workspace, runs, sets, device, done)
    with transaction(workspace):  # a process that is killed half-way leaves none of them
        return [
            submit(workspace, "train", {**spec, "foreseen": cost.to_json()}, priority=priority)
            for spec, cost in zip(specs, costs, strict=True)
        ]


def resume(workspace: Workspace, job_id: str) -> Job:
    """Queue the work of a failed or cancelled job again, as a new job that goes on from its last checkpoint.

    Raises:
        WbcError: The job is not finished, or it succeeded; or it is a training, and as `launch_all`.
    """
    job, spec = spec_to_resume(workspace, job_id)
    if job.kind != "train":
        return submit(workspace, job.kind, spec, priority=job.priority)
    return launch(workspace, spec, done=saved_epochs(workspace, spec["resumes"]), priority=job.priority)


def priority_of_work(workspace: Workspace, job_id: str, spec: Json) -> str:
    """The priority of what a job queues in its turn: its own as it is now, which may have been changed.

    Args:
        workspace: Whose queue.
        job_id: The job; empty where the task runs without one, on the command line.
        spec: What the task is called with: its `priority` counts where there is no job.
    """
    return get_job(workspace, job_id).priority if job_id else str(spec.get("priority", "normal"))


def check_all(workspace: Workspace, specs: Sequence[RunSpec]) -> None:
    """Refuse runs by `check_launch`, as they are about to be queued.

    Raises:
        WbcError: A prepared set is not there, or a run could only fail.
    """
    _check_each(workspace, specs, training_sets(workspace, specs), training_device(workspace), 0)


def _check_each(
    workspace: Workspace, specs: Sequence[RunSpec], sets: Mapping[str, TrainingSet], device: str, done: int
) -> None:
    for spec in specs:
        check_launch(workspace, spec, sets[spec.prepared].image_shape, device, done=done)
