"""The Export section of the Report page: the job it asks for, what an export found, the model card."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import RUN, add_report
from wbc_core.export.kept import keep_export
from wbc_core.export.registry import FORMATS
from wbc_core.jobs import queue
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    add_report(workspace, run, right=0.8)
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return page_at("report", section="export")


def test_chosen_formats_are_exported_by_one_job(workspace: Workspace, page: AppTest) -> None:
    page.run()
    assert not page.exception
    page.button_group(key=f"export-formats-{RUN}").set_value(["keras", "litert_int8"]).run()
    next(
        button for button in page.button if button.label == "Export 2 files and the model card"
    ).click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec) == ("export", {"run": RUN, "to": ["keras", "litert_int8", "card"]})
    assert "Exporting the model" in shown(page)
    assert page.button(key="export").disabled
    queue.cancel(workspace, job.id)
    page.run()
    assert (page.button(key="export").disabled, page.button(key="export").label[:8]) == (False, "Export 2")
    page.button_group(key=f"export-formats-{RUN}").set_value([]).run()
    assert page.button(key="export").label == "Export the model card"


def test_what_an_export_found_is_shown_with_the_card(workspace: Workspace, page: AppTest, run: Run) -> None:
    keep_export(workspace, RUN, ["card"])
    path = workspace.run_dir(RUN) / "exports" / "exports.json"
    facts = json.loads(path.read_text())
    timed = {"median_ms": 2.5, "p95_ms": 3.5, "calls": 100}
    passport = {
        "format": "litert",
        "verdict": "kept",
        "files": {},
        "bytes": 5_000_000,
        "size_ratio": 0.95,
        "largest_gap": 2e-6,
        "label_changes": 0,
        "checked_images": 30,
        "accuracy": 0.9,
        "accuracy_ci": [0.8, 0.95],
        "original_accuracy": 0.9,
        "original_accuracy_ci": [0.8, 0.95],
        "latency": timed,
        "original_latency": timed,
    }
    refused = {"format": "litert_int8", "verdict": "refused", "reason": "It answers otherwise."}
    facts["formats"] = [passport, refused, *facts["formats"]]
    path.write_text(json.dumps(facts))
    page.run()
    assert not page.exception
    table = page.dataframe[0].value
    assert table["Format"].tolist() == [FORMATS.get("litert").title, FORMATS.get("litert_int8").title]
    assert table["Verdict"].tolist() == ["kept", "refused"]
    assert table["Other classes"].tolist() == ["0 of 30", "–"]
    assert "It answers otherwise" in shown(page)
    card = next(text.value for text in page.markdown if "Model card" in text.value)
    assert "Research only, not a medical device" in card
    assert "2.50 (3.50)" in card
