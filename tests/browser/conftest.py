"""The real server, started as a person starts it, and a real browser driven by Playwright."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS, answers, wait_until
from wbc_core.curation import review
from wbc_core.curation.scan import scan
from wbc_core.datasets.store import DatasetWriter
from wbc_core.datasets.synthetic import build_demo_dataset, draw_cells
from wbc_core.records import Dataset, Decision
from wbc_core.workspace import Workspace

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=PATIENCE_SECONDS * 1000)
HOSTILE = "<img src=x onerror=window.owned=1>"


@dataclass(frozen=True)
class Lab:
    """A workspace and the server that shows it."""

    workspace: Workspace
    url: str
    process_id: int

    def decisions(self, dataset: Dataset) -> dict[int, Decision]:
        """The decisions that stand, by row."""
        return review.effective_decisions(self.workspace, dataset.id)


@contextmanager
def serve(home: Path, log: Path, port: int | None = None) -> Iterator[Lab]:
    """Start the server from the root of the repository, as the README says, and end it."""
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"]
    environment = {**os.environ, "WBC_HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            wait_until(
                lambda: answers(f"{url}/_stcore/health") or server.poll() is not None, "the server's answer"
            )
            assert server.poll() is None, log.read_text()
            yield Lab(Workspace(home), url, server.pid)
        finally:
            server.terminate()
            server.wait(timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here; install Debian's package")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        yield chromium
        chromium.close()


@contextmanager
def window(browser: Browser, **options: object) -> Iterator[Page]:
    """An empty page in a window of its own."""
    with browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options}) as context:
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        yield context.new_page()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with the demo data set, scanned, and one whose class names are hostile."""
    folder = tmp_path_factory.mktemp("lab")
    workspace = Workspace(folder / "workspace")
    labels = np.arange(24) % 2
    with DatasetWriter(workspace, "hostile <b>set</b>", (HOSTILE, "cell"), (96, 96, 3)) as writer:
        images = draw_cells(np.random.default_rng(1), labels)
        writer.append(images, labels, [f"{HOSTILE}.png"] * 24, np.full((24, 2), 96))
        scan(workspace, writer.finish(HOSTILE).id)
    scan(workspace, build_demo_dataset(workspace, images=240).id)
    with serve(workspace.home, folder / "server.log") as running:
        yield running


def _named(lab: Lab, start: str) -> Dataset:
    from wbc_core.datasets.store import list_datasets

    return next(dataset for dataset in list_datasets(lab.workspace) if dataset.name.startswith(start))


@pytest.fixture
def demo(lab: Lab) -> Iterator[Dataset]:
    """The demo data set; what a test decides is taken back after it."""
    dataset = _named(lab, "demo")
    yield dataset
    review.undo(lab.workspace, dataset.id, 10_000, who="test")


@pytest.fixture
def hostile(lab: Lab) -> Dataset:
    """The data set with hostile names."""
    return _named(lab, "hostile")


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, lab: Lab) -> Iterator[Open]:
    """A function that opens a path of the lab in a window of its own."""
    with ExitStack() as windows:

        def open_path(path: str, **options: object) -> Page:
            page = windows.enter_context(window(browser, **options))
            page.goto(lab.url + path)
            page.locator(".stMainBlockContainer h1").wait_for()
            return page

        yield open_path
