"""Importing keras without TensorFlow's greeting."""

import sys

from wbc_core.quiet import quiet_standard_error


def import_keras_quietly() -> None:
    """Import keras for the first time with what its backend's C++ side prints left out."""
    if "keras" not in sys.modules:
        with quiet_standard_error():
            import keras  # noqa: F401
