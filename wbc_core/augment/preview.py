"""What a recipe's operations do to a few images, exactly as `prepare` does it to all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.applying import CHANCE, applied_to, check_classes
from wbc_core.augment.operations import OPERATIONS, Drawn, Images
from wbc_core.augment.recipe import check_operations
from wbc_core.balance import kept_rows, target_counts
from wbc_core.balance.neighbours import Rows
from wbc_core.records import Operation, Recipe


def draw_operation(
    operation: Operation, index: int, seed: int, count: int, shape: tuple[int, int, int]
) -> Drawn:
    """Draw an operation's parameters for the first images of the balanced train part.

    Args:
        operation: The operation.
        index: Its place in the recipe; each place has a generator of its own.
        seed: Seed of the recipe.
        count: Number of images. The first values are the same however many follow.
        shape: Height, width, channels, in pixels.

    Returns:
        The drawn parameters, and `chance`, which decides where the operation is applied.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index)))
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index, 1))).random(count)
    drawn = OPERATIONS.get(operation.name).sample(generator, count, shape, **operation.parameters)
    return {**drawn, CHANCE: chance}


def part_of_draw(drawn: Drawn, positions: slice | Sequence[int]) -> Drawn:
    """The drawn parameters of some of the images."""
    return {name: values[positions] for name, values in drawn.items()}


def apply_operation(
    images: Images,
    operation: Operation,
    drawn: Drawn,
    labels: NDArray[np.integer],
    class_names: Sequence[str],
    apply: Callable[[Images, Drawn], Images] | None = None,
) -> Images:
    """Apply an operation of the materialised stage to the images that it is for; the others stay as they are.

    Args:
        images: uint8 (n, H, W, 3).
        operation: The operation.
        drawn: What `draw_operation` drew for these images.
        labels: Their labels, int (n,).
        class_names: Class names, in label order.
        apply: What changes the images; the operation's own function where None.

    Returns:
        uint8 (n, H, W, 3).
    """
    change = apply or OPERATIONS.get(operation.name).apply
    chosen = applied_to(operation, drawn[CHANCE], labels, class_names)
    own = {name: values[chosen] for name, values in drawn.items() if name != CHANCE}
    if len(chosen) == len(images):
        return change(images, own)
    result = images.copy()
    if len(chosen):
        result[chosen] = change(images[chosen], own)
    return result


def preview(
    images: Images,
    operations: Sequence[Operation],
    seed: int,
    positions: Sequence[int] | None = None,
    *,
    labels: Sequence[int] | None = None,
    class_names: Sequence[str] = (),
) -> list[tuple[str, Images, Drawn]]:
    """Apply each operation to the same images.

    Args:
        images: uint8 (n, H, W, 3).
        operations: Operations of a recipe, in its order.
        seed: Seed of the recipe.
        positions: Where the images stand in the balanced train part, so that the result is byte for byte
            what `prepare` writes there; 0, 1, .. where left out.
        labels: Their labels, needed where an operation is for some classes only.
        class_names: Class names, in label order.

    Returns:
        Per operation its name, the new images, uint8 (n, H, W, 3), and the drawn parameters with `chance`.

    Raises:
        WbcError: An operation or a parameter is not valid.
    """
    places = list(range(len(images)) if positions is None else positions)
    shape = (images.shape[1], images.shape[2], images.shape[3])
    known = np.zeros(len(images), dtype=np.int64) if labels is None else np.asarray(labels)
    result = []
    for index, operation in enumerate(check_operations(operations)):
        check_classes(operation, class_names)
        every = draw_operation(operation, index, seed, max(places, default=-1) + 1, shape)
        drawn = part_of_draw(every, places)
        changed = apply_operation(images, operation, drawn, known, class_names)
        result.append((operation.name, changed, drawn))
    return result


@dataclass(frozen=True)
class Examples:
    """A few real train images and where they stand in the balanced train part.

    Attributes:
        rows: Rows of the data set.
        labels: Their classes.
        positions: Their positions in a prepared set, among the originals.
    """

    rows: tuple[int, ...]
    labels: tuple[int, ...]
    positions: tuple[int, ...]


def examples(
    recipe: Recipe,
    rows: Sequence[Rows],
    count: int,
    class_names: Sequence[str] = (),
    balanced: Sequence[int] | None = None,
) -> Examples:
    """Choose images for a preview: the classes in turn, in each spread over its real images.

    Args:
        recipe: The recipe; its plan and seed tell which images are kept.
        rows: Train rows of every class, in class order.
        count: How many images.
        class_names: Names of the classes, where the recipe sets targets by name.
        balanced: Train images per class after balancing, as `prepare.balanced_counts` foresees them; where
            left out, those of a recipe that is not leaky.

    Example:
        >>> rows = [np.array([3, 8]), np.array([], dtype=int), np.array([1, 4, 9])]
        >>> examples(Recipe("mine", "smote"), rows, 3)
        Examples(rows=(3, 1, 8), labels=(0, 2, 0), positions=(0, 3, 1))
    """
    parameters = recipe.balance_parameters
    kept = kept_rows(recipe.balance, rows, recipe.seed, parameters, class_names)
    counts = [len(own) for own in rows]
    starts = np.cumsum([0, *(balanced or target_counts(recipe.balance, counts, parameters, class_names))])
    filled = [label for label, own in enumerate(kept) if len(own)]
    chosen = []
    for label in filled:
        wanted = len(range(filled.index(label), count, len(filled)))
        places = np.unique(np.linspace(0, len(kept[label]), wanted, endpoint=False).astype(int))
        chosen += [
            (turn, label, int(kept[label][place]), int(starts[label] + place))
            for turn, place in enumerate(places)
        ]
    chosen.sort()
    return Examples(*(tuple(entry[field] for entry in chosen) for field in (2, 1, 3)))
