"""How a job stands, in words: its state, its time, what it uses and what it has cost."""

from app import state
from app.formatting import seconds, thousands
from wbc_core.jobs.cost import cost, elapsed
from wbc_core.records import TERMINAL_STATES, Job

_BADGES = {
    "queued": ("gray", ":material/schedule:"),
    "paused": ("orange", ":material/pause_circle:"),
    "running": ("violet", ":material/sync:"),
    "succeeded": ("green", ":material/check_circle:"),
    "failed": ("red", ":material/error:"),
    "cancelled": ("gray", ":material/block:"),
}


def badge(job: Job) -> str:
    """The state of a job as a coloured badge, in Markdown."""
    shown = "paused" if job.state == "queued" and job.paused else job.state
    colour, icon = _BADGES[shown]
    return f":{colour}-badge[{icon} {shown}]"


def remaining(job: Job) -> float | None:
    """Seconds still to go at the pace so far; None while there is no pace yet."""
    spent = elapsed(job)
    # A training says itself how long it still takes, from its present speed.
    if job.state != "running" or not spent or job.progress < 0.02 or job.message.endswith(" left"):
        return None
    # Of a second attempt nobody knows how much of the progress it made.
    if job.earlier_seconds:
        return None
    return spent * (1 - job.progress) / job.progress


def _beside(measured: str, foreseen: str | None) -> str:
    return f"{measured}, foreseen {foreseen}" if foreseen else measured


def _cost(job: Job) -> list[str]:
    words = []
    for name, (measured, foreseen) in cost(state.workspace(), job).items():
        if name == "seconds":
            words.append(_beside(f"took {seconds(measured)}", foreseen and seconds(foreseen)))
        else:
            what = "at most {} MB of memory" if name == "memory_mb" else "{} MB on disk"
            expected = foreseen and f"{thousands(foreseen)} MB"
            words.append(_beside(what.format(thousands(measured)), expected))
    return words


def facts(job: Job) -> str:
    """Time, device, attempts and id of a job, and once it has ended what it has cost."""
    left = remaining(job)
    words = [
        f"{seconds(elapsed(job))} so far" if job.state == "running" else "",
        f"about {seconds(round(left))} left" if left else "",
        *(_cost(job) if job.state in TERMINAL_STATES else []),
        f"{job.priority} priority" if job.priority != "normal" else "",
        f"on {job.device}" if job.device else "",
        f"attempt {job.attempts}" if job.attempts > 1 else "",
        job.id,
    ]
    return " · ".join(word for word in words if word)


def usage(job: Job) -> str:
    """What a running job uses of its machine, in one line of the same height from its start."""
    used = job.usage
    if not used:
        return ":material/speed: Measuring what it uses"
    words = [
        f"{used['cpu_percent'] / 100:.1f} CPU cores busy",
        f"{thousands(used['memory_mb'])} MB of memory, at most {thousands(used['peak_memory_mb'])} MB",
    ]
    if "gpu_percent" in used:
        words.append(f"GPU {used['gpu_percent']:.0f} % busy")
    if "gpu_memory_mb" in used:
        held, total = thousands(used["gpu_memory_mb"]), thousands(used["gpu_total_mb"])
        words.append(f"{held} of {total} MB of GPU memory")
    return f":material/speed: {' · '.join(words)}"
