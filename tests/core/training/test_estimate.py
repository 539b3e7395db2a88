"""The cost foreseen follows the images and the backbone."""

import pytest

from wbc_core.training.estimate import estimate, estimate_run
from wbc_core.training.spec import RunSpec


def test_the_estimate_grows_with_images_and_epochs() -> None:
    cnn, mobilenet = (RunSpec("pr-0123456789ab", name, epochs=10) for name in ("cnn", "mobilenet_v3_small"))
    assert estimate(cnn, 2000, 0) == pytest.approx(2 * estimate(cnn, 1000, 0))
    assert estimate(cnn, 1000, 500) > estimate(cnn, 1000, 0)
    assert estimate(mobilenet, 1000, 0) > estimate(cnn, 1000, 0)
    assert estimate_run(cnn, 1000, 0) > 10 * estimate(cnn, 1000, 0)
