"""What the Split & balance page reads from the core, cached by the ids of records that never change."""

import base64
import io
import json
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image

from app import cache, cache_prepare
from app.state import workspace
from wbc_core import splitting
from wbc_core.balance import smote, smote_examples, space_of
from wbc_core.balance.neighbours import Space
from wbc_core.balance.projection import Map, map_of, sample
from wbc_core.balance.realism import GHOST, ghost_scores
from wbc_core.balance.smote import SmoteDraw
from wbc_core.balance.surroundings import Surroundings, surroundings
from wbc_core.curation.scan import DUPLICATE_CHECKS
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Json, Split

EXAMPLES = 120
"""SMOTE images of each class that the page looks at."""
REAL_POINTS = 200
"""Real images of each class on the map, at most."""


def _home() -> str:
    return str(workspace().home)


@st.cache_data(show_spinner=False, max_entries=8)
def _leaks(home: str, split_id: str, stamps: tuple[int, ...]) -> list[list[int]]:
    return splitting.leaks(workspace(), splitting.load_split(workspace(), split_id))


def leaks(split: Split) -> list[list[int]]:
    """Groups of duplicates across the parts, as far as the scan knows.

    None where it has not looked, or looks otherwise since: asking then would scan, which is a job's work.
    """
    if not set(DUPLICATE_CHECKS).isdisjoint(cache.outdated_checks(split.dataset)):
        return []
    stamps = tuple(cache.findings_stamp(split.dataset, check) for check in DUPLICATE_CHECKS)
    return _leaks(_home(), split.id, stamps) if all(stamps) else []


@dataclass(frozen=True, eq=False)
class Examples:
    """The first SMOTE images of a class, and how much each looks like a ghost."""

    drawn: SmoteDraw
    scores: np.ndarray

    @property
    def ghosts(self) -> np.ndarray:
        """Positions of those that are flagged."""
        return np.flatnonzero(self.scores >= GHOST)


@st.cache_resource(show_spinner=False, max_entries=2)
def _space(home: str, split_id: str, classes: int, neighbours: str) -> Space:
    split = splitting.load_split(workspace(), split_id)
    rows = cache_prepare.train_rows(split)
    return space_of(cache.images(split.dataset), rows, {"neighbours": neighbours})


@st.cache_data(show_spinner="Searching neighbours…", max_entries=128)
def _examples(
    home: str, split_id: str, class_names: tuple[str, ...], label: int, seed: int, parameters: str
) -> Examples:
    split, given = splitting.load_split(workspace(), split_id), json.loads(parameters)
    rows, images = cache_prepare.train_rows(split), cache.images(split.dataset)
    space = _space(home, split_id, len(rows), given.get("neighbours", "pixels"))
    drawn = smote_examples(images, rows, label, seed, EXAMPLES, given, class_names, space)
    return Examples(drawn, ghost_scores(images, drawn))


def examples(split: Split, dataset: Dataset, label: int, seed: int, parameters: Json) -> Examples:
    """The first SMOTE images of a class at a seed, as preparing draws them.

    Raises:
        WbcError: The class has fewer than two train images.
    """
    given = json.dumps(parameters, sort_keys=True)
    return _examples(_home(), split.id, dataset.class_names, label, seed, given)


def examples_of_all(split: Split, dataset: Dataset, seed: int, parameters: Json) -> dict[str, Examples]:
    """The first SMOTE images of every class that can have some."""
    found = {}
    for label, name in enumerate(dataset.class_names):
        try:
            found[name] = examples(split, dataset, label, seed, parameters)
        except WbcError:
            # Fewer than two train images: the gallery says so when the class is chosen.
            continue
    return found


def results(split: Split, drawn: SmoteDraw, positions: np.ndarray) -> list[str]:
    """Data URLs of some images of a draw."""
    own = SmoteDraw(drawn.base[positions], drawn.neighbour[positions], drawn.factor[positions])
    made = smote.interpolate(cache.images(split.dataset), own, 0, len(own))
    return [cache.data_url(image) for image in made]


@st.cache_data(show_spinner=False, max_entries=64)
def _around(home: str, split_id: str, label: int, base: int, neighbour: int) -> Surroundings:
    split = splitting.load_split(workspace(), split_id)
    rows = cache_prepare.train_rows(split)[label]
    return surroundings(cache.images(split.dataset), rows, base, neighbour)


def around(split: Split, label: int, base: int, neighbour: int) -> Surroundings:
    """The other real images of a class around two parents."""
    return _around(_home(), split.id, label, base, neighbour)


def disjoint(split: Split, base: int, neighbour: int) -> float:
    """1 - IoU of the nuclei of two images: the ghost score half-way between them."""
    half = SmoteDraw(np.array([base]), np.array([neighbour]), np.array([0.5]))
    return float(ghost_scores(cache.images(split.dataset), half)[0])


def lossless(dataset_id: str, row: int) -> str:
    """A picture as a data URL that keeps every byte."""
    buffer = io.BytesIO()
    Image.fromarray(cache.images(dataset_id)[row]).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@dataclass(frozen=True, eq=False)
class Points:
    """Real and synthetic images of every class in one plane.

    Attributes:
        rows: Rows of the real ones, int64 (m,).
        labels: Their classes.
        drawn: The synthetic ones.
        drawn_labels: Their classes.
        scores: Their ghost scores.
        map: Where all of them lie.
    """

    rows: np.ndarray
    labels: np.ndarray
    drawn: SmoteDraw
    drawn_labels: np.ndarray
    scores: np.ndarray
    map: Map


@st.cache_data(show_spinner="Placing real and synthetic images…", max_entries=16)
def _points(home: str, split_id: str, class_names: tuple[str, ...], seed: int, parameters: str) -> Points:
    split = splitting.load_split(workspace(), split_id)
    dataset = cache.open_dataset(split.dataset)
    found = examples_of_all(split, dataset, seed, json.loads(parameters))
    own = [sample(rows, REAL_POINTS, seed) for rows in cache_prepare.train_rows(split)]
    drawn = SmoteDraw.join([entry.drawn for entry in found.values()] or [SmoteDraw.copies(own[0][:0])])
    sizes = [len(found[name].drawn) if name in found else 0 for name in class_names]
    rows = np.concatenate(own)
    return Points(
        rows,
        np.repeat(np.arange(len(own)), [len(part) for part in own]),
        drawn,
        np.repeat(np.arange(len(own)), sizes),
        np.concatenate([entry.scores for entry in found.values()] or [np.empty(0)]),
        map_of(cache.images(dataset.id), rows, drawn),
    )


def points(split: Split, dataset: Dataset, seed: int, parameters: Json) -> Points:
    """The map of a sample of the train images and of the first SMOTE images of every class."""
    return _points(_home(), split.id, dataset.class_names, seed, json.dumps(parameters, sort_keys=True))
