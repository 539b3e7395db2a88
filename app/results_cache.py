"""What the Results pages read from the core, cached by run, report and the time it was written."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.cache import data_url
from app.state import workspace
from wbc_core.errors import WbcError
from wbc_core.evaluation import corrected_count, pictures, prediction_csv, reports
from wbc_core.evaluation import robustness as under_shifts
from wbc_core.evaluation.compare import compare_splits
from wbc_core.evaluation.confidence import report_confidence
from wbc_core.evaluation.cost_decisions import report_costs
from wbc_core.evaluation.marks import person_threshold
from wbc_core.evaluation.slices import load_slices
from wbc_core.records import Dataset
from wbc_core.training import runs
from wbc_core.training.runs import Run

PERCENTS = tuple(percent / 100 for percent in range(51))
"""Shares that the reject option's slider offers."""


Stamps = tuple[tuple[str, int], ...]
"""When what a figure was made from was written."""


def _home() -> str:
    return str(workspace().home)


def _stamp(run_id: str, name: str) -> int:
    return (reports.reports_dir(workspace(), run_id) / f"{name}.json").stat().st_mtime_ns


def stamps(run_id: str) -> Stamps:
    """When every report of a run was written, its model, which makes reports outdated, and its latency."""
    folder = workspace().run_dir(run_id)
    beside = [folder / "best.keras", folder / "latency.json"]
    written = [(name, _stamp(run_id, name)) for name in reports.list_reports(workspace(), run_id)]
    return (*written, *((path.name, path.stat().st_mtime_ns) for path in beside if path.exists()))


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
def _confidence(home: str, run_id: str, name: str, written: Stamps) -> dict[str, Any]:
    return report_confidence(workspace(), run_id, name, PERCENTS)


def confidence(run_id: str, name: str) -> dict[str, Any]:
    """What a report says about confidence; entry p of its reject option sends p per cent to a person."""
    return _confidence(_home(), run_id, name, stamps(run_id))


@st.cache_data(show_spinner=False, max_entries=16)
def _costs(
    home: str, run_id: str, name: str, costs: tuple[tuple[float, ...], ...], written: Stamps
) -> dict[str, Any]:
    return report_costs(workspace(), run_id, name, costs)


def costs(run_id: str, name: str, matrix: tuple[tuple[float, ...], ...]) -> dict[str, Any]:
    """What the mix-ups of a report cost by a matrix [true][predicted]."""
    return _costs(_home(), run_id, name, matrix, stamps(run_id))


@st.cache_data(show_spinner=False, max_entries=16)
def _comparisons(
    home: str, run_ids: tuple[str, ...], written: tuple[Stamps, ...], costs: tuple[int, ...]
) -> list[dict[str, Any]]:
    return compare_splits(workspace(), run_ids)


def comparisons(run_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    """The comparison of runs, one a split; made again after an evaluation, a timing or other costs."""
    costs = tuple(path.stat().st_mtime_ns for path in sorted(workspace().home.glob("costs/*.json")))
    return _comparisons(_home(), run_ids, tuple(stamps(run_id) for run_id in run_ids), costs)


@st.cache_data(show_spinner=False, max_entries=16)
def _robustness(home: str, run_id: str, written: Stamps) -> dict[str, Any]:
    return under_shifts.summary(workspace(), run_id)


def robustness(run_id: str) -> dict[str, Any]:
    """How a run fares under shifts, from the reports that are there."""
    return _robustness(_home(), run_id, stamps(run_id))


def runs_with_shifts(run: Run) -> list[Run]:
    """Other runs on the same images that were evaluated under a shift, newest first."""
    return [
        other
        for other in runs.list_runs(workspace())
        if other.split == run.split
        and other.id != run.id
        and any(map(reports.is_shifted, reports.list_reports(workspace(), other.id)))
    ]


@st.cache_data(show_spinner=False, max_entries=16)
def _robustness_against(
    home: str, run_ids: tuple[str, str], tta: bool, written: tuple[Stamps, ...]
) -> dict[str, Any] | None:
    try:
        return under_shifts.compare_with(workspace(), *run_ids, tta=tta)
    except WbcError:
        return None


def robustness_against(run_id: str, baseline_id: str, tta: bool) -> dict[str, Any] | None:
    """A run's errors under shifts against a baseline's; None where they have none in common."""
    written = (stamps(run_id), stamps(baseline_id))
    return _robustness_against(_home(), (run_id, baseline_id), tta, written)


def slices(run_id: str, name: str) -> tuple[dict[str, Any], pd.DataFrame] | None:
    """The slices that were found of a report, and those of each image; None where nobody looked."""
    path = workspace().run_dir(run_id) / "slices" / f"{name}.json"
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _slices(_home(), run_id, name, (stamp, _stamp(run_id, name)))


@st.cache_data(show_spinner=False, max_entries=16)
def _slices(
    home: str, run_id: str, name: str, stamps: tuple[int, int]
) -> tuple[dict[str, Any], pd.DataFrame] | None:
    return load_slices(workspace(), run_id, name)


@st.cache_data(show_spinner=False, max_entries=16)
def predicted(path: str, stamp: int) -> pd.DataFrame:
    """Predictions from a CSV file of a predict job."""
    return prediction_csv.read_predictions(Path(path))


@st.cache_data(show_spinner=False, max_entries=32)
def corrected(
    counts: tuple[int, ...], confusion: tuple[tuple[int, ...], ...]
) -> corrected_count.CorrectedShares:
    """A differential count corrected for known mix-ups."""
    return corrected_count.corrected_shares(counts, confusion)


@st.cache_data(show_spinner=False, max_entries=32)
def _threshold(
    home: str, run_id: str, share: float, temperature: float | None, tta: bool, written: Stamps
) -> float | None:
    return person_threshold(workspace(), run_id, share=share, temperature=temperature, tta=tta)


def threshold(run_id: str, share: float, temperature: float | None, tta: bool) -> float | None:
    """The probability below which this share of a run's validation images lies, at a temperature."""
    return _threshold(_home(), run_id, share, temperature, tta, stamps(run_id))


@st.cache_data(show_spinner=False, max_entries=32)
def pictures_of(source: str, names: tuple[str, ...], shape: tuple[int, int, int]) -> dict[str, str]:
    """Data URLs of some pictures of a predicted source; those that are gone are left out."""
    found = pictures.read_named(Path(source), set(names), shape)
    return {name: data_url(np.asarray(image)) for name, image in found.items()}
