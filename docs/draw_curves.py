"""Draw the learning curves of the study: `python docs/draw_curves.py [docs/study/NAME-history.csv ..]`.

Each NAME-history.csv, as `benchmarks/study.py` writes it, becomes NAME-curves.png beside it, drawn by the
charts of the Jobs page; without arguments all of docs/study. It needs Debian's chromium.
"""

import sys
from pathlib import Path

import pandas as pd
from playwright.sync_api import sync_playwright

from app.components import charts
from app.components.training_curves import CURVES

STUDY = Path(__file__).parent / "study"
WIDTH, HEIGHT = 1000, 350
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def page_of(history: pd.DataFrame) -> str:
    """Both charts side by side as one HTML page that needs no network."""
    epochs = history["epoch"].tolist()
    parts = []
    for title, names, unit in CURVES:
        curves = {name: (epochs, history[measured].tolist()) for name, measured in names.items()}
        chart = charts.lines(curves, x_title="epoch", y_title=unit, height=HEIGHT)
        chart.update_layout(width=WIDTH // 2, margin={"l": 70})
        parts.append(chart.to_html(full_html=False, include_plotlyjs=not parts, div_id=title))
    return f'<body style="margin:0;background:white;display:flex">{"".join(parts)}</body>'


def main(paths: list[Path]) -> None:
    """Draw the curves of every history."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for path in paths or sorted(STUDY.glob("*-history.csv")):
            page.set_content(page_of(pd.read_csv(path)))
            page.wait_for_selector("#loss .scatterlayer .trace")
            drawn = path.with_name(path.name.replace("-history.csv", "-curves.png"))
            page.screenshot(path=drawn)
            print(drawn)
        browser.close()


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
