"""What a recipe's operations do to a few images, exactly as `prepare` does it to all."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.applying import CHANCE, applied_to, check_classes
from wbc_core.augment.operations import OPERATIONS, Drawn, Images
from wbc_core.augment.recipe import check_operations
from wbc_core.augment.uniform import uniform_at
from wbc_core.records import Operation


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


def draw_operation_at(
    operation: Operation,
    index: int,
    seed: int,
    positions: Sequence[int] | NDArray[np.integer],
    shape: tuple[int, int, int],
) -> Drawn:
    """Draw what `draw_operation` draws, for the images at some positions only.

    Args:
        operation: The operation, checked.
        index: Its place in the recipe.
        seed: Seed of the recipe.
        positions: Positions in the balanced train part, in any order.
        shape: Height, width, channels, in pixels.
    """
    kind, key = OPERATIONS.get(operation.name), (1, index)
    uniform = uniform_at(np.random.SeedSequence(seed, spawn_key=key), positions, kind.draws)
    chance = uniform_at(np.random.SeedSequence(seed, spawn_key=(*key, 1)), positions, 1)
    return {**kind.scale(uniform, shape, kind.checked(operation.parameters)), CHANCE: chance[:, 0]}


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
        drawn = draw_operation_at(operation, index, seed, places, shape)
        changed = apply_operation(images, operation, drawn, known, class_names)
        result.append((operation.name, changed, drawn))
    return result
