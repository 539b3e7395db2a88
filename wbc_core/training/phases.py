"""The phases of a run: first the head alone, then the backbone, all at once or block by block."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wbc_core.training.spec import RunSpec


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same weights train.

    Attributes:
        first: Its first epoch, from 0.
        end: The epoch after its last.
        open_blocks: Blocks of the backbone that train, counted from the last; None for what `freeze` leaves.
    """

    first: int
    end: int
    open_blocks: int | None

    @property
    def head_only(self) -> bool:
        """Whether the backbone is frozen whole."""
        return self.open_blocks == 0


def phases(spec: "RunSpec", blocks: int) -> list[Phase]:
    """Divide a run into phases.

    Args:
        spec: The run.
        blocks: Blocks of its backbone.

    Returns:
        Phases that follow each other from epoch 0 to the last.

    Example:
        >>> from wbc_core.training.spec import RunSpec
        >>> spec = RunSpec("", "cnn", epochs=9, head_epochs=2, unfreeze_every=3)
        >>> [(phase.first, phase.end, phase.open_blocks) for phase in phases(spec, blocks=5)]
        [(0, 2, 0), (2, 5, 1), (5, 8, 2), (8, 9, 3)]
    """
    if spec.freeze == "all":
        return [Phase(0, spec.epochs, 0)]
    first = spec.first_main_epoch
    found = [Phase(0, first, 0)] if first else []
    if spec.unfreeze_every:
        for open_blocks in range(1, blocks):
            end = min(first + spec.unfreeze_every, spec.epochs)
            if first < end:
                found.append(Phase(first, end, open_blocks))
            first = end
    if first < spec.epochs:
        found.append(Phase(first, spec.epochs, None))
    return found
