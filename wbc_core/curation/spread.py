"""How the chunks of a pass over the images are spread: over threads of this process, or elsewhere."""

import contextlib
import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import cv2
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


class Spread(Protocol):
    """Applies a function to many items at once, and gives the results in the order of the items.

    Few items are taken at a time, so that an iterator that reads chunks never has all of them in memory.
    """

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
        """Yield `function(item)` of each item, in order."""
        ...


def over_threads(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Spread over one thread a core (OpenCV and NumPy let go of Python's lock), at most two items ahead each.

    Example:
        >>> list(over_threads(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    threads = min(8, os.cpu_count() or 1)
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)  # After an error or a stop what waits is not begun.


@contextlib.contextmanager
def threads_of_ours() -> Iterator[None]:
    """Have NumPy's and OpenCV's functions stay in the thread that calls them for the length of a block.

    Threads of theirs wait for each other longer than such small work takes, beside ours that hold every core
    already, and the rounding of BLAS would follow their number.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE = 4 << 20
_KEPT = 8 << 20


def give_back_freed_memory() -> None:
    """Have glibc give back what is free now, and from now on arrays of 4 MB or more when they are freed.

    Each thread would keep what it once had: a scan of 13,759 images then needs 30 to 50 MB more. Up to 8 MB
    are kept for smaller arrays, or the kernel would clear the same pages again and again: with glibc's 128 kB
    that takes a tenth of a scan. Without effect where there is no glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        library.malloc_trim(0)
