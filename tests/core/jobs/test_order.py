"""The order of the waiting jobs, and what a pause holds back."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from wbc_core.errors import WbcError
from wbc_core.jobs import launching, order, queue
from wbc_core.records import Job
from wbc_core.workspace import Workspace

Nap = Callable[..., dict[str, object]]


def submit(workspace: Workspace, nap: Nap, count: int) -> list[str]:
    return [queue.submit(workspace, "nap", nap()).id for _ in range(count)]


def waiting(workspace: Workspace) -> list[str]:
    return [job.id for job in order.waiting_jobs(workspace)]


def claim(workspace: Workspace) -> str | None:
    claimed = queue.claim_next(workspace, ["nap"], "cpu")
    return claimed[0].id if claimed else None


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], "abcd"),
        ([("c", "first")], "cabd"),
        ([("c", "first"), ("d", "first")], "dcab"),
        ([("a", "first"), ("a", "up")], "abcd"),
        ([("c", "up")], "acbd"),
        ([("c", "up"), ("c", "up"), ("c", "up")], "cabd"),
        ([("b", "down")], "acbd"),
        ([("b", "down"), ("b", "down"), ("b", "down")], "acdb"),
        ([("c", "up"), ("b", "up")] * 4, "abcd"),
    ],
)
def test_moved_jobs_are_claimed_in_the_order_shown(
    workspace: Workspace, nap: Nap, moves: list[tuple[str, str]], expected: str
) -> None:
    jobs = dict(zip("abcd", submit(workspace, nap, 4), strict=True))
    for name, where in moves:
        order.move(workspace, jobs[name], where)
    after = queue.submit(workspace, "nap", nap()).id
    shown = waiting(workspace)
    assert shown == [*(jobs[name] for name in expected), after]
    assert [claim(workspace) for _ in range(6)] == [*shown, None]


def test_what_does_not_wait_is_neither_moved_nor_paused(workspace: Workspace, nap: Nap) -> None:
    (job,) = submit(workspace, nap, 1)
    assert claim(workspace) == job
    for act in (lambda: order.move(workspace, job, "first"), lambda: order.pause(workspace, job)):
        with pytest.raises(WbcError, match="one that is running"):
            act()
    with pytest.raises(WbcError, match="wbc jobs list"):
        order.start(workspace, "job-0123456789")
    assert not queue.get_job(workspace, job).paused


def test_a_paused_job_is_passed_over_until_it_is_started(workspace: Workspace, nap: Nap) -> None:
    first, second = submit(workspace, nap, 2)
    assert order.pause(workspace, first).paused
    assert [claim(workspace), claim(workspace)] == [second, None]
    assert queue.claim_next(workspace, ["nap"], "cpu", only=first) is None
    assert waiting(workspace) == [first]
    order.start(workspace, first)
    assert claim(workspace) == first


def test_a_paused_queue_claims_nothing_and_leaves_what_runs(any_workspace: Workspace) -> None:
    jobs = [queue.submit(any_workspace, "scan", {"dataset": "ds-0123456789ab"}).id for _ in range(3)]
    held = queue.claim_next(any_workspace, ["scan"], "cpu")
    assert held is not None
    order.pause_queue(any_workspace)
    order.pause_queue(any_workspace)
    assert order.queue_is_paused(any_workspace)
    assert queue.claim_next(any_workspace, ["scan"], "cpu") is None
    order.move(any_workspace, jobs[2], "up")
    assert queue.beat(any_workspace, jobs[0], held[1])
    order.start_queue(any_workspace)
    claimed = [queue.claim_next(any_workspace, ["scan"], "cpu") for _ in range(3)]
    assert [found and found[0].id for found in claimed] == [jobs[2], jobs[1], None]


def test_a_paused_job_can_be_cancelled(workspace: Workspace, nap: Nap) -> None:
    (job,) = submit(workspace, nap, 1)
    order.pause(workspace, job)
    assert queue.cancel(workspace, job).state == "cancelled"
    assert waiting(workspace) == []


def test_a_higher_priority_comes_first_and_moves_stay_within_it(workspace: Workspace, nap: Nap) -> None:
    low, first, second, high, higher = (
        queue.submit(workspace, "nap", nap(), priority=priority).id
        for priority in ("low", "normal", "normal", "high", "high")
    )
    assert waiting(workspace) == [high, higher, first, second, low]
    order.move(workspace, low, "first")
    order.move(workspace, second, "first")
    order.move(workspace, second, "up")
    order.move(workspace, high, "down")
    assert waiting(workspace) == [higher, high, second, first, low]
    assert order.set_priority(workspace, low, "high").priority == "high"
    order.set_priority(workspace, higher, "normal")
    assert waiting(workspace) == [low, high, second, first, higher]
    assert [job.id for job in queue.active_jobs(workspace)] == waiting(workspace)
    assert claim(workspace) == low
    with pytest.raises(WbcError, match="one that is running"):
        order.set_priority(workspace, low, "low")
    with pytest.raises(WbcError, match=r"high or normal or low.*'urgent'"):
        order.set_priority(workspace, first, "urgent")
    queue.cancel(workspace, high)
    assert launching.resume(workspace, high).priority == "high"


def test_a_job_moves_though_its_priority_gave_it_another_ones_place(workspace: Workspace, nap: Nap) -> None:
    jobs = submit(workspace, nap, 4)
    order.move(workspace, jobs[1], "up")
    for priority in ("high", "normal"):
        order.set_priority(workspace, jobs[0], priority)
    assert waiting(workspace) == jobs
    order.move(workspace, jobs[1], "up")
    assert waiting(workspace) == [jobs[1], jobs[0], *jobs[2:]]
    order.move(workspace, jobs[1], "down")
    assert waiting(workspace) == jobs
    after = queue.submit(workspace, "nap", nap()).id
    assert waiting(workspace) == [*jobs, after]


def test_no_worker_takes_a_job_before_it_is_first(
    workspace: Workspace, nap: Nap, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = queue.submit(workspace, "nap", nap(), priority="high").id
    order.pause(workspace, other)
    move, taken = order.move, []

    def claim_then_move(*arguments: Any) -> Job:
        worker = threading.Thread(target=lambda: taken.append(claim(workspace)))
        worker.start()
        worker.join()
        return move(*arguments)

    monkeypatch.setattr(order, "move", claim_then_move)
    first = order.submit_first(workspace, "nap", nap()).id
    assert taken == [None]
    assert waiting(workspace) == [first, other]
    assert claim(workspace) == first
