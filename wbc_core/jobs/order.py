"""The order of the waiting jobs, their priorities, and pauses: of one of them, or of the whole queue."""

from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from wbc_core.database import jobs, pauses, transaction
from wbc_core.errors import WbcError
from wbc_core.jobs.queue import CLAIM_ORDER, PLACE, check_priority, get_job, submit
from wbc_core.records import Job, Json
from wbc_core.workspace import Workspace, now

MOVES = ("first", "up", "down")
_QUEUE = "jobs"


def waiting_jobs(workspace: Workspace) -> list[Job]:
    """The waiting jobs in the order in which they will be taken, paused ones among them."""
    query = select(jobs).where(jobs.c.state == "queued").order_by(*CLAIM_ORDER)
    with transaction(workspace) as connection:
        return [Job.from_json(dict(row._mapping)) for row in connection.execute(query)]


def move(workspace: Workspace, job_id: str, where: str) -> Job:
    """Move a waiting job to the front, or past the one before or after it; at the end it stays.

    It moves among the jobs of its own priority.

    Args:
        workspace: Whose queue.
        job_id: The job.
        where: One of `MOVES`.

    Raises:
        WbcError: The job is not waiting.
    """
    own_priority = select(jobs.c.priority).where(jobs.c.id == job_id).scalar_subquery()
    query = select(jobs.c.id, PLACE.label("place"))
    query = query.where(jobs.c.state == "queued", jobs.c.priority == own_priority)
    with transaction(workspace) as connection:
        places = {row.id: row.place for row in connection.execute(query.order_by(*CLAIM_ORDER))}
        order = list(places)
        if job_id in places:
            own = order.index(job_id)
            if where == "first":
                moved = {job_id: places[order[0]] - 1} if own else {}
            else:
                other = own - 1 if where == "up" else own + 1
                moved = _swapped(places, own, other) if 0 <= other < len(order) else {}
            for name, place in moved.items():
                connection.execute(update(jobs).where(jobs.c.id == name).values(place=place))
    if job_id not in places:
        raise _not_waiting(get_job(workspace, job_id), "moved")
    return get_job(workspace, job_id)


def _swapped(places: Mapping[str, float], own: int, other: int) -> dict[str, float]:
    """New places after two neighbours have changed theirs; more than theirs only where some share one.

    They may: a job whose priority is set goes back to its own number, which another may have taken over.
    """
    order, rising = list(places), list(places.values())
    order[own], order[other] = order[other], order[own]
    for position in range(len(rising) - 2, -1, -1):
        rising[position] = min(rising[position], rising[position + 1] - 1)
    return {name: place for name, place in zip(order, rising, strict=True) if place != places[name]}


def submit_first(workspace: Workspace, kind: str, spec: Json) -> Job:
    """Put a job before all that wait; no worker can take it before it is there.

    Args:
        workspace: Whose queue.
        kind: As of `submit`.
        spec: As of `submit`.

    Raises:
        WbcError: There is no such kind of job.
    """
    with transaction(workspace):
        return move(workspace, submit(workspace, kind, spec, priority="high").id, "first")


def set_priority(workspace: Workspace, job_id: str, priority: str) -> Job:
    """Take a waiting job before all of a lower priority; among those of its own as it was submitted.

    Args:
        workspace: Whose queue.
        job_id: The job.
        priority: One of `wbc_core.records.PRIORITIES`.

    Raises:
        WbcError: There is no such priority, or the job is not waiting.
    """
    return _write_waiting(workspace, job_id, "moved", priority=check_priority(priority), place=None)


def _not_waiting(job: Job, what: str) -> WbcError:
    return WbcError(
        f"Job {job.id} cannot be {what}.",
        expected="a job that waits in the queue",
        got=f"one that is {job.state}",
    )


def _write_waiting(workspace: Workspace, job_id: str, done: str, **values: object) -> Job:
    get_job(workspace, job_id)
    waiting = update(jobs).where(jobs.c.id == job_id, jobs.c.state == "queued")
    with transaction(workspace) as connection:
        written = connection.execute(waiting.values(**values)).rowcount
    job = get_job(workspace, job_id)
    if not written:
        raise _not_waiting(job, done)
    return job


def pause(workspace: Workspace, job_id: str) -> Job:
    """Pass a waiting job over until it is started again; the others go on.

    Raises:
        WbcError: The job is not waiting.
    """
    return _write_waiting(workspace, job_id, "paused", paused=True)


def start(workspace: Workspace, job_id: str) -> Job:
    """Let a paused job take its turn again.

    Raises:
        WbcError: The job is not waiting.
    """
    return _write_waiting(workspace, job_id, "started", paused=False)


def pause_queue(workspace: Workspace) -> None:
    """Start no further job until the queue is started again; running jobs go on."""
    with suppress(IntegrityError), transaction(workspace) as connection:  # someone has paused it already
        connection.execute(pauses.insert().values(queue=_QUEUE, since=now()))


def start_queue(workspace: Workspace) -> None:
    """Let jobs start again."""
    with transaction(workspace) as connection:
        connection.execute(pauses.delete())


def queue_is_paused(workspace: Workspace) -> bool:
    """Whether no further job starts."""
    with transaction(workspace) as connection:
        return connection.execute(select(pauses.c.queue)).first() is not None
