"""Work spread over threads ends soon after it was stopped."""

import os
from threading import Event, Timer

import pytest

from wbc_core.curation.spread import over_threads


def test_what_waits_is_not_begun_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    begun: list[int] = []
    stopped = Event()

    def work(item: int) -> int:
        begun.append(item)
        if item:
            stopped.wait(10)
        return item

    results = over_threads(work, range(100))
    assert next(results) == 0
    Timer(0.2, stopped.set).start()
    results.close()  # type: ignore[attr-defined]
    assert max(begun) <= 4
