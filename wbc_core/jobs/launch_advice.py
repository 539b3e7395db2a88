"""What a person should know before a training starts that is possible, but hardly meant."""

from collections.abc import Sequence
from dataclasses import replace

from wbc_core.backbones.registry import BACKBONES
from wbc_core.jobs.launching import TrainingSet, training_device, training_sets
from wbc_core.training.estimate import Cost, about
from wbc_core.training.spec import RunSpec
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

_LONG = 2 * 3600.0
"""Seconds above which a way to wait less is pointed out."""


def advice(workspace: Workspace, specs: Sequence[RunSpec], costs: Sequence[Cost]) -> dict[str, list[RunSpec]]:
    """Say of some runs what is likely a mistake, or takes long where something shorter is at hand.

    Args:
        workspace: The lab.
        specs: The runs.
        costs: What each will cost, see `known_costs`.

    Returns:
        Sentences, each with the runs that it is about.

    Raises:
        WbcError: A prepared set is not there.
    """
    said: dict[str, list[RunSpec]] = {}
    sets, device = training_sets(workspace, specs), training_device(workspace)
    for spec, cost in zip(specs, costs, strict=True):
        for words in _of_one(sets[spec.prepared], spec, cost, device):
            said.setdefault(words, []).append(spec)
    return said


def _of_one(learnt: TrainingSet, spec: RunSpec, cost: Cost, device: str) -> list[str]:
    found = []
    if spec.weights == "random" and spec.freeze != "none":
        found.append("Frozen layers would keep random weights: choose first weights, or freeze nothing.")
    elif spec.freeze == "all":
        found.append("The backbone is frozen whole: only the head learns.")
    if spec.precision != "float32" and device == "cpu":
        found.append(f"{spec.precision} pays on a GPU; a CPU takes longer with it.")
    steps = -(-learnt.images // spec.batch_size)
    if spec.accumulation > steps:
        found.append(
            f"An epoch has {counted(steps, 'step')}, and {spec.accumulation} are gathered before the weights "
            "move: choose less accumulation."
        )
    if cost.seconds > _LONG and spec.freeze != "all" and BACKBONES.get(spec.backbone).imagenet is not None:
        foreseen = learnt.cost(replace(spec, freeze="all", weights="imagenet"))
        if foreseen.seconds < cost.seconds / 3:
            found.append(
                f"{about(cost.seconds).capitalize()} on this many cores. With the backbone frozen whole "
                f"(freeze=all, ImageNet weights): {about(foreseen.seconds)}."
            )
    return found
