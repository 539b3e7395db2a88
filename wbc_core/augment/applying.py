"""Which images of a set an operation of a recipe is applied to: by chance, and by class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError
from wbc_core.records import Operation

CHANCE = "chance"
"""Key of the uniform numbers among an operation's drawn values that decide where it is applied."""


def check_classes(operation: Operation, class_names: Sequence[str]) -> None:
    """Refuse an operation for a class that a data set does not have.

    Raises:
        WbcError: It names such a class.
    """
    unknown = [name for name in operation.classes if name not in class_names]
    if unknown:
        raise WbcError(
            f"The operation {operation.name} is for a class that the data set does not have.",
            expected=f"some of {', '.join(class_names)}",
            got=unknown[0],
            fix="Correct the recipe's 'classes'.",
        )


def applied_to(
    operation: Operation,
    chance: NDArray[np.float64],
    labels: NDArray[np.integer],
    class_names: Sequence[str],
) -> NDArray[np.int64]:
    """Tell which images an operation is applied to.

    Args:
        operation: The operation, whose classes are among the class names.
        chance: A uniform number an image, float64 (n,), 0..1.
        labels: Labels, int (n,).
        class_names: Class names, in label order.

    Returns:
        Their indices, rising, int64.

    Example:
        >>> flip = Operation("flip", probability=0.5, classes=("ig",))
        >>> applied_to(flip, np.array([0.1, 0.9, 0.2]), np.array([1, 1, 0]), ("basophil", "ig")).tolist()
        [0]
    """
    applied = chance < operation.probability
    if operation.classes:
        applied &= np.isin(labels, [list(class_names).index(name) for name in operation.classes])
    return np.flatnonzero(applied).astype(np.int64)
