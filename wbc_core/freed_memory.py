"""What glibc does with memory that is freed: keep it for what comes next, or give it back to the kernel."""

import contextlib
import ctypes
import os

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = (
    -1,
    -2,
    -3,
    -4,
    -8,
)  # of malloc.h


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for the next step instead of giving it back to the kernel.

    TensorFlow allocates and frees every activation in every step; giving each back and asking for it again
    costs a page fault for every 4 KiB. See docs/decisions/013. Without effect where there is no glibc.
    """
    _set({_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 2**28})


def give_back_freed_memory() -> None:
    """Have glibc give back what is free now, and from now on arrays of 4 MB or more when they are freed.

    Each thread would keep what it once had: a scan of 13,759 images then needs 30 to 50 MB more. Up to 8 MB
    are kept for smaller arrays, or the kernel would clear the same pages again and again: with glibc's 128 kB
    that takes a tenth of a scan. A further place to allocate from for every thread that ever ran would hold
    another 20 MB. Without effect where there is no glibc.
    """
    _set(
        {_M_MMAP_THRESHOLD: 4 << 20, _M_TRIM_THRESHOLD: 8 << 20, _M_ARENA_MAX: 1 + (os.cpu_count() or 1)},
        trim=True,
    )


def _set(parameters: dict[int, int], *, trim: bool = False) -> None:
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        for parameter, value in parameters.items():
            library.mallopt(parameter, value)
        if trim:
            library.malloc_trim(0)
