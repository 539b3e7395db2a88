"""What the Augment page computes from a recipe, cached by the part of the recipe that it depends on."""

import base64
import io
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from PIL import Image

from app import cache, cache_prepare
from app.state import workspace
from wbc_core import splitting
from wbc_core.augment import guard, prepare
from wbc_core.augment.foreseen import BalancedPart, ForeseenImages, foresee_balanced
from wbc_core.augment.mixes import MIXES
from wbc_core.augment.shown import PreparedView, Shown
from wbc_core.balance.smote import SmoteDraw
from wbc_core.datasets import store
from wbc_core.records import Dataset, Operation, Recipe, Split

EXAMPLES = 24
_MOST_VERDICTS = 512
_ANY = Operation("flip")


@dataclass(frozen=True)
class Example:
    """One train image of the preview: where it stands, and what it is."""

    position: int
    row: int
    class_name: str


@dataclass(frozen=True)
class Pictures:
    """Data URLs before and after, and the words under each; see `Shown`."""

    before: list[str]
    after: list[str]
    captions: list[str]
    labels: list[str]


def jpeg_url(image: np.ndarray) -> str:
    """A picture, uint8 (H, W, 3), as a data URL; a tenth of the time that WebP takes."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=86, subsampling=1)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _read(recipe: str) -> Recipe:
    return Recipe.from_json(json.loads(recipe))


def _written(recipe: Recipe) -> str:
    return json.dumps(recipe.to_json(), sort_keys=True)


def _records(split_id: str) -> tuple[Split, Dataset]:
    split = splitting.load_split(workspace(), split_id)
    return split, store.find_dataset(workspace(), split.dataset)


def _balance_of(recipe: Recipe) -> Recipe:
    """Of a recipe what decides about the originals alone."""
    return replace(recipe, name="shown", operations=(), online=(), engine="lab")


@st.cache_resource(show_spinner=False, max_entries=4)
def _draws(home: str, split_id: str, balance: str) -> list[SmoteDraw]:
    split, dataset = _records(split_id)
    return prepare.draw_balanced(workspace(), split, _read(balance), dataset, cache.images(dataset.id))[0]


@st.cache_resource(show_spinner=False, max_entries=8)
def _part(home: str, split_id: str, balance: str) -> BalancedPart:
    split, dataset = _records(split_id)
    rows, images = cache_prepare.train_rows(split), cache.images(dataset.id)
    return foresee_balanced(
        workspace(), split, _read(balance), dataset, images, rows, lambda: _draws(home, split_id, balance)
    )


def balanced_part(split: Split, recipe: Recipe) -> BalancedPart:
    """The balanced train part of a recipe."""
    return _part(str(workspace().home), split.id, _written(_balance_of(recipe)))


def prepared_view(split: Split, recipe: Recipe, class_names: tuple[str, ...]) -> PreparedView:
    """The set that a recipe makes: foreseen, but read from disk where only KerasCV knows what is in it."""
    identifier = prepare.prepared_id(split.id, recipe)
    if recipe.engine == "keras_cv" and (workspace().prepared_dir(identifier) / "prepared.json").exists():
        images, labels = prepare.open_prepared(workspace(), identifier)
        return PreparedView(recipe, images, labels, class_names)
    foreseen = ForeseenImages(cache.images(split.dataset), balanced_part(split, recipe), recipe, class_names)
    return PreparedView(recipe, foreseen, foreseen.labels, class_names)


def examples(split: Split, recipe: Recipe, class_names: tuple[str, ...]) -> list[Example]:
    """The train images of the preview, the classes in turn."""
    part = balanced_part(split, recipe)
    return [
        Example(position, int(part.draw.base[position]), class_names[part.labels[position]])
        for position in part.examples(EXAMPLES).tolist()
    ]


@st.cache_data(show_spinner=False, max_entries=16)
def _originals(home: str, dataset_id: str, rows: tuple[int, ...]) -> list[str]:
    return [jpeg_url(image) for image in cache.images(dataset_id)[list(rows)]]


def originals(split: Split, rows: list[int]) -> list[str]:
    """Data URLs of some images of the data set."""
    return _originals(str(workspace().home), split.dataset, tuple(rows))


def _only(recipe: Recipe, stage: str, index: int) -> Recipe:
    """Of a recipe what decides about one card: a materialised copy does not see the other operations."""
    if recipe.engine == "keras_cv":
        # Its set is found on disk by the whole recipe.
        return replace(recipe, online=recipe.online[: index + 1]) if stage == "online" else recipe
    if stage == "operations":
        # Of those before it only their number counts.
        return replace(
            recipe, name="shown", operations=(*(_ANY,) * index, recipe.operations[index]), online=()
        )
    return replace(recipe, name="shown", online=recipe.online[: index + 1])


@st.cache_data(show_spinner=False, max_entries=256)
def _card(
    home: str, split_id: str, recipe: str, class_names: tuple[str, ...], stage: str, index: int, epoch: int
) -> Pictures:
    split, own = splitting.load_split(workspace(), split_id), _read(recipe)
    view = prepared_view(split, own, class_names)
    positions = balanced_part(split, own).examples(EXAMPLES)
    if stage == "operations":
        return _encoded(view.copies(index, positions))
    if stage == "online":
        return _encoded(view.drawn_anew(index, positions, epoch))
    return _encoded(view.trained_on(positions, epoch))


def _encoded(shown: Shown) -> Pictures:
    return Pictures(
        [jpeg_url(image) for image in shown.before],
        [jpeg_url(image) for image in shown.after],
        shown.captions,
        shown.labels,
    )


def card(
    split: Split, recipe: Recipe, class_names: tuple[str, ...], stage: str, index: int, epoch: int
) -> Pictures:
    """The examples before and after one operation of a stage."""
    own, epoch = _only(recipe, stage, index), epoch if stage == "online" else 0
    return _card(str(workspace().home), split.id, _written(own), class_names, stage, index, epoch)


def trained_on(split: Split, recipe: Recipe, class_names: tuple[str, ...], epoch: int) -> Pictures:
    """The examples as training gets them in an epoch."""
    return _card(str(workspace().home), split.id, _written(recipe), class_names, "", 0, epoch)


@st.cache_data(show_spinner=False, max_entries=256)
def _sweep(
    home: str,
    split_id: str,
    recipe: str,
    class_names: tuple[str, ...],
    stage: str,
    index: int,
    parameter: str,
    position: int,
    epoch: int,
) -> list[tuple[float, str]]:
    split, own = splitting.load_split(workspace(), split_id), _read(recipe)
    view = prepared_view(split, own, class_names)
    return [(value, jpeg_url(image)) for value, image in view.sweep(stage, index, parameter, position, epoch)]


def sweep(
    split: Split,
    recipe: Recipe,
    class_names: tuple[str, ...],
    stage: str,
    index: int,
    parameter: str,
    position: int,
    epoch: int,
) -> list[tuple[float, str]]:
    """One image with a parameter from its lowest to its highest value."""
    own, home = _only(recipe, stage, index), str(workspace().home)
    return _sweep(home, split.id, _written(own), class_names, stage, index, parameter, position, epoch)


@st.cache_resource(show_spinner=False)
def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="guard")


@st.cache_resource(show_spinner=False, max_entries=4)
def _reference(home: str, split_id: str, class_names: tuple[str, ...]) -> "Future[guard.Reference]":
    split, dataset = _records(split_id)
    rows, images = cache_prepare.train_rows(split), cache.images(dataset.id)
    return _worker().submit(guard.measure_reference, images, rows, class_names)


Asked = tuple[Split, Recipe, tuple[str, ...], str, int, int]
"""Split, recipe, class names, stage, place in the stage, and epoch that the scan's checks are asked about."""


@st.cache_resource(show_spinner=False)
def _verdicts() -> "dict[tuple[object, ...], Future[guard.Verdict]]":
    return {}


def _key(asked: Asked) -> tuple[object, ...]:
    split, recipe, class_names, stage, index, epoch = asked
    own = _only(recipe, stage, index) if stage == "operations" else recipe
    epoch = epoch if stage == "online" else 0
    return (str(workspace().home), split.id, _written(own), class_names, stage, index, epoch)


def is_judged(asked: Asked) -> bool:
    """Whether the scan's checks have been asked this already."""
    return _key(asked) in _verdicts()


def verdict(asked: Asked) -> "Future[guard.Verdict]":
    """What the scan would say of the copies of one operation, or of what the online stage makes.

    In a thread of its own, because asking takes half a second in which a slider may move.
    """
    known = _verdicts()
    if len(known) >= _MOST_VERDICTS:
        known.clear()
    if _key(asked) not in known:
        split, recipe, class_names, stage, index, epoch = asked
        view, part = prepared_view(split, recipe, class_names), balanced_part(split, recipe)
        reference = _reference(str(workspace().home), split.id, class_names)
        if any(operation.name in MIXES for operation in recipe.online):
            # Its thread has no session to draw the partners of mixes in.
            part.complete()
        known[_key(asked)] = _worker().submit(_judge, view, part, reference, stage, index, epoch)
    return known[_key(asked)]


def _judge(
    view: PreparedView,
    part: BalancedPart,
    reference: "Future[guard.Reference]",
    stage: str,
    index: int,
    epoch: int,
) -> guard.Verdict:
    positions = part.examples(guard.SAMPLE)
    shown = view.copies(index, positions) if stage == "operations" else view.trained_on(positions, epoch)
    return guard.judge(reference.result(), shown.after, part.labels[positions])
