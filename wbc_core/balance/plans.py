"""Balance plans: how many images each class shall have, and where the additional ones come from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wbc_core.balance import smote
from wbc_core.balance.neighbours import Images, PixelSpace, Rows
from wbc_core.balance.smote import SmoteDraw
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, part_of, silent
from wbc_core.registry import Registry

Target = Callable[[Sequence[int]], list[int]]
"""Images per class before -> images per class after; both in class order."""

More = Callable[[Images, Sequence[Rows], int, int, np.random.Generator, Progress], SmoteDraw]
"""(images, train rows of every class, class, how many, generator, progress) -> draw of the further images."""


@dataclass(frozen=True)
class BalancePlan:
    """One way to even out the classes of the train part.

    Attributes:
        title: What the page calls it.
        description: What it does to the images, in one sentence.
        source: Paper or rule it follows.
        target: Counts after, from counts before.
        more: Where images beyond the real ones come from.
    """

    title: str
    description: str
    source: str
    target: Target
    more: More


def _copies(
    images: Images,
    rows: Sequence[Rows],
    label: int,
    count: int,
    generator: np.random.Generator,
    progress: Progress,
) -> SmoteDraw:
    """Further copies, dealt out in whole rounds, so that no image is copied twice before each is once."""
    own = rows[label]
    rounds = -(-count // len(own))
    return SmoteDraw.copies(np.concatenate([generator.permutation(own) for _ in range(rounds)])[:count])


def _smote(
    images: Images,
    rows: Sequence[Rows],
    label: int,
    count: int,
    generator: np.random.Generator,
    progress: Progress,
) -> SmoteDraw:
    return smote.draw(PixelSpace(images), rows[label], count, generator, progress=progress)


def _as_they_are(counts: Sequence[int]) -> list[int]:
    return list(counts)


def _to_smallest(counts: Sequence[int]) -> list[int]:
    smallest = min((count for count in counts if count), default=0)
    return [min(count, smallest) for count in counts]


def _to_largest(counts: Sequence[int]) -> list[int]:
    largest = max(counts, default=0)
    return [largest if count else 0 for count in counts]


PLANS: Registry[BalancePlan] = Registry("balance plan")
PLANS.add(
    "none",
    BalancePlan("As they are", "Every train image once.", "no change", _as_they_are, _copies),
)
PLANS.add(
    "random_under",
    BalancePlan(
        "Random under-sampling",
        "Draws as many images of each class as the smallest class has; the rest is left out.",
        "He and Garcia 2009, Learning from imbalanced data, section 3.1.1",
        _to_smallest,
        _copies,
    ),
)
PLANS.add(
    "random_over",
    BalancePlan(
        "Random over-sampling",
        "Repeats images of the smaller classes until each has as many as the largest.",
        "He and Garcia 2009, Learning from imbalanced data, section 3.1.1",
        _to_largest,
        _copies,
    ),
)
PLANS.add(
    "smote",
    BalancePlan(
        "SMOTE",
        "Makes new images between an image and one of its 5 nearest neighbours of the same class.",
        "Chawla et al. 2002, SMOTE, JAIR 16:321-357",
        _to_largest,
        _smote,
    ),
)


def target_counts(plan: str, counts: Sequence[int]) -> list[int]:
    """Images per class after a plan, before anything is computed. A class without images stays without.

    Args:
        plan: Name in `PLANS`.
        counts: Train images per class, in class order.

    Raises:
        WbcError: There is no such plan.

    Example:
        >>> target_counts("smote", [3, 5, 0]), target_counts("random_under", [3, 5, 0])
        ([5, 5, 0], [3, 3, 0])
    """
    return PLANS.get(plan).target(counts)


def _generator(seed: int, purpose: int, label: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, purpose, label)))


def kept_rows(plan: str, rows: Sequence[Rows], seed: int) -> list[Rows]:
    """The real images of each class that a plan keeps: all of them, unless it has to leave some out.

    Args:
        plan: Name in `PLANS`.
        rows: Train rows of every class, in class order.
        seed: Seed of the recipe.
    """
    kept = []
    for label, target in enumerate(target_counts(plan, [len(own) for own in rows])):
        own = np.asarray(rows[label], dtype=np.int64)
        if target < len(own):
            own = np.sort(_generator(seed, 0, label).choice(own, target, replace=False))
        kept.append(own)
    return kept


def draw_plan(
    plan: str,
    images: Images,
    rows: Sequence[Rows],
    seed: int,
    class_names: Sequence[str],
    progress: Progress = silent,
) -> list[SmoteDraw]:
    """Draw the balanced train part: the images of each class, real ones first, then the further ones.

    Each class has a generator of its own, from the seed and its number.

    Args:
        plan: Name in `PLANS`.
        images: All images of the data set, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Train rows of every class, in class order; nothing else is read.
        seed: Seed of the recipe.
        class_names: Name of every class, for messages.
        progress: Told how far it is.

    Returns:
        One draw a class. Real images and copies have neighbour -1.

    Raises:
        WbcError: There is no such plan, or it cannot fill a class; the message names the class.
    """
    entry = PLANS.get(plan)
    targets = target_counts(plan, [len(own) for own in rows])
    draws = []
    for label, kept in enumerate(kept_rows(plan, rows, seed)):
        draw = SmoteDraw.copies(kept)
        if targets[label] > len(kept):
            step = part_of(progress, label / len(rows), (label + 1) / len(rows))
            generator = _generator(seed, 1, label)
            try:
                more = entry.more(images, rows, label, targets[label] - len(kept), generator, step)
            except WbcError as error:
                raise WbcError(f"Class {class_names[label]!r}: {error}") from None
            draw = SmoteDraw.join([draw, more])
        draws.append(draw)
    return draws


def smote_examples(images: Images, rows: Sequence[Rows], label: int, seed: int, count: int) -> SmoteDraw:
    """The first SMOTE images of a class, as `draw_plan` draws them at this seed, without its full search.

    A class that needs none (the largest) gets as many as are asked for, to show what they would be like.

    Args:
        images: All images of the data set, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Train rows of every class, in class order.
        label: The class.
        seed: Seed of the recipe.
        count: How many to show.

    Raises:
        WbcError: The class has fewer than two images.
    """
    missing = target_counts("smote", [len(own) for own in rows])[label] - len(rows[label])
    wanted = missing or count
    return smote.draw(
        PixelSpace(images), rows[label], wanted, _generator(seed, 1, label), first=min(count, wanted)
    )
