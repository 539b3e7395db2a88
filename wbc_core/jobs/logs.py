"""Searching the whole log of a job, however long it has grown."""

from collections import deque
from dataclasses import dataclass

from wbc_core.workspace import Workspace


@dataclass(frozen=True)
class FoundLines:
    """Lines of a log with a text in them.

    Attributes:
        lines: How many lines the log has.
        found: How many of them have the text.
        last: The last of these, oldest first.
    """

    lines: int
    found: int
    last: tuple[str, ...]


def search_log(workspace: Workspace, job_id: str, wanted: str, keep: int = 200) -> FoundLines:
    """Find the lines of a job's log that have a text in them, capital letters or not.

    Args:
        workspace: Whose job.
        job_id: The job.
        wanted: The text; all lines have an empty one.
        keep: Of the lines that are found so many are kept, the last ones.
    """
    path, sought = workspace.job_log(job_id), wanted.lower()
    lines = found = 0
    last: deque[str] = deque(maxlen=keep)
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                lines += 1
                if sought in line.lower():
                    found += 1
                    last.append(line.rstrip("\n"))
    return FoundLines(lines, found, tuple(last))
