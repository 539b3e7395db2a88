"""From the bytes of one picture file, of any kind and any mode, to 8-bit RGB."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 40_000_000
MAX_FILE_BYTES = 128 * 2**20

# Formats that run other programs (EPS) or hardly anyone has are left out: less that a hostile file can reach.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_ORIENTATION = 0x0112


class Unreadable(Exception):
    """A picture file that cannot be used; the message says why, to follow the file's name."""


@dataclass(frozen=True)
class DecodedPicture:
    """Pixels of one picture.

    Attributes:
        pixels: uint8 of shape (H, W, 3), 0..255.
        original_size: Width and height before any resizing, upright, in pixels.
    """

    pixels: NDArray[np.uint8]
    original_size: tuple[int, int]


def _open(data: bytes) -> Image.Image:
    if not data:
        raise Unreadable("is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise Unreadable("is not a picture of a known format") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"has more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:
        # A damaged header can raise almost anything inside Pillow's parsers.
        raise Unreadable(f"has a damaged header ({error})") from None
    if image.width * image.height > MAX_PIXELS:
        raise Unreadable(f"has {image.width * image.height:,} pixels, more than {MAX_PIXELS:,}")
    return image


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height of a picture, upright, from its header alone.

    Args:
        data: The whole file.

    Raises:
        Unreadable: It is no picture, or a damaged or far too large one.
    """
    image = _open(data)
    try:
        # Asking a PNG without an Exif chunk before its pixels would decode it; a TIFF is opened upright.
        asked = "exif" in image.info if image.format == "PNG" else image.format != "TIFF"
        turned = asked and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception as error:
        raise Unreadable(f"has a damaged header ({error})") from None
    return (image.height, image.width) if turned else (image.width, image.height)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # 16 bits hold 0..65535: 257 steps of them are one of 0..255.
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise Unreadable("has 32 bits a channel, whose range is not known")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, layered)
    return image.convert("RGB")


def resized(image: Image.Image, size: int) -> Image.Image:
    """Cut the largest centred square out of an RGB picture and bring it to `size` x `size` pixels.

    Lanczos, with a box filter first where the picture is more than three times too large.
    """
    if image.size == (size, size):
        return image
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def decode_picture(data: bytes, size: int | None = None) -> DecodedPicture:
    """Decode a picture file of any mode to upright 8-bit RGB.

    The Exif orientation is applied; alpha is laid on white; grey, palette and CMYK are converted; 16-bit
    values 0..65535 are divided by 257; of an animation the first frame is taken.

    Args:
        data: The whole file.
        size: Side of the square to bring it to, in pixels; None keeps its own size.

    Raises:
        Unreadable: It is no picture, or a damaged or far too large one.
    """
    image = _open(data)
    try:
        image.load()
        upright = _as_rgb(ImageOps.exif_transpose(image))
    except Unreadable:
        raise
    except Exception as error:
        # Truncated or damaged pixel data raises almost anything inside Pillow's decoders.
        raise Unreadable(f"is damaged ({error})") from None
    original = upright.size
    if size is not None:
        upright = resized(upright, size)
    return DecodedPicture(np.asarray(upright, dtype=np.uint8), original)
