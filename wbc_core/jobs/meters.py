"""What a job uses of its machine: measured by the job's own process, so wherever an executor puts it."""

import os
import threading
from contextlib import suppress

import psutil
from sqlalchemy.exc import DBAPIError

from wbc_core.jobs.devices import open_driver
from wbc_core.jobs.queue import get_job, write_held
from wbc_core.records import Json
from wbc_core.workspace import Workspace

SAMPLE_SECONDS = 2.0
_MEGABYTE = 1e6


class Meters:
    """Measures this process's group, and the GPU that it may use.

    Args:
        earlier: What an earlier attempt of the same job measured; its peaks count.
    """

    def __init__(self, earlier: Json | None = None) -> None:
        self._peaks = {name: value for name, value in (earlier or {}).items() if name.startswith("peak_")}
        self._gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
        named = self._gpu.isdigit() or self._gpu.startswith(("GPU-", "MIG-"))
        self._driver = open_driver() if named else None

    def read(self) -> Json:
        """Measure once.

        Returns:
            `cpu_percent` since the last reading (100 is one core), `memory_mb` (resident, of all processes
            of the group together, in 10^6 bytes), and where there is a GPU `gpu_percent`, `gpu_memory_mb` and
            `gpu_total_mb` of the whole device; `peak_memory_mb` and `peak_gpu_memory_mb` so far.
        """
        found = {"cpu_percent": 0.0, "memory_mb": 0.0, **self._read_gpu()}
        # psutil keeps the processes it has met, and with them what they had used before.
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if os.getpgid(process.pid) == os.getpgrp():
                    found["cpu_percent"] += process.cpu_percent()
                    found["memory_mb"] += process.memory_info().rss / _MEGABYTE
        for name in ("memory_mb", "gpu_memory_mb"):
            if name in found:
                self._peaks[f"peak_{name}"] = max(found[name], self._peaks.get(f"peak_{name}", 0.0))
        return {name: round(value, 1) for name, value in {**found, **self._peaks}.items()}

    def _read_gpu(self) -> dict[str, float]:
        if not self._driver:
            return {}
        found = {}
        with suppress(self._driver.NVMLError):
            if self._gpu.isdigit():
                gpu = self._driver.nvmlDeviceGetHandleByIndex(int(self._gpu))
            else:
                gpu = self._driver.nvmlDeviceGetHandleByUUID(self._gpu)
            memory = self._driver.nvmlDeviceGetMemoryInfo(gpu)
            found = {"gpu_memory_mb": memory.used / _MEGABYTE, "gpu_total_mb": memory.total / _MEGABYTE}
            # A slice of a GPU tells its memory, but not how busy it is.
            found["gpu_percent"] = float(self._driver.nvmlDeviceGetUtilizationRates(gpu).gpu)
        return found


def keep_measuring(workspace: Workspace, job_id: str, claim: str, stop: threading.Event) -> None:
    """Write what the job uses to its row, every two seconds until `stop` is set or the claim is lost."""
    held, meters = True, None
    while held and not stop.wait(SAMPLE_SECONDS):
        with suppress(DBAPIError):  # a meter that is read later harms nobody
            meters = meters or Meters(get_job(workspace, job_id).usage)
            held = write_held(workspace, job_id, claim, usage=meters.read())
