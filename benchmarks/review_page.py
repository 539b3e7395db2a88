"""How long the Review page takes, as seen in a real browser: `python benchmarks/review_page.py`.

    python benchmarks/review_page.py [--sizes 13759 100000]   # painted cells, tiled as in benchmarks/scan.py
    python benchmarks/review_page.py --home WORKSPACE         # the newest data set of a workspace, scanned

Each step is done several times. Time on screen runs from the click, the key or the end of the lasso until the
last change of the page's main part is painted; the server's CPU time says what of it was work, whatever else
the machine does. Nothing is asserted. Painted sets hold 5 % pictures of something else and 2 % exact copies;
up to 2,000 decisions are in the log. Needs Debian's chromium.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright
from scan import jittered
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parents[1]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
RUNS = 7
SIDE = 48
PAINTED = 400
DECIDED = 2_000
SHORT = 100
AT_REST = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
# What the grid waits for further keys before it sends, in milliseconds.
WAITS = 300
# `began`: the last click, release or key; `changed`: when the last change of the main part was painted. The
# sidebar, which looks for jobs every 3 s, does not count.
CLOCK = """
window.clock = { began: 0, changed: 0 };
for (const name of ["pointerup", "keydown"]) {
  addEventListener(name, (event) => event.isTrusted && (clock.began = performance.now()), true);
}
const main = "[data-testid=stMain]";
const isMain = (node) => node.getRootNode() !== document || node.parentElement?.closest(main);
const observer = new MutationObserver((changes) => {
  if (!changes.some((change) => isMain(change.target))) return;
  requestAnimationFrame(() => setTimeout(() => (clock.changed = performance.now())));
});
const all = { subtree: true, childList: true, attributes: true, characterData: true };
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  const root = attach.call(this, options);
  observer.observe(root, all);
  return root;
};
addEventListener("DOMContentLoaded", () => observer.observe(document.body, all));
"""
PRESS = """async (key) => {
  const tile = document.activeElement.shadowRoot?.activeElement ?? document.body;
  const started = performance.now();
  tile.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true, cancelable: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - started;
}"""


def build(home: Path, images: int) -> None:
    """Write, scan and partly decide a data set of tiled painted cells."""
    from wbc_core.curation.review import decide
    from wbc_core.curation.scan import scan
    from wbc_core.datasets.store import DatasetWriter
    from wbc_core.datasets.synthetic import DEMO_CLASSES, draw_cells
    from wbc_core.workspace import Workspace

    workspace, generator = Workspace(home), np.random.default_rng(0)
    kinds = np.arange(PAINTED) % len(DEMO_CLASSES)
    cells = [
        cv2.resize(cell, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for cell in draw_cells(generator, kinds)
    ]
    writer = DatasetWriter(workspace, "tiles", DEMO_CLASSES, (SIDE, SIDE, 3))
    with writer:
        pixels = np.zeros((0, SIDE, SIDE, 3), np.uint8)
        for start in range(0, images, 512):
            rows = np.arange(start, min(images, start + 512))
            before = pixels
            pixels = np.stack([jittered(generator, cells[row % PAINTED]) for row in rows])
            odd = rows[generator.random(len(rows)) < 0.05] - start
            coarse = generator.integers(0, 256, (len(odd), 6, 6, 3), dtype=np.uint8)
            pixels[odd] = coarse.repeat(SIDE // 6, axis=1).repeat(SIDE // 6, axis=2)
            if len(before):
                pixels[::50] = before[: len(pixels[::50])]
            writer.append(
                pixels, kinds[rows % PAINTED], [f"tile {row}" for row in rows], np.full((len(rows), 2), SIDE)
            )
        dataset = writer.finish("tiles")
    started = time.perf_counter()
    scan(workspace, dataset.id)
    print(f"{images:,} images scanned in {time.perf_counter() - started:.0f} s.", flush=True)
    for row in range(0, min(DECIDED, images // 2), 20):
        decide(workspace, dataset.id, dict.fromkeys(range(row, row + 20), ("keep", None)), who="benchmark")


def cpu_seconds(process: int) -> float:
    """User and system seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stopwatch:
    """Does steps on the page and prints how long they took."""

    def __init__(self, page: Page, server: int) -> None:
        self.page, self.server, self.drawn = page, server, 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._heard))

    def _heard(self, frame: str | bytes) -> None:
        """Count the draws of the whole page."""
        if isinstance(frame, bytes) and len(frame) < SHORT:
            message = ForwardMsg.FromString(frame)
            if message.WhichOneof("type") == "script_finished":
                self.drawn += message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY

    def rest(self) -> None:
        """Wait until the page is drawn and has stayed so."""
        self.page.wait_for_function(AT_REST)
        self.page.wait_for_timeout(700)
        self.page.wait_for_function(AT_REST)

    def time(self, title: str, does: Callable[[int], None], runs: int = RUNS, *, waits: int = 0) -> None:
        """Do a step several times; `waits` milliseconds before it is sent do not count."""
        spans, work = [], []
        for run in range(runs):
            self.rest()
            drawn, before = self.drawn, cpu_seconds(self.server)
            does(run)
            while self.drawn == drawn:
                self.page.wait_for_timeout(20)
            self.rest()
            work.append(cpu_seconds(self.server) - before)
            spans.append(self.page.evaluate("clock.changed - clock.began") - waits)
        say(title, spans, statistics.median(work))


def say(title: str, spans: list[float], cpu: float | None = None) -> None:
    worked = "" if cpu is None else f"{1000 * cpu:.0f}"
    spread = f"{statistics.median(spans):.0f} ({min(spans):.0f}..{max(spans):.0f})"
    print(f"| {title} | {spread} | {worked} |", flush=True)


def measure(page: Page, server: int, address: str) -> None:
    """Time what a person does on the page."""
    from wbc_core.curation.scan import scanned_checks
    from wbc_core.datasets.store import list_datasets
    from wbc_core.workspace import Workspace

    dataset = list_datasets(Workspace.default())[0]
    checks = scanned_checks(Workspace.default(), dataset.id)
    print(f"\n{dataset.images:,} images, {len(checks)} checks, load {os.getloadavg()[0]:.1f}\n")
    print("| step | ms on screen, median (least..most) | server CPU ms |\n|---|---|---|")
    watch = Stopwatch(page, server)
    page.add_init_script(CLOCK)
    page.goto(f"{address}/review?dataset={dataset.id}&check=foreign")
    page.locator(".tile").first.wait_for(timeout=120_000)
    watch.rest()
    names = ("foreign", "exact_duplicates")
    watch.time("choose another check", lambda run: page.locator(f"[data-check={names[1 - run % 2]}]").click())
    page.locator("[data-check=foreign]").click()
    watch.rest()
    page.locator(".tile").first.click()
    say("a press shows", [page.evaluate(PRESS, "k") for _ in range(RUNS)])
    watch.rest()
    watch.time("a press is written and the page redrawn", lambda _: page.keyboard.press("k"), waits=WAITS)
    slider = page.get_by_role("slider").first
    watch.time("move the threshold", lambda _: slider.press("ArrowRight"))
    watch.time(
        "the same again, findings cut before", lambda run: slider.press(("ArrowLeft", "ArrowRight")[run % 2])
    )
    views = ("Map", "Findings")
    watch.time(
        "between map and findings", lambda run: page.get_by_text(views[run % 2], exact=True).first.click()
    )
    page.get_by_text("Map", exact=True).first.click()
    page.locator("canvas").wait_for()
    watch.rest()
    say(
        "the map is painted",
        page.locator(".map").evaluate("""map => Array.from({ length: 7 }, () => {
      const started = performance.now();
      map.map.plot.drawPoints(0, map.map.data.colourings[0]);
      map.map.plot.still.getContext("2d").getImageData(0, 0, 1, 1);
      return performance.now() - started;
    })"""),
    )
    watch.time("lasso around a quarter of the map", lambda run: lasso(page, run))


def lasso(page: Page, run: int) -> None:
    """Draw around the lower left part of the map, a little different each time."""
    box = page.locator("canvas").bounding_box()
    right, top = box["x"] + box["width"] / 2 + run, box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] - 3)
    page.mouse.down()
    for x, y in ((box["x"] + 3, top), (right, top), (right, box["y"] + box["height"] - 3)):
        page.mouse.move(x, y)
    page.mouse.up()


def serve_and_measure(home: Path) -> None:
    """Start the server on a workspace and time it."""
    os.environ["WBC_HOME"] = str(home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)  # noqa: S310
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.25)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(60_000)
            measure(page, server.pid, address)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[13_759, 100_000])
    parser.add_argument("--home", type=Path, help="a workspace whose newest data set is scanned")
    options = parser.parse_args()
    if options.home:
        serve_and_measure(options.home.resolve())
        return
    with tempfile.TemporaryDirectory() as name:
        for size in options.sizes:
            home = Path(name) / str(size)
            build(home, size)
            serve_and_measure(home)


if __name__ == "__main__":
    main()
