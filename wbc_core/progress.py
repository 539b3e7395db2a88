"""How slow work tells where it stands."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the fraction done (0..1) and a short message; may raise `Cancelled`."""


def silent(fraction: float, message: str) -> None:
    """Report nothing: the default where nobody listens."""


def part_of(progress: Progress, start: float, stop: float) -> Progress:
    """Let a step that reports 0..1 fill only start..stop of a larger piece of work.

    Example:
        >>> seen = []
        >>> part_of(lambda fraction, message: seen.append((fraction, message)), 0.5, 1.0)(0.5, "half")
        >>> seen
        [(0.75, 'half')]
    """
    return lambda fraction, message: progress(start + (stop - start) * fraction, message)
