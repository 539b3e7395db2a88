"""What a run will cost: foreseen from the speed of its backbone, or measured by a few real steps."""

from dataclasses import dataclass

from wbc_core.backbones.registry import BACKBONES
from wbc_core.records import Record
from wbc_core.training.phases import Phase, phases
from wbc_core.training.spec import RunSpec

_HEAD_RATE = 40_000.0
"""Images a second of a head on features that were computed before, on two cores."""
_LIBRARIES_MB = 1050.0
"""Memory of a process that has loaded keras and TensorFlow and opened its data."""
_ACTIVATION_SHARE = 1.1
"""Memory of a step by that of all its activations: their gradients and buffers, less what is reused."""
_LOOKING = 0.1
_HELD_OUT_READS = 3.5
"""How often a held-out image is in memory: once prepared; once as stored, with what is read around it."""


@dataclass(frozen=True)
class Cost(Record):
    """What a run costs.

    Attributes:
        seconds: From launch to the end, if it does not stop early.
        epoch_seconds: Of an epoch in its last phase.
        memory_mb: Largest resident memory of its process, in MB, with the images that it has looked at; these
            the system takes back where it is short.
        disk_mb: What stays of it on disk, in MB: newest checkpoint and best weights.
        measured: Whether real steps were timed; otherwise it is foreseen for two CPU cores.
        device_name: What they were timed on; empty where it is foreseen.
        gpu_memory_mb: What it takes of its GPU's memory, in MB; None where that was not measured.
    """

    seconds: float
    epoch_seconds: float
    memory_mb: float
    disk_mb: float
    measured: bool = False
    device_name: str = ""
    gpu_memory_mb: float | None = None


@dataclass(frozen=True)
class Rates:
    """Images a second.

    Attributes:
        training: Forward and backward through the whole network.
        prediction: Forward only.
    """

    training: float
    prediction: float


def scaled_rates(spec: RunSpec, image_size: int = 96) -> Rates:
    """The measured speed of a backbone, for another input size: work grows with the pixels."""
    backbone = BACKBONES.get(spec.backbone)
    factor = ((spec.input_size or image_size) / 96) ** 2
    return Rates(backbone.speed.training / factor, backbone.speed.prediction / factor)


def _phase_seconds(
    phase: Phase, blocks: int, rates: Rates, images: int, validation_images: int, *, online: bool
) -> tuple[float, float]:
    """Seconds before its first epoch, and seconds of each epoch."""
    forward = validation_images / rates.prediction
    if phase.head_only and not online:
        return images / rates.prediction + forward, images / _HEAD_RATE
    looking, learning = images / rates.prediction, images / rates.training
    share = 1.0 if phase.open_blocks is None else phase.open_blocks / blocks
    return 0.0, looking + (learning - looking) * share + forward


def foreseen_cost(
    spec: RunSpec,
    images: int,
    validation_images: int,
    *,
    online: bool,
    image_size: int = 96,
    rates: Rates | None = None,
    start: float | None = None,
    done: int = 0,
) -> Cost:
    """Foresee the cost of a run.

    Args:
        spec: The run.
        images: Train images an epoch.
        validation_images: Held-out images, which cost a forward pass an epoch.
        online: Whether the recipe changes the images in every epoch: a frozen backbone then looks every time.
        image_size: Height and width of the images, in pixels.
        rates: Measured images a second; those of two CPU cores where None.
        start: Measured seconds before the first step; the backbone's own where None.
        done: Epochs that are finished already, where it goes on from another run.
    """
    backbone = BACKBONES.get(spec.backbone)
    rates = rates or scaled_rates(spec, image_size)
    seconds, epoch = backbone.speed.start if start is None else start, 0.0
    for phase in phases(spec, backbone.block_count):
        once, epoch = _phase_seconds(
            phase, backbone.block_count, rates, images, validation_images, online=online
        )
        left = phase.end - max(phase.first, done)
        seconds += once + left * epoch if left > 0 else 0.0
    slots = {"adamw": 2, "adam": 2, "sgd": 1, "lion": 1}[spec.optimiser]
    slots += (spec.ema > 0) + (spec.accumulation > 1)
    # The weights twice, in the checkpoint and in best.keras, and what the optimiser keeps of what learns.
    remembered = 0 if spec.freeze == "all" else slots
    disk_mb = backbone.parameters * 4 * (2 + remembered) / 1e6
    return Cost(
        seconds=seconds,
        epoch_seconds=epoch,
        memory_mb=_memory(spec, slots, image_size) + mapped_memory(images, validation_images, image_size),
        disk_mb=disk_mb,
    )


def mapped_memory(images: int, validation_images: int, image_size: int) -> float:
    """Megabytes of the files of images that a whole run has looked at."""
    return 3 * image_size**2 * (images + _HELD_OUT_READS * validation_images) / 1e6


def _memory(spec: RunSpec, slots: int, image_size: int) -> float:
    """Megabytes of a process that trains on a CPU, its libraries included and its images not.

    Dry runs of four networks of the lab with 32 to 128 images a step lie within an eighth of it.
    """
    backbone = BACKBONES.get(spec.backbone)
    pixels = ((spec.input_size or image_size) / 96) ** 2
    # A backbone that only looks gives each layer's output free for the next.
    held = _LOOKING if spec.freeze == "all" else 1.0
    activations = held * _ACTIVATION_SHARE * backbone.activations * pixels * spec.batch_size
    return _LIBRARIES_MB + 4 * (activations + backbone.parameters * (2 + slots)) / 1e6


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
