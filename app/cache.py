"""What pages read from the core, cached by content id: a record never changes, so its id is the whole key."""

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from app.state import workspace
from wbc_core.curation import agreement, clean, review, scan
from wbc_core.curation import map as image_map
from wbc_core.curation.standing import Standing, brought_up_to_date, nothing_decided
from wbc_core.datasets import statistics, store
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Finding


def datasets() -> list[Dataset]:
    """Every data set, newest first. Not cached: a job in another process may have added one."""
    return store.list_datasets(workspace())


@st.cache_resource(show_spinner=False, max_entries=16)
def _table(home: str, dataset_id: str) -> pd.DataFrame:
    return store.load_table(workspace(), dataset_id)


def table(dataset_id: str) -> pd.DataFrame:
    """Row, image id, label, source and original size of every image; shared, so not to be changed."""
    return _table(str(workspace().home), dataset_id)


def labels(dataset_id: str) -> np.ndarray:
    """The label of every row as imported, int64 (N,)."""
    return table(dataset_id)["label"].to_numpy(dtype=np.int64)


@st.cache_data(show_spinner=False, max_entries=16)
def _counts(home: str, dataset_id: str, class_names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(table(dataset_id)["label"], minlength=len(class_names))
    return {name: int(count) for name, count in zip(class_names, counts, strict=True)}


def class_counts(dataset_id: str) -> dict[str, int]:
    """Images of each class as imported, in class order."""
    dataset = store.find_dataset(workspace(), dataset_id)
    return _counts(str(workspace().home), dataset_id, dataset.class_names)


@st.cache_data(show_spinner=False, max_entries=16)
def _sample_rows(home: str, dataset_id: str, per_class: int) -> tuple[int, ...]:
    labels = table(dataset_id)["label"].to_numpy()
    chosen = [
        rows[np.linspace(0, len(rows) - 1, min(per_class, len(rows)), dtype=int)]
        for label in np.unique(labels)
        if len(rows := np.flatnonzero(labels == label))
    ]
    return tuple(int(row) for row in np.concatenate(chosen))


def sample_rows(dataset_id: str, per_class: int) -> tuple[int, ...]:
    """Row numbers of some images of each class, spread evenly over the set, in class order."""
    return _sample_rows(str(workspace().home), dataset_id, per_class)


@st.cache_data(show_spinner="Looking at every image once", max_entries=16)
def _summary(home: str, dataset_id: str) -> dict[str, Any]:
    return statistics.dataset_summary(workspace(), dataset_id)


def summary(dataset_id: str) -> dict[str, Any]:
    """Counts, mean image, size and colour spread of a data set."""
    return _summary(str(workspace().home), dataset_id)


@st.cache_resource(show_spinner=False, max_entries=8)
def _images(home: str, dataset_id: str) -> np.ndarray:
    return store.open_images(workspace(), dataset_id)


def images(dataset_id: str) -> np.ndarray:
    """The pixels of a data set, uint8 (N, H, W, 3), memory-mapped."""
    return _images(str(workspace().home), dataset_id)


def data_url(image: np.ndarray, size: int | None = None) -> str:
    """A picture as a data URL.

    Args:
        image: uint8 (H, W, 3).
        size: Longest side in pixels after shrinking; never enlarged.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    if size and max(picture.size) > size:
        picture.thumbnail((size, size))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=88, method=1)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


@st.cache_data(show_spinner=False, max_entries=200)
def _thumbnails(home: str, dataset_id: str, rows: tuple[int, ...], size: int) -> list[str]:
    pixels = images(dataset_id)
    return [data_url(pixels[row], size) for row in rows]


def thumbnails(dataset_id: str, rows: tuple[int, ...], size: int = 96) -> list[str]:
    """Data URLs of images, in the order of `rows`; pictures are at most `size` pixels wide."""
    return _thumbnails(str(workspace().home), dataset_id, tuple(int(row) for row in rows), size)


def findings_stamp(dataset_id: str, check: str) -> int:
    """When the findings of a check were written; 0 where there are none."""
    try:
        return (workspace().findings_dir(dataset_id) / f"{check}.parquet").stat().st_mtime_ns
    except OSError:
        return 0


@st.cache_resource(show_spinner=False, max_entries=64)
def _findings(home: str, dataset_id: str, check: str, stamp: int) -> list[Finding]:
    return scan.load_findings(workspace(), dataset_id, check)


def findings(dataset_id: str, check: str) -> list[Finding]:
    """The findings of one check, worst first; read again after a new scan."""
    return _findings(str(workspace().home), dataset_id, check, findings_stamp(dataset_id, check))


@st.cache_data(show_spinner=False, max_entries=128)
def _network(home: str, dataset_id: str, check: str, stamp: int) -> str | None:
    return scan.network_of(workspace(), dataset_id, check)


def network(dataset_id: str, check: str) -> str | None:
    """The run or the backbone by which a check's findings were made; None for the lab's own features."""
    return _network(str(workspace().home), dataset_id, check, findings_stamp(dataset_id, check))


def scanned_checks(dataset_id: str) -> list[str]:
    """Names of the checks that have been run on the data set."""
    return scan.scanned_checks(workspace(), dataset_id)


def findings_stamps(dataset_id: str) -> tuple[tuple[str, int], ...]:
    """The checks that have been run on the data set, and when the findings of each were written."""
    return tuple((name, findings_stamp(dataset_id, name)) for name in scanned_checks(dataset_id))


@st.cache_data(show_spinner=False, max_entries=16)
def _embedding_in_use(home: str, dataset_id: str, stamps: tuple[tuple[str, int], ...]) -> str | None:
    return image_map.embedding_in_use(workspace(), dataset_id)


def embedding_in_use(dataset_id: str) -> str | None:
    """Id of the network by which findings were made; None for the lab's own features."""
    return _embedding_in_use(str(workspace().home), dataset_id, findings_stamps(dataset_id))


@st.cache_data(show_spinner=False, max_entries=16)
def _outdated_checks(home: str, dataset_id: str, stamps: tuple[tuple[str, int], ...]) -> list[str]:
    return scan.outdated_checks(workspace(), dataset_id)


def outdated_checks(dataset_id: str) -> list[str]:
    """Names of the checks that have changed since they were run on the data set."""
    return _outdated_checks(str(workspace().home), dataset_id, findings_stamps(dataset_id))


def log_stamp(dataset_id: str) -> tuple[int, int]:
    """Last line of the decision log and its number of lines: the key of all that depends on decisions."""
    return review.log_stamp(workspace(), dataset_id)


@st.cache_resource(show_spinner=False, max_entries=8)
def _last_standing(home: str, dataset_id: str) -> list[Standing]:
    return [nothing_decided(store.read_dataset(workspace(), dataset_id))]


def standing(dataset: Dataset) -> Standing:
    """The decisions that hold; of the log only what is new is read."""
    known = _last_standing(str(workspace().home), dataset.id)
    # Replaced whole: who reads at the same moment sees the older or the newer one, both true.
    known[0] = brought_up_to_date(workspace(), dataset, known[0])
    return known[0]


@st.cache_resource(show_spinner=False, max_entries=8)
def _opinions(home: str, dataset_id: str, stamp: tuple[int, int]) -> dict[str, Standing]:
    return agreement.opinions(workspace(), dataset_id)


def opinions(dataset_id: str) -> dict[str, Standing]:
    """The verdicts of every second reviewer, by name."""
    stamp = agreement.opinions_stamp(workspace(), dataset_id)
    return _opinions(str(workspace().home), dataset_id, stamp)


@st.cache_resource(show_spinner=False, max_entries=8)
def _agreement(
    home: str, dataset_id: str, second: str, stamps: tuple[tuple[int, int], ...]
) -> agreement.Agreement:
    return agreement.agreement(workspace(), dataset_id, second)


def agreement_with(dataset_id: str, second: str) -> agreement.Agreement:
    """How far the decisions and the verdicts of a second reviewer agree."""
    stamps = (log_stamp(dataset_id), agreement.opinions_stamp(workspace(), dataset_id))
    return _agreement(str(workspace().home), dataset_id, second, stamps)


@st.cache_resource(show_spinner=False, max_entries=4)
def _image_map(home: str, dataset_id: str, stamp: int, embedding: str | None) -> image_map.ImageMap | None:
    return image_map.image_map(workspace(), dataset_id)


def map_of(dataset_id: str) -> image_map.ImageMap | None:
    """Where each image lies on the map; None before a scan has measured what it needs."""
    folder = workspace().findings_dir(dataset_id) / "measures"
    stamp = max((path.stat().st_mtime_ns for path in folder.glob("*.npz")), default=0)
    embedding = embedding_in_use(dataset_id)
    return _image_map(str(workspace().home), dataset_id, stamp, embedding)


@st.cache_resource(show_spinner=False, max_entries=8)
def _clean_set(home: str, dataset_id: str, stamp: tuple[int, int], _standing: Standing) -> clean.CleanSet:
    dataset = store.read_dataset(workspace(), dataset_id)
    return clean.what_is_left(dataset, labels(dataset_id), _standing.effective, stamp[0])


def clean_set(dataset_id: str) -> clean.CleanSet:
    """Rows and labels that the decisions leave."""
    now = standing(store.read_dataset(workspace(), dataset_id))
    return _clean_set(str(workspace().home), dataset_id, (now.head, now.lines), now)


def open_dataset(dataset_id: str) -> Dataset | None:
    """The data set with this id, or None where there is none."""
    try:
        return store.read_dataset(workspace(), dataset_id)
    except WbcError:
        return None
