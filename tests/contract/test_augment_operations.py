"""What every augmentation operation promises, and how near it comes to Keras' own layers."""

import numpy as np
import pytest

from wbc_core.augment.operations import OPERATIONS
from wbc_core.errors import WbcError

SHAPE = (24, 20, 3)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (8, *SHAPE), dtype=np.uint8)
    noise[1] = generator.integers(90, 140, SHAPE)
    noise[2] = 77  # flat
    noise[3, ..., 1] = 200  # one flat channel
    noise[4] = 0
    noise[5] = 255
    return noise


@pytest.mark.parametrize("name", OPERATIONS.names())
class TestOperation:
    def test_gives_uint8_of_the_same_shape_and_leaves_its_input(self, name: str, images: np.ndarray) -> None:
        before = images.copy()
        operation = OPERATIONS.get(name)
        result = operation.apply(images, operation.sample(np.random.default_rng(0), len(images), SHAPE))
        assert result.dtype == np.uint8
        assert result.shape == images.shape
        assert not np.shares_memory(result, images)
        np.testing.assert_array_equal(images, before)

    def test_same_seed_same_bytes(self, name: str, images: np.ndarray) -> None:
        operation = OPERATIONS.get(name)
        once, again = (
            operation.apply(images, operation.sample(np.random.default_rng(5), len(images), SHAPE))
            for _ in range(2)
        )
        np.testing.assert_array_equal(once, again)

    def test_each_image_depends_on_its_own_draw_only(self, name: str, images: np.ndarray) -> None:
        operation = OPERATIONS.get(name)
        many = operation.sample(np.random.default_rng(5), 8, SHAPE)
        few = operation.sample(np.random.default_rng(5), 3, SHAPE)
        for key, values in many.items():
            assert values.dtype == np.float64
            assert values.shape == (8,)
            np.testing.assert_array_equal(values[:3], few[key])
        np.testing.assert_array_equal(operation.apply(images, many)[:3], operation.apply(images[:3], few))

    def test_takes_an_empty_batch(self, name: str, images: np.ndarray) -> None:
        operation = OPERATIONS.get(name)
        drawn = operation.sample(np.random.default_rng(0), 0, SHAPE)
        assert operation.apply(images[:0], drawn).shape == (0, *SHAPE)

    def test_parameters_are_described_and_checked(self, name: str, images: np.ndarray) -> None:
        operation = OPERATIONS.get(name)
        assert operation.title
        assert operation.effect.endswith(".")
        assert operation.source
        for parameter in operation.parameters:
            assert parameter.low <= parameter.default <= parameter.high
            assert parameter.step > 0
            assert parameter.unit
            assert parameter.effect
            for value in (parameter.low, parameter.high):
                drawn = operation.sample(np.random.default_rng(0), 8, SHAPE, **{parameter.name: value})
                operation.apply(images, drawn)
            for wrong in (parameter.high + 1, parameter.low - 1, float("nan"), "1", True, None):
                with pytest.raises(WbcError, match=parameter.name):
                    operation.checked({parameter.name: wrong})
        with pytest.raises(WbcError, match="__class__"):
            operation.checked({"__class__": 1})

    def test_caption_tells_images_apart(self, name: str, images: np.ndarray) -> None:
        operation = OPERATIONS.get(name)
        drawn = operation.sample(np.random.default_rng(0), 8, SHAPE)
        captions = {operation.caption(drawn, position) for position in range(8)}
        assert len(captions) > 1 or not drawn
        assert "" not in captions


def largest_difference(ours: np.ndarray, theirs: object) -> int:
    rounded = np.clip(np.rint(np.asarray(theirs)), 0, 255)
    return int(np.abs(ours.astype(int) - rounded.astype(int)).max())


def test_auto_contrast_is_keras_to_one_level(images: np.ndarray) -> None:
    keras = pytest.importorskip("keras")
    theirs = keras.layers.AutoContrast()(images.astype("float32"))
    assert largest_difference(OPERATIONS.get("auto_contrast").apply(images, {}), theirs) <= 1


def test_random_saturation_is_keras_to_one_level(images: np.ndarray) -> None:
    keras = pytest.importorskip("keras")
    operation = OPERATIONS.get("random_saturation")
    drawn = operation.sample(np.random.default_rng(0), 8, SHAPE, factor_low=0.0, factor_high=1.0)
    # On 0..255 Keras' layer does not cap the saturation at 1; on 0..1 it does.
    layer = keras.layers.RandomSaturation((0.0, 1.0), value_range=(0, 1))
    theirs = layer.transform_images(
        images.astype("float32") / 255, {"factor": drawn["gain"].astype("float32")}
    )
    assert largest_difference(operation.apply(images, drawn), 255 * np.asarray(theirs)) <= 1


def test_solarization_is_keras_exactly(images: np.ndarray) -> None:
    keras = pytest.importorskip("keras")
    operation = OPERATIONS.get("solarization")
    drawn = operation.sample(np.random.default_rng(0), 8, SHAPE, addition_factor=0.4)
    given = {
        "additions": drawn["addition"].astype("float32")[:, None, None, None],
        "thresholds": drawn["threshold"].astype("float32")[:, None, None, None],
    }
    theirs = keras.layers.Solarization().transform_images(images.astype("float32"), given)
    assert largest_difference(operation.apply(images, drawn), theirs) == 0


@pytest.mark.filterwarnings("ignore")  # keras_cv warns of itself while it is imported
def test_random_cutout_is_keras_cv_exactly(images: np.ndarray) -> None:
    keras_cv = pytest.importorskip("keras_cv")
    operation = OPERATIONS.get("random_cutout")
    for seed in range(20):
        drawn = operation.sample(np.random.default_rng(seed), 8, SHAPE, height_factor=1.0, width_factor=1.0)
        given = {
            "centers_x": drawn["centre_x"].astype("int32"),
            "centers_y": drawn["centre_y"].astype("int32"),
            "rectangles_height": drawn["height"].astype("int32"),
            "rectangles_width": drawn["width"].astype("int32"),
        }
        layer = keras_cv.layers.RandomCutout(1.0, 1.0, fill_value=0.0)
        theirs = layer.augment_images(images.astype("float32"), transformations=given)
        assert largest_difference(operation.apply(images, drawn), theirs) == 0
