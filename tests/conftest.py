"""Fixtures that every test may use: a fresh workspace and the real images where there are any."""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.ports import free_port
from tests.waiting import wait_until
from wbc_core.workspace import Workspace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# No test is timed: a busy machine must not fail one. On CI the examples are the same on every run, so that it
# judges the change; other runs go on exploring.
hypothesis.settings.register_profile("lab", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("lab")

WAITS_LONGEST = ("tests/browser/", "tests/core/jobs/", "tests/core/tracking/", "tests/core/training/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits long for other processes, so that nothing is left to wait for at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(WAITS_LONGEST))


def pytest_collection_finish() -> None:
    """Spare the search for garbage what lives until the end: all imported modules and all tests."""
    gc.collect()
    gc.freeze()


class ByFile(LoadFileScheduling):
    """Gives each file to one process, for its fixtures; to one all that share the server and the browser."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Called by pytest-xdist where tests run in several processes."""
    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace with its own SQLite database."""
    monkeypatch.delenv("WBC_DATABASE_URL", raising=False)
    return Workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real images; skips where they are not at hand."""
    folder = Path(os.environ.get("WBC_REAL_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (folder / "pbc_train_96.zip").exists():
        pytest.skip(f"the real images are not at {folder}; set WBC_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of a real PostgreSQL server of these tests' own; skips where none is installed."""
    found = [shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    programs = next((Path(program).resolve().parent for program in found if program), None)
    if programs is None:
        pytest.skip("PostgreSQL is not installed; apt-get install postgresql")
    folder = tmp_path_factory.mktemp("postgres")
    # The server refuses to run as root; the account that its package made may not look into root's folders.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        folder = Path("/tmp") / f"wbc-postgres-{os.getpid()}"  # noqa: S108
        folder.mkdir()
        shutil.chown(folder, user)
    port = free_port()
    data = folder / "data"
    make = [programs / "initdb", "-D", data, "-U", "lab", "-A", "trust", "--no-sync"]
    subprocess.run(make, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL)
    serve = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder]
    server = subprocess.Popen(serve, user=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        wait_until(lambda: server.poll() is not None or subprocess.run(ready, check=False).returncode == 0)
        assert server.poll() is None, "PostgreSQL ended"
        yield f"postgresql+psycopg://lab@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace whose database is a fresh one on the PostgreSQL server."""
    from sqlalchemy import create_engine, text

    name = f"lab_{os.urandom(6).hex()}"
    administration = create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    administration.dispose()
    monkeypatch.setenv("WBC_DATABASE_URL", f"{postgres_server}/{name}")
    return Workspace(tmp_path / "workspace")


@pytest.fixture(params=["sqlite", "postgresql"])
def any_workspace(request: pytest.FixtureRequest) -> Workspace:
    """An empty workspace on each kind of database in turn."""
    return request.getfixturevalue("workspace" if request.param == "sqlite" else "postgres")
