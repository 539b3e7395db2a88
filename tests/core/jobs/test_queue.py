"""The states of a job, and that no transition happens twice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from wbc_core import database
from wbc_core.errors import WbcError
from wbc_core.jobs import cost, launching, order, queue
from wbc_core.workspace import Workspace

Nap = Callable[..., dict[str, object]]


def test_an_unknown_kind_is_refused(workspace: Workspace) -> None:
    with pytest.raises(WbcError, match=r"no kind of job named 'fly'.*import.*train"):
        queue.submit(workspace, "fly", {})
    assert queue.list_jobs(workspace) == []


def test_jobs_are_claimed_in_order_and_once(workspace: Workspace, nap: Nap) -> None:
    first, second = (queue.submit(workspace, "nap", nap()) for _ in range(2))
    claimed = [queue.claim_next(workspace, ["nap"], "cpu") for _ in range(3)]
    assert [found and found[0].id for found in claimed] == [first.id, second.id, None]
    assert claimed[0] is not None
    assert claimed[0][0].state == "running"
    assert claimed[0][0].attempts == 1


def test_only_the_holder_of_the_claim_writes(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap())
    held = queue.claim_next(workspace, ["nap"], "cpu")
    assert held is not None
    assert not queue.beat(workspace, job.id, "someone else's")
    assert queue.finish(workspace, job.id, held[1], "succeeded", result={"a": 1})
    assert not queue.finish(workspace, job.id, held[1], "failed", error="too late")
    ended = queue.get_job(workspace, job.id)
    assert (ended.state, ended.result, ended.error, ended.progress) == ("succeeded", {"a": 1}, None, 1.0)


def test_a_queued_job_is_cancelled_at_once(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap())
    assert queue.cancel(workspace, job.id).state == "cancelled"
    assert queue.claim_next(workspace, ["nap"], "cpu") is None
    assert queue.cancel(workspace, job.id).state == "cancelled"


def test_a_dead_job_goes_back_until_its_attempts_are_spent(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap())
    for attempt in range(1, queue.MAXIMUM_ATTEMPTS + 1):
        held = queue.claim_next(workspace, ["nap"], "cpu")
        assert held is not None
        assert held[0].attempts == attempt
        queue.settle(workspace, job.id, held[1], "Its process was ended by signal 9")
    ended = queue.get_job(workspace, job.id)
    assert ended.state == "failed"
    assert ended.error is not None
    assert "signal 9 3 times" in ended.error


def test_an_attempt_that_finished_an_epoch_is_forgiven(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap())
    # The epoch under way when its process died: 3, 5, 9 and 10 are further than all before.
    for epoch in (1, 3, 5, 9, 10, 2, 10):
        held = queue.claim_next(workspace, ["nap"], "cpu")
        assert held is not None
        queue.write_held(workspace, job.id, held[1], epoch=epoch)
        queue.settle(workspace, job.id, held[1], "Its worker died")
    assert (queue.get_job(workspace, job.id).state, queue.get_job(workspace, job.id).attempts) == (
        "queued",
        2,
    )
    held = queue.claim_next(workspace, ["nap"], "cpu")
    assert held is not None
    queue.settle(workspace, job.id, held[1], "Its worker died")
    assert queue.get_job(workspace, job.id).state == "failed"


def test_what_a_job_waited_between_attempts_is_not_what_it_took(
    workspace: Workspace, nap: Nap, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = datetime(2026, 1, 1, tzinfo=UTC)

    def passes(**time: float) -> None:
        nonlocal clock
        clock += timedelta(**time)

    for module in (queue, cost):
        monkeypatch.setattr(module, "now", lambda: clock.isoformat(timespec="seconds"))
    job = queue.submit(workspace, "nap", nap())

    def attempt() -> str:
        passes(hours=8)
        held = queue.claim_next(workspace, ["nap"], "cpu")
        assert held is not None
        passes(minutes=5)
        queue.beat(workspace, job.id, held[1])
        return held[1]

    def took() -> float | None:
        return cost.elapsed(queue.get_job(workspace, job.id))

    claim = attempt()
    assert took() == 300
    passes(hours=8)
    queue.settle(workspace, job.id, claim, "Its worker died")
    assert took() is None
    claim = attempt()
    assert took() == 600
    passes(minutes=1)
    queue.finish(workspace, job.id, claim, "succeeded")
    passes(hours=8)
    assert took() == 660
    job = queue.submit(workspace, "nap", nap())
    queue.settle(workspace, job.id, attempt(), "Its worker died")
    passes(hours=8)
    queue.cancel(workspace, job.id)
    assert took() == 300
    job = queue.submit(workspace, "nap", nap())
    for _ in range(queue.MAXIMUM_ATTEMPTS):
        claim = attempt()
        passes(hours=8)
        queue.settle(workspace, job.id, claim, "Its worker died")
    assert took() == 900


def test_a_database_from_before_attempts_were_summed_up_still_opens(any_workspace: Workspace) -> None:
    job = queue.submit(any_workspace, "train", {})
    with database.engine_of(any_workspace).begin() as connection:
        connection.execute(text("ALTER TABLE jobs DROP COLUMN earlier_seconds"))
    database._engine.cache_clear()
    held = queue.claim_next(any_workspace, ["train"], "cpu")
    assert held is not None
    assert (held[0].id, held[0].earlier_seconds) == (job.id, 0)


def test_a_stopped_worker_does_not_cost_an_attempt(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap())
    held = queue.claim_next(workspace, ["nap"], "cpu")
    assert held is not None
    queue.settle(workspace, job.id, held[1], "it stopped", counts=False)
    waiting = queue.get_job(workspace, job.id)
    assert (waiting.state, waiting.attempts) == ("queued", 0)


def test_resume_makes_a_new_job_and_leaves_the_old_one(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap())
    with pytest.raises(WbcError, match="one that is queued"):
        launching.resume(workspace, job.id)
    queue.cancel(workspace, job.id)
    again = launching.resume(workspace, job.id)
    assert again.id != job.id
    assert again.spec["resumes"] == job.id
    assert queue.get_job(workspace, job.id).state == "cancelled"


def test_resuming_what_never_began_goes_on_from_the_checkpoint_before(workspace: Workspace, nap: Nap) -> None:
    first = queue.submit(workspace, "nap", nap()).id
    workspace.run_dir(first).mkdir(parents=True)
    queue.cancel(workspace, first)
    second = launching.resume(workspace, first).id
    queue.cancel(workspace, second)
    third = launching.resume(workspace, second)
    assert third.spec["resumes"] == first
    workspace.run_dir(third.id).mkdir()
    queue.cancel(workspace, third.id)
    assert launching.resume(workspace, third.id).spec["resumes"] == third.id


def test_the_log_of_an_unknown_job_is_an_error(workspace: Workspace, nap: Nap) -> None:
    with pytest.raises(WbcError, match="wbc jobs list"):
        queue.read_log(workspace, "job-0123456789")
    job = queue.submit(workspace, "nap", nap())
    assert queue.read_log(workspace, job.id) == ""


def test_what_the_command_line_runs_moves_without_a_worker(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap())
    assert queue.nothing_moves(workspace, queue.active_jobs(workspace))
    queue.claim_next(workspace, ["nap"], "cpu", job.id)
    assert not queue.nothing_moves(workspace, queue.active_jobs(workspace))
    assert queue.nothing_moves(workspace, queue.active_jobs(workspace), within=-1.0)
    queue.announce_worker(workspace, "wk-0123456789", "host", "cpu")
    assert not queue.nothing_moves(workspace, queue.active_jobs(workspace))


def test_the_running_job_is_told_first_however_many_wait(workspace: Workspace, nap: Nap) -> None:
    running = queue.submit(workspace, "nap", nap()).id
    queue.claim_next(workspace, ["nap"], "cpu")
    waiting = [queue.submit(workspace, "nap", nap()).id for _ in range(205)]
    order.move(workspace, waiting[7], "first")
    assert [job.id for job in queue.active_jobs(workspace, limit=3)] == [running, waiting[7], waiting[0]]
    assert len(queue.active_jobs(workspace)) == 206
    assert queue.active_jobs(workspace, kind="train") == []
    recent = [job.id for job in queue.recent_jobs(workspace)]
    assert recent == [running, *reversed(waiting[5:])]
    assert {job.id for job in queue.get_jobs(workspace, [running, waiting[3], "job-0000000000"])} == {
        running,
        waiting[3],
    }
    assert queue.get_jobs(workspace, []) == []
    assert queue.count_jobs(workspace) == {"running": 1, "queued": 205}
