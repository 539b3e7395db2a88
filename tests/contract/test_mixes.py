"""Every registered mix: two images in, one out, and a label share that is its share of the pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wbc_core.augment.mixes import MIXES
from wbc_core.augment.operations.kinds import Drawn
from wbc_core.errors import WbcError

names = pytest.mark.parametrize("name", MIXES.names())


def draw(name: str, count: int, shape: tuple[int, int, int], seed: int = 0, **parameters: float) -> Drawn:
    return MIXES.get(name).sample(np.random.default_rng(seed), count, shape, **parameters)


def black_and_white(count: int, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    black = np.zeros((count, height, width, 3), np.uint8)
    return black, np.full_like(black, 255)


@names
@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_the_share_of_the_label_is_the_share_of_the_pixels(
    name: str, count: int, height: int, width: int, seed: int
) -> None:
    images, partners = black_and_white(count, height, width)
    mixed, share = MIXES.get(name).mix(images, partners, draw(name, count, (height, width, 3), seed))
    assert mixed.shape == images.shape
    assert mixed.dtype == np.uint8
    assert ((share >= 0) & (share <= 1)).all()
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)) / 255, share, atol=0.51 / 255)
    assert (images == 0).all()


@names
def test_the_same_values_whatever_follows_and_image_by_image(name: str) -> None:
    few, many = draw(name, 5, (24, 24, 3)), draw(name, 9, (24, 24, 3))
    generator = np.random.default_rng(1)
    images, partners = generator.integers(0, 256, size=(2, 9, 24, 24, 3), dtype=np.uint8)
    whole, share = MIXES.get(name).mix(images, partners, many)
    for key, values in few.items():
        np.testing.assert_array_equal(values, many[key][:5])
    some = np.array([7, 2])
    part, part_share = MIXES.get(name).mix(
        images[some], partners[some], {key: values[some] for key, values in many.items()}
    )
    np.testing.assert_array_equal(part, whole[some])
    np.testing.assert_array_equal(part_share, share[some])


@names
def test_a_larger_alpha_mixes_more_evenly(name: str) -> None:
    images, partners = black_and_white(400, 32, 32)
    evenness = []
    for alpha in (0.1, 2.0):
        _, share = MIXES.get(name).mix(images, partners, draw(name, 400, (32, 32, 3), alpha=alpha))
        evenness.append((share * (1 - share)).mean())
    assert evenness[1] > 1.3 * evenness[0]


@names
def test_a_mix_explains_itself_and_refuses_a_wrong_setting(name: str) -> None:
    mix = MIXES.get(name)
    assert mix.name == name
    assert mix.effect.endswith(".")
    assert mix.caption(draw(name, 1, (24, 24, 3)), 0)
    with pytest.raises(WbcError, match="alpha"):
        mix.checked({"alpha": -1})
