"""Which devices a worker may train on, found without importing TensorFlow."""

import shutil
import subprocess

from wbc_core.errors import WbcError


def list_gpus() -> list[str]:
    """Names of the NVIDIA GPUs of this machine by index; empty where there is none."""
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
        wanted: None (every GPU, else `cpu`), `cpu`, `gpu` (every GPU), or GPU indices such as `0,1`.

    Returns:
        `["cpu"]`, or `["gpu:0", ...]`; a worker trains one model on each at a time.

    Raises:
        WbcError: A GPU was asked for that this machine does not have.

    Example:
        >>> parse_devices("cpu")
        ['cpu']
    """
    if wanted == "cpu":
        return ["cpu"]
    gpus = [f"gpu:{index}" for index in range(len(list_gpus()))]
    if wanted is None:
        return gpus or ["cpu"]
    chosen = gpus if wanted == "gpu" else [f"gpu:{index.strip()}" for index in wanted.split(",")]
    if not chosen or not set(chosen) <= set(gpus):
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
