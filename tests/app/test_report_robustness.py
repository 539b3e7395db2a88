"""The Report page's section on robustness: what is missing, the figures, the baseline, opening one report."""

import os

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import RUN, add_report, add_run, add_shifted_report
from wbc_core.augment.prepare import load_prepared
from wbc_core.augment.shifts import SHIFTS
from wbc_core.evaluation.reports import reports_dir
from wbc_core.jobs import queue
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace

OTHER = "job-00000000000b"


@pytest.fixture
def page(workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    add_report(workspace, run, right=0.9)
    return page_at("report", section="robustness", run=RUN)


def test_without_shifted_reports_a_job_is_offered(workspace: Workspace, page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "That evaluates it 25 times." in shown(page)
    page.button(key="robustness-job").click().run()
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec) == ("robustness", {"run": RUN, "tta": False})
    page.segmented_control(key="views").select("averaged").run()
    assert not page.exception
    assert "each on 8 views" in shown(page)


def test_figures_baseline_and_what_is_missing_or_outdated(
    workspace: Workspace, page: AppTest, run: Run
) -> None:
    other = add_run(workspace, load_prepared(workspace, run.prepared), OTHER)
    for strength in (1, 3):
        add_shifted_report(workspace, run, "geometric", strength, 0.9)
        add_shifted_report(workspace, other, "geometric", strength, 0.4)
    add_shifted_report(workspace, run, "occlusion", 5, 0.5)
    add_shifted_report(workspace, run, "geometric", 3, 0.95, tta=True)
    (workspace.run_dir(RUN) / "best.keras").touch()
    for path in reports_dir(workspace, RUN).glob("*.json"):
        os.utime(path, (2e9, 2e9))
    os.utime(reports_dir(workspace, RUN) / "validation-occlusion-5.json", (1, 1))
    page.run()
    assert not page.exception
    told = shown(page)
    assert "left out: Occlusion 5" in told
    assert "Not evaluated yet: Photometric 1, 2, 3, 4, 5; Geometric 2, 4, 5; Occlusion 1, 2, 3, 4;" in told
    assert "Averaging the views" in told
    assert "from 2 of 25 evaluations" in told
    assert "This run withstands shifts better" in told
    table = page.dataframe[0].value
    assert table["Shift"].tolist() == ["Geometric"]
    assert table["Strength 2"][0] == "not evaluated"
    assert "(" in table["Strength 3"][0]
    assert "strength 3" in page.get("plotly_chart")[0].proto.spec


def test_shifted_reports_are_opened_from_here_and_do_not_crowd_the_choice(
    workspace: Workspace, page: AppTest, run: Run
) -> None:
    for shift in SHIFTS.names():
        add_shifted_report(workspace, run, shift, 3, 0.6)
    page.run()
    assert not page.exception
    assert "part" not in [control.key for control in page.segmented_control]
    page.selectbox(key="robustness-open").select("validation-occlusion-3").run()
    assert not page.exception
    assert page.segmented_control(key="part").value == "validation-occlusion-3"
    assert page.segmented_control(key="part").options == ["validation", "validation, occlusion 3"]
    assert page.segmented_control(key="section").value == "confusions"
    assert "pictures on this page are as they are" in shown(page)
    page.segmented_control(key="part").select("validation").run()
    assert not page.exception
    assert "part" not in [control.key for control in page.segmented_control]
