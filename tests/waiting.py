"""How tests wait for what another process brings about."""

import time
import urllib.request
from collections.abc import Callable

# No test is timed: a busy machine must not fail one.
PATIENCE_SECONDS = 300.0


def wait_until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, f"waited in vain: {what}"
        time.sleep(0.05)


def answers(address: str) -> bool:
    """Whether a server answers at an address that it keeps for the question."""
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:  # noqa: S310
            return bool(reply.status == 200)
    except OSError:
        return False
