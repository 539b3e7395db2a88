"""The source report's order, for comparison: balance the whole clean set first, then divide it.

The report balanced 11,951 cells to 8 x 2,330 and split the result 70/30, so that new images in the train part
have held-out parents. Here a split divides the real images, as ever, and the new ones, drawn from all of
them, are dealt into the parts in the same shares: both parts are what the report's were, a stratified 70/30
of the balanced set, and which held-out images are synthetic is known. Every figure of it is marked.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from wbc_core.balance.drawing import draw_plan, target_counts
from wbc_core.balance.neighbours import Images, Rows
from wbc_core.balance.smote import SmoteDraw
from wbc_core.datasets.apportionment import largest_remainder
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.records import Json

WARNING = "leaky order: held-out images helped make the training set"
"""What stands wherever a figure of such a set shows."""


def leaky_counts(
    plan: str,
    parts: Mapping[str, Sequence[int]],
    fractions: Sequence[float],
    parameters: Json,
    class_names: Sequence[str],
) -> dict[str, list[int]]:
    """Images per class of every part after balancing all of them together, before anything is computed.

    Args:
        plan: Name of a plan that only adds images.
        parts: Part name to images per class, in class order, the train part first.
        fractions: Share of each part.
        parameters: The recipe's, checked.
        class_names: Names of the classes.

    Raises:
        WbcError: The plan leaves images out, or how many it adds is not known before.

    Example:
        >>> leaky_counts("smote", {"train": [7, 14], "validation": [3, 6]}, (0.7, 0.3), {}, ["a", "b"])
        {'train': [14, 14], 'validation': [6, 6]}
    """
    counts = [sum(column) for column in zip(*parts.values(), strict=True)]
    targets = target_counts(plan, counts, parameters, class_names)
    adds = all(target >= count for target, count in zip(targets, counts, strict=True))
    # An image that the plan takes out of the held-out part would have to leave the split.
    if not adds or plan not in _ADDING:
        raise WbcError(
            f"The plan {plan} with these parameters cannot be followed before the split.",
            expected=f"one of {', '.join(_ADDING)}, and no class cut down",
            fix="Choose another plan, or take 'leaky' out of the recipe.",
        )
    result = {part: list(there) for part, there in parts.items()}
    for label, (target, count) in enumerate(zip(targets, counts, strict=True)):
        dealt = _dealt(target, count, [there[label] for there in parts.values()], fractions)
        for part, more in zip(parts, dealt, strict=True):
            result[part][label] += more
    return result


_ADDING = ("none", "random_over", "smote", "borderline_smote", "adasyn", "class_weights", "effective_number")


def _dealt(target: int, count: int, there: Sequence[int], fractions: Sequence[float]) -> list[int]:
    """How many of the `target - count` new images of a class go to each part."""
    wanted = largest_remainder(target, fractions) - np.asarray(there)
    # Groups of duplicates can make a part larger than its share; the others then have room for less.
    room = np.maximum(wanted, 0)
    shares = [float(share) for share in (room if room.sum() else fractions)]
    return [int(part) for part in largest_remainder(target - count, shares)]


def draw_leaky(
    plan: str,
    images: Images,
    rows: Mapping[str, Sequence[Rows]],
    fractions: Sequence[float],
    seed: int,
    class_names: Sequence[str],
    progress: Progress = silent,
    parameters: Json | None = None,
) -> dict[str, list[SmoteDraw]]:
    """Balance all parts of a split together, and deal the new images out.

    Args:
        plan: Name of a plan that only adds images.
        images: All images of the data set, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Part name to the rows of every class, in class order, the train part first.
        fractions: Share of each part.
        seed: Seed of the recipe.
        class_names: Name of every class.
        progress: Told how far it is.
        parameters: The recipe's, checked.

    Returns:
        Part name to one draw a class: its own real images first, then new ones, whose parents may lie in any
        part.

    Raises:
        WbcError: The plan leaves images out, or cannot fill a class.
    """
    parameters = parameters or {}
    parts = {part: [len(own) for own in there] for part, there in rows.items()}
    counts = leaky_counts(plan, parts, fractions, parameters, class_names)
    together = [np.sort(np.concatenate(own)).astype(np.int64) for own in zip(*rows.values(), strict=True)]
    draws = draw_plan(plan, images, together, seed, class_names, progress, parameters)
    result: dict[str, list[SmoteDraw]] = {part: [] for part in rows}
    for label, draw in enumerate(draws):
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 3, label)))
        further = len(together[label]) + generator.permutation(len(draw) - len(together[label]))
        start = 0
        for part, there in rows.items():
            stop = start + counts[part][label] - len(there[label])
            own = np.sort(further[start:stop])
            new = SmoteDraw(draw.base[own], draw.neighbour[own], draw.factor[own])
            result[part].append(SmoteDraw.join([SmoteDraw.copies(there[label]), new]))
            start = stop
    return result
