"""The figure of a recipe: size, resolution, labels."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFont

from wbc_core.augment.figure import as_png, figure, size_in_words, wrapped


@pytest.mark.parametrize(("columns", "side"), [(1, 96), (8, 96), (8, 28), (40, 64)])
def test_a_figure_is_17_cm_wide_at_300_dpi(columns: int, side: int) -> None:
    pictures = np.full((columns, side, side, 3), 90, dtype=np.uint8)
    heads = [f"immature granulocyte {column}" for column in range(columns)]
    sheet = figure(heads, [("Original", pictures), ("Random saturation", pictures)], "mine, seed 0")
    written = Image.open(io.BytesIO(as_png(sheet, {"Recipe": '{"name": "mine"}'})))
    assert written.width == round(17 / 2.54 * 300)
    assert written.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert written.info["Recipe"] == '{"name": "mine"}'
    assert size_in_words(sheet).startswith("17.0 x ")
    pixels = np.asarray(written)
    assert (pixels[:, :200] < 128).any()
    assert (pixels == 90).all(axis=2).sum() > 2 * columns * 30**2


def test_words_that_are_too_long_lose_their_end() -> None:
    font = ImageFont.load_default(33)
    lines = wrapped("x" * 400 + " and more", font, 200)
    assert all(font.getlength(line) <= 200 for line in lines)
    assert lines[0].endswith("…")
    assert wrapped("", font, 200) == [""]
