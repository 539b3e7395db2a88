"""A prepared set before it is made: any of its images, computed when asked for, byte for byte as on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations import Images
from wbc_core.augment.prepare import balanced_counts, draw_balanced
from wbc_core.augment.preview import apply_operation, draw_operation_at
from wbc_core.augment.recipe import check_recipe
from wbc_core.balance import PLANS, kept_rows
from wbc_core.balance.neighbours import Rows
from wbc_core.balance.smote import SmoteDraw, interpolate
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Recipe, Split
from wbc_core.workspace import Workspace

_UNKNOWN = -1
"""Base of an image of which only the whole draw knows what it is."""


@dataclass(frozen=True)
class BalancedPart:
    """The balanced train part of a split, as far as it is known without drawing it.

    Attributes:
        draw: What its images are; the base of those that only drawing tells is -1.
        labels: Their labels, int64 (n,).
        complete: Draws the whole part, which may take seconds.
    """

    draw: SmoteDraw
    labels: NDArray[np.int64]
    complete: Callable[[], SmoteDraw]

    def examples(self, count: int) -> NDArray[np.int64]:
        """Positions of some real images: the classes in turn, in each spread over all of them."""
        real = (self.draw.neighbour < 0) & (self.draw.base != _UNKNOWN)
        _, first = np.unique(self.draw.base, return_index=True)
        real[np.setdiff1d(np.arange(len(real)), first)] = False
        filled = np.unique(self.labels[real]).tolist()
        chosen = []
        for order, label in enumerate(filled):
            own = np.flatnonzero(real & (self.labels == label))
            wanted = len(range(order, count, len(filled)))
            places = np.unique(np.linspace(0, len(own), wanted, endpoint=False).astype(int))
            chosen += [(turn, label, int(own[place])) for turn, place in enumerate(places)]
        return np.array([position for *_, position in sorted(chosen)], dtype=np.int64)

    def known(self, positions: NDArray[np.int64]) -> SmoteDraw:
        """The draw of some images; drawn as a whole only where one of them is not known without."""
        draw = self.draw
        if (draw.base[positions] == _UNKNOWN).any():
            draw = self.complete()
        return SmoteDraw(draw.base[positions], draw.neighbour[positions], draw.factor[positions])


def foresee_balanced(
    workspace: Workspace,
    split: Split,
    recipe: Recipe,
    dataset: Dataset,
    images: Images,
    rows: Sequence[Rows],
    complete: Callable[[], list[SmoteDraw]] | None = None,
) -> BalancedPart:
    """Tell what the balanced train part will be.

    Args:
        workspace: The workspace.
        split: The split.
        recipe: The recipe; of it only plan, parameters, seed and order count.
        dataset: The split's data set.
        images: Its images, uint8 (n, H, W, 3), memory-mapped.
        rows: Train rows of every class, in class order.
        complete: Draws the whole part, one draw a class, where the caller keeps such draws.

    Raises:
        WbcError: The recipe or its plan does not fit the split.
    """
    recipe, names = check_recipe(recipe), dataset.class_names
    draw_all = complete or (lambda: draw_balanced(workspace, split, recipe, dataset, images)[0])
    if PLANS.get(recipe.balance).about:
        # How many images such a plan leaves is not known before.
        draws = draw_all()
    else:
        kept = list(rows)
        if not recipe.leaky:
            kept = kept_rows(recipe.balance, rows, recipe.seed, recipe.balance_parameters, names)
        counts = balanced_counts(split, recipe, names)
        draws = [
            SmoteDraw.join(
                [SmoteDraw.copies(own), SmoteDraw.copies(np.full(max(0, count - len(own)), _UNKNOWN))]
            )
            for own, count in zip(kept, counts, strict=True)
        ]
    labels = np.repeat(np.arange(len(draws)), [len(draw) for draw in draws])
    return BalancedPart(SmoteDraw.join(draws), labels, lambda: SmoteDraw.join(draw_all()))


class ForeseenImages:
    """The images of a prepared set, indexed by position as the file on disk would be.

    Args:
        images: The data set, uint8 (n, H, W, 3), memory-mapped.
        part: Its balanced train part.
        recipe: The recipe, checked.
        class_names: Class names, in label order.

    Attributes:
        shape: Number of images, height, width and channels.
        labels: Labels by position, int64 (N,).
    """

    def __init__(
        self, images: Images, part: BalancedPart, recipe: Recipe, class_names: Sequence[str]
    ) -> None:
        blocks = 1 + len(recipe.operations)
        self._images, self._part, self._recipe, self._names = images, part, recipe, class_names
        self.labels = np.tile(part.labels, blocks)
        height, width, channels = images.shape[1:]
        self.shape = (len(self.labels), height, width, channels)

    def __getitem__(self, positions: NDArray[np.int64]) -> Images:
        """Images at some positions, uint8 (m, H, W, 3).

        Raises:
            WbcError: One is a copy that only KerasCV can make.
        """
        block, place = np.divmod(positions, len(self._part.labels))
        draw = self._part.known(place)
        result = interpolate(self._images, draw, 0, len(draw))
        for number in np.unique(block[block > 0]).tolist():
            if self._recipe.engine != "lab":
                raise WbcError(
                    "What KerasCV makes of an image cannot be foreseen.",
                    fix="Prepare the set, or use the engine 'lab'.",
                )
            chosen = np.flatnonzero(block == number)
            operation, own = self._recipe.operations[number - 1], place[chosen]
            drawn = draw_operation_at(operation, number - 1, self._recipe.seed, own, self.shape[1:])
            result[chosen] = apply_operation(
                result[chosen], operation, drawn, self._part.labels[own], self._names
            )
        return result
