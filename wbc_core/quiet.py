"""What goes to standard error: a library's C++ side kept off it, and lines that may be lost."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Throw away what is written to the file descriptor of standard error; exceptions pass unharmed.

    TensorFlow and Ray write there before or whatever the log level; after bad input these lines would stand
    before the one that says what to do.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def import_keras_quietly() -> None:
    """Import keras for the first time with what its backend's C++ side prints left out."""
    if "keras" not in sys.modules:
        with quiet_standard_error():
            import keras  # noqa: F401


def say(text: str) -> None:
    """Write a line to standard error; where that is a file on a full disk, only the line is lost."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
