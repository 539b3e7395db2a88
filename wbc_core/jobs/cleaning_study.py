"""What did cleaning buy? The same network on the raw and on the clean train images, judged on clean ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wbc_core.augment.prepare import bytes_after, check_room, images_after, prepare
from wbc_core.datasets.store import find_dataset
from wbc_core.derived_splits import RawTrain, keep_parts, raw_counterpart, raw_train
from wbc_core.errors import WbcError
from wbc_core.jobs.paired_study import (
    CLEANING,
    checked_spec,
    foreseen_seconds,
    like_run,
    named_after,
    queue_runs,
)
from wbc_core.jobs.queue import submit
from wbc_core.progress import Progress, part_of
from wbc_core.records import Job, Json, Recipe
from wbc_core.splitting import load_split
from wbc_core.workspace import Workspace

WAYS = ("raw", "clean")
"""No cleaning first: what cleaning is compared with."""


@dataclass(frozen=True)
class CleaningStudy:
    """What a study of cleaning would launch.

    Attributes:
        split: Id of the clean split.
        backbone: Name of the backbone.
        recipe: What both ways share.
        settings: Settings of all runs, as on the command line.
        seeds: Seeds that both ways are trained with.
        raw: What the raw train part holds beside and instead of clean images.
        images: Train images after the recipe, by way.
        held_out: Held-out images, the same for both.
        seconds: Foreseen for all runs on two CPU cores, one after another.
        bytes: Of both prepared sets on disk, foreseen.
    """

    split: str
    backbone: str
    recipe: Recipe
    settings: Mapping[str, str]
    seeds: Sequence[int]
    raw: RawTrain
    images: Mapping[str, int]
    held_out: int
    seconds: float
    bytes: int

    def words(self) -> str:
        """What the raw train part is, in a sentence or two."""
        return self.raw.words()


def plan_cleaning_study(workspace: Workspace, run_id: str, seeds: Sequence[int]) -> CleaningStudy:
    """Lay out the study that begins from the split, recipe and spec of a run; nothing is queued or written.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        seeds: Seeds that both ways are trained with.

    Raises:
        WbcError: No such run, one that no study can begin from, unusable seeds, or nothing was cleaned.
    """
    run, recipe, settings = like_run(workspace, run_id)
    split, dataset = load_split(workspace, run.split), find_dataset(workspace, run.dataset)
    spec = checked_spec(workspace, dataset, run.backbone, settings, seeds)
    raw = raw_train(workspace, split.id)
    if not raw.restored:
        raise WbcError(
            f"Cleaning has changed nothing that {run_id} learnt from: no image was dropped or relabelled.",
            fix="Decide on the Review page first, split and train.",
        )
    counts = np.bincount(raw.labels, minlength=len(dataset.class_names)).tolist()
    parts = {"raw": replace(split, parts={**split.parts, "train": counts}), "clean": split}
    images = {way: images_after(parts[way], recipe, dataset.class_names) for way in WAYS}
    held_out = sum(split.parts["validation"])
    return CleaningStudy(
        split=split.id,
        backbone=run.backbone,
        recipe=recipe,
        settings=settings,
        seeds=list(seeds),
        raw=raw,
        images=images,
        held_out=sum(sum(counts) for part, counts in split.parts.items() if part != "train"),
        seconds=foreseen_seconds(spec, dataset, recipe, list(images.values()), held_out, len(seeds)),
        bytes=sum(bytes_after(parts[way], recipe, dataset) for way in WAYS),
    )


def start_cleaning_study(
    workspace: Workspace, run_id: str, seeds: Sequence[int], *, priority: str = "normal"
) -> Job:
    """Queue one job that prepares the raw and the clean train part, then queues a run of each seed on both.

    The runs have the priority of the job.

    Returns:
        The job. Its result is that of `paired_study.queue_runs`, by way.

    Raises:
        WbcError: As `plan_cleaning_study`, the disk has too little room, or there is no such priority;
            nothing is queued.
    """
    plan = plan_cleaning_study(workspace, run_id, seeds)
    check_room(workspace, plan.bytes)
    spec = {
        "split": plan.split,
        "backbone": plan.backbone,
        "recipe": plan.recipe.to_json(),
        "settings": dict(plan.settings),
        "seeds": list(seeds),
    }
    return submit(workspace, CLEANING, spec, priority=priority)


def run_cleaning_study(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Do what `start_cleaning_study` queued; started again, it goes on with the sets and runs there are."""
    # Of what a later scan found in two parts, no copy may be learnt: that would be no cleaning's merit.
    clean = keep_parts(workspace, spec["split"], until=load_split(workspace, spec["split"]).decisions_head)
    raw = raw_counterpart(workspace, clean.id)
    recipe = Recipe.from_json(spec["recipe"])
    recipes = {"raw": (raw.id, named_after(recipe, "raw")), "clean": (clean.id, recipe)}
    prepared = {}
    for number, way in enumerate(WAYS):
        step = part_of(progress, number / len(WAYS), (number + 1) / len(WAYS))
        prepared[way] = prepare(workspace, *recipes[way], step).id
    return queue_runs(workspace, job_id, spec, prepared)
