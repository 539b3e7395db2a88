"""Importing keras without TensorFlow's greeting."""

import os
import sys


def import_keras_quietly() -> None:
    """Import keras for the first time with what its backend's C++ side prints left out.

    TensorFlow 2.21 writes to the file descriptor of standard error before it heeds any log level; after bad
    input these lines would stand before the one that says what to do. Python's own errors pass unharmed.
    """
    if "keras" in sys.modules:
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
