"""What leaves the Review page as a file, and decisions that come in by one."""

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from app.components import review_export
from tests.app.review_page import button, open_review
from wbc_core.curation import review
from wbc_core.curation.clean import clean_set
from wbc_core.curation.cleaning_report import report_bytes
from wbc_core.curation.export import export_clean_set
from wbc_core.datasets.store import load_table
from wbc_core.jobs import queue
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


@pytest.fixture
def page(demo_dataset: Dataset) -> AppTest:
    page = open_review()
    page.session_state["export"] = True
    return page.run()


def test_the_log_is_exported_whole(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    review.decide(workspace, demo_dataset.id, {3: ("relabel", 1)}, who="anna, b", reason='said "so"')
    lines = review_export.decision_csv(demo_dataset.id).decode().splitlines()
    assert len(lines) == 2
    assert '"anna, b"' in lines[1]
    assert demo_dataset.class_names[1] in lines[1]


@pytest.mark.parametrize("kind", ["npz", "zip"])
def test_the_clean_set_is_written_by_a_job_and_then_offered(
    page: AppTest, demo_dataset: Dataset, kind: str
) -> None:
    workspace = Workspace.default()
    page.button_group(key="export-format").set_value(kind).run()
    page.button(key="export-clean").click().run()
    assert not page.exception
    job = queue.list_jobs(workspace)[0]
    clean = clean_set(workspace, demo_dataset.id)
    path = workspace.home / "exports" / f"{clean.id}.{kind}"
    assert json.dumps(job.spec)
    assert (job.kind, job.spec) == (
        "export_clean",
        {"dataset": demo_dataset.id, "clean": clean.id, "path": str(path)},
    )
    queue.cancel(workspace, job.id)
    export_clean_set(workspace, clean, str(path))
    page.run()
    assert any(entry.label.startswith(f"Download ({kind}, ") for entry in page.get("download_button"))


def test_the_report_is_offered_with_its_text(page: AppTest, demo_dataset: Dataset) -> None:
    labels = [entry.label for entry in page.get("download_button")]
    assert "Download the report (PDF)" in labels
    assert "Download the report (HTML)" in labels
    assert any("No image was dropped or relabelled." in entry.value for entry in page.code)
    assert report_bytes(Workspace.default(), demo_dataset.id, ".pdf").startswith(b"%PDF")


def upload(page: AppTest, content: str) -> AppTest:
    page.file_uploader[0].set_value(("../de[cisions].csv", content.encode(), "text/csv"))
    return page.run()


def test_decisions_come_in_after_their_effect_was_shown(page: AppTest, demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    table = load_table(workspace, demo_dataset.id)
    ids, labels = table["image_id"], table["label"]
    new = demo_dataset.class_names[(labels[5] + 1) % len(demo_dataset.class_names)]
    lines = [f"{ids[4]},drop,", f"{ids[5]},relabel,{new}", f"{'0' * 20},drop,"]
    upload(page, "image_id,action,label\n" + "\n".join(lines))
    assert not page.exception
    shown = next(frame.value for frame in page.dataframe if "Class now" in frame.value)
    assert (shown["Drop"].sum(), shown["Relabel"].sum(), shown["Keep"].sum()) == (1, 1, 0)
    assert any("1 image of the file is not in this data set" in entry.value for entry in page.markdown)
    assert review.head(workspace, demo_dataset.id) == 0
    button(page, "Make 2 decisions").click().run()
    assert not page.exception
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {4, 5}
    assert page.file_uploader[0].value is None
    (who,) = {line.who for line in review.decision_log(workspace, demo_dataset.id)}
    assert re.fullmatch("reviewer [0-9a-f]{4}", who)
    assert review.undo(workspace, demo_dataset.id, who=who, only_by=who) == 2


def test_a_wrong_file_is_refused_with_its_lines(page: AppTest, demo_dataset: Dataset) -> None:
    upload(page, "image_id,action,label\nnothing,drop,\n")
    assert not page.exception
    assert any("line 2" in entry.value for entry in page.error)
    assert not [entry for entry in page.button if entry.label.startswith("Make ")]
    assert review.head(Workspace.default(), demo_dataset.id) == 0
