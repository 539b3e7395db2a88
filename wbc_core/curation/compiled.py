"""What compiles a loop with Numba."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(loop: _Loop) -> _Loop:
    """Compile a loop over arrays, so that it lets go of Python's lock.

    What is compiled is kept on disk beside the loop's file, or in the user's cache folder: only the first
    scan on a machine waits for it. Whole numbers are as in C; sums of float32 may be taken in the order that
    suits the processor.

    Args:
        loop: Takes arrays and numbers, as far as Numba knows them.

    Returns:
        The same function, compiled when it is first called.
    """
    # As in NumPy, a division by nothing is no error: asking for it would keep loops from being vectorised.
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"reassoc", "contract", "nsz"},
    }
    try:
        return cast(_Loop, numba.njit(cache=True, **options)(loop))
    except RuntimeError:  # There is no folder that may be written: every process compiles it anew.
        return cast(_Loop, numba.njit(**options)(loop))
