"""What a run will cost, foreseen from the speed of its backbone."""

from wbc_core.backbones.registry import BACKBONES
from wbc_core.training.spec import RunSpec


def estimate(spec: RunSpec, images: int, validation_images: int) -> float:
    """Seconds an epoch on two CPU cores, roughly: images over the backbone's measured speed.

    Args:
        spec: The run; only its backbone counts.
        images: Images an epoch.
        validation_images: Held-out images, which cost a forward pass an epoch.
    """
    speed = BACKBONES.get(spec.backbone).speed
    return images / speed.training + validation_images / speed.prediction


def estimate_run(spec: RunSpec, images: int, validation_images: int) -> float:
    """Seconds for the whole run on two CPU cores, its start included, if it does not stop early."""
    start = BACKBONES.get(spec.backbone).speed.start
    return start + spec.epochs * estimate(spec, images, validation_images)


def about(seconds: float) -> str:
    """A foreseen time in words, no finer than it deserves.

    Example:
        >>> about(1.6), about(12), about(250), about(9000)
        ('about 2 s', 'about 15 s', 'about 5 min', 'about 2 h 30 min')
    """
    if seconds < 10:
        return f"about {max(1, -(-seconds // 1)):.0f} s"
    if seconds < 55:
        return f"about {-(-seconds // 5) * 5:.0f} s"
    minutes = int(-(-seconds // 60))
    if minutes < 60:
        return f"about {minutes} min"
    hours, rest = divmod(-(-minutes // 10) * 10, 60)
    return f"about {hours} h {rest} min" if rest else f"about {hours} h"
