"""Scanning over a real Ray cluster: the same findings to the byte, and every way in which there is none."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.core.curation.conftest import write_dataset
from tests.ports import free_port
from tests.ray_nodes import RayHead, ray_head
from wbc_core.curation import measure as measuring
from wbc_core.curation import ray_cluster
from wbc_core.curation.ray_cluster import over_ray
from wbc_core.curation.scan import load_findings, scan
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def head() -> Iterator[RayHead]:
    """A Ray cluster of one machine with 2 CPUs."""
    with ray_head(cpus=2) as started:
        yield started


def _stored(workspace: Workspace, dataset: str) -> dict[str, str]:
    """Every file of findings and measurements by its checksum."""
    folder = workspace.findings_dir(dataset)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _cells(workspace: Workspace) -> str:
    images = draw_cells(np.random.default_rng(0), np.arange(120) % 8)
    images[60:70] = images[:10]
    images[70:75] = images[10:15, ::-1]
    return write_dataset(workspace, images, classes=8, labels=np.arange(120) % 8).id


def _wbc(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wbc_core.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment}
    )


def test_a_cluster_finds_the_same_to_the_byte(
    workspace: Workspace, head: RayHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "CHUNK", 16)  # more chunks than may be in flight
    dataset = _cells(workspace)
    scan(workspace, dataset)
    findings, stored = load_findings(workspace, dataset), _stored(workspace, dataset)
    shutil.rmtree(workspace.findings_dir(dataset))
    before = signal.getsignal(signal.SIGTERM)
    with over_ray(head.address) as spread:
        scan(workspace, dataset, spread=spread)
        assert signal.getsignal(signal.SIGTERM) is before
    assert _stored(workspace, dataset) == stored
    assert load_findings(workspace, dataset) == findings


def test_results_come_in_order_few_at_a_time_and_errors_as_they_are(head: RayHead) -> None:
    taken = []

    def items() -> Iterator[np.ndarray]:
        for number in range(9):
            taken.append(number)
            yield np.full(3, number)

    # Defined in here, these travel to the workers by value.
    def doubled_in_place(array: np.ndarray) -> np.ndarray:
        array *= 2
        return array

    def refuse(item: object) -> None:
        raise WbcError("No such thing.", fix="Mend it.")

    with over_ray(head.address) as spread:
        seen = []
        for result in spread(doubled_in_place, items()):
            seen.append(int(result[0]))
            assert len(taken) - len(seen) < 4
        assert seen == [2 * number for number in range(9)]
        with pytest.raises(WbcError, match=r"^No such thing\. Mend it\.$"):
            list(spread(refuse, [1]))


def test_the_command_line_prints_json_alone(head: RayHead, workspace: Workspace) -> None:
    dataset = _cells(workspace)
    scanned = _wbc("scan", dataset, "--ray", head.address, "--json", "--home", workspace.home)
    assert scanned.returncode == 0, scanned.stderr
    over_cluster = json.loads(scanned.stdout)["checks"]
    stored = _stored(workspace, dataset)
    shutil.rmtree(workspace.findings_dir(dataset))
    plain = json.loads(_wbc("scan", dataset, "--json", "--home", workspace.home).stdout)["checks"]
    assert _stored(workspace, dataset) == stored
    assert {name: found["flagged"] for name, found in plain.items()} == {
        name: found["flagged"] for name, found in over_cluster.items()
    }


def test_a_client_from_outside_is_served(
    head: RayHead, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    import ray

    initialise, failures = ray.init, ["Starting Ray client server failed. See its log."]

    def init(**options: object) -> object:
        if failures:
            raise ConnectionAbortedError(failures.pop())
        return initialise(**options)

    monkeypatch.setattr(ray, "init", init)
    with over_ray(head.client) as spread:
        assert [sum(part) for part in spread(np.square, [np.arange(3), np.arange(2)])] == [5, 1]


def test_a_node_with_another_lab_is_refused(head: RayHead, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, versions = os.getpid(), ray_cluster.lab_versions

    def elsewhere() -> dict[str, str]:
        if os.getpid() != driver:
            raise ModuleNotFoundError("No module named 'wbc_core'")
        return versions()

    with monkeypatch.context() as patched:
        patched.setattr(ray_cluster, "cv2", SimpleNamespace(__version__="0.9"))
        with pytest.raises(WbcError, match=r"would measure something else. Expected OpenCV 0\.9; got [1-9]"):
            _connect_to(head.address)
    monkeypatch.setattr(ray_cluster, "lab_versions", elsewhere)
    with pytest.raises(WbcError, match=r"cannot import the lab.*No module named 'wbc_core'"):
        _connect_to(head.address)


def _connect_to(address: str) -> None:
    with over_ray(address):
        pass


@pytest.mark.parametrize("address", ["", "local", "https://host:1", "host", "ray://", "host:6379/x", "a b:1"])
def test_a_wrong_address_is_said(address: str) -> None:
    with pytest.raises(WbcError, match=r"address of the Ray cluster is wrong"):
        _connect_to(address)


def test_silence_is_one_line(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = write_dataset(workspace, np.zeros((2, 16, 16, 3), np.uint8)).id
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = f"127.0.0.1:{listening.getsockname()[1]}"
        done = _wbc("scan", dataset, "--ray", server, "--json", "--home", workspace.home)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith(f"No Ray cluster answers at {server}.")
    assert done.stderr.count("\n") == 1
    monkeypatch.setattr(ray_cluster, "_ANSWER_SECONDS", 0.5)
    with pytest.raises(WbcError, match="No Ray cluster answers at"):
        _connect_to(f"ray://127.0.0.1:{free_port()}")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WbcError, match=r"pip install 'wbc-lab\[cluster\]'"):
        _connect_to("auto")


def test_another_version_is_said(head: RayHead, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr("ray._private.utils.compute_version_info", lambda: ("2.9.0", "3.8.1"))
    with pytest.raises(
        WbcError, match=r"cannot be used. Expected Ray .* on Python .*as here; got .*mismatch"
    ):
        _connect_to(head.address)
    assert not ray.is_initialized()
