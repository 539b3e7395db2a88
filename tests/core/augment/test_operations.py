"""The operations by hand, on pictures of a few pixels."""

import numpy as np

from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.preview import preview
from wbc_core.augment.recipe import PRESETS


def pixels(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.array(colours, dtype=np.uint8).reshape(1, 1, -1, 3)


def test_auto_contrast_stretches_each_channel() -> None:
    images = pixels((100, 50, 7), (150, 60, 7), (200, 55, 7))
    result = OPERATIONS.get("auto_contrast").apply(images, {})
    assert result.reshape(-1, 3).tolist() == [[0, 0, 7], [128, 255, 7], [255, 128, 7]]


def test_saturation_of_zero_is_grey_and_of_one_unchanged() -> None:
    images = pixels((200, 100, 50), (10, 20, 30))
    operation = OPERATIONS.get("random_saturation")
    grey = operation.apply(images, {"gain": np.array([0.0])})
    assert grey.reshape(-1, 3).tolist() == [[200] * 3, [30] * 3]
    np.testing.assert_array_equal(operation.apply(images, {"gain": np.array([1.0])}), images)
    strongest = operation.apply(images, {"gain": np.array([1e7])})
    assert strongest.reshape(-1, 3).tolist() == [[200, 67, 0], [0, 15, 30]]


def test_solarization_inverts_from_the_threshold_up() -> None:
    images = pixels((0, 99, 100), (101, 200, 255))
    drawn = {"addition": np.array([0.0]), "threshold": np.array([100.0])}
    result = OPERATIONS.get("solarization").apply(images, drawn)
    assert result.reshape(-1).tolist() == [0, 99, 155, 154, 55, 0]


def test_cutout_covers_the_drawn_rectangle_and_is_cut_at_the_border() -> None:
    images = np.full((2, 6, 6, 3), 9, dtype=np.uint8)
    drawn = {
        "centre_x": np.array([3.0, 0.0]),
        "centre_y": np.array([2.0, 5.0]),
        "width": np.array([2.0, 4.0]),
        "height": np.array([3.0, 4.0]),
        "fill": np.array([0.0, 255.0]),
    }
    result = OPERATIONS.get("random_cutout").apply(images, drawn)
    expected = np.full((2, 6, 6, 3), 9, dtype=np.uint8)
    expected[0, 1:4, 2:4] = 0
    expected[1, 3:, :2] = 255
    np.testing.assert_array_equal(result, expected)


def test_stain_jitter_is_the_formula_in_optical_density() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    operation = OPERATIONS.get("stain_jitter")
    still = operation.sample(np.random.default_rng(0), 3, (9, 9, 3), gain=0.0, shift=0.0)
    np.testing.assert_array_equal(operation.apply(images, still), images)
    drawn = operation.sample(np.random.default_rng(0), 3, (9, 9, 3), gain=0.5, shift=0.2)
    dyes = np.array([[0.834750233, 0.513556283, 0.196330403], [0.092789, 0.954111, 0.283111]])
    dyes = np.vstack([dyes, np.cross(*dyes)])
    dyes /= np.linalg.norm(dyes, axis=1, keepdims=True)
    amounts = -np.log((images.astype(float) + 1) / 256) @ np.linalg.inv(dyes)
    for column, name in enumerate(("blue", "eosin")):
        amounts[..., column] *= drawn[f"{name}_gain"][:, None, None]
        amounts[..., column] += drawn[f"{name}_shift"][:, None, None]
    expected = np.clip(np.rint(256 * np.exp(-amounts @ dyes) - 1), 0, 255)
    assert np.abs(operation.apply(images, drawn) - expected).max() <= 1


def test_more_of_a_dye_darkens_the_colour_it_takes_away() -> None:
    images = np.full((2, 4, 4, 3), 150, dtype=np.uint8)
    one, none = np.ones(2), np.zeros(2)
    drawn = {
        "blue_gain": one,
        "eosin_gain": one,
        "blue_shift": np.array([0.3, 0]),
        "eosin_shift": none.copy(),
    }
    drawn["eosin_shift"][1] = 0.3
    (blue, eosin) = 150 - OPERATIONS.get("stain_jitter").apply(images, drawn)[:, 0, 0].astype(int)
    assert blue[0] > blue[1] > blue[2] > 0  # methylene blue takes red, eosin takes green
    assert eosin[1] > eosin[2] > eosin[0] > 0


def test_illumination_falls_off_towards_the_other_side() -> None:
    images = np.full((3, 5, 5, 3), 100, dtype=np.uint8)
    drawn = {"change": np.array([0.5, 0.5, 0.0]), "degrees": np.array([0.0, 90.0, 45.0])}
    right, up, none = OPERATIONS.get("illumination_gradient").apply(images, drawn)[..., 0]
    assert right[0].tolist() == [65, 82, 100, 118, 135]
    assert (right == right[0]).all()
    np.testing.assert_array_equal(up, np.rot90(right))
    assert (none == 100).all()


def test_noise_is_an_image_s_own_and_rounds_to_nothing_at_zero() -> None:
    images = np.full((2, 8, 8, 3), 100, dtype=np.uint8)
    operation = OPERATIONS.get("gaussian_noise")
    drawn = {"deviation": np.array([5.0, 5.0]), "seed": np.array([1.0, 2.0**53 - 1])}
    first, second = operation.apply(images, drawn)
    assert (first != second).any()
    np.testing.assert_array_equal(
        operation.apply(images[1:], {k: v[1:] for k, v in drawn.items()})[0], second
    )
    np.testing.assert_array_equal(operation.apply(images, drawn | {"deviation": np.zeros(2)}), images)


def test_captions_say_what_was_drawn() -> None:
    def caption(name: str, **drawn: float) -> str:
        return OPERATIONS.get(name).caption({key: np.array([value]) for key, value in drawn.items()}, 0)

    assert caption("flip", horizontal=1, vertical=1) == "mirrored left-right and up-down"
    assert caption("flip", horizontal=0, vertical=0) == "as it is"
    assert caption("quarter_turns", turns=3) == "turned by 270°"
    assert caption("zoom", extent=0.8) == "size x 1.25"
    assert caption("rand_augment", operation_0=5, first_0=3, second_0=0) == "brightness"
    assert caption("rand_augment", operation_0=-1, first_0=0, second_0=0) == "as it is"


def test_quarter_turns_keep_the_shape_of_an_oblong() -> None:
    drawn = OPERATIONS.get("quarter_turns").sample(np.random.default_rng(0), 50, (4, 6, 3))
    assert set(drawn["turns"]) == {0.0, 2.0}


def test_preview_depends_on_the_place_and_the_seed_only() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    operations = PRESETS.get("an2dl").operations
    whole = preview(images, operations, 3)
    assert [name for name, _, _ in whole] == [operation.name for operation in operations]
    for (_, every, _), (_, some, _) in zip(
        whole, preview(images[[4, 1]], operations, 3, positions=[4, 1]), strict=True
    ):
        np.testing.assert_array_equal(every[[4, 1]], some)
    redrawn = preview(images, operations, 4)
    assert any((a[1] != b[1]).any() for a, b in zip(whole, redrawn, strict=True))
    assert preview(images, (), 3) == []
