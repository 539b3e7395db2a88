"""The mirror beside the work: threads that never delay it, and whose failures cost one line in the log.

What sends is imported where there is a server: a worker that mirrors nothing starts in a third of the time.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wbc_core.tracking.state import server_name, tracking_uri
from wbc_core.workspace import Workspace, now

RUN_EVERY_SECONDS = 3.0
MISSED_EVERY_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 60.0
LAST_WORDS_SECONDS = 10.0
"""How long an ended run waits for its last facts to be sent, where the server has answered so far."""


class _Mirror(threading.Thread):
    """Sends again and again, more rarely while that fails; a daemon, so that no process waits for it.

    Args:
        uri: Tracking URI.
        send: Sends what there is; may raise anything.
        every: Seconds between two times.
        send_last: Called once at the end instead, unless the server failed before.
    """

    def __init__(
        self,
        uri: str,
        send: Callable[[], object],
        every: float,
        send_last: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(name="mlflow-mirror", daemon=True)
        self._uri, self._send, self._every, self._send_last = uri, send, every, send_last or send
        self._ending, self._failing = threading.Event(), False

    def run(self) -> None:
        """Send until `end` is called."""
        pause = self._every
        while not self._ending.wait(pause):
            self._attempt(self._send)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS) if self._failing else self._every
        if not self._failing:
            self._attempt(self._send_last)

    def _attempt(self, send: Callable[[], object]) -> None:
        try:
            send()
        except Exception as error:
            from wbc_core.tracking.mirror import in_words

            if not self._failing:
                _say(f"MLflow was not sent everything; it is sent later. {in_words(error, self._uri)}")
            self._failing = True
        else:
            if self._failing:
                _say(f"MLflow at {server_name(self._uri)} takes what it is sent again.")
            self._failing = False

    def end(self, *, within: float) -> None:
        """Send the last facts, and leave the rest for later after some seconds."""
        self._ending.set()
        self.join(within)


def _say(words: str) -> None:
    print(f"{now()} {words}", file=sys.stderr, flush=True)


@contextmanager
def mirrored(workspace: Workspace, run_id: str) -> Iterator[None]:
    """Mirror a run in MLflow while the block trains it; nothing where `MLFLOW_TRACKING_URI` is not set.

    When the block has ended well, what MLflow has missed of earlier runs is sent too. A block that fails or
    is cancelled is not held up: what became of it is sent by the worker, a later job or `wbc track`.
    """
    uri = tracking_uri()
    if uri is None:
        yield
        return
    from wbc_core.tracking.mirror import send_missed, sync_run

    def send() -> None:
        if (workspace.run_dir(run_id) / "summary.json").exists():
            sync_run(workspace, run_id, uri)

    def send_last() -> None:
        send()
        list(send_missed(workspace, uri, running=False))

    mirror = _Mirror(uri, send, RUN_EVERY_SECONDS, send_last)
    mirror.start()
    try:
        yield
    except BaseException:
        mirror.end(within=0)
        raise
    mirror.end(within=LAST_WORDS_SECONDS)


def mirror_what_was_missed(workspace: Workspace) -> _Mirror | None:
    """Send what MLflow lacks of ended runs, from now on and beside everything else that the process does.

    Returns:
        The thread, for whoever wants to end it before the process does; None where runs are not mirrored.
    """
    uri = tracking_uri()
    if uri is None:
        return None
    from wbc_core.tracking.mirror import send_missed

    mirror = _Mirror(uri, lambda: list(send_missed(workspace, uri, running=False)), MISSED_EVERY_SECONDS)
    mirror.start()
    return mirror
