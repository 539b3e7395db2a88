"""Fixtures that every test may use: a fresh workspace and the real images where there are any."""

import os
from pathlib import Path

import pytest

from wbc_core.workspace import Workspace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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
