"""Take the guide's screenshots: `python docs/make_screenshots.py HOME OUT` opens every page on a workspace.

HOME is a workspace that `wbc demo` has filled, and in which the newest run was evaluated under shifts,
explained, timed and used to predict from its pages; OUT is a folder. Each page is taken at 1440x900 and at
390x844 pixels, light and dark. It needs Debian's chromium.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from app.pages import PAGES
from wbc_core.jobs.queue import list_jobs
from wbc_core.workspace import Workspace

ROOT = Path(__file__).parents[1]
PLACES = {view: "" if view == "dataset" else view for view in PAGES} | {
    "review-map": "review?view=map",
    "review-second": "review?view=second",
    "report-why": "report?section=why",
    "report-robustness": "report?section=robustness",
    "compare-cost": "compare?section=cost",
}
"""Name of a picture to the path that it shows."""


def of_newest(home: Path, view: str, kind: str) -> str:
    """The path of a page with the newest job of a kind; without one where there is none."""
    jobs = list_jobs(Workspace(home), kind=kind)
    return f"{view}?job={jobs[0].id}" if jobs else view


SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(url: str) -> None:
    """Wait until a server answers."""
    for _ in range(120):
        try:
            urllib.request.urlopen(url, timeout=2)  # noqa: S310
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise SystemExit(f"{url} does not answer")


def give_name(tab: Page) -> None:
    """Enter a name, without which nobody gives a second opinion; where the sidebar is closed, do nothing."""
    field = tab.get_by_role("textbox", name="Your name")
    tab.wait_for_timeout(1000)
    if field.is_visible():
        field.fill("Second reviewer")
        field.press("Enter")


def photograph(browser: Browser, address: str, places: Mapping[str, str], out: Path, only: list[str]) -> None:
    """Open each page in each size and colour scheme, and save what it looks like once it is at rest."""
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1
            )
            tab = context.new_page()
            for view in only or list(places):
                tab.goto(f"{address}/{places[view]}")
                tab.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
                if view == "review-second":
                    give_name(tab)
                tab.wait_for_timeout(2500)
                tab.screenshot(path=out / f"{view}-{size}-{scheme}.png", full_page=False)
                print(view, size, scheme, flush=True)
            context.close()


def main() -> None:
    """Serve the workspace and take the pictures."""
    home, out, *only = sys.argv[1:]
    Path(out).mkdir(parents=True, exist_ok=True)
    port = free_port()
    serve = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py")]
    serve += ["--server.headless", "true", "--server.port", str(port), "--server.address", "127.0.0.1"]
    server = subprocess.Popen(serve, cwd=ROOT, env={**os.environ, "WBC_HOME": str(Path(home).resolve())})
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/_stcore/health")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            shown = {"predict": "predict", "jobs": "train"}
            places = PLACES | {view: of_newest(Path(home), view, kind) for view, kind in shown.items()}
            photograph(browser, address, places, Path(out), only)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
