"""A small demo lab for the page tests: built and scanned once, copied for each test."""

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner import script_runner

from tests.results_lab import RUN, add_run, build_dataset, build_split
from wbc_core.curation.scan import scan
from wbc_core.datasets.store import list_datasets
from wbc_core.datasets.synthetic import build_demo_dataset
from wbc_core.records import Dataset
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture(autouse=True, scope="session")
def as_in_a_server() -> Iterator[None]:
    """What a server does once, or never, every AppTest would do again.

    It reads what all installed packages say of themselves, a second of work. Where other tests imported
    Keras, which the server does not, Streamlit searches all objects for garbage after each run.
    """
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the demo data set, scanned; not to be written to."""
    workspace = Workspace(tmp_path_factory.mktemp("demo") / "workspace")
    scan(workspace, build_demo_dataset(workspace, images=160).id)
    return workspace.home


@pytest.fixture
def demo_lab(demo_home: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A fresh copy of the demo lab, named by `WBC_HOME`."""
    shutil.copytree(demo_home, workspace.home)
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return workspace


@pytest.fixture
def demo_dataset(demo_lab: Workspace) -> Dataset:
    """The demo's data set."""
    return list_datasets(demo_lab)[0]


@pytest.fixture
def empty_lab(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, named by `WBC_HOME`."""
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return workspace


@pytest.fixture(autouse=True)
def forget_caches() -> Iterator[None]:
    """Keep one test's caches from the next."""
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def run(workspace: Workspace) -> Run:
    """An untrained run of the small lab, without a report."""
    return add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN)
