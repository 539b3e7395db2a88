"""One painter for each kind of blood cell, after Giemsa-stained smears as seen at 100x.

The looks follow the eight classes of A. Acevedo et al., "A dataset of microscopic peripheral blood cell
images for development of automatic recognition systems", Data in Brief 30 (2020) 105474.
"""

from collections.abc import Callable

import numpy as np

from wbc_core.datasets.painting import (
    SIZE,
    Colour,
    Mask,
    Picture,
    blend,
    blur,
    discs,
    fill,
    light,
    mix,
    organic,
    outline,
    rim,
    speckles,
    texture,
)

Generator = np.random.Generator
Point = tuple[float, float]

_CREAM: Colour = (253, 231, 203)
_BLUISH: Colour = (221, 220, 238)
_ERYTHROCYTE: Colour = (205, 164, 160)
_CHROMATIN_DARK: Colour = (52, 28, 100)
_CHROMATIN_LIGHT: Colour = (128, 66, 138)
_GRANULE_DARK: Colour = (46, 26, 92)


def _near_centre(generator: Generator, spread: float = 3.0) -> Point:
    x, y = generator.normal(SIZE / 2, spread, 2)
    return float(x), float(y)


def _away_from(generator: Generator, centre: Point, distance: float) -> Point:
    angle = generator.uniform(0, 2 * np.pi)
    return centre[0] + distance * np.cos(angle), centre[1] + distance * np.sin(angle)


def _smear(generator: Generator, keep_clear: float) -> Picture:
    """Paint the slide with red cells around a free middle, `keep_clear` pixels in radius."""
    # White balance drifts from slide to slide without a gap, most slides near cream.
    slide = mix(_CREAM, _BLUISH, float(generator.beta(1, 2)))
    picture = np.full((SIZE, SIZE, 3), slide, np.float32)
    blend(picture, mix(slide, _ERYTHROCYTE, 0.5), np.clip(texture(generator, 24) * 0.05, 0, 0.15))
    bodies, pallors = np.zeros((2, SIZE, SIZE), np.float32)
    placed: list[Point] = []
    size = generator.uniform(14.5, 18.5)
    for _ in range(int(generator.integers(10, 34))):
        x, y = generator.uniform(-12, SIZE + 12, 2)
        radius = size * generator.uniform(0.88, 1.12)
        if np.hypot(x - SIZE / 2, y - SIZE / 2) < keep_clear + radius * 0.75 or any(
            np.hypot(x - other_x, y - other_y) < radius * 1.6 for other_x, other_y in placed
        ):
            continue
        placed.append((x, y))
        elongation = generator.uniform(1, 1.25)
        bodies += fill(outline(generator, (x, y), radius, roughness=0.025, elongation=elongation))
        if generator.random() < 0.8:
            pallor = (x + generator.normal(0, 1.5), y + generator.normal(0, 1.5))
            share = generator.uniform(0.28, 0.5)
            pallors += fill(outline(generator, pallor, radius * share, elongation=elongation))
    body = np.clip(bodies, 0, 1.4)
    density = body * generator.uniform(0.7, 0.9) + 0.35 * rim(np.clip(bodies, 0, 1), 2.2)
    density -= blur(pallors, generator.uniform(1.5, 2.8)) * 0.68
    blend(picture, _ERYTHROCYTE, np.clip(blur(density, 0.7), 0, 1.25))
    if generator.random() < 0.18:
        _fragment(generator, picture, _away_from(generator, (SIZE / 2, SIZE / 2), keep_clear + 9), 4.5)
    return picture


def _nucleus(
    generator: Generator, picture: Picture, mask: Mask, *, coarseness: float = 1.15, openness: float = 0.45
) -> None:
    """Paint chromatin into a mask: dark clumps, lighter gaps between them, and a dark membrane."""
    blend(picture, mix(_CHROMATIN_DARK, _CHROMATIN_LIGHT, openness * 0.45), mask * 0.96)
    gaps = np.clip(texture(generator, coarseness) - 0.1, 0, 1)
    blend(picture, _CHROMATIN_LIGHT, mask * gaps * (0.25 + openness * 0.75))
    clumps = np.clip(-texture(generator, coarseness * 0.7) * 0.8, 0, 1)
    blend(picture, _CHROMATIN_DARK, mask * clumps * 0.75)
    blend(picture, _CHROMATIN_DARK, rim(mask, 1.5) * 0.7)


def _cytoplasm(
    generator: Generator,
    picture: Picture,
    mask: Mask,
    colour: Colour,
    *,
    mottle: float = 0.12,
    edge: float = 0.3,
) -> None:
    """Paint a cell's body: a mottled colour with a slightly darker border."""
    red, green, blue = (value * (1 + generator.normal(0, 0.02)) for value in colour)
    blend(picture, (red, green, blue), mask * 0.95)
    patches = texture(generator, 3.5)
    blend(picture, mix((red, green, blue), (255, 245, 240), 0.6), mask * np.clip(patches * mottle, 0, 0.5))
    darker = mix((red, green, blue), _GRANULE_DARK, 0.35)
    blend(picture, darker, mask * np.clip(-patches * mottle, 0, 0.5))
    blend(picture, darker, rim(mask, 1.8) * edge)


def _lobes(
    generator: Generator, centre: Point, count: int, radius: float, bend: float, spread: float
) -> Mask:
    """Nucleus of `count` lobes on an arc of `bend` radians with the given arc radius, joined by threads."""
    start = generator.uniform(0, 2 * np.pi)
    angles = start + np.linspace(-bend / 2, bend / 2, count) + generator.normal(0, 0.08, count)
    reach = spread * generator.uniform(0.85, 1.15, count)
    centres = [
        (centre[0] + r * np.cos(a), centre[1] + r * np.sin(a)) for r, a in zip(reach, angles, strict=True)
    ]
    lobes = np.zeros((SIZE, SIZE), np.float32)
    for lobe in centres:
        size = radius * generator.uniform(0.82, 1.15)
        shape = outline(generator, lobe, size, roughness=0.07, elongation=generator.uniform(1, 1.5))
        np.maximum(lobes, fill(shape), out=lobes)
    threads = discs(centres, [1.0] * count, thread=generator.uniform(2.5, 5.0))
    return organic(generator, np.maximum(lobes, threads), 0.06, softness=1.0)


def _bent(generator: Generator, centre: Point, thickness: float, bend: float, reach: float) -> Mask:
    """Bean or horseshoe: a thick arc of `bend` radians around a point beside the centre."""
    start = generator.uniform(0, 2 * np.pi)
    angles = start + np.linspace(-bend / 2, bend / 2, 14)
    shift = reach * 0.55
    origin = (centre[0] - shift * np.cos(start), centre[1] - shift * np.sin(start))
    centres = [(origin[0] + reach * np.cos(a), origin[1] + reach * np.sin(a)) for a in angles]
    waist = 1 - generator.uniform(0, 0.25) * np.cos(np.linspace(-np.pi / 2, np.pi / 2, 14)) ** 2
    return organic(generator, discs(centres, list(thickness * waist)), 0.1)


def _fragment(generator: Generator, picture: Picture, centre: Point, radius: float) -> None:
    """Paint a platelet: pale lilac edge with a granular violet middle."""
    shape = outline(
        generator, centre, radius, roughness=0.11, elongation=generator.uniform(1, 1.35), harmonics=10
    )
    body = organic(generator, fill(shape), 0.14, softness=0.8)
    blend(picture, (186, 152, 196), blur(body, 0.8) * 0.85)
    middle = np.clip(blur(body, radius * 0.3) * 1.8 - 0.75, 0, 1)
    blend(picture, (128, 76, 150), middle * generator.uniform(0.5, 0.85))
    blend(picture, (82, 38, 118), speckles(generator, np.clip(middle + body * 0.35, 0, 1), 0.22, 0.75) * 0.8)


def _basophil(generator: Generator) -> Picture:
    radius = generator.uniform(25, 34)
    picture, centre = _smear(generator, radius), _near_centre(generator)
    elongation = generator.uniform(1, 1.1) if generator.random() < 0.65 else generator.uniform(1.2, 1.55)
    cell = organic(generator, fill(outline(generator, centre, radius, elongation=elongation)), 0.2)
    if generator.random() < 0.15:
        blend(picture, (226, 158, 190), np.clip(blur(cell, 5) * 1.1, 0, 1) * 0.5)
    _cytoplasm(generator, picture, cell, (176, 140, 184), mottle=0.2)
    lobed = _lobes(generator, centre, int(generator.integers(2, 4)), radius * 0.42, 2.6, radius * 0.33)
    _nucleus(generator, picture, blur(lobed * cell, 1.2) * 0.85, coarseness=1.2, openness=0.6)
    density = generator.uniform(0.05, 0.13)
    blend(picture, _GRANULE_DARK, speckles(generator, cell, density, generator.uniform(1.0, 1.3)) * 0.9)
    blend(picture, (208, 148, 190), speckles(generator, cell, 0.02, 0.8) * 0.5)
    return picture


def _eosinophil(generator: Generator) -> Picture:
    radius = generator.uniform(25, 34)
    picture, centre = _smear(generator, radius), _near_centre(generator)
    cell = organic(
        generator, fill(outline(generator, centre, radius, elongation=generator.uniform(1, 1.2))), 0.1
    )
    redness = generator.uniform(0, 1)
    _cytoplasm(generator, picture, cell, mix((212, 168, 170), (204, 132, 124), redness), mottle=0.12)
    grain = mix((222, 136, 112), (210, 108, 92), redness)
    blend(picture, grain, speckles(generator, cell, generator.uniform(0.12, 0.2), 1.0) * 0.7)
    blend(picture, (158, 84, 104), speckles(generator, cell, generator.uniform(0.06, 0.14), 0.65) * 0.6)
    blend(picture, (238, 178, 150), speckles(generator, cell, 0.05, 0.7) * 0.6)
    count = 3 if generator.random() < 0.2 else 2
    middle = _away_from(generator, centre, radius * 0.15)
    size = radius * (generator.uniform(0.32, 0.4) if count == 2 else generator.uniform(0.26, 0.32))
    bend = generator.uniform(1.7, 2.8) if count == 2 else generator.uniform(2.4, 3.4)
    mask = _lobes(generator, middle, count, size, bend, radius * 0.48) * cell
    _nucleus(generator, picture, mask, openness=0.35)
    return picture


def _erythroblast(generator: Generator) -> Picture:
    radius = generator.uniform(15, 22)
    picture, centre = _smear(generator, radius + 2), _near_centre(generator)
    shape = outline(generator, centre, radius, roughness=0.06, elongation=generator.uniform(1, 1.2))
    cell = organic(generator, fill(shape), 0.12)
    maturity = generator.uniform(0, 1)
    body = mix((126, 112, 168), (188, 156, 172), maturity)
    _cytoplasm(generator, picture, cell, body, mottle=0.1, edge=0.35)
    share = generator.uniform(0.52, 0.74) - 0.08 * maturity
    middle = _away_from(generator, centre, radius * generator.uniform(0, 0.25))
    mask = organic(generator, fill(outline(generator, middle, radius * share, roughness=0.02)), 0.04)
    _nucleus(generator, picture, mask, coarseness=1.3, openness=generator.uniform(0.15, 0.6))
    return picture


def _ig(generator: Generator) -> Picture:
    radius = generator.uniform(26, 40)
    picture, centre = _smear(generator, radius), _near_centre(generator, 3.5)
    shape = outline(generator, centre, radius, roughness=0.045, elongation=generator.uniform(1, 1.25))
    cell = organic(generator, fill(shape), 0.1)
    ripeness = generator.uniform(0, 1)
    _cytoplasm(generator, picture, cell, mix((156, 140, 190), (214, 184, 200), ripeness), mottle=0.14)
    middle = _away_from(generator, centre, radius * generator.uniform(0.05, 0.25))
    if generator.random() < 0.6:
        thickness, bend = radius * generator.uniform(0.36, 0.48), generator.uniform(1.2, 2.6)
        mask = _bent(generator, middle, thickness, bend, radius * 0.42)
    else:
        oval = outline(
            generator, middle, radius * generator.uniform(0.6, 0.72), roughness=0.06, elongation=1.2
        )
        mask = organic(generator, fill(oval), 0.1)
    _nucleus(generator, picture, mask * cell, coarseness=1.0, openness=generator.uniform(0.4, 0.8))
    density = generator.uniform(0.04, 0.16)
    blend(picture, (98, 50, 124), speckles(generator, cell, density, 0.75) * generator.uniform(0.4, 0.75))
    return picture


def _lymphocyte(generator: Generator) -> Picture:
    radius = generator.uniform(16.5, 25)
    picture, centre = _smear(generator, radius + 1), _near_centre(generator)
    shape = outline(generator, centre, radius, roughness=0.05, elongation=generator.uniform(1, 1.25))
    cell = organic(generator, fill(shape), 0.16)
    _cytoplasm(generator, picture, cell, (132, 128, 184), mottle=0.12, edge=0.4)
    share = generator.uniform(0.74, 0.92)
    middle = _away_from(generator, centre, radius * generator.uniform(0, 0.95 - share))
    oval = outline(generator, middle, radius * share, roughness=0.04, elongation=generator.uniform(1, 1.2))
    mask = organic(generator, fill(oval), 0.08) * cell
    _nucleus(generator, picture, mask, coarseness=1.3, openness=generator.uniform(0.2, 0.6))
    return picture


def _monocyte(generator: Generator) -> Picture:
    radius = generator.uniform(28, 39)
    picture, centre = _smear(generator, radius), _near_centre(generator, 3.5)
    shape = outline(generator, centre, radius, roughness=0.075, elongation=generator.uniform(1, 1.3))
    cell = organic(generator, fill(shape), 0.16)
    _cytoplasm(
        generator, picture, cell, mix((150, 142, 184), (188, 172, 198), generator.random()), mottle=0.2
    )
    blend(picture, (112, 84, 150), speckles(generator, cell, 0.1, 0.7) * 0.3)
    middle = _away_from(generator, centre, radius * 0.1)
    thickness = radius * generator.uniform(0.28, 0.42)
    mask = _bent(
        generator, middle, thickness, generator.uniform(1.8, 3.6), radius * generator.uniform(0.36, 0.46)
    )
    if generator.random() < 0.6:
        lobe = _away_from(generator, middle, radius * 0.3)
        fold = organic(generator, fill(outline(generator, lobe, radius * 0.34, roughness=0.1)), 0.12)
        mask = np.maximum(mask, fold)
    _nucleus(generator, picture, mask * cell, coarseness=1.0, openness=generator.uniform(0.55, 0.95))
    bubbles = int(generator.integers(0, 5)) if generator.random() < 0.7 else int(generator.integers(6, 16))
    if bubbles:
        places = [_away_from(generator, centre, radius * generator.uniform(0.3, 0.9)) for _ in range(bubbles)]
        hole = discs(places, list(generator.uniform(1.0, 2.9, bubbles))) * cell
        blend(picture, (244, 228, 226), blur(hole, 0.6) * 0.85)
    return picture


def _neutrophil(generator: Generator) -> Picture:
    radius = generator.uniform(26, 36)
    picture, centre = _smear(generator, radius), _near_centre(generator)
    shape = outline(generator, centre, radius, roughness=0.04, elongation=generator.uniform(1, 1.25))
    cell = organic(generator, fill(shape), 0.1)
    _cytoplasm(generator, picture, cell, mix((236, 202, 190), (206, 186, 204), generator.random()), edge=0.22)
    blend(picture, (176, 104, 142), speckles(generator, cell, generator.uniform(0.03, 0.16), 0.7) * 0.5)
    middle = _away_from(generator, centre, radius * 0.12)
    if generator.random() < 0.16:
        mask = _bent(generator, middle, radius * 0.23, generator.uniform(2.4, 3.8), radius * 0.42)
    else:
        count = int(generator.integers(3, 6))
        size = radius * (0.29 - 0.03 * (count - 3)) * generator.uniform(0.9, 1.08)
        mask = _lobes(generator, middle, count, size, generator.uniform(3.0, 4.6), radius * 0.5)
    _nucleus(generator, picture, mask * cell, openness=0.3)
    return picture


def _platelet(generator: Generator) -> Picture:
    radius = generator.uniform(5.5, 11)
    picture, centre = _smear(generator, radius + 1), _near_centre(generator)
    _fragment(generator, picture, centre, radius)
    return picture


PAINTERS: dict[str, Callable[[Generator], Picture]] = {
    "basophil": _basophil,
    "eosinophil": _eosinophil,
    "erythroblast": _erythroblast,
    "ig": _ig,
    "lymphocyte": _lymphocyte,
    "monocyte": _monocyte,
    "neutrophil": _neutrophil,
    "platelet": _platelet,
}


def photograph(generator: Generator, picture: Picture) -> Picture:
    """Vary stain, light and focus, and add the camera's noise."""
    # Beer and Lambert: the dye's amount scales the optical density, not the brightness.
    strength = generator.normal(1, 0.09) * generator.normal(1, 0.035, 3)
    stained = 255 * (np.clip(picture, 1, 255) / 255) ** strength.astype(np.float32)
    exposed = stained * light(generator)[..., None] * np.float32(generator.uniform(0.94, 1.03))
    focused = blur(exposed.astype(np.float32), generator.uniform(0.35, 0.7))
    noise = generator.standard_normal((SIZE, SIZE, 3), dtype=np.float32)
    return focused + noise * np.float32(generator.uniform(1, 2.5))
