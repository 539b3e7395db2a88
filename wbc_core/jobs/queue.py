"""The one queue of slow work: submit, watch, cancel, and the transitions between the states of a job.

Every transition is one conditional UPDATE, so that two workers on one database never both make it. A claim
is a random token: whoever no longer holds it cannot write to the job any more. Terminal states never change.
"""

import secrets
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, case, func, select, update

from wbc_core.database import jobs, pauses, transaction, workers
from wbc_core.errors import WbcError
from wbc_core.jobs.tasks import TASKS
from wbc_core.records import PRIORITIES, TERMINAL_STATES, Job, Json
from wbc_core.workspace import Workspace, now, seconds_between

MAXIMUM_ATTEMPTS = 3
"""So often may the process of a job die before it has finished another epoch."""

PLACE = func.coalesce(jobs.c.place, jobs.c.number)
CLAIM_ORDER = (case({"high": 0, "low": 2}, value=jobs.c.priority, else_=1), PLACE, jobs.c.number, jobs.c.id)
"""The order in which waiting jobs are taken: by priority, then as submitted, until someone moves one."""

_CLAIMABLE = (jobs.c.state == "queued", ~jobs.c.paused, ~select(pauses.c.queue).exists())


def _job(row: Row[Any]) -> Job:
    return Job.from_json(dict(row._mapping))


def check_priority(priority: str) -> str:
    """Return a priority as it is.

    Raises:
        WbcError: There is no such priority.
    """
    if priority not in PRIORITIES:
        raise WbcError("There is no such priority.", expected=" or ".join(PRIORITIES), got=repr(priority))
    return priority


def submit(workspace: Workspace, kind: str, spec: Json, *, priority: str = "normal") -> Job:
    """Put a job behind those of its priority that wait.

    Args:
        workspace: Whose queue.
        kind: Name of a task in `wbc_core.jobs.tasks.TASKS`.
        spec: What the task is called with; plain JSON.
        priority: One of `wbc_core.records.PRIORITIES`.

    Raises:
        WbcError: There is no such kind of job, or no such priority.
    """
    TASKS.get(kind)
    values: Json = {"kind": kind, "spec": spec, "state": "queued", "message": "Waiting", "created": now()}
    values["priority"] = check_priority(priority)
    job_id = f"job-{secrets.token_hex(5)}"
    with transaction(workspace) as connection:
        number = select(func.coalesce(func.max(jobs.c.number), 0) + 1).scalar_subquery()
        connection.execute(jobs.insert().values(id=job_id, number=number, **values))
        return _job(connection.execute(select(jobs).where(jobs.c.id == job_id)).one())


def get_job(workspace: Workspace, job_id: str) -> Job:
    """Look a job up.

    Raises:
        WbcError: There is no such job.
    """
    with transaction(workspace) as connection:
        row = connection.execute(select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise WbcError(f"There is no job {job_id!r}.", fix="`wbc jobs list` shows those there are.")
    return _job(row)


def get_jobs(workspace: Workspace, job_ids: Collection[str]) -> list[Job]:
    """Look several jobs up at once, in no order; those that there are not are left out."""
    if not job_ids:
        return []
    with transaction(workspace) as connection:
        return [_job(row) for row in connection.execute(select(jobs).where(jobs.c.id.in_(job_ids)))]


def list_jobs(
    workspace: Workspace, *, states: tuple[str, ...] = (), kind: str | None = None, limit: int = 200
) -> list[Job]:
    """List jobs, newest first.

    Args:
        workspace: Whose queue.
        states: Only jobs in these states; all when empty.
        kind: Only jobs of this kind; all when None.
        limit: At most so many.
    """
    query = select(jobs).order_by(jobs.c.number.desc(), jobs.c.id).limit(limit)
    if states:
        query = query.where(jobs.c.state.in_(states))
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    with transaction(workspace) as connection:
        return [_job(row) for row in connection.execute(query)]


def active_jobs(workspace: Workspace, *, kind: str | None = None, limit: int | None = None) -> list[Job]:
    """The running jobs, then those that wait, in the order in which they will be taken.

    Args:
        workspace: Whose queue.
        kind: Only jobs of this kind; all when None.
        limit: At most so many; all when None.
    """
    query = select(jobs).where(jobs.c.state.in_(("queued", "running")))
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    with transaction(workspace) as connection:
        # "running" sorts after "queued".
        return [
            _job(row)
            for row in connection.execute(query.order_by(jobs.c.state.desc(), *CLAIM_ORDER).limit(limit))
        ]


def recent_jobs(workspace: Workspace, limit: int = 200) -> list[Job]:
    """Every running job, however old, then the newest others; each newest first.

    Args:
        workspace: Whose queue.
        limit: At most so many that do not run.
    """
    running = list_jobs(workspace, states=("running",), limit=limit)
    others = list_jobs(workspace, states=("queued", *TERMINAL_STATES), limit=limit)
    held = {job.id for job in running}  # one may have changed its state between the two questions
    return running + [job for job in others if job.id not in held]


def count_jobs(workspace: Workspace) -> dict[str, int]:
    """How many jobs are in each state; states that no job is in are left out."""
    query = select(jobs.c.state, func.count().label("jobs")).group_by(jobs.c.state)
    with transaction(workspace) as connection:
        return {row.state: row.jobs for row in connection.execute(query)}


def cancel(workspace: Workspace, job_id: str) -> Job:
    """Take a job out of the queue, or ask its worker to stop it; without effect on a finished job."""
    get_job(workspace, job_id)
    taken_out = update(jobs).where(jobs.c.id == job_id, jobs.c.state == "queued")
    taken_out = taken_out.values(state="cancelled", message="Cancelled before it started", finished=now())
    asked = update(jobs).where(jobs.c.id == job_id, jobs.c.state == "running")
    asked = asked.values(cancel_requested=True, message="Stopping")
    # Once more at the end: a worker may claim the job, or give it back, between two of these.
    for step in (taken_out, asked, taken_out):
        with transaction(workspace) as connection:
            if connection.execute(step).rowcount and step is taken_out:
                break
    return get_job(workspace, job_id)


def spec_to_resume(workspace: Workspace, job_id: str) -> tuple[Job, Json]:
    """A failed or cancelled job, and the spec of one that goes on from its last checkpoint.

    Raises:
        WbcError: The job is not finished, or it succeeded.
    """
    job = get_job(workspace, job_id)
    if job.state not in ("failed", "cancelled"):
        raise WbcError(
            f"Job {job_id} cannot be resumed.",
            expected="a failed or cancelled job",
            got=f"one that is {job.state}",
            fix="Submit its work anew." if job.state == "succeeded" else "Wait for it.",
        )
    # A job that never began has no checkpoint; what it was to go on from is still there.
    earlier = job_id if workspace.run_dir(job_id).exists() else job.spec.get("resumes", job_id)
    return job, {**job.spec, "resumes": earlier}


def read_log(workspace: Workspace, job_id: str, tail: int = 200) -> str:
    """The last lines of a job's log; empty when it has not started.

    Args:
        workspace: Whose queue.
        job_id: The job.
        tail: At most so many lines, out of the last 256 kB.
    """
    get_job(workspace, job_id)
    path: Path = workspace.job_log(job_id)
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 262_144))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-tail:])


def claim_next(
    workspace: Workspace,
    kinds: list[str],
    device: str,
    only: str | None = None,
    *,
    but: Collection[str] = (),
) -> tuple[Job, str] | None:
    """Take the foremost waiting job of some kinds; at most one caller gets it, and none while it is paused.

    Args:
        workspace: Whose queue.
        kinds: The kinds.
        device: What the job's record is to call the place.
        only: Take this job or none.
        but: Ids of jobs to pass by.

    Returns:
        The job and the claim that lets its holder write to it, or None when nothing waits.
    """
    known = (jobs.c.id, jobs.c.beats, jobs.c.started, jobs.c.heartbeat_at, jobs.c.earlier_seconds)
    waiting = select(*known).where(*_CLAIMABLE, jobs.c.kind.in_(kinds))
    if only is not None:
        waiting = waiting.where(jobs.c.id == only)
    if but:
        waiting = waiting.where(jobs.c.id.not_in(but))
    claim = secrets.token_hex(16)
    with transaction(workspace) as connection:
        candidates = connection.execute(waiting.order_by(*CLAIM_ORDER).limit(20)).all()
    for job_id, beats, started, last_beat, earlier in candidates:
        with transaction(workspace) as connection:
            taken = connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.beats == beats, *_CLAIMABLE)
                .values(
                    state="running",
                    claim=claim,
                    device=device,
                    attempts=jobs.c.attempts + 1,
                    beats=jobs.c.beats + 1,
                    heartbeat_at=now(),
                    started=now(),
                    earlier_seconds=earlier + (seconds_between(started, last_beat) if started else 0),
                    message="Starting",
                )
            )
            if taken.rowcount:
                return _job(connection.execute(select(jobs).where(jobs.c.id == job_id)).one()), claim
    return None


def write_held(workspace: Workspace, job_id: str, held: str, /, **values: Any) -> bool:
    """Write to a running job that one holds; False when the claim was lost, and then nothing is written."""
    with transaction(workspace) as connection:
        written = connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.claim == held, jobs.c.state == "running")
            .values(**values)
        )
    return bool(written.rowcount)


def is_held(workspace: Workspace, job_id: str, claim: str) -> bool:
    """Whether a job still runs under a claim."""
    held = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.claim == claim, jobs.c.state == "running")
    with transaction(workspace) as connection:
        return connection.execute(held).first() is not None


def beat(workspace: Workspace, job_id: str, claim: str) -> bool:
    """Give a sign of life for a job that one holds; False when the claim was lost."""
    return write_held(workspace, job_id, claim, beats=jobs.c.beats + 1, heartbeat_at=now())


def finish(
    workspace: Workspace,
    job_id: str,
    claim: str,
    state: str,
    *,
    result: Json | None = None,
    error: str | None = None,
    finished: str | None = None,
) -> bool:
    """End a job that one holds, once and for all; now, unless it finished before."""
    if state not in TERMINAL_STATES:
        raise ValueError(f"{state!r} is no terminal state")
    values: Json = {
        "state": state,
        "result": result,
        "error": error,
        "claim": None,
        "finished": finished or now(),
    }
    if state == "succeeded":
        values |= {"progress": 1.0, "message": "Done"}
    else:
        values |= {"message": "Cancelled" if state == "cancelled" else "Failed"}
    return write_held(workspace, job_id, claim, **values)


def release(workspace: Workspace, job_id: str, claim: str, message: str, **values: Any) -> bool:
    """Give a job that one holds back to the queue: its process ended, but its work did not."""
    return write_held(
        workspace, job_id, claim, state="queued", claim=None, message=message, device=None, **values
    )


def settle(workspace: Workspace, job_id: str, claim: str, reason: str, *, counts: bool = True) -> None:
    """Decide what becomes of a job whose process ended without saying how.

    Only attempts in a row that finished no further epoch count against it: a training of days may outlive
    many a restart of its machine.

    Args:
        workspace: Whose queue.
        job_id: The job.
        claim: The claim that its process held.
        reason: How the process ended, in words.
        counts: Whether this attempt counts; not where its worker stops, or its place had no room for it.
    """
    job = get_job(workspace, job_id)
    if job.cancel_requested:
        finish(workspace, job_id, claim, "cancelled", finished=job.heartbeat_at)
    elif not counts:
        release(workspace, job_id, claim, f"Waiting: {reason}", attempts=jobs.c.attempts - 1)
    elif _got_further(workspace, job_id):
        message = f"Waiting to go on: {reason}"
        release(workspace, job_id, claim, message, attempts=0, died_in_epoch=jobs.c.epoch)
    elif job.attempts < MAXIMUM_ATTEMPTS:
        release(workspace, job_id, claim, f"Waiting to go on: {reason}")
    else:
        killed = "Often the machine was out of memory: choose a smaller batch."
        advice = killed if "signal 9" in reason else "The log may say more."
        error = f"{reason} {job.attempts} times. {advice}"
        finish(workspace, job_id, claim, "failed", error=error, finished=job.heartbeat_at)


def _got_further(workspace: Workspace, job_id: str) -> bool:
    """Whether a job's last attempt finished an epoch that none before it had finished."""
    further = func.coalesce(jobs.c.epoch, 1) > func.coalesce(jobs.c.died_in_epoch, 1)
    with transaction(workspace) as connection:
        return bool(connection.execute(select(further).where(jobs.c.id == job_id)).scalar())


def running_claims(workspace: Workspace) -> list[tuple[str, str, int]]:
    """Id, claim and count of heartbeats of every running job."""
    query = select(jobs.c.id, jobs.c.claim, jobs.c.beats).where(jobs.c.state == "running")
    with transaction(workspace) as connection:
        return [(row.id, row.claim, row.beats) for row in connection.execute(query)]


def announce_worker(workspace: Workspace, worker: str, host: str, devices: str) -> None:
    """Enter a worker into the list of workers, or give its sign of life."""
    with transaction(workspace) as connection:
        beaten = connection.execute(
            update(workers)
            .where(workers.c.id == worker)
            .values(beats=workers.c.beats + 1, heartbeat_at=now())
        )
        if not beaten.rowcount:
            connection.execute(
                workers.insert().values(id=worker, host=host, devices=devices, beats=1, heartbeat_at=now())
            )


def withdraw_worker(workspace: Workspace, worker: str) -> None:
    """Take a worker off the list of workers."""
    with transaction(workspace) as connection:
        connection.execute(workers.delete().where(workers.c.id == worker))


def worker_beats(workspace: Workspace) -> dict[str, int]:
    """Count of heartbeats of every worker on the list; one that does not rise within seconds is dead."""
    with transaction(workspace) as connection:
        return {row.id: row.beats for row in connection.execute(select(workers.c.id, workers.c.beats))}


def live_workers(workspace: Workspace, *, within: float = 15.0) -> list[str]:
    """What each worker that gave a sign of life within some seconds trains on, for a page to show.

    The clock is this machine's, so this only informs; what becomes of a job is never decided by it.
    """
    query = select(workers.c.devices, workers.c.heartbeat_at)
    with transaction(workspace) as connection:
        seen = connection.execute(query).all()
    return [row.devices for row in seen if _lately(row.heartbeat_at, within)]


def _lately(moment: str | None, within: float) -> bool:
    if moment is None:
        return False
    passed = datetime.fromisoformat(now()) - datetime.fromisoformat(moment)
    return abs(passed.total_seconds()) <= within


def nothing_moves(workspace: Workspace, active: list[Job], *, within: float = 15.0) -> bool:
    """Whether some jobs wait, or stand still, and no worker is there to take them; for a page to say.

    A job that the command line runs beats without a worker.
    """
    waiting = [job for job in active if job.state == "queued" or not _lately(job.heartbeat_at, within)]
    return bool(waiting) and not live_workers(workspace, within=within)
