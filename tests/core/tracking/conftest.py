"""A real MLflow server of these tests' own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.core.training.conftest import prepared_home  # noqa: F401
from tests.ports import free_port
from tests.waiting import answers


class MlflowServer:
    """An MLflow server on a SQLite store, which can be killed and started again with what it had.

    Args:
        program: The `mlflow` command.
        folder: Where its store and its files lie.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        self._command = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        self._command += ["--backend-store-uri", f"sqlite:///{folder / 'store.sqlite'}"]
        self._command += ["--artifacts-destination", folder / "artifacts"]
        self._log = folder / "log"

    def start(self) -> None:
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        unset = ("PYTHONPATH", "MLFLOW_TRACKING_URI")
        environment = {name: value for name, value in os.environ.items() if name not in unset} | quiet
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        for _ in range(1800):
            if answers(f"{self.uri}/health"):
                return
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        raise AssertionError(self._log.read_text())

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A running MLflow server; skips where none is installed."""
    program = Path(sys.executable).parent / "mlflow"
    if not program.exists() or find_spec("flask") is None:
        pytest.skip("no MLflow server; `pip install -e '.[dev]'` brings one")
    made = MlflowServer(program, tmp_path_factory.mktemp("mlflow"))
    made.start()
    yield made
    made.kill()
