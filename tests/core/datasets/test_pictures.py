"""Every mode and every damage of a picture file."""

import contextlib
import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wbc_core.datasets import pictures
from wbc_core.datasets.pictures import Unreadable, decode_picture, picture_size


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def colours() -> np.ndarray:
    """A 12x8 picture whose corners tell its orientation."""
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:4, :6], pixels[:4, 6:], pixels[4:, :6], pixels[4:, 6:] = (200, 0, 0), (0, 200, 0), (0, 0, 200), 90
    return pixels


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF"])
def test_lossless_formats_keep_every_pixel(colours: np.ndarray, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(Image.fromarray(colours), kind, **options)
    picture = decode_picture(data)
    np.testing.assert_array_equal(picture.pixels, colours)
    assert picture.original_size == picture_size(data) == (12, 8)


def test_jpeg_is_close(colours: np.ndarray) -> None:
    pixels = decode_picture(encode(Image.fromarray(colours), "JPEG", quality=98, subsampling=0)).pixels
    assert np.abs(pixels.astype(int) - colours).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_exif_orientation_is_applied(colours: np.ndarray, orientation: int, kind: str) -> None:
    image = Image.fromarray(colours)
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turned = image.transpose(inverse[orientation]) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    data = encode(turned, kind, exif=exif, **options)
    assert picture_size(data) == (12, 8)
    pixels = decode_picture(data).pixels
    assert np.abs(pixels.astype(int) - colours).mean() < 4


def test_alpha_is_laid_on_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 0, 128, 255
    np.testing.assert_array_equal(
        decode_picture(encode(Image.fromarray(rgba), "PNG")).pixels[0, :, 0], [255, 127, 0]
    )
    grey_alpha = Image.fromarray(rgba).convert("LA")
    assert decode_picture(encode(grey_alpha, "PNG")).pixels[0, 0].tolist() == [255] * 3
    keyed = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8))
    pixels = decode_picture(encode(keyed, "PNG", transparency=(9, 8, 7))).pixels
    assert pixels[0].tolist() == [[255] * 3, [1, 2, 3]]


def test_palette_with_and_without_transparency(colours: np.ndarray) -> None:
    palette = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(decode_picture(encode(palette, "PNG")).pixels, colours)
    index = palette.getpixel((0, 0))
    pixels = decode_picture(encode(palette, "PNG", transparency=index)).pixels
    assert pixels[0, 0].tolist() == [255] * 3
    assert pixels[0, 11].tolist() == [0, 200, 0]


def test_grey_and_bilevel() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = decode_picture(encode(Image.fromarray(grey), "PNG")).pixels
    np.testing.assert_array_equal(pixels, np.repeat(grey[..., None], 3, axis=2))
    bilevel = Image.fromarray(grey > 100)
    assert np.unique(decode_picture(encode(bilevel, "PNG")).pixels).tolist() == [0, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_cut(kind: str) -> None:
    wide = np.array([[0, 257, 128, 129, 32768, 65535]], np.uint16)
    pixels = decode_picture(encode(Image.fromarray(wide), kind)).pixels
    assert pixels[0, :, 1].tolist() == [0, 1, 0, 1, 128, 255]


def test_cmyk_becomes_rgb() -> None:
    cmyk = Image.new("CMYK", (9, 9), (0, 255, 255, 0))
    assert decode_picture(encode(cmyk, "TIFF")).pixels[4, 4].tolist() == [255, 0, 0]
    red, green, blue = decode_picture(encode(cmyk, "JPEG", quality=95)).pixels[4, 4].tolist()
    assert red > 240
    assert max(green, blue) < 20


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    first, second = Image.new("RGB", (8, 8), (250, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 250))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(first, kind, save_all=True, append_images=[second], **options)
    assert decode_picture(data).pixels[3, 3].tolist() == [250, 0, 0]


def test_resizing_keeps_the_centre() -> None:
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = 240
    picture = decode_picture(encode(Image.fromarray(wide), "PNG"), size=20)
    assert picture.pixels.shape == (20, 20, 3)
    assert picture.original_size == (120, 40)
    assert (picture.pixels[:, 1:-1] > 225).all()
    assert decode_picture(encode(Image.fromarray(wide), "PNG"), size=64).pixels.shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"GIF89", "not a picture"),
        (b"not a picture at all", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_what_is_no_picture_is_said_to_be_none(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        picture_size(data)
    with pytest.raises(Unreadable, match=why):
        decode_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_truncated_files_are_damaged(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind)
    with pytest.raises(Unreadable, match=r"damaged|not a picture"):
        decode_picture(data[: len(data) // 2])


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000"]),
    places=st.lists(st.floats(0, 0.999), min_size=1, max_size=6),
    values=st.lists(st.integers(0, 255), min_size=6, max_size=6),
    in_header=st.booleans(),
)
def test_damage_gives_a_picture_or_a_reason(
    kind: str, places: list[float], values: list[int], in_header: bool
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    data = bytearray(encode(Image.fromarray(noise), kind))
    reach = min(len(data), 64) if in_header else len(data)
    for place, value in zip(places, values, strict=False):
        data[int(place * reach)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Unreadable):
            picture_size(bytes(data))
            assert decode_picture(bytes(data), size=8).pixels.shape == (8, 8, 3)


def test_floating_point_pictures_have_no_known_range() -> None:
    with pytest.raises(Unreadable, match="32 bits"):
        decode_picture(encode(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_huge_pictures_are_refused_by_their_header(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encode(Image.new("1", (7000, 7000)), "PNG")
    assert len(bomb) < 20_000
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(Unreadable, match="49,000,000 pixels"):
        decode_picture(bomb)
    monkeypatch.setattr(pictures.Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Unreadable, match="more than"):
        picture_size(bomb)
