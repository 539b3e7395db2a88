"""What a job has cost, beside what was foreseen when it was launched."""

from wbc_core.records import Job
from wbc_core.workspace import Workspace, now, seconds_between


def elapsed(job: Job) -> float | None:
    """Seconds that the job has run, without what it waited between attempts; None while it waits."""
    if job.started is None or job.state == "queued":
        return None
    # What was cancelled may have waited for its next attempt until then.
    end = job.heartbeat_at if job.state == "cancelled" else job.finished
    return job.earlier_seconds + seconds_between(job.started, end or now())


def cost(workspace: Workspace, job: Job) -> dict[str, tuple[float, float | None]]:
    """What a job has cost so far.

    Args:
        workspace: Whose job.
        job: The job; `foreseen` in its spec holds the same names, as the Launch page foresaw them.

    Returns:
        `seconds`, `memory_mb` (the most that its processes held at once) and of a training `disk_mb` (its
        run's folder), each with what was foreseen; what is not known is left out. Sizes in 10^6 bytes.
    """
    folder = workspace.run_dir(job.id)
    measured = {
        "seconds": elapsed(job),
        "memory_mb": (job.usage or {}).get("peak_memory_mb"),
        "disk_mb": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6 or None,
    }
    foreseen = job.spec.get("foreseen") or {}
    return {name: (value, foreseen.get(name)) for name, value in measured.items() if value is not None}
