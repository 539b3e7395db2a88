"""Pages of the lab under AppTest."""

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.waiting import PATIENCE_SECONDS

MAIN = str(Path(__file__).parents[2] / "app" / "main.py")


def page_at(view: str = "dataset", /, **parameters: str) -> AppTest:
    """A page, about to run for the first time, with the parameters of its address."""
    page = AppTest.from_file(MAIN, default_timeout=PATIENCE_SECONDS)
    for parameter, value in parameters.items():
        page.query_params[parameter] = value
    return page if view == "dataset" else page.switch_page(f"views/{view}.py")


def page_drawn_by(draw: Callable[..., object], *arguments: object) -> AppTest:
    """A page of what a function draws, about to run for the first time."""
    return AppTest.from_function(draw, args=arguments, default_timeout=PATIENCE_SECONDS)
