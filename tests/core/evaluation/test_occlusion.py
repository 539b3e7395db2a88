"""Occlusion maps: covered with the mean colour, laid over the image, and told apart from a naive loop."""

import numpy as np
import pytest

from tests.results_lab import pictures
from wbc_core.errors import WbcError
from wbc_core.evaluation.occlusion import check_patch, default_patch, occlusion_drops, occlusion_map


class _Corner:
    """A classifier of images by the brightness of their top left corner, 4 x 4 pixels."""

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        bright = images[:, :4, :4].astype(np.float64).mean(axis=(1, 2, 3)) / 255
        return np.stack([bright, 1 - bright], axis=1).astype(np.float32)


def test_only_what_covers_the_corner_matters() -> None:
    image = pictures([1])[0][:18, :20]
    image[:4, :4] = 255
    fractions: list[float] = []
    drops = occlusion_drops(_Corner(), image, 4, 3, lambda done, _: fractions.append(done))  # type: ignore[arg-type]
    assert drops.shape == (2, 6, 7)
    assert fractions[-1] == 1.0
    covered = image.copy()
    covered[:4, :4] = np.rint(image.mean(axis=(0, 1)))
    lost = _Corner().predict_on_batch(np.stack([image, covered]))
    np.testing.assert_allclose(drops[:, 0, 0], lost[0] - lost[1], atol=1e-6)
    np.testing.assert_allclose(drops[0], -drops[1], atol=1e-6)
    assert drops[0, 0, 0] > 0.2
    assert not drops[:, 2:, :].any()
    assert not drops[:, :, 2:].any()


def test_the_map_is_the_mean_over_what_covers_a_pixel() -> None:
    generator = np.random.default_rng(0)
    drops = generator.uniform(-1, 1, (4, 5)).astype(np.float32)  # begins 0 3 6 8 down, 0 3 6 9 11 across
    drawn = occlusion_map(drops, (12, 15, 3), 4, 3)
    assert (drawn.shape, drawn.dtype) == ((12, 15), np.float32)
    for y in range(12):
        for x in range(15):
            down = [i for i, top in enumerate((0, 3, 6, 8)) if top <= y < top + 4]
            across = [j for j, left in enumerate((0, 3, 6, 9, 11)) if left <= x < left + 4]
            assert drawn[y, x] == pytest.approx(drops[np.ix_(down, across)].mean(), abs=1e-6)


@pytest.mark.parametrize(("patch", "stride"), [(0, 1), (33, 1), (8, 9), (8, 0)])
def test_patches_that_do_not_fit_are_refused(patch: int, stride: int) -> None:
    with pytest.raises(WbcError, match="occlusion patch"):
        check_patch((32, 40, 3), patch, stride)


@pytest.mark.parametrize("side", [2, 5, 32, 96, 224])
def test_the_default_patch_fits(side: int) -> None:
    check_patch((side, side, 3), *default_patch((side, side, 3)))
