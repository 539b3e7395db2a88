"""Which device trains here, and with which versions."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from wbc_core.records import Json


def _gpu_name() -> str:
    if shutil.which("nvidia-smi") is None:
        return "GPU"
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = answer.stdout.splitlines()
    # Only one GPU is visible to a job; CUDA counts from 0 among those, nvidia-smi among all.
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    index = int(visible) if visible.isdigit() else 0
    return names[index].strip() if index < len(names) else "GPU"


def _cpu_name() -> str:
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_summary() -> dict[str, str]:
    """The device that keras trains on in this process.

    Returns:
        `device`: `cpu` or `gpu:0`; `name`: what it is, with the number of cores of a CPU.
    """
    import keras

    # Every backend's tensors name their device, each in its own words.
    placed = str(keras.ops.zeros(1).device).lower()
    if "gpu" in placed or "cuda" in placed:
        return {"device": "gpu:0", "name": _gpu_name()}
    return {"device": "cpu", "name": f"{_cpu_name()}, {os.cpu_count()} cores"}


def versions() -> Json:
    """Versions of everything that a run's numbers depend on."""
    import keras

    found: Json = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("wbc-lab", "keras", keras.backend.backend(), "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return {**found, "backend": keras.backend.backend()}
