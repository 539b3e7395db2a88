"""What pages read of explanations, cached by model checksum and image: they are made by jobs, never here."""

import hashlib
from pathlib import Path

import numpy as np
import streamlit as st

from app.cache import data_url
from app.formatting import plain
from app.state import workspace
from wbc_core.errors import WbcError
from wbc_core.evaluation import explain, explanations, overlays, pictures
from wbc_core.evaluation.browsing import Cell
from wbc_core.evaluation.explanations import Explanation, MixUp
from wbc_core.evaluation.report import sha256_of
from wbc_core.training.predict import best_model_path
from wbc_core.training.runs import Run


def _home() -> str:
    return str(workspace().home)


@st.cache_data(show_spinner=False, max_entries=64)
def _checksum(home: str, run_id: str, stamp: int, size: int) -> str:
    return sha256_of(best_model_path(workspace(), run_id))


def checksum(run: Run) -> str:
    """SHA-256 of a run's model; computed again after it was trained further."""
    about = best_model_path(workspace(), run.id).stat()
    return _checksum(_home(), run.id, about.st_mtime_ns, about.st_size)


def obstacle(run: Run) -> str | None:
    """Why a run can explain nothing, in a sentence; None where it can."""
    if run.members:
        members = plain(", ".join(run.members))
        return f"An ensemble looks at an image through several networks: open one of its members, {members}."
    try:
        best_model_path(workspace(), run.id)
    except WbcError:
        return "The model of this run is gone, so nothing can be explained."
    return None


def is_known(run: Run, image_id: str) -> bool:
    """Whether an image was explained."""
    return _explanation_path(run, image_id).exists()


def _explanation_path(run: Run, image_id: str) -> Path:
    patch = explain.patch_of(run.image_shape)
    return explanations.explanation_path(workspace(), run.id, checksum(run), image_id, *patch)


@st.cache_resource(show_spinner=False, max_entries=128)
def _explanation(
    home: str, run_id: str, model: str, image_id: str, patch: tuple[int, int], stamp: int
) -> Explanation | None:
    return explanations.load_explanation(workspace(), run_id, model, image_id, *patch)


def explanation(run: Run, image_id: str) -> Explanation | None:
    """The explanation of an image with the default patch; None where it was not made yet."""
    path = _explanation_path(run, image_id)
    if not path.exists():
        return None
    patch = explain.patch_of(run.image_shape)
    return _explanation(_home(), run.id, checksum(run), image_id, patch, path.stat().st_mtime_ns)


@st.cache_resource(show_spinner=False, max_entries=64)
def _mix_up(
    home: str, run_id: str, model: str, pair: tuple[int, int], image_ids: tuple[str, ...], stamp: int
) -> MixUp | None:
    return explanations.load_mix_up(workspace(), run_id, model, pair, image_ids)


def mix_up(run: Run, cell: Cell) -> MixUp | None:
    """The averaged maps of the images of a cell; None where they were not made yet."""
    pair = (cell.true, cell.predicted)
    path = explanations.mix_up_path(workspace(), run.id, checksum(run), pair, cell.image_ids)
    if not path.exists():
        return None
    return _mix_up(_home(), run.id, checksum(run), pair, tuple(cell.image_ids), path.stat().st_mtime_ns)


@st.cache_data(show_spinner=False, max_entries=128)
def _drawn(key: tuple[str, ...], _about: Explanation | MixUp) -> dict[str, str]:
    heat = overlays.largest_grad_cam(_about)
    made = {"original": overlays.drawn(_about.image)}
    for kind, label in overlays.shown_classes(_about).items():
        made[f"grad_cam {kind}"] = overlays.draw_grad_cam(_about, label, heat)
        if isinstance(_about, Explanation):
            drop = overlays.largest_drop(_about)
            made[f"occlusion {kind}"] = overlays.draw_occlusion(_about, label, drop)
    return {name: data_url(np.asarray(picture)) for name, picture in made.items()}


def drawn(run: Run, about: Explanation | MixUp) -> dict[str, str]:
    """The pictures of an explanation or of averaged maps as data URLs.

    Returns:
        `original`, and for each class of `overlays.shown_classes` `grad_cam KIND` and, of an explanation,
        `occlusion KIND`.
    """
    if isinstance(about, Explanation):
        what = about.image_id
    else:
        pixels = hashlib.sha256(about.image.tobytes()).hexdigest()
        what = f"{about.true}-{about.predicted}-{pixels}"
    return _drawn((_home(), run.id, checksum(run), what), about)


def picture_ids(source: str, names: tuple[str, ...], shape: tuple[int, int, int]) -> dict[str, str]:
    """Ids of some pictures of a predicted source, in this order; those that are gone are left out."""
    path = Path(source)
    return _picture_ids(source, names, shape, path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_data(show_spinner=False, max_entries=32)
def _picture_ids(
    source: str, names: tuple[str, ...], shape: tuple[int, int, int], stamp: int
) -> dict[str, str]:
    found = pictures.read_named(Path(source), set(names), shape)
    return {name: explain.picture_id(found[name]) for name in names if name in found}


@st.cache_data(show_spinner=False)
def ramp(name: str) -> str:
    """The colours of a scale as a data URL.

    Args:
        name: `grad_cam` or `occlusion`.
    """
    return data_url(overlays.ramp({"grad_cam": overlays.GRAD_CAM, "occlusion": overlays.OCCLUSION}[name]))
