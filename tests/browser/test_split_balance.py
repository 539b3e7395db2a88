"""The Split & balance page in a real browser: the factor that moves there, counts by hand, hostile names."""

import contextlib

import numpy as np
import pytest
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.conftest import Lab, Open
from wbc_core.augment.prepare import train_rows
from wbc_core.balance import smote_examples
from wbc_core.balance.realism import GHOST, ghost_scores
from wbc_core.balance.smote import SmoteDraw, interpolate
from wbc_core.datasets.store import open_images
from wbc_core.records import Dataset, Split
from wbc_core.splitting import make_split

_PIXELS = (
    """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)"""
)


@pytest.fixture
def split(lab: Lab, demo: Dataset) -> Split:
    return make_split(lab.workspace, demo.id)


def path(split: Split, more: str = "") -> str:
    return f"/split_balance?dataset={split.dataset}&split={split.id}{more}"


def slide(page: Page, factor: float) -> None:
    page.get_by_role("slider", name="Factor").evaluate(
        "(range, value) => { range.value = value; range.dispatchEvent(new Event('input')); }", factor
    )


def test_the_factor_moves_in_the_browser_byte_for_byte_as_smote_computes_it(
    lab: Lab, demo: Dataset, split: Split, open_page: Open
) -> None:
    images = open_images(lab.workspace, demo.id)
    rows = train_rows(lab.workspace, split.id, len(demo.class_names))
    label = demo.class_names.index("neutrophil")
    drawn = smote_examples(images, rows, label, 0, 120)
    page = open_page(path(split, "&smote_class=neutrophil"))
    canvas = page.locator(".blend canvas")
    # The drawn factor first, to all its digits; then those that a person moves to.
    page.get_by_text(f"sample, row {drawn.base[0]}", exact=True).wait_for()
    page.get_by_text(f"synthetic at {drawn.factor[0]:.2f}", exact=False).wait_for()
    page.wait_for_timeout(500)
    for factor in (float(drawn.factor[0]), 0.0, 0.37, 0.5, 1.0):
        if factor != drawn.factor[0]:
            slide(page, factor)
        one = SmoteDraw(drawn.base[:1], drawn.neighbour[:1], np.array([factor]))
        shown = np.array(canvas.evaluate(_PIXELS), dtype=np.uint8).reshape(96, 96, 4)
        np.testing.assert_array_equal(shown[..., :3], interpolate(images, one, 0, 1)[0])
        score = ghost_scores(images, one)[0]
        assert f"ghost score {score:.2f}" in page.locator(".made figcaption").inner_text()
        assert page.locator(".made.ghost").count() == int(score >= GHOST)
    page.get_by_role("slider", name="Factor").press("ArrowLeft")
    assert "synthetic at 0.99" in page.locator(".made figcaption").inner_text()


def test_a_count_typed_into_the_table_is_the_class_s_and_outlives_a_reload(
    split: Split, open_page: Open
) -> None:
    page = open_page(path(split))
    # Drawn last: from then on nothing moves.
    page.get_by_text("Ghosts of each class").first.wait_for()
    grid, cell = page.locator("[data-testid=stDataFrame]").first, page.locator("input.gdg-input")
    grid.scroll_into_view_if_needed()

    # The first line of the last column; the grid is a canvas, and a busy page may still move under the click.
    for _ in range(20):
        box = grid.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 40, box["y"] + 35 + 17)
        page.keyboard.press("Enter")
        with contextlib.suppress(PlaywrightTimeout):
            cell.wait_for(timeout=3_000)
            break
    cell.fill("77")
    page.keyboard.press("Enter")
    page.wait_for_url("**balance_parameters=*77*")
    after = sum(split.parts["train"])
    largest = max(split.parts["train"])
    expected = f"{largest * len(split.parts['train']) - largest + 77:,}"
    assert after < largest * len(split.parts["train"])
    metric = page.locator("[data-testid=stMetric]", has_text="After")
    metric.get_by_text(expected, exact=True).wait_for()
    page.reload()
    metric.get_by_text(expected, exact=True).wait_for()


def test_hostile_names_are_text(lab: Lab, hostile: Dataset, open_page: Open) -> None:
    page = open_page(path(make_split(lab.workspace, hostile.id)))
    page.get_by_text("Ghosts of each class").first.wait_for()
    page.wait_for_timeout(1500)
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src=x]").count() == 0
