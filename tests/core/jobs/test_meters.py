"""What a job uses: its own processes, and a GPU where there is one."""

import subprocess
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.core.jobs.test_worker import working
from tests.waiting import wait_until
from wbc_core.errors import WbcError
from wbc_core.jobs import meters, queue
from wbc_core.jobs.devices import device_environment, list_gpus, parse_devices, visible_gpus
from wbc_core.jobs.meters import Meters, keep_measuring
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.training.estimate import Cost
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

Nap = Callable[..., dict[str, object]]


UUIDS = ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-8941a3c5-0000-4106-c12f-20bd9faed9f7"]
SLICE = "MIG-e91edf3b-b297-5c77-a0c2-a1f4a2b04e80"


class NVMLError(Exception):
    pass


def driver(busy: float | None = 87.0) -> types.ModuleType:
    """NVIDIA's library on a machine with two GPUs; a slice of one does not say how busy it is."""

    def utilisation(handle: int) -> types.SimpleNamespace:
        if busy is None:
            raise NVMLError
        return types.SimpleNamespace(gpu=busy)

    module = types.ModuleType("pynvml")
    memory = types.SimpleNamespace(used=12_300e6, total=143_771e6)
    for name, value in {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: f"GPU number {handle}",
        "nvmlDeviceGetUUID": lambda handle: UUIDS[handle],
        "nvmlDeviceGetHandleByUUID": lambda uuid: [*UUIDS, SLICE].index(uuid),
        "nvmlDeviceGetMemoryInfo": lambda handle: memory,
        "nvmlDeviceGetUtilizationRates": utilisation,
    }.items():
        setattr(module, name, value)
    return module


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("two_gpus")
def test_gpus_are_named_shared_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_gpus() == ["GPU number 0", "GPU number 1"]
    assert parse_devices(None) == parse_devices("gpu") == ["gpu:0", "gpu:1"]
    assert parse_devices("0,0, cpu") == ["gpu:0", "gpu:0", "cpu"]
    assert device_environment("gpu:1")["CUDA_VISIBLE_DEVICES"] == "1"
    with pytest.raises(WbcError, match="gpu:0, gpu:1"):
        parse_devices("0,2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert parse_devices(None) == ["gpu:1"]
    with pytest.raises(WbcError, match="gpu:1"):
        parse_devices("0")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        ("0, 1", ["gpu:0", "gpu:1"]),
        ("1,-1,0", ["gpu:1"]),
        ("", ["cpu"]),
        ("NoDevFiles", ["cpu"]),
        (UUIDS[1], ["gpu:1"]),
        ("GPU-8941, GPU-893", ["gpu:1", "gpu:0"]),
        (f"MIG-12345678, {SLICE}", ["gpu:mig0", "gpu:mig1"]),
    ],
)
def test_what_a_scheduler_leaves_visible_is_trained_on(
    monkeypatch: pytest.MonkeyPatch, visible: str, devices: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert parse_devices(None) == devices
    slices = ["a slice of GPU number 0"] * 2
    by_index = [f"GPU number {device[-1]}" for device in devices if device != "cpu"]
    assert visible_gpus() == (slices if "MIG-" in visible else by_index)
    if "MIG-" in visible:
        assert parse_devices("mig1") == ["gpu:mig1"]
        assert device_environment("gpu:mig1")["CUDA_VISIBLE_DEVICES"] == SLICE


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("visible", ["GPU-abc", "GPU-89"])
def test_a_gpu_that_is_not_here_or_not_one_is_an_error_and_no_cpu(
    monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(WbcError, match=f"CUDA_VISIBLE_DEVICES.*{UUIDS[0]}.*{visible}"):
        parse_devices(None)
    assert (parse_devices("cpu"), visible_gpus()) == (["cpu"], [])


def test_a_machine_without_a_gpu_trains_on_its_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", "")
    assert list_gpus() == []
    assert parse_devices(None) == ["cpu"]
    for wanted in ("gpu", "gpu,cpu", "0", ""):
        with pytest.raises(WbcError, match="has no GPU"):
            parse_devices(wanted)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("visible", "busy"), [("1", 87.0), (UUIDS[1], 87.0), (SLICE, None)])
def test_the_gpu_of_the_job_is_measured(
    monkeypatch: pytest.MonkeyPatch, visible: str, busy: float | None
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(busy))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    read = Meters({"peak_gpu_memory_mb": 20_000.0, "cpu_percent": 5.0}).read()
    assert read.get("gpu_percent") == busy
    assert (read["gpu_memory_mb"], read["gpu_total_mb"]) == (12_300.0, 143_771.0)
    assert read["peak_gpu_memory_mb"] == 20_000.0


def test_all_processes_of_the_group_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    measuring = Meters()
    alone = measuring.read()
    assert set(alone) == {"cpu_percent", "memory_mb", "peak_memory_mb"}
    code = "import time; kept = bytearray(200_000_000); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        sum(range(10_000_000))
        together = measuring.read()
        child.kill()
    assert together["memory_mb"] > alone["memory_mb"] + 150
    assert together["cpu_percent"] > 0
    assert measuring.read()["peak_memory_mb"] == together["memory_mb"]


def test_a_running_job_s_row_holds_what_it_uses(workspace: Workspace, nap: Nap) -> None:
    job = queue.submit(workspace, "nap", nap(60)).id
    with working(workspace):
        wait_until(lambda: queue.get_job(workspace, job).usage is not None)
    usage = queue.get_job(workspace, job).usage
    assert usage is not None
    assert usage["peak_memory_mb"] >= usage["memory_mb"] > 10


def test_nothing_is_measured_for_a_job_that_was_lost(
    workspace: Workspace, nap: Nap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "SAMPLE_SECONDS", 0.01)
    job = queue.submit(workspace, "nap", nap()).id
    keep_measuring(workspace, job, "someone else's claim", threading.Event())
    assert queue.get_job(workspace, job).usage is None


def test_a_dry_run_tells_what_it_takes_of_its_gpu(
    workspace: Workspace, two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    memory = sys.modules["pynvml"].nvmlDeviceGetMemoryInfo(0)
    cost = Cost(60.0, 6.0, 2000.0, 10.0, measured=True, device_name="GPU number 0")

    def measured(*_: object) -> Cost:
        memory.used += 2_500e6
        return cost

    monkeypatch.setattr("wbc_core.training.dry_run.dry_run", measured)
    spec = RunSpec("pr-0123456789ab", "cnn").to_json()
    told = TASKS.get("dry_run")(workspace, "job-0123456789", spec, silent)
    assert Cost.from_json(told) == replace(cost, gpu_memory_mb=2500.0)
