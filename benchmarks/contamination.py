"""Contaminations planted into good images at known rows: what the curation checks are measured with.

    planted = contaminate(np.random.default_rng(0), images, labels, {"quality": 0.05, "blends": 0.05})
    planted.images, planted.labels          # copies, as many rows as before
    planted.rows("quality")                 # where they are; planted.variants[row] says what was done
    planted.pairs                           # near duplicates: (copy, original) rows

A kind is drawn from all its variants, or from one of them: `{"quality/blur": 0.05, "blends": 0.1}`
(`KINDS` lists them). Planting replaces a row, so nothing but the contamination tells that it was planted; no
row is planted twice, and the original of a near duplicate stays untouched. The protocol is SelfClean's (arXiv
2305.17048: off-topic images, near duplicates, label errors); blends and quality are added.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wbc_core.datasets.defects import landscape

Pixels = NDArray[np.uint8]
Generator = np.random.Generator
Change = Callable[[Generator, Pixels], Pixels]

_SAMPLES = {
    "skimage/data": "astronaut.png brick.png camera.png chelsea.png clock_motion.png coffee.png coins.png "
    "grass.png gravel.png hubble_deep_field.jpg ihc.png motorcycle_left.png page.png retina.jpg rocket.jpg",
    "sklearn/datasets/images": "china.jpg flower.jpg",
}
"""Sample photographs that come with scikit-image and scikit-learn, and files of theirs that are pictures."""


@dataclass(frozen=True)
class Contaminated:
    """Images with planted contaminations.

    Attributes:
        images: uint8 (n, H, W, 3), 0..255.
        labels: Labels, int64 (n,).
        variants: What was planted at each planted row, as `kind/variant`.
        pairs: Rows of each near duplicate and of its untouched original, int64 (k, 2).
    """

    images: Pixels
    labels: NDArray[np.int64]
    variants: Mapping[int, str]
    pairs: NDArray[np.int64]

    def rows(self, kind: str | None = None) -> NDArray[np.int64]:
        """Planted rows, rising; of one kind (`quality`) or variant (`quality/blur`), all where None."""
        chosen = (
            row for row, name in self.variants.items() if kind is None or kind in (name, name.split("/")[0])
        )
        return np.array(sorted(chosen), dtype=np.int64)


def contaminate(
    generator: Generator, images: Pixels, labels: NDArray[np.integer], shares: Mapping[str, float]
) -> Contaminated:
    """Plant contaminations into a copy of images and labels.

    Args:
        generator: Source of everything random.
        images: Good images, uint8 (n, H, W, 3), 0..255.
        labels: Their labels, integers (n,) or (n, 1).
        shares: Share of the rows (0..1) by kind, or by `kind/variant`.

    Returns:
        What was planted, and where. The same generator state plants the same.

    Raises:
        ValueError: No such kind or variant, or more to plant than there are rows.
    """
    images, labels = np.array(images), np.array(labels, dtype=np.int64).reshape(-1)
    counts = {kind: round(share * len(images)) for kind, share in shares.items()}
    originals = sum(count for kind, count in counts.items() if kind.startswith("near_duplicates"))
    free = generator.permutation(len(images)).tolist()
    if sum(counts.values()) + originals > len(free):
        raise ValueError("more to plant than there are rows")
    variants: dict[int, str] = {}
    pairs: list[tuple[int, int]] = []
    truth = labels.copy()
    one_photograph = photograph(generator, images.shape[1:3])
    for kind, count in counts.items():
        names = _variants(kind)
        for _ in range(count):
            row = free.pop()
            name = str(generator.choice(names))
            variants[row] = name
            if name.startswith("near_duplicates/"):
                original = free.pop()
                pairs.append((row, original))
                labels[row] = labels[original]
                images[row] = NEAR_DUPLICATES[name.split("/")[1]](generator, images[original])
            elif name.startswith("label_errors/"):
                labels[row] = _wrong_label(generator, name.split("/")[1], truth, row)
            elif name.startswith("quality/"):
                images[row] = QUALITY[name.split("/")[1]](generator, images[row])
            elif name.startswith("blends/"):
                own = name == "blends/own_photograph"
                over = photograph(generator, images.shape[1:3]) if own else one_photograph
                images[row] = blend(generator, images[row], over)
            else:
                images[row] = photograph(generator, images.shape[1:3])
    return Contaminated(images, labels, variants, np.array(pairs, dtype=np.int64).reshape(-1, 2))


def _variants(kind: str) -> list[str]:
    family, _, variant = kind.partition("/")
    names = [f"{family}/{name}" for name in KINDS.get(family, ()) if variant in ("", name)]
    if not names:
        raise ValueError(f"no contamination {kind!r}; there are {', '.join(KINDS)}")
    return names


@cache
def photographs() -> tuple[Pixels, ...]:
    """The sample photographs that are installed, uint8 (height, width, 3) each."""
    found = []
    for folder, names in _SAMPLES.items():
        package, *inside = folder.split("/")
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or []) if spec else []:
            paths = [Path(root, *inside, name) for name in names.split()]
            found += [np.array(Image.open(path).convert("RGB")) for path in paths if path.exists()]
    return tuple(found)


def photograph(generator: Generator, size: Sequence[int] = (96, 96)) -> Pixels:
    """Part of a sample photograph, a third to all of its shorter side; a painted landscape without one.

    Args:
        generator: Source of the choice.
        size: Height and width, in pixels.
    """
    samples = photographs()
    height, width = int(size[0]), int(size[1])
    if not samples:
        return np.asarray(cv2.resize(landscape(generator), (width, height)), np.uint8)
    whole = samples[int(generator.integers(len(samples)))]
    side = int(generator.uniform(1 / 3, 1) * min(whole.shape[:2]))
    top, left = (int(generator.integers(0, length - side + 1)) for length in whole.shape[:2])
    part = whole[top : top + side, left : left + side]
    part = part[:, ::-1] if generator.random() < 0.5 else part
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def blend(generator: Generator, image: Pixels, over: Pixels) -> Pixels:
    """A photograph laid over a cell, with 30 to 70 % of the light from the photograph."""
    strength = generator.uniform(0.3, 0.7)
    return _bytes((1 - strength) * image.astype(np.float32) + strength * over.astype(np.float32))


def _wrong_label(generator: Generator, how: str, truth: NDArray[np.int64], row: int) -> int:
    """Another class: any one as likely (uniform), or as likely as it is frequent (proportional)."""
    weights = np.bincount(truth).astype(np.float64)
    if how == "uniform":
        weights = (weights > 0).astype(np.float64)
    weights[truth[row]] = 0
    return int(generator.choice(len(weights), p=weights / weights.sum()))


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _jpeg(generator: Generator, image: Pixels) -> Pixels:
    """Quality 40 to 95."""
    quality = int(generator.integers(40, 96))
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def _resize(generator: Generator, image: Pixels) -> Pixels:
    """Down to 40 to 80 % of the side and back."""
    height, width = image.shape[:2]
    share = generator.uniform(0.4, 0.8)
    small = cv2.resize(image, (round(share * width), round(share * height)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _crop(generator: Generator, image: Pixels) -> Pixels:
    """To 92 to 97 % of the side, anywhere, and back to size."""
    height, width = image.shape[:2]
    share = generator.uniform(0.92, 0.97)
    inner = round(share * height), round(share * width)
    top, left = (int(generator.integers(0, room + 1)) for room in (height - inner[0], width - inner[1]))
    part = image[top : top + inner[0], left : left + inner[1]]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _brightness(generator: Generator, image: Pixels) -> Pixels:
    """Darker or brighter by 3 to 10 %."""
    return _bytes(image * np.float32(1 + generator.choice([-1, 1]) * generator.uniform(0.03, 0.1)))


def _flip(generator: Generator, image: Pixels) -> Pixels:
    return np.flip(image, axis=int(generator.integers(0, 2)))


def _turn(generator: Generator, image: Pixels) -> Pixels:
    """By 90, 180 or 270 degrees (180 where the image is not square)."""
    square = image.shape[0] == image.shape[1]
    return np.rot90(image, int(generator.integers(1, 4)) if square else 2)


def _mild_noise(generator: Generator, image: Pixels) -> Pixels:
    """Gaussian, a standard deviation of 2 to 6 grey levels."""
    return _bytes(image + generator.normal(0, generator.uniform(2, 6), image.shape).astype(np.float32))


def _combination(generator: Generator, image: Pixels) -> Pixels:
    """Two or three of the other changes, each once."""
    names = [name for name in NEAR_DUPLICATES if name != "combination"]
    for name in generator.choice(names, size=int(generator.integers(2, 4)), replace=False):
        image = NEAR_DUPLICATES[str(name)](generator, np.ascontiguousarray(image))
    return image


def _blur(generator: Generator, image: Pixels) -> Pixels:
    """Gaussian, a standard deviation of 1.5 to 4 pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), generator.uniform(1.5, 4)), np.uint8)


def _dark(generator: Generator, image: Pixels) -> Pixels:
    """With 10 to 40 % of the light."""
    return _bytes(image * np.float32(generator.uniform(0.1, 0.4)))


def _bright(generator: Generator, image: Pixels) -> Pixels:
    """With 120 to 160 % of the light, and 20 to 80 grey levels more."""
    return _bytes(image * np.float32(generator.uniform(1.2, 1.6)) + np.float32(generator.uniform(20, 80)))


def _low_contrast(generator: Generator, image: Pixels) -> Pixels:
    """10 to 35 % of the distance to the mean."""
    mean = image.mean(dtype=np.float64)
    return _bytes(mean + (image - mean) * generator.uniform(0.1, 0.35))


def _noise(generator: Generator, image: Pixels) -> Pixels:
    """Gaussian of 20 to 60 grey levels, or 3 to 15 % of the pixels black or white."""
    if generator.random() < 0.5:
        return _bytes(image + generator.normal(0, generator.uniform(20, 60), image.shape))
    hit = generator.random(image.shape[:2]) < generator.uniform(0.03, 0.15)
    speckle = generator.choice([0, 255], size=(*image.shape[:2], 1))
    return np.where(hit[..., None], speckle, image).astype(np.uint8)


def _flat_colour(generator: Generator) -> NDArray[np.int64]:
    grey = np.full(3, generator.choice([0, 128, 255]))
    return grey if generator.random() < 0.7 else generator.integers(0, 256, 3)


def _cutout(generator: Generator, image: Pixels) -> Pixels:
    """One to four flat blocks, 20 to 45 % of the side each."""
    covered = image.copy()
    colour = _flat_colour(generator)
    for _ in range(int(generator.integers(1, 5))):
        height, width = (int(generator.uniform(0.2, 0.45) * side) for side in image.shape[:2])
        top, left = (
            int(generator.integers(0, side - inner + 1))
            for side, inner in zip(image.shape[:2], (height, width), strict=True)
        )
        covered[top : top + height, left : left + width] = colour
    return covered


def _grid(generator: Generator, image: Pixels) -> Pixels:
    """Flat squares in a grid (GridMask), 12 to 32 pixels from one to the next, 40 to 60 % of that wide."""
    period = int(generator.integers(12, 33))
    wide = round(period * generator.uniform(0.4, 0.6))
    shift = generator.integers(0, period, 2)
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    hidden = ((y + shift[0]) % period < wide) & ((x + shift[1]) % period < wide)
    return np.where(hidden[..., None], _flat_colour(generator), image).astype(np.uint8)


def _border(generator: Generator, image: Pixels) -> Pixels:
    """A flat frame of 4 to 16 % of the side around the image, made smaller to fit."""
    height, width = image.shape[:2]
    framed = np.broadcast_to(_flat_colour(generator), image.shape).astype(np.uint8)
    top, left = (round(generator.uniform(0.04, 0.16) * side) for side in (height, width))
    inside = (width - 2 * left, height - 2 * top)
    framed[top : height - top, left : width - left] = cv2.resize(image, inside, interpolation=cv2.INTER_AREA)
    return framed


def _colour_cast(generator: Generator, image: Pixels) -> Pixels:
    """One channel with 50 to 75 % of its light, or another with 130 to 170 %."""
    gains = np.ones(3, np.float32)
    strong = generator.random() < 0.5
    gains[generator.integers(0, 3)] = generator.uniform(1.3, 1.7) if strong else generator.uniform(0.5, 0.75)
    return _bytes(image * gains)


NEAR_DUPLICATES: Mapping[str, Change] = {
    "jpeg": _jpeg,
    "resize": _resize,
    "crop": _crop,
    "brightness": _brightness,
    "flip": _flip,
    "turn": _turn,
    "noise": _mild_noise,
    "combination": _combination,
}
QUALITY: Mapping[str, Change] = {
    "blur": _blur,
    "dark": _dark,
    "bright": _bright,
    "low_contrast": _low_contrast,
    "noise": _noise,
    "cutout": _cutout,
    "grid": _grid,
    "border": _border,
    "colour_cast": _colour_cast,
}
KINDS: Mapping[str, Sequence[str]] = {
    "off_topic": ("photograph",),
    "blends": ("own_photograph", "one_photograph"),
    "near_duplicates": tuple(NEAR_DUPLICATES),
    "label_errors": ("uniform", "proportional"),
    "quality": tuple(QUALITY),
}
