"""Which device trains here, and with which versions."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from wbc_core.errors import WbcError
from wbc_core.freed_memory import keep_freed_memory
from wbc_core.quiet import import_keras_quietly
from wbc_core.records import Json

if TYPE_CHECKING:
    from wbc_core.training.spec import RunSpec


_OUT_OF_MEMORY = (
    "resourceexhaustederror",
    "resource_exhausted",
    "outofmemory",
    "out_of_memory",
    "out of memory",
    "memoryerror",
    "status_alloc_failed",
    "failed to allocate",
    "dst tensor is not initialized",
)
"""What TensorFlow, JAX, PyTorch, CUDA, cuDNN, cuBLAS and Python call it, in lower case."""


def _gpu_name() -> str:
    if shutil.which("nvidia-smi") is None:
        return "GPU"
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=uuid,name", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line.partition(",") for line in answer.stdout.splitlines()]
    gpus = {uuid.strip(): name.strip() for uuid, _, name in told}
    # Only one GPU is visible to a job; CUDA counts from 0 among those, nvidia-smi among all.
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if visible.isdigit():
        fitting = [name for place, name in enumerate(gpus.values()) if place == int(visible)]
    else:
        fitting = [name for uuid, name in gpus.items() if uuid.startswith(visible)]
    # A slice of a GPU is not in this list; mostly all GPUs of a machine are of one kind.
    names = set(fitting or gpus.values())
    return names.pop() if len(names) == 1 else "GPU"


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


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Compute in a precision inside the block; weights and what comes out of a classifier stay float32."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def memory_explained(spec: "RunSpec") -> Iterator[None]:
    """Turn the error of a device that is out of memory into one that says what to change.

    Raises:
        WbcError: The device ran out of memory.
    """
    try:
        yield
    except Exception as error:
        told = f"{type(error).__name__} {error}".lower()
        if not any(word in told for word in _OUT_OF_MEMORY):
            raise
        fix = "Launch on a device with more memory, or with a smaller backbone or input_size."
        if spec.batch_size > 1:
            half = f"batch_size={spec.batch_size // 2} accumulation={2 * spec.accumulation}"
            fix = f"Launch again with {half}: the same steps in half the memory."
        raise WbcError(
            f"The device ran out of memory with {spec.batch_size} images a step.", fix=fix
        ) from error


def check_precision(precision: str, device: str) -> None:
    """Refuse a precision that the device does not compute in.

    Raises:
        WbcError: float16 on a CPU, which has no arithmetic for it.
    """
    if precision == "float16" and device == "cpu":
        raise WbcError(
            "A CPU does not compute in float16.",
            expected="a GPU for precision=float16",
            got=device,
            fix="Launch with precision=float32 or bfloat16, or with a worker that has a GPU.",
        )


@contextmanager
def computing(spec: "RunSpec") -> Iterator[dict[str, str]]:
    """Load keras and compute inside the block as a run asks for.

    Yields:
        What `device_summary` tells of the device.

    Raises:
        WbcError: The device does not compute in the run's precision, or ran out of memory.
    """
    keep_freed_memory()
    import_keras_quietly()
    with arithmetic(spec.precision), memory_explained(spec):
        device = device_summary()
        check_precision(spec.precision, device["device"])
        yield device
