"""Explanations on disk: by run, checksum of its model and image id, read without TensorFlow."""

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wbc_core.evaluation.neighbours import Neighbour
from wbc_core.evaluation.occlusion import occlusion_map
from wbc_core.records import Json, content_id
from wbc_core.workspace import Workspace

FloatArray = NDArray[np.float32]

_VERSION = 1
_CHECKSUM_DIGITS = 16


def enlarged(small: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Bring a map (h, w) to the size of an image (H, W), bilinearly."""
    if not small.size:
        return np.zeros(shape[:2], np.float32)
    picture = Image.fromarray(np.asarray(small, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), np.float32)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a run named an image as it did.

    Attributes:
        image_id: Id of the image in its data set; for a picture of none, `picture-` and its pixels' digest.
        image: uint8 (H, W, 3).
        row: Row in the data set, None for a picture of none.
        label: Its class, as a number; None where nobody has labelled it.
        part: Part of the run's split: `train`, `validation`, `test`; None where it is in none.
        probabilities: float32 (K,).
        grad_cam: Grad-CAM of every class as the network gives it, float32 (K, h, w), at least 0, in nats.
        drops: Drop of every class's probability with each patch covered, float32 (K, rows, columns), -1..1.
        patch: Side of the patch, in pixels.
        stride: Distance of neighbouring patches, in pixels.
        neighbours: The nearest train images, the nearest first.
    """

    image_id: str
    image: NDArray[np.uint8]
    row: int | None
    label: int | None
    part: str | None
    probabilities: FloatArray
    grad_cam: FloatArray
    drops: FloatArray
    patch: int
    stride: int
    neighbours: tuple[Neighbour, ...]

    @property
    def predicted(self) -> int:
        """The most probable class."""
        return int(self.probabilities.argmax())

    def grad_cam_map(self, label: int) -> FloatArray:
        """Grad-CAM of a class, float32 (H, W), at least 0, in nats of its logit."""
        return enlarged(self.grad_cam[label], self.image.shape)

    def occlusion_map(self, label: int) -> FloatArray:
        """Mean drop of a class's probability with a pixel covered, float32 (H, W), -1..1."""
        height, width, _ = self.image.shape
        return occlusion_map(self.drops[label], (height, width, 3), self.patch, self.stride)


@dataclass(frozen=True, eq=False)
class MixUp:
    """What the images of one confused pair have in common.

    Attributes:
        true: The class that they are, as a number.
        predicted: The class that they were taken for.
        count: Number of images.
        image: Their mean, uint8 (H, W, 3).
        grad_cam: Their mean Grad-CAM of every class, float32 (K, h, w), in nats.
    """

    true: int
    predicted: int
    count: int
    image: NDArray[np.uint8]
    grad_cam: FloatArray

    def grad_cam_map(self, label: int) -> FloatArray:
        """Mean Grad-CAM of a class, float32 (H, W), at least 0, in nats of its logit."""
        return enlarged(self.grad_cam[label], self.image.shape)


def _folder(workspace: Workspace, run_id: str, checksum: str) -> Path:
    return workspace.run_dir(run_id) / "explanations" / checksum[:_CHECKSUM_DIGITS]


def explanation_path(
    workspace: Workspace, run_id: str, checksum: str, image_id: str, patch: int, stride: int
) -> Path:
    """File of an explanation, made or not."""
    return _folder(workspace, run_id, checksum) / f"{image_id}-{patch}-{stride}-v{_VERSION}.npz"


def mix_up_path(
    workspace: Workspace, run_id: str, checksum: str, pair: tuple[int, int], image_ids: Sequence[str]
) -> Path:
    """File of the averaged maps of images of class `pair[0]` that were taken for `pair[1]`, made or not."""
    name = content_id("mix", [list(pair), sorted(image_ids)])
    return _folder(workspace, run_id, checksum) / f"{name}-v{_VERSION}.npz"


def _write(workspace: Workspace, path: Path, facts: Json, arrays: Mapping[str, NDArray[Any]]) -> None:
    with workspace.atomic_path(path) as scratch, scratch.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, facts=np.array(json.dumps(facts)), **arrays)
    for older in path.parent.parent.iterdir():
        if older != path.parent:  # of a model that was trained further since
            shutil.rmtree(older, ignore_errors=True)


def _read(path: Path, names: Sequence[str]) -> dict[str, Any] | None:
    """What `_write` wrote; None where there is none or the file is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            facts: dict[str, Any] = json.loads(str(archive["facts"]))
            return facts | {name: archive[name] for name in names}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


_EXPLANATION = ("image", "probabilities", "grad_cam", "drops")
_MIX_UP = ("image", "grad_cam")


def save_explanation(workspace: Workspace, run_id: str, checksum: str, explanation: Explanation) -> None:
    """Keep an explanation; what older models of the run made is removed.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        checksum: SHA-256 of its model, in hexadecimal.
        explanation: The explanation.
    """
    facts = asdict(explanation)
    arrays = {name: facts.pop(name) for name in _EXPLANATION}
    path = explanation_path(
        workspace, run_id, checksum, explanation.image_id, explanation.patch, explanation.stride
    )
    _write(workspace, path, facts, arrays)


def load_explanation(
    workspace: Workspace, run_id: str, checksum: str, image_id: str, patch: int, stride: int
) -> Explanation | None:
    """Read an explanation; None where it was not made yet, or its file is damaged."""
    found = _read(explanation_path(workspace, run_id, checksum, image_id, patch, stride), _EXPLANATION)
    if found is None:
        return None
    neighbours = tuple(Neighbour(**one) for one in found.pop("neighbours"))
    return Explanation(**found, neighbours=neighbours)


def save_mix_up(
    workspace: Workspace, run_id: str, checksum: str, image_ids: Sequence[str], mix_up: MixUp
) -> None:
    """Keep the averaged maps of the images `image_ids`."""
    facts = asdict(mix_up)
    arrays = {name: facts.pop(name) for name in _MIX_UP}
    pair = (mix_up.true, mix_up.predicted)
    _write(workspace, mix_up_path(workspace, run_id, checksum, pair, image_ids), facts, arrays)


def load_mix_up(
    workspace: Workspace, run_id: str, checksum: str, pair: tuple[int, int], image_ids: Sequence[str]
) -> MixUp | None:
    """Read the averaged maps of a mix-up's images; None where they were not made yet."""
    found = _read(mix_up_path(workspace, run_id, checksum, pair, image_ids), _MIX_UP)
    return MixUp(**found) if found else None
