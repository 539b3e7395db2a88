"""Sloppy copies of an image, as saving, resizing, cropping, brightening and grain make them."""

import cv2
import numpy as np
from numpy.typing import NDArray


def altered(original: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Make a copy that was cropped or saved anew, and perhaps resized, brightened or grained as well.

    Args:
        original: One image, uint8 (height, width, 3).
        generator: Where all choices are drawn from.

    Returns:
        The copy, of the same shape. Four in five are cropped to 91 to 98 % of the side, half of those in a
        corner; one in three each is resized to 0.5 to 1 and back, brightened or darkened by up to 10 %,
        grained by 4 grey levels, and saved as JPEG of quality 40 to 95.
    """
    height, width, _ = original.shape
    image = original
    if generator.random() < 0.8:
        share = generator.uniform(0.91, 0.98)
        place = generator.integers(0, 2, 2) if generator.random() < 0.5 else generator.uniform(0, 1, 2)
        top, left = (np.array([height, width]) * (1 - share) * place).astype(int)
        cut = image[top : top + max(1, int(share * height)), left : left + max(1, int(share * width))]
        image = np.asarray(cv2.resize(cut, (width, height)), dtype=np.uint8)
    if generator.random() < 1 / 3:
        smaller = generator.uniform(0.5, 1.0)
        size = (max(1, int(width * smaller)), max(1, int(height * smaller)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (width, height)), dtype=np.uint8)
    if generator.random() < 1 / 3:
        image = np.asarray(cv2.convertScaleAbs(image, alpha=generator.uniform(0.9, 1.1)), dtype=np.uint8)
    if generator.random() < 1 / 3:
        grain = generator.standard_normal(image.shape, dtype=np.float32)
        image = np.clip(image + 4 * grain, 0, 255).astype(np.uint8)
    if generator.random() >= 1 / 3:
        return np.array(image)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(40, 96))]
    saved = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1]
    decoded = np.asarray(cv2.imdecode(saved, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)
