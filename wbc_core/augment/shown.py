"""What a recipe does to a few images, for the eye: before, after, and the words under each picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.applying import CHANCE, applied_to, check_classes
from wbc_core.augment.online import ImageSource, OnlineStage
from wbc_core.augment.operations import OPERATIONS, Images
from wbc_core.augment.operations.kinds import Parameter
from wbc_core.augment.preview import apply_operation, draw_operation_at
from wbc_core.augment.recipe import online_operation
from wbc_core.records import Operation, Recipe

SWEEP_STEPS = 8
UNCHANGED = "as it is"

Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shown:
    """Some images before and after.

    Attributes:
        before: uint8 (n, H, W, 3).
        after: uint8 (n, H, W, 3).
        captions: What was drawn for each.
        labels: What each is labelled after a mix, such as "60 % ig, 40 % monocyte"; empty where unmixed.
    """

    before: Images
    after: Images
    captions: list[str]
    labels: list[str]


@dataclass(frozen=True, eq=False)
class PreparedView:
    """A prepared set, on disk or foreseen, with the recipe that makes it.

    Attributes:
        recipe: The recipe, checked.
        images: Its images by position.
        labels: Their labels, int64 (N,).
        class_names: Class names, in label order.
    """

    recipe: Recipe
    images: ImageSource
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    def copies(self, index: int, positions: Positions) -> Shown:
        """What the materialised operation at an index makes of the originals at some positions.

        Raises:
            WbcError: It is for a class that there is not.
        """
        operation, names = self.recipe.operations[index], self.class_names
        check_classes(operation, names)
        originals, labels = self.images[positions], self.labels[positions]
        drawn = draw_operation_at(operation, index, self.recipe.seed, positions, originals.shape[1:])
        after = apply_operation(originals, operation, drawn, labels, names)
        applied = set(applied_to(operation, drawn[CHANCE], labels, names).tolist())
        kind = OPERATIONS.get(operation.name)
        captions = [
            kind.caption(drawn, place) if place in applied else UNCHANGED for place in range(len(positions))
        ]
        return Shown(originals, after, captions, [""] * len(positions))

    def drawn_anew(self, index: int, positions: Positions, epoch: int) -> Shown:
        """What the online operation at an index does in an epoch, after those before it."""
        before, _ = self._stage(index)(positions, epoch)
        stage = self._stage(index + 1)
        after, labels = stage(positions, epoch)
        captions = [said or UNCHANGED for said in stage.captions(index, positions, epoch)]
        return Shown(before, after, captions, self._in_words(labels))

    def trained_on(self, positions: Positions, epoch: int) -> Shown:
        """What training gets at some positions of the prepared set in an epoch."""
        stage = self._stage(len(self.recipe.online))
        after, labels = stage(positions, epoch)
        said: list[list[str]] = [[] for _ in positions]
        for index, operation in enumerate(stage.operations):
            title = online_operation(operation.name).title
            for words, caption in zip(said, stage.captions(index, positions, epoch), strict=True):
                words += [f"{title} ({caption})"] if caption else []
        captions = ["; ".join(words) or UNCHANGED for words in said]
        return Shown(self.images[positions], after, captions, self._in_words(labels))

    def sweep(
        self, stage: str, index: int, name: str, position: int, epoch: int
    ) -> list[tuple[float, Images]]:
        """One image with a parameter of one operation from its lowest to its highest value.

        All else is as drawn for this image; the operation is applied whatever its probability and classes.

        Args:
            stage: `operations` or `online`.
            index: The operation's place in its stage.
            name: Name of one of its parameters.
            position: Position of the image.
            epoch: The epoch of an online stage.

        Returns:
            Values, rising, and the image at each, uint8 (H, W, 3).
        """
        where = np.array([position])
        kind = online_operation(getattr(self.recipe, stage)[index].name)
        parameter = next(entry for entry in kind.parameters if entry.name == name)
        result = []
        for value in sweep_values(parameter):
            operations: list[Operation] = list(getattr(self.recipe, stage))
            given = {**operations[index].parameters, name: value}
            operations[index] = Operation(operations[index].name, given)
            if stage == "operations":
                recipe = replace(self.recipe, operations=tuple(operations))
                shown = replace(self, recipe=recipe).copies(index, where)
            else:
                recipe = replace(self.recipe, online=tuple(operations))
                shown = replace(self, recipe=recipe).drawn_anew(index, where, epoch)
            result.append((value, shown.after[0]))
        return result

    def _stage(self, operations: int) -> OnlineStage:
        return OnlineStage(
            self.recipe.online[:operations], self.recipe.seed, self.images, self.labels, self.class_names
        )

    def _in_words(self, labels: NDArray[np.int32] | NDArray[np.float32]) -> list[str]:
        if labels.ndim == 1:
            return [""] * len(labels)
        return [share_words(row, self.class_names) for row in labels]


def share_words(shares: NDArray[np.floating], class_names: Sequence[str]) -> str:
    """Name the classes of a mixed label with their shares; nothing where there is only one.

    Example:
        >>> share_words(np.array([0.4, 0.0, 0.6]), ("basophil", "eosinophil", "ig"))
        '60 % ig, 40 % basophil'
    """
    order = [label for label in np.argsort(-shares, kind="stable").tolist() if round(100 * shares[label])]
    named = [f"{100 * shares[label]:.0f} % {class_names[label]}" for label in order]
    return ", ".join(named) if len(named) > 1 else ""


def sweep_values(parameter: Parameter) -> list[float]:
    """At most eight values of a parameter, from lowest to highest, each one that its slider can take.

    Example:
        >>> sweep_values(Parameter("operations", "Operations", 3.0, 1.0, 5.0, 1.0, "an image", "more"))
        [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    even = np.linspace(parameter.low, parameter.high, SWEEP_STEPS)
    steps = np.unique(np.rint((even - parameter.low) / parameter.step))
    return [round(float(min(parameter.low + step * parameter.step, parameter.high)), 6) for step in steps]
