"""What a recipe's operations do to a few images, exactly as `prepare` does it to all."""

from collections.abc import Sequence

import numpy as np

from wbc_core.augment.operations import OPERATIONS, Drawn, Images
from wbc_core.augment.recipe import check_operations
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
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index)))
    return OPERATIONS.get(operation.name).sample(generator, count, shape, **operation.parameters)


def part_of_draw(drawn: Drawn, positions: slice | Sequence[int]) -> Drawn:
    """The drawn parameters of some of the images."""
    return {name: values[positions] for name, values in drawn.items()}


def preview(
    images: Images,
    operations: Sequence[Operation],
    seed: int,
    positions: Sequence[int] | None = None,
) -> list[tuple[str, Images, Drawn]]:
    """Apply each operation to the same images.

    Args:
        images: uint8 (n, H, W, 3).
        operations: Operations of a recipe, in its order.
        seed: Seed of the recipe.
        positions: Where the images stand in the balanced train part, so that the result is byte for byte
            what `prepare` writes there; 0, 1, .. where left out.

    Returns:
        Per operation its name, the new images, uint8 (n, H, W, 3), and the drawn parameters.

    Raises:
        WbcError: An operation or a parameter is not valid.
    """
    places = list(range(len(images)) if positions is None else positions)
    shape = (images.shape[1], images.shape[2], images.shape[3])
    result = []
    for index, operation in enumerate(check_operations(operations)):
        every = draw_operation(operation, index, seed, max(places, default=-1) + 1, shape)
        drawn = part_of_draw(every, places)
        result.append((operation.name, OPERATIONS.get(operation.name).apply(images, drawn), drawn))
    return result
