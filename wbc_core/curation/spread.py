"""How the chunks of a pass over the images are spread: over threads of this process, or elsewhere."""

import contextlib
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
