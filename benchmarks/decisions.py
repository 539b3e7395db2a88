"""How long reading 100,000 decisions takes: `python benchmarks/decisions.py`."""

import statistics
import tempfile
import time

from sqlalchemy import insert

from wbc_core.curation.review import effective_decisions
from wbc_core.database import decisions, transaction
from wbc_core.workspace import Workspace

LINES = 100_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        line = {"dataset": "ds", "image_id": "x", "action": "drop", "who": "Ada", "at": "now", "reason": ""}
        with transaction(workspace) as connection:
            rows = [{**line, "step": str(row // 50), "row": row} for row in range(LINES)]
            connection.execute(insert(decisions), rows)
        seconds, work = [], []
        for _ in range(5):
            started, busy = time.perf_counter(), time.process_time()
            assert len(effective_decisions(workspace, "ds")) == LINES
            seconds.append(time.perf_counter() - started)
            work.append(time.process_time() - busy)
    print(f"{LINES:,} decisions: min {min(seconds):.2f} s, ", end="")
    print(
        f"median {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s; {min(work):.2f} s of processor"
    )


if __name__ == "__main__":
    main()
