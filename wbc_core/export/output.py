"""Standard output belongs to the command's JSON, whatever exporters print."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def standard_output_quiet() -> Iterator[None]:
    """Send what is printed meanwhile, also by C++, to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
