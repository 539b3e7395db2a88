"""Rotation, translation, zoom, shear, crop and resize: one affine warp each, mirrored at the edges."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.augment.operations.pixels import matrices, warp

Uniform = NDArray[np.float64]
Shape = tuple[int, int, int]


def _rotation(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    return {"degrees": settings["degrees"] * (2 * uniform[:, 0] - 1)}


def _rotate(images: Images, drawn: Drawn) -> Images:
    angle = np.deg2rad(drawn["degrees"])
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = (images.shape[2] - 1) / 2, (images.shape[1] - 1) / 2
    turned = matrices(
        len(images),
        xx=cosine,
        xy=-sine,
        x=x - x * cosine + y * sine,
        yx=sine,
        yy=cosine,
        y=y - x * sine - y * cosine,
    )
    return warp(images, turned)


def _translation(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    return {
        "right": shape[1] * settings["width_factor"] * (2 * uniform[:, 0] - 1),
        "down": shape[0] * settings["height_factor"] * (2 * uniform[:, 1] - 1),
    }


def _translate(images: Images, drawn: Drawn) -> Images:
    return warp(images, matrices(len(images), x=-drawn["right"], y=-drawn["down"]))


def _zoom_factor(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    return {"extent": 1 - settings["zoom_in"] + (settings["zoom_in"] + settings["zoom_out"]) * uniform[:, 0]}


def _zoom(images: Images, drawn: Drawn) -> Images:
    extent = drawn["extent"]
    x, y = (images.shape[2] - 1) / 2 * (1 - extent), (images.shape[1] - 1) / 2 * (1 - extent)
    return warp(images, matrices(len(images), xx=extent, x=x, yy=extent, y=y))


def _shear_factors(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    return {
        "across": settings["x_factor"] * (2 * uniform[:, 0] - 1),
        "down": settings["y_factor"] * (2 * uniform[:, 1] - 1),
    }


def _shear(images: Images, drawn: Drawn) -> Images:
    return warp(images, matrices(len(images), xy=drawn["across"], yx=drawn["down"]))


def _crop_box(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    area = settings["area"] + (1 - settings["area"]) * uniform[:, 0]
    stretch = settings["stretch"]
    aspect = 1 / stretch + (stretch - 1 / stretch) * uniform[:, 1]
    height, width = np.minimum(np.sqrt(area / aspect), 1), np.minimum(np.sqrt(area * aspect), 1)
    return {
        "top": (1 - height) * uniform[:, 2],
        "left": (1 - width) * uniform[:, 3],
        "height": height,
        "width": width,
    }


def _crop(images: Images, drawn: Drawn) -> Images:
    box = matrices(
        len(images),
        xx=drawn["width"],
        x=drawn["left"] * (images.shape[2] - 1),
        yy=drawn["height"],
        y=drawn["top"] * (images.shape[1] - 1),
    )
    return warp(images, box)


ROTATION = OperationType(
    name="rotation",
    title="Rotation",
    effect="Turns the cell about the centre of the image by any angle.",
    source="keras.layers.RandomRotation",
    parameters=(
        Parameter(
            "degrees", "Angle", 180.0, 0.0, 180.0, 5.0, "degrees to either side, at most", "turns further"
        ),
    ),
    draws=1,
    words="turned by {degrees:+.0f}°",
    scale=_rotation,
    apply=_rotate,
)
TRANSLATION = OperationType(
    name="translation",
    title="Translation",
    effect="Moves the cell; the edge that opens is filled with the image's mirror.",
    source="keras.layers.RandomTranslation",
    parameters=(
        Parameter(
            "height_factor", "Up-down", 0.1, 0.0, 1.0, 0.05, "share of the height, at most", "moves further"
        ),
        Parameter(
            "width_factor", "Left-right", 0.1, 0.0, 1.0, 0.05, "share of the width, at most", "moves further"
        ),
    ),
    draws=2,
    words="{right:+.1f}, {down:+.1f} px",
    scale=_translation,
    apply=_translate,
)
ZOOM = OperationType(
    name="zoom",
    title="Zoom",
    effect="Makes the cell larger or smaller; mind that size is part of what tells the classes apart.",
    source="keras.layers.RandomZoom, the same factor in both directions",
    parameters=(
        Parameter(
            "zoom_in", "In", 0.1, 0.0, 0.9, 0.05, "share of the view cut away, at most", "larger cells"
        ),
        Parameter(
            "zoom_out", "Out", 0.1, 0.0, 1.0, 0.05, "share of the view added, at most", "smaller cells"
        ),
    ),
    draws=1,
    words=lambda drawn: f"size x {1 / drawn['extent']:.2f}",
    scale=_zoom_factor,
    apply=_zoom,
)
SHEAR = OperationType(
    name="shear",
    title="Shear",
    effect="Slants the image, about its upper left corner.",
    source="keras.layers.RandomShear; Cubuk et al. 2019, AutoAugment, appendix A",
    parameters=(
        Parameter("x_factor", "Across", 0.2, 0.0, 1.0, 0.05, "px per px, at most", "slants more"),
        Parameter("y_factor", "Down", 0.2, 0.0, 1.0, 0.05, "px per px, at most", "slants more"),
    ),
    draws=2,
    words="{across:+.2f} across, {down:+.2f} down",
    scale=_shear_factors,
    apply=_shear,
)
CROP_AND_RESIZE = OperationType(
    name="crop_and_resize",
    title="Crop and resize",
    effect="Cuts a part out and enlarges it to the whole image, a little stretched.",
    source="keras_cv.layers.RandomCropAndResize; Szegedy et al. 2015, arXiv:1409.4842, section 6",
    parameters=(
        Parameter(
            "area", "Smallest area", 0.8, 0.05, 1.0, 0.05, "share of the image", "keeps more of the image"
        ),
        Parameter("stretch", "Stretch", 1.3, 1.0, 2.0, 0.05, "aspect ratio, at most", "stretches more"),
    ),
    draws=4,
    words=lambda drawn: f"{drawn['width']:.0%} x {drawn['height']:.0%} of it",
    scale=_crop_box,
    apply=_crop,
)
