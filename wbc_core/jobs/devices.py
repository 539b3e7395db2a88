"""Which devices a worker may train on, found without importing TensorFlow."""

import importlib
import os
import shutil
import subprocess
from types import ModuleType

from wbc_core.errors import WbcError


def open_driver() -> ModuleType | None:
    """NVIDIA's management library, started; None where its package or the driver is missing."""
    try:
        driver = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        driver.nvmlInit()
    except driver.NVMLError:
        return None
    return driver


def list_gpus() -> list[str]:
    """Names of the NVIDIA GPUs of this machine by index; empty where there is none."""
    driver = open_driver()
    if driver is None:
        return _named_by_nvidia_smi()
    indices = range(driver.nvmlDeviceGetCount())
    return [str(driver.nvmlDeviceGetName(driver.nvmlDeviceGetHandleByIndex(index))) for index in indices]


def _named_by_nvidia_smi() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return (
        [line.strip() for line in answer.stdout.splitlines() if line.strip()]
        if answer.returncode == 0
        else []
    )


def parse_devices(wanted: str | None) -> list[str]:
    """Turn the `--devices` option into device names.

    Args:
        wanted: None (every GPU, else `cpu`), or some of `cpu`, `gpu` (every GPU) and GPU indices, such as
            `0,1`. A device that is named twice is shared by two trainings.

    Returns:
        `["cpu"]`, or `["gpu:0", ...]`; a worker trains one model on each entry at a time. GPUs that
        CUDA_VISIBLE_DEVICES hides from this process, as a cluster's scheduler does, are not among them.

    Raises:
        WbcError: A GPU was asked for that this machine does not have.

    Example:
        >>> parse_devices("cpu,cpu")
        ['cpu', 'cpu']
    """
    indices = [str(index) for index in range(len(list_gpus()))]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(indices)).split(",")
    gpus = [f"gpu:{index}" for index in indices if index in visible]
    if wanted is None:
        return gpus or ["cpu"]
    chosen = []
    for word in (word.strip() for word in wanted.split(",")):
        chosen += (gpus or ["gpu"]) if word == "gpu" else ["cpu" if word == "cpu" else f"gpu:{word}"]
    if not set(chosen) <= {"cpu", *gpus}:
        raise WbcError(
            f"The devices {wanted!r} are not all here.",
            expected=f"cpu, gpu or indices among {', '.join(gpus) or 'none: this machine has no GPU'}",
            fix="Use --devices cpu, or install the extra `gpu` and its driver.",
        )
    return chosen


def device_environment(device: str) -> dict[str, str]:
    """The environment variables that confine a process to one device."""
    if device.startswith("gpu:"):
        return {
            # The driver's own order, in which `list_gpus` counts; CUDA's default puts the fastest first.
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": device.removeprefix("gpu:"),
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }
    return {"CUDA_VISIBLE_DEVICES": "-1"}
