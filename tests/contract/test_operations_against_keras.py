"""How near the operations come to the layers of Keras and KerasCV at equal parameters, on noise, the hardest
image to interpolate. Each test states the largest difference in grey levels."""

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.operations.elastic import displacement
from wbc_core.augment.operations.kinds import Drawn
from wbc_core.augment.operations.rand_augment import POLICY, RATE

SHAPE = (24, 20, 3)
COUNT = 8

# KerasCV warns of itself while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="module")
def floats(images: np.ndarray) -> np.ndarray:
    return images.astype("float32")


@pytest.fixture(scope="module")
def layers() -> Any:
    return pytest.importorskip("keras").layers


@pytest.fixture(scope="module")
def cv_layers() -> Any:
    return pytest.importorskip("keras_cv").layers


def draw(name: str, **parameters: float) -> Drawn:
    return OPERATIONS.get(name).sample(np.random.default_rng(1), COUNT, SHAPE, **parameters)


def column(values: np.ndarray) -> np.ndarray:
    return values.astype("float32")[:, None]


def each(values: np.ndarray) -> np.ndarray:
    return values.astype("float32")[:, None, None, None]


def difference(name: str, images: np.ndarray, drawn: Drawn, theirs: Any, edge: int = 0) -> int:
    """Largest difference from ours; an edge is left out where the two fill it in different ways."""
    rounded = np.clip(np.rint(np.asarray(theirs)), 0, 255)
    apart = np.abs(OPERATIONS.get(name).apply(images, drawn).astype(int) - rounded.astype(int))
    return int(apart[:, edge : SHAPE[0] - edge, edge : SHAPE[1] - edge].max())


def test_flip(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("flip")
    flips = {"horizontal": each(drawn["horizontal"]) > 0, "vertical": each(drawn["vertical"]) > 0}
    theirs = floats
    for mode, chosen in flips.items():
        layer = layers.RandomFlip(mode)
        theirs = layer.transform_images(theirs, {"flips": chosen, "input_shape": theirs.shape})
    assert difference("flip", images, drawn, theirs) == 0


def test_quarter_turns(layers: Any) -> None:
    square = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    turned = OPERATIONS.get("quarter_turns").apply(square, {"turns": np.arange(4.0)})
    for turns in range(4):
        np.testing.assert_array_equal(turned[turns], np.rot90(square[turns], turns))


def test_rotation(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("rotation")
    layer = layers.RandomRotation(0.5)
    still, one = np.zeros(COUNT, "float32"), np.ones(COUNT, "float32")
    matrix = layer._compute_affine_matrix(
        0.5, 0.5, drawn["degrees"].astype("float32"), still, still, one, still, still, *SHAPE[:2]
    )
    theirs = layer.transform_images(floats, {"rotation_matrix": matrix})
    assert difference("rotation", images, drawn, theirs) <= 1


def test_translation(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("translation", height_factor=0.4, width_factor=0.4)
    moves = np.stack([drawn["right"], drawn["down"]], axis=1).astype("float32")
    given = {"translations": moves, "input_shape": floats.shape}
    theirs = layers.RandomTranslation(0.4, 0.4).transform_images(floats, given)
    assert difference("translation", images, drawn, theirs) <= 1


def test_zoom(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("zoom", zoom_in=0.5, zoom_out=0.5)
    given = {
        "height_zoom": column(drawn["extent"]),
        "width_zoom": column(drawn["extent"]),
        "input_shape": floats.shape,
    }
    theirs = layers.RandomZoom(0.5).transform_images(floats, given)
    assert difference("zoom", images, drawn, theirs) <= 1


def test_shear(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("shear", x_factor=0.5, y_factor=0.5)
    given = {
        "shear_factor": np.stack([drawn["across"], drawn["down"]], axis=1).astype("float32"),
        "input_shape": floats.shape,
    }
    theirs = layers.RandomShear(0.5, 0.5, fill_mode="reflect").transform_images(floats, given)
    assert difference("shear", images, drawn, theirs) <= 1


def test_crop_and_resize(images: np.ndarray, floats: np.ndarray, cv_layers: Any) -> None:
    drawn = draw("crop_and_resize", area=0.2, stretch=1.5)
    layer = cv_layers.RandomCropAndResize(SHAPE[:2], (0.2, 1.0), (0.6, 1.5))
    for position in range(COUNT):
        top, left, height, width = (drawn[name][position] for name in ("top", "left", "height", "width"))
        box = np.array([[top, left, top + height, left + width]], dtype="float32")
        theirs = layer.augment_image(floats[position], transformation=box)
        own = {name: values[position : position + 1] for name, values in drawn.items()}
        assert difference("crop_and_resize", images[position : position + 1], own, theirs[None]) <= 1


def test_elastic(images: np.ndarray, floats: np.ndarray) -> None:
    # Keras bends right and down by one field, drawn inside: so the field here is ours, the sampling theirs.
    ops = pytest.importorskip("keras").ops
    drawn = draw("elastic", distance=3.0, smoothness=2.0)
    ours = OPERATIONS.get("elastic").apply(images, drawn)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype("float32")
    for position in range(COUNT):
        field = displacement(drawn, position, *SHAPE[:2])
        down, right = rows + field[..., 1], columns + field[..., 0]
        # Keras' map_coordinates goes wrong beyond the edge; SciPy's does not.
        inside = (down >= 0) & (down <= SHAPE[0] - 1) & (right >= 0) & (right <= SHAPE[1] - 1)
        for channel in range(3):
            mine, image = ours[position, ..., channel], floats[position, ..., channel]
            keras = ops.image.map_coordinates(image, np.stack([down, right]), order=1, fill_mode="reflect")
            assert np.abs(np.rint(keras) - mine)[inside].max() <= 1
            scipy = ndimage.map_coordinates(image, [down, right], order=1, mode="reflect")
            assert np.abs(np.rint(scipy) - mine).max() <= 1


def test_brightness(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("brightness", factor=1.0)
    theirs = layers.RandomBrightness(1.0).transform_images(floats, {"rgb_delta": each(drawn["addition"])})
    assert difference("brightness", images, drawn, theirs) == 0


def test_contrast(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("contrast", factor=1.0)
    given = {"contrast_factor": each(drawn["gain"])}
    theirs = layers.RandomContrast(1.0, value_range=(0, 255)).transform_images(floats, given)
    assert difference("contrast", images, drawn, theirs) <= 1


def test_posterize(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("posterize", bits_low=1.0, bits_high=8.0)
    given = {"shift_factor": (8 - drawn["bits"]).astype("uint8")}
    theirs = layers.RandomPosterization((1, 8)).transform_images(floats, given)
    assert difference("posterize", images, drawn, theirs) == 0


def test_equalize(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    # Image by image: in a batch, Keras takes one histogram of all. A flat channel it makes black, ours stays.
    theirs = np.stack([layers.Equalization()(image) for image in floats])
    assert difference("equalize", images, {}, theirs) <= 1


def test_hue(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("hue", factor=1.0)
    given = {"factor": (drawn["degrees"] / 360).astype("float32")}
    theirs = layers.RandomHue(1.0, value_range=(0, 255)).transform_images(floats, given)
    assert difference("hue", images, drawn, theirs) <= 1


def test_grayscale(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("grayscale", factor_low=0.0)
    theirs = layers.RandomColorDegeneration(1.0).transform_images(floats, {"factor": each(drawn["amount"])})
    assert difference("grayscale", images, drawn, theirs) <= 1
    grey = {"amount": np.ones(COUNT)}
    theirs = layers.RandomGrayscale(1.0).transform_images(floats, np.ones((COUNT, 1, 1, 1), bool))
    assert difference("grayscale", images, grey, theirs) <= 1


def test_channel_shift(images: np.ndarray, floats: np.ndarray, cv_layers: Any) -> None:
    drawn = draw("channel_shift", factor=1.0)
    layer = cv_layers.RandomChannelShift((0, 255), 1.0)
    for position in range(COUNT):
        shifts = [float(drawn[name][position]) / 255 for name in ("red", "green", "blue")]
        theirs = layer.augment_image(floats[position], transformation=shifts)
        own = {name: values[position : position + 1] for name, values in drawn.items()}
        assert difference("channel_shift", images[position : position + 1], own, theirs[None]) <= 1


def test_sharpness(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    drawn = draw("sharpness")
    given = {"factor": drawn["factor"].astype("float32")}
    theirs = layers.RandomSharpness(1.0).transform_images(floats, given)
    # Keras takes black for what lies beyond the edge.
    assert difference("sharpness", images, drawn, theirs, edge=1) <= 1


def test_gaussian_blur(images: np.ndarray, floats: np.ndarray, layers: Any) -> None:
    for sigma, size in ((0.3, 3), (0.9, 7), (1.5, 11)):
        drawn = {"sigma": np.full(COUNT, sigma)}
        given = {
            "should_apply_blur": np.ones(COUNT, bool),
            "blur_factor": np.full(2, sigma, dtype="float32"),
        }
        theirs = layers.RandomGaussianBlur(kernel_size=size).transform_images(floats, given)
        # Keras takes black for what lies beyond the edge.
        assert difference("gaussian_blur", images, drawn, theirs, edge=size // 2) <= 1


def test_gaussian_noise(layers: Any) -> None:
    grey = np.full((COUNT, 64, 64, 3), 128, dtype=np.uint8)
    operation = OPERATIONS.get("gaussian_noise")
    drawn = operation.sample(
        np.random.default_rng(0), COUNT, grey.shape[1:], deviation_low=10.0, deviation_high=10.0
    )
    ours = operation.apply(grey, drawn) - 128.0
    # Keras takes deviations of 0..1 only, for images of that range.
    layer = layers.GaussianNoise(10 / 255, seed=0)
    theirs = np.rint(255 * np.asarray(layer(grey.astype("float32") / 255, training=True))) - 128
    for noise in (ours, theirs):
        assert abs(noise.mean()) < 0.15
        assert abs(noise.std() - 10) < 0.1
        assert abs(np.mean(np.abs(noise) < 10) - 0.657) < 0.01
    pairs = [np.corrcoef(ours[0, ..., 0].ravel(), ours[1, ..., channel].ravel())[0, 1] for channel in (0, 1)]
    assert max(map(abs, pairs)) < 0.06


def test_jpeg_quality(images: np.ndarray, floats: np.ndarray, cv_layers: Any) -> None:
    io = pytest.importorskip("tensorflow").io
    drawn = draw("jpeg_quality", quality_low=10.0, quality_high=95.0)
    layer = cv_layers.RandomJpegQuality((10, 95))
    layer_images, exact_images = [], []
    for image, quality in zip(images, drawn["quality"].astype(int), strict=True):
        layer_images.append(layer.augment_image(image.astype("float32") / 255, transformation=int(quality)))
        file = io.encode_jpeg(image, quality=int(quality))
        exact_images.append(io.decode_jpeg(file, dct_method="INTEGER_ACCURATE"))
    # The files are the same; KerasCV reads them with the fast, less exact transform.
    assert difference("jpeg_quality", images, drawn, np.stack(exact_images)) <= 1
    assert difference("jpeg_quality", images, drawn, 255 * np.stack(layer_images)) <= 8


def test_grid_mask(images: np.ndarray, floats: np.ndarray, cv_layers: Any) -> None:
    drawn = draw("grid_mask", degrees=0.0, ratio=1.0)
    layer = cv_layers.GridMask(rotation_factor=0.0)

    class Given:
        """Stands where the layer draws its random numbers: unit, x and y, in this order."""

        def __init__(self, position: int) -> None:
            self.values = iter([drawn[name][position] for name in ("unit", "x", "y")])

        def uniform(self, **_: Any) -> np.float32:
            return np.float32(next(self.values))

    for position in range(COUNT):
        layer._random_generator = Given(position)
        ratio = np.float32(drawn["square"][position] / drawn["unit"][position])
        layer.ratio_factor = lambda ratio=ratio: ratio
        mask, fill = layer.get_random_transformation(image=floats[position])
        theirs = layer.augment_image(floats[position], transformation=(mask, fill))
        own = {name: values[position : position + 1] for name, values in drawn.items()}
        assert difference("grid_mask", images[position : position + 1], own, theirs[None]) == 0


def test_rand_augment_draws_as_keras_cv_does(cv_layers: Any) -> None:
    policy = pytest.importorskip("keras_cv.src.layers.preprocessing.rand_augment")
    count = 20_000
    drawn = OPERATIONS.get("rand_augment").sample(
        np.random.default_rng(0), count, SHAPE, operations=2.0, magnitude=0.4, spread=0.2
    )
    layer = cv_layers.RandAugment((0, 255), magnitude=0.4, magnitude_stddev=0.2)
    assert len(layer.layers) == len(POLICY)
    assert layer.rate == RATE
    for step in range(2):
        chosen = drawn[f"operation_{step}"]
        shares = np.bincount(chosen.astype(int) + 1, minlength=len(POLICY) + 1) / count
        np.testing.assert_allclose(shares, [1 - RATE, *[RATE / len(POLICY)] * len(POLICY)], atol=0.01)
    theirs = policy.create_rand_augment_policy(0.4, 0.2)
    keys = [
        ("solarize", "addition_factor", "first_0", 255),
        ("solarize", "threshold_factor", "second_0", 255),
        ("colour", "factor", "first_0", 1),
        ("shear x", "x_factor", "first_0", 1),
        ("shear y", "y_factor", "first_0", 1),
    ]
    for name, key, column_name, span in keys:
        own = {"colour": "color"}.get(name, name.replace(" ", "_"))
        expected = np.asarray(theirs[own][key](shape=(count,)))
        index = [entry[0] for entry in POLICY].index(name)
        values = np.abs(drawn[column_name][drawn["operation_0"] == index])
        quantiles = np.linspace(0.05, 0.95, 10)
        apart = np.quantile(values, quantiles) - np.quantile(expected, quantiles)
        assert np.abs(apart).max() <= 0.05 * span
    for index, span in ((4, 0.4), (5, 255 * 0.4), (8, 0.4 * SHAPE[1]), (9, 0.4 * SHAPE[0])):
        values = drawn["first_0"][drawn["operation_0"] == index] - (index == 4)
        assert -span <= values.min() < -0.95 * span
        assert 0.95 * span < values.max() <= span


def test_rand_augment_applies_what_was_drawn(images: np.ndarray) -> None:
    # One after the other, each the registry's own, which the tests above compare with the layers.
    operation = OPERATIONS.get("rand_augment")
    drawn = operation.sample(np.random.default_rng(3), COUNT, SHAPE, operations=3.0)
    result = operation.apply(images, drawn)
    for position in range(COUNT):
        expected = images[position : position + 1]
        for step in range(3):
            index = int(drawn[f"operation_{step}"][position])
            if index >= 0:
                _, own, named = POLICY[index]
                first, second = (drawn[f"{name}_{step}"][[position]] for name in ("first", "second"))
                expected = own.apply(expected, named(first, second))
        np.testing.assert_array_equal(result[position], expected[0])
