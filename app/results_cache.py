"""What the Results pages read from the core, cached by run, report and the time it was written."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.cache import data_url
from app.state import workspace
from wbc_core.evaluation import pictures, predictions, reports
from wbc_core.evaluation.compare import compare_splits
from wbc_core.evaluation.confidence import report_confidence
from wbc_core.records import Dataset
from wbc_core.training import runs
from wbc_core.training.runs import Run

PERCENTS = tuple(percent / 100 for percent in range(51))
"""Shares that the reject option's slider offers."""


def _home() -> str:
    return str(workspace().home)


def _stamp(run_id: str, name: str) -> int:
    return (reports.reports_dir(workspace(), run_id) / f"{name}.json").stat().st_mtime_ns


def _stamps(run_id: str) -> tuple[int, ...]:
    return tuple(_stamp(run_id, name) for name in reports.list_reports(workspace(), run_id))


def runs_of(dataset: Dataset, chosen: str | None = None) -> list[Run]:
    """Runs on a data set that have a model, newest first; with the chosen run, wherever it belongs."""
    return [
        run
        for run in runs.list_runs(workspace())
        if run.id == chosen or (run.dataset == dataset.id and run.best_epoch is not None)
    ]


@st.cache_data(show_spinner=False, max_entries=32)
def _report(home: str, run_id: str, name: str, stamp: int) -> dict[str, Any]:
    return reports.complete_report(workspace(), run_id, name)


def report(run_id: str, name: str) -> dict[str, Any]:
    """A report with all its figures; read again after a new evaluation."""
    return _report(_home(), run_id, name, _stamp(run_id, name))


@st.cache_data(show_spinner=False, max_entries=16)
def _predictions(home: str, run_id: str, name: str, stamp: int) -> pd.DataFrame:
    return reports.load_predictions(workspace(), run_id, name)


def report_predictions(run_id: str, name: str) -> pd.DataFrame:
    """The predictions behind a report."""
    return _predictions(_home(), run_id, name, _stamp(run_id, name))


@st.cache_data(show_spinner=False, max_entries=16)
def _confidence(home: str, run_id: str, name: str, stamps: tuple[int, ...]) -> dict[str, Any]:
    return report_confidence(workspace(), run_id, name, PERCENTS)


def confidence(run_id: str, name: str) -> dict[str, Any]:
    """What a report says about confidence; entry p of its reject option sends p per cent to a person."""
    return _confidence(_home(), run_id, name, _stamps(run_id))


@st.cache_data(show_spinner=False, max_entries=16)
def _comparisons(
    home: str, run_ids: tuple[str, ...], stamps: tuple[tuple[int, ...], ...]
) -> list[dict[str, Any]]:
    return compare_splits(workspace(), run_ids)


def comparisons(run_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    """The comparison of runs, one a split; made again after a new evaluation of one of them."""
    return _comparisons(_home(), run_ids, tuple(_stamps(run_id) for run_id in run_ids))


@st.cache_data(show_spinner=False, max_entries=16)
def predicted(path: str, stamp: int) -> pd.DataFrame:
    """Predictions from a CSV file of a predict job."""
    return predictions.read_predictions(Path(path))


@st.cache_data(show_spinner=False, max_entries=32)
def pictures_of(source: str, names: tuple[str, ...], shape: tuple[int, int, int]) -> dict[str, str]:
    """Data URLs of some pictures of a predicted source; those that are gone are left out."""
    found = pictures.read_named(Path(source), set(names), shape)
    return {name: data_url(np.asarray(image)) for name, image in found.items()}
