"""Drawing the balanced train part by a plan: counts first, then rows, parents and factors, no pixel yet."""

from collections.abc import Sequence

import numpy as np

from wbc_core.balance import smote
from wbc_core.balance.neighbours import Images, PixelSpace, Rows, Space, VectorSpace
from wbc_core.balance.parameters import adjusted_counts, checked_parameters
from wbc_core.balance.plans import PLANS
from wbc_core.balance.projection import feature_space
from wbc_core.balance.samplers import draw_whole
from wbc_core.balance.smote import SmoteDraw
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json

_NO_PARAMETERS: Json = {}


def check_parameters(plan: str, parameters: object) -> Json:
    """Return the parameters of a plan without those at their default.

    Raises:
        WbcError: There is no such plan, or a parameter is unknown to it or out of its range.
    """
    return checked_parameters(plan, PLANS.get(plan).parameters, parameters)


def target_counts(
    plan: str,
    counts: Sequence[int],
    parameters: Json = _NO_PARAMETERS,
    class_names: Sequence[str] = (),
) -> list[int]:
    """Images per class after a plan, before anything is computed. A class without images stays without.

    Args:
        plan: Name in `PLANS`. Where it is `about`, so are these.
        counts: Train images per class, in class order.
        parameters: The recipe's, checked.
        class_names: Names of the classes, for the parameter `targets`.

    Raises:
        WbcError: There is no such plan, or `targets` names a class without images.

    Example:
        >>> target_counts("smote", [3, 5, 0]), target_counts("random_under", [3, 5, 0])
        ([5, 5, 0], [3, 3, 0])
    """
    return adjusted_counts(counts, PLANS.get(plan).target(counts), parameters, class_names)


def _generator(seed: int, purpose: int, label: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, purpose, label)))


def kept_rows(
    plan: str,
    rows: Sequence[Rows],
    seed: int,
    parameters: Json = _NO_PARAMETERS,
    class_names: Sequence[str] = (),
) -> list[Rows]:
    """The real images of each class that a plan keeps: all of them, unless it has to leave some out.

    Args:
        plan: Name in `PLANS`. What one that is `about` leaves out besides is not known here.
        rows: Train rows of every class, in class order.
        seed: Seed of the recipe.
        parameters: The recipe's, checked.
        class_names: Names of the classes.
    """
    kept = []
    targets = target_counts(plan, [len(own) for own in rows], parameters, class_names)
    for label, target in enumerate(targets):
        own = np.asarray(rows[label], dtype=np.int64)
        if target < len(own):
            own = np.sort(_generator(seed, 0, label).choice(own, target, replace=False))
        kept.append(own)
    return kept


def space_of(images: Images, rows: Sequence[Rows], parameters: Json) -> Space:
    """Where a recipe's SMOTE and its relatives take distances: the parameter `neighbours`.

    Args:
        images: All images of the data set, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Train rows of every class, in class order.
        parameters: The recipe's, checked.
    """
    if parameters.get("neighbours") == "features":
        return feature_space(images, np.concatenate(rows).astype(np.int64))
    return PixelSpace(images)


def draw_plan(
    plan: str,
    images: Images,
    rows: Sequence[Rows],
    seed: int,
    class_names: Sequence[str],
    progress: Progress = silent,
    parameters: Json = _NO_PARAMETERS,
) -> list[SmoteDraw]:
    """Draw the balanced train part: the images of each class, real ones first, then the further ones.

    Each class has a generator of its own, from the seed and its number.

    Args:
        plan: Name in `PLANS`.
        images: All images of the data set, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Train rows of every class, in class order; nothing else is read.
        seed: Seed of the recipe.
        class_names: Name of every class, for messages and the parameter `targets`.
        progress: Told how far it is.
        parameters: The recipe's, checked.

    Returns:
        One draw a class. Real images and copies have neighbour -1.

    Raises:
        WbcError: There is no such plan, or it cannot fill a class; the message names the class.
    """
    entry = PLANS.get(plan)
    targets = target_counts(plan, [len(own) for own in rows], parameters, class_names)
    kept = kept_rows(plan, rows, seed, parameters, class_names)
    if not sum(targets):
        return [SmoteDraw.copies(own) for own in kept]
    space = space_of(images, rows, parameters)
    if entry.whole is not None:
        features = space if isinstance(space, VectorSpace) else None
        number = int(_generator(seed, 2, 0).integers(2**31))
        return draw_whole(entry.whole, images, kept, targets, number, features, progress)
    draws = []
    for label, own in enumerate(kept):
        draw = SmoteDraw.copies(own)
        if targets[label] > len(own):
            step = part_of(progress, label / len(rows), (label + 1) / len(rows))
            generator = _generator(seed, 1, label)
            try:
                more = entry.more(space, rows, label, targets[label] - len(own), generator, step)
            except WbcError as error:
                raise WbcError(f"Class {class_names[label]!r}: {error}") from None
            draw = SmoteDraw.join([draw, more])
        draws.append(draw)
    return draws


def smote_examples(
    images: Images,
    rows: Sequence[Rows],
    label: int,
    seed: int,
    count: int,
    parameters: Json = _NO_PARAMETERS,
    class_names: Sequence[str] = (),
    space: Space | None = None,
) -> SmoteDraw:
    """The first SMOTE images of a class, as `draw_plan` draws them at this seed, without its full search.

    A class that needs none (the largest) gets as many as are asked for, to show what they would be like.

    Args:
        images: All images of the data set, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Train rows of every class, in class order.
        label: The class.
        seed: Seed of the recipe.
        count: How many to show.
        parameters: The recipe's, checked.
        class_names: Names of the classes, for the parameter `targets`.
        space: What `space_of` gives for these, where it is at hand.

    Raises:
        WbcError: The class has fewer than two images.
    """
    counts = [len(own) for own in rows]
    missing = target_counts("smote", counts, parameters, class_names)[label] - counts[label]
    wanted = missing if missing > 0 else count
    space = space or space_of(images, rows, parameters)
    return smote.draw(space, rows[label], wanted, _generator(seed, 1, label), first=min(count, wanted))
