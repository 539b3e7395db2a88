"""What the Prepare pages read from the core, cached by the ids of records that never change."""

import numpy as np
import pandas as pd
import streamlit as st

from app.state import workspace
from wbc_core import splitting
from wbc_core.augment import prepare
from wbc_core.records import Split


@st.cache_data(show_spinner=False, max_entries=8)
def _split_table(home: str, split_id: str) -> pd.DataFrame:
    return splitting.split_table(workspace(), split_id)


def split_table(split_id: str) -> pd.DataFrame:
    """Row, image id, label, part and group of every image of a split."""
    return _split_table(str(workspace().home), split_id)


@st.cache_data(show_spinner=False, max_entries=8)
def _train_rows(home: str, split_id: str, classes: int) -> list[np.ndarray]:
    return prepare.train_rows(workspace(), split_id, classes)


def train_rows(split: Split) -> list[np.ndarray]:
    """Rows of the train part, one array a class."""
    return _train_rows(str(workspace().home), split.id, len(split.parts["train"]))


def duplicate_groups(split: Split) -> tuple[list[list[int]], dict[int, str]]:
    """Groups of (near) duplicates of a split, largest first, and the part that each row is in."""
    table = split_table(split.id)
    sizes = table.groupby("group")["row"].transform("size")
    grouped = table[(sizes > 1) & (table["group"] >= 0)]
    groups = [rows.tolist() for _, rows in grouped.groupby("group")["row"]]
    parts = dict(zip(grouped["row"].tolist(), grouped["part"].tolist(), strict=True))
    return sorted(groups, key=len, reverse=True), parts
