"""Which devices a worker may train on, found without importing TensorFlow."""

import importlib
import os
import shutil
import subprocess
from types import ModuleType

from wbc_core.errors import WbcError

_SLICE = "mig"


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


def device_kind(device: str | None) -> str:
    """`cpu` or `gpu` of a device's name, as lanes announce it and jobs' records keep it; empty of none.

    Example:
        >>> [device_kind(name) for name in ("cpu", "gpu:1", "gpu:mig0", "gpu:ray:node-7", None)]
        ['cpu', 'gpu', 'gpu', 'gpu', '']
    """
    return (device or "").partition(":")[0]


def list_gpus() -> list[str]:
    """Names of the NVIDIA GPUs of this machine by index; empty where there is none."""
    return [name for name, _ in _names_and_uuids()]


def visible_gpus() -> list[str]:
    """Names of the GPUs that a worker started like this process trains on; empty where it is the CPU."""
    names = list_gpus()
    try:
        devices = parse_devices(None)
    except WbcError:  # what CUDA_VISIBLE_DEVICES names is not here: a worker says so and ends
        return []
    indices = [device.removeprefix("gpu:") for device in devices if device_kind(device) == "gpu"]
    return [names[int(index)] if index.isdigit() else f"a slice of {names[0]}" for index in indices]


def _names_and_uuids() -> list[tuple[str, str]]:
    driver = open_driver()
    if driver is None:
        return _told_by_nvidia_smi()
    gpus = [driver.nvmlDeviceGetHandleByIndex(index) for index in range(driver.nvmlDeviceGetCount())]
    return [(str(driver.nvmlDeviceGetName(gpu)), str(driver.nvmlDeviceGetUUID(gpu))) for gpu in gpus]


def _told_by_nvidia_smi() -> list[tuple[str, str]]:
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name,uuid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if answer.returncode:
        return []
    told = (line.rpartition(",") for line in answer.stdout.splitlines() if "," in line)
    return [(name.strip(), uuid.strip()) for name, _, uuid in told]


def _visible() -> list[str]:
    """Device names of the GPUs that CUDA_VISIBLE_DEVICES leaves to this process.

    It may name them by index, by UUID or the beginning of one, or name slices of them (MIG), as in the
    section on environment variables of NVIDIA's CUDA C++ Programming Guide.
    """
    uuids = [uuid for _, uuid in _names_and_uuids()]
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    words = [str(index) for index in range(len(uuids))] if told is None else told.split(",")
    found = []
    for place, word in enumerate(word.strip() for word in words):
        if word.startswith("GPU-"):
            found.append(f"gpu:{_index(word, uuids)}")
        elif word.startswith("MIG-") and uuids:
            found.append(f"gpu:{_SLICE}{place}")
        elif word.isdigit() and int(word) < len(uuids):
            found.append(f"gpu:{int(word)}")
        else:
            break  # CUDA too hides whatever comes after a word that names no GPU
    return found


def _index(word: str, uuids: list[str]) -> int:
    fitting = [index for index, uuid in enumerate(uuids) if uuid.startswith(word)]
    if len(fitting) != 1:
        raise WbcError(
            "CUDA_VISIBLE_DEVICES does not name one GPU of this machine.",
            expected=f"one of {', '.join(uuids) or 'none: no GPU was found'}",
            got=word,
            fix="Correct it, or use --devices cpu.",
        )
    return fitting[0]


def parse_devices(wanted: str | None) -> list[str]:
    """Turn the `--devices` option into device names.

    Args:
        wanted: None (every GPU, else `cpu`), or some of `cpu`, `gpu` (every GPU) and GPU indices, such as
            `0,1`. A device that is named twice is shared by two trainings.

    Returns:
        `["cpu"]`, or `["gpu:0", ...]`; a worker trains one model on each entry at a time. GPUs that
        CUDA_VISIBLE_DEVICES hides from this process, as a cluster's scheduler does, are not among them;
        `gpu:mig0` is the slice of a GPU that it names first.

    Raises:
        WbcError: A GPU was asked for that this machine does not have, here or by CUDA_VISIBLE_DEVICES.

    Example:
        >>> parse_devices("cpu,cpu")
        ['cpu', 'cpu']
    """
    words = [] if wanted is None else [word.strip() for word in wanted.split(",")]
    if words and set(words) == {"cpu"}:
        return words
    gpus = _visible()
    if wanted is None:
        return gpus or ["cpu"]
    chosen = []
    for word in words:
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
        name = device.removeprefix("gpu:")
        if name.startswith(_SLICE):
            name = os.environ["CUDA_VISIBLE_DEVICES"].split(",")[int(name.removeprefix(_SLICE))].strip()
        return {
            # The driver's own order, in which `list_gpus` counts; CUDA's default puts the fastest first.
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": name,
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }
    return {"CUDA_VISIBLE_DEVICES": "-1"}
