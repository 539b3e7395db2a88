"""What a report reads of the trainings that followed it, cached by run, decision and report."""

from typing import Any

import streamlit as st

from app.cache import findings_stamp
from app.results_cache import Stamps, stamps
from app.state import workspace
from wbc_core.curation.scan import DUPLICATE_CHECKS
from wbc_core.derived_splits import Changes
from wbc_core.errors import WbcError
from wbc_core.jobs import relaunch
from wbc_core.jobs.cleaning_study import CleaningStudy, plan_cleaning_study
from wbc_core.jobs.study_comparison import study_comparison
from wbc_core.records import Json
from wbc_core.splitting import load_split
from wbc_core.training.runs import Run


@st.cache_data(show_spinner=False, max_entries=1024)
def _is_raw(home: str, split_id: str) -> bool:
    try:
        return load_split(workspace(), split_id).raw
    except WbcError:  # a run outlives its split
        return False


def is_raw(split_id: str) -> bool:
    """Whether a split's train part is uncleaned, for a study."""
    return _is_raw(str(workspace().home), split_id)


@st.cache_data(show_spinner=False, max_entries=32)
def _relaunch_changes(home: str, run_id: str, log: tuple[int, int], stamps: tuple[int, ...]) -> Changes:
    return relaunch.foresee_relaunch(workspace(), run_id, until=log[0])


def _copies_stamp(dataset_id: str) -> tuple[int, ...]:
    """Changes with every search for duplicates."""
    return tuple(findings_stamp(dataset_id, check) for check in DUPLICATE_CHECKS)


def relaunch_changes(run: Run, log: tuple[int, int]) -> Changes:
    """What the decisions up to a line of the log (`log_stamp`), and a later scan, have changed for a run."""
    return _relaunch_changes(str(workspace().home), run.id, log, _copies_stamp(run.dataset))


@st.cache_data(show_spinner=False, max_entries=16)
def _relaunch_comparison(home: str, run_id: str, written: tuple[Stamps, ...]) -> dict[str, Any]:
    return relaunch.relaunch_comparison(workspace(), run_id)


def relaunch_comparison(earlier: str, run_id: str) -> dict[str, Any]:
    """How a relaunch compares with the run before; made again after a new evaluation of one of them."""
    return _relaunch_comparison(str(workspace().home), run_id, (stamps(earlier), stamps(run_id)))


@st.cache_resource(show_spinner=False, max_entries=32)
def _cleaning_plan(home: str, run_id: str, seeds: int, stamps: tuple[int, ...]) -> CleaningStudy:
    return plan_cleaning_study(workspace(), run_id, range(seeds))


def cleaning_plan(run_id: str, dataset_id: str, seeds: int) -> CleaningStudy:
    """What a study of cleaning would launch, from the spec of a run; made again after a scan.

    Raises:
        WbcError: No study can begin from the run.
    """
    return _cleaning_plan(str(workspace().home), run_id, seeds, _copies_stamp(dataset_id))


@st.cache_data(show_spinner=False, max_entries=16)
def _comparison(home: str, job_id: str, written: tuple[Stamps, ...]) -> Json:
    return study_comparison(workspace(), job_id)


def comparison(job_id: str, runs: tuple[str, ...]) -> Json:
    """What came of a study.

    Args:
        job_id: The study.
        runs: Ids of its finished runs, which are new where one was resumed.

    Raises:
        WbcError: It is not finished, or a report is missing.
    """
    return _comparison(str(workspace().home), job_id, tuple(stamps(run_id) for run_id in runs))
