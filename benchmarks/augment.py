"""Speed of every augmentation operation beside keras.layers, keras_cv and albumentations, in one run.

Each repeat runs the four one after the other, so that a ratio compares what happened under the same load.

    .venv/bin/python benchmarks/augment.py [--images 1024] [--repeats 3] [--data IMAGES.npz] [--only flip ..]
"""

import argparse
import importlib
import logging
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wbc_core.augment.operations import OPERATIONS
from wbc_core.datasets.synthetic import draw_cells

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIDE = 96
BATCH = 64
OURS_BATCH = 256
RANGE = (0, 255)

Run = Callable[[], object]


def keras_layers(layers: Any) -> dict[str, Any]:
    return {
        "auto_contrast": layers.AutoContrast(RANGE),
        "random_saturation": layers.RandomSaturation((0.3, 0.7)),
        "solarization": layers.Solarization(0.0, 1.0),
        "random_cutout": layers.RandomErasing(1.0),
        "rand_augment": layers.RandAugment(RANGE, num_ops=3, factor=0.5),
        "flip": layers.RandomFlip(),
        "rotation": layers.RandomRotation(0.5),
        "translation": layers.RandomTranslation(0.1, 0.1),
        "zoom": layers.RandomZoom(0.1),
        "shear": layers.RandomShear(0.2, 0.2),
        "elastic": layers.RandomElasticTransform(1.0, 0.5),
        "brightness": layers.RandomBrightness(0.2),
        "contrast": layers.RandomContrast(0.3, RANGE),
        "equalize": layers.Equalization(RANGE),
        "posterize": layers.RandomPosterization((3, 6)),
        "hue": layers.RandomHue(0.1, RANGE),
        "grayscale": layers.RandomColorDegeneration((0.5, 1.0)),
        "sharpness": layers.RandomSharpness(1.0),
        "gaussian_blur": layers.RandomGaussianBlur(1.0, 9, (0.3, 1.0)),
        "gaussian_noise": layers.GaussianNoise(0.03),
    }


def keras_cv_layers(layers: Any) -> dict[str, Any]:
    return {
        "auto_contrast": layers.AutoContrast(RANGE),
        "random_saturation": layers.RandomSaturation((0.3, 0.7)),
        "solarization": layers.Solarization(RANGE),
        "random_cutout": layers.RandomCutout(0.5, 0.5),
        "rand_augment": layers.RandAugment(RANGE, augmentations_per_image=3),
        "flip": layers.RandomFlip("horizontal_and_vertical"),
        "rotation": layers.RandomRotation(0.5),
        "translation": layers.RandomTranslation(0.1, 0.1),
        "zoom": layers.RandomZoom(0.1),
        "shear": layers.RandomShear(0.2, 0.2),
        "crop_and_resize": layers.RandomCropAndResize((SIDE, SIDE), (0.8, 1.0), (0.75, 1.33)),
        "brightness": layers.RandomBrightness(0.2),
        "contrast": layers.RandomContrast(RANGE, 0.3),
        "equalize": layers.Equalization(RANGE),
        "posterize": layers.Posterization(RANGE, bits=4),
        "hue": layers.RandomHue(0.1, RANGE),
        "grayscale": layers.RandomColorDegeneration((0.5, 1.0)),
        "channel_shift": layers.RandomChannelShift(RANGE, 0.2),
        "sharpness": layers.RandomSharpness(1.0, RANGE),
        "gaussian_blur": layers.RandomGaussianBlur(9, (0.3, 1.5)),
        "jpeg_quality": layers.RandomJpegQuality((30, 90)),
        "grid_mask": layers.GridMask(),
    }


def albumentations_transforms(a: Any) -> dict[str, Any]:
    def warp(**changes: Any) -> Any:
        return a.Affine(p=1, **changes)

    single = {
        "auto_contrast": a.AutoContrast(p=1),
        "solarization": a.Solarize(p=1),
        "random_cutout": a.CoarseDropout(num_holes_range=(1, 1), p=1),
        "flip": a.Compose([a.HorizontalFlip(), a.VerticalFlip()]),
        "quarter_turns": a.RandomRotate90(p=1),
        "rotation": a.Rotate(180, p=1),
        "translation": warp(translate_percent=(-0.1, 0.1)),
        "zoom": warp(scale=(0.9, 1.1)),
        "shear": warp(shear=(-11, 11)),
        "crop_and_resize": a.RandomResizedCrop((SIDE, SIDE), (0.8, 1), p=1),
        "elastic": a.ElasticTransform(p=1),
        "brightness": a.RandomBrightnessContrast(0.2, 0, p=1),
        "contrast": a.RandomBrightnessContrast(0, 0.3, p=1),
        "equalize": a.Equalize(by_channels=True, p=1),
        "posterize": a.Posterize(p=1),
        "hue": a.HueSaturationValue(18, 0, 0, p=1),
        "random_saturation": a.HueSaturationValue(0, 60, 0, p=1),
        "grayscale": a.ToGray(p=1),
        "channel_shift": a.RGBShift(p=1),
        "sharpness": a.Sharpen(p=1),
        "gaussian_blur": a.GaussianBlur(sigma_limit=(0.3, 1.5), p=1),
        "gaussian_noise": a.GaussNoise(p=1),
        "jpeg_quality": a.ImageCompression(quality_range=(30, 90), p=1),
        "grid_mask": a.GridDropout(p=1),
    }
    policy = ["auto_contrast", "equalize", "solarization", "grayscale", "contrast", "brightness"]
    moves = [warp(shear={"x": (-28, 28)}), warp(shear={"y": (-28, 28)})]
    moves += [warp(translate_percent={"x": (-0.5, 0.5)}), warp(translate_percent={"y": (-0.5, 0.5)})]
    return single | {"rand_augment": a.SomeOf([*(single[name] for name in policy), *moves], n=3, p=1)}


def ours(images: np.ndarray) -> dict[str, Run]:
    def run(name: str) -> Run:
        def once() -> None:
            operation, generator = OPERATIONS.get(name), np.random.default_rng(0)
            for start in range(0, len(images), OURS_BATCH):
                batch = images[start : start + OURS_BATCH]
                operation.apply(batch, operation.sample(generator, len(batch), batch.shape[1:]))

        return once

    return {name: run(name) for name in OPERATIONS}


def in_tf_data(images: np.ndarray, layers: dict[str, Any]) -> dict[str, Run]:
    """Each layer mapped over batches or over single images, whichever a first pass found the faster."""
    import tensorflow as tf

    source = tf.data.Dataset.from_tensor_slices(images)

    def run(layer: Any) -> Run:
        def change(pixels: Any) -> Any:
            return layer(tf.cast(pixels, tf.float32), training=True)

        def mapped(dataset: Any) -> Any:
            return dataset.map(change, num_parallel_calls=tf.data.AUTOTUNE)

        ways = [
            mapped(source.batch(BATCH, drop_remainder=True)).prefetch(tf.data.AUTOTUNE),
            mapped(source).batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE),
        ]

        def once() -> None:
            if len(ways) > 1:
                ways.sort(key=seconds_of)
                del ways[1]
            for _ in ways[0]:
                pass

        return once

    return {name: run(layer) for name, layer in layers.items()}


def seconds_of(dataset: Any) -> float:
    """Seconds of a second pass; the first one traces the graph. Endless where it cannot run."""
    try:
        for _ in dataset.take(1):
            pass
        started = time.perf_counter()
        for _ in dataset.take(4):
            pass
    except Exception:
        return float("inf")
    return time.perf_counter() - started


def one_by_one(images: np.ndarray, transforms: dict[str, Any]) -> dict[str, Run]:
    def run(transform: Any) -> Run:
        return lambda: [transform(image=image)["image"] for image in images]

    return {name: run(transform) for name, transform in transforms.items()}


def engines(images: np.ndarray) -> dict[str, dict[str, Run]]:
    import keras
    import keras_cv

    found = {
        "ours": ours(images),
        "keras.layers": in_tf_data(images, keras_layers(keras.layers)),
        "keras_cv": in_tf_data(images, keras_cv_layers(keras_cv.layers)),
    }
    try:
        albumentations = importlib.import_module("albumentations")
    except ImportError as error:
        print(f"albumentations is left out, it cannot be imported: {error}\n")
    else:
        found["albumentations"] = one_by_one(images, albumentations_transforms(albumentations))
    return found


def measure(name: str, found: dict[str, dict[str, Run]], images: int, repeats: int) -> dict[str, list[float]]:
    """Images per second of each engine that has the operation, one value a repeat after a first pass."""
    runs = {engine: own[name] for engine, own in found.items() if name in own}
    for engine, run in list(runs.items()):
        try:
            run()
        except Exception as error:
            print(f"{engine} fails on {name}: {str(error).strip().splitlines()[0][:90]}")
            del runs[engine]
    speeds: dict[str, list[float]] = {engine: [] for engine in runs}
    for _ in range(repeats):
        for engine, run in runs.items():
            started = time.perf_counter()
            run()
            speeds[engine].append(images / (time.perf_counter() - started))
    return speeds


def row(name: str, speeds: dict[str, list[float]], names: list[str]) -> str:
    cells = [name, f"{statistics.median(speeds['ours']):,.0f}"]
    for engine in names[1:]:
        if engine not in speeds:
            cells.append("")
            continue
        ratios = sorted(mine / other for mine, other in zip(speeds["ours"], speeds[engine], strict=True))
        spread = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}..{ratios[-1]:.1f})"
        cells.append(f"{statistics.median(speeds[engine]):,.0f}: x {spread}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1024, help=f"a multiple of {BATCH}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, help="npz with `images`, uint8 (n, 96, 96, 3); else drawn cells")
    parser.add_argument("--only", nargs="+", choices=OPERATIONS.names(), default=OPERATIONS.names())
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    count = max(BATCH, options.images // BATCH * BATCH)
    if options.data:
        with np.load(options.data, allow_pickle=False) as file:
            images = file["images"][:count]
    else:
        images = draw_cells(np.random.default_rng(0), np.arange(count) % 8)
    found = engines(images)
    print(f"{count} images {SIDE}x{SIDE}x3, {options.repeats} repeats, {os.cpu_count()} cores,", end=" ")
    print(
        f"load {os.getloadavg()[0]:.1f} before; images/s (median); ours over theirs, median (least..most)\n"
    )
    print("| operation | " + " | ".join(found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for name in options.only:
        print(row(name, measure(name, found, count, options.repeats), list(found)), flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
