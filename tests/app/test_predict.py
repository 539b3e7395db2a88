"""The Predict page: pictures go to a job, its answers come back as pictures, counts and CSV."""

from pathlib import Path

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from tests.app.shown import shown
from tests.results_lab import NAMES, RUN, build_dataset, write_pictures
from wbc_core.database import jobs, transaction
from wbc_core.jobs import queue
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return AppTest.from_file("../../app/main.py", default_timeout=30).switch_page("views/predict.py")


def test_without_runs_the_page_says_what_to_do(workspace: Workspace, page: AppTest) -> None:
    build_dataset(workspace)
    page.run()
    assert not page.exception
    assert "No run has finished an epoch yet" in shown(page)


def test_nothing_chosen_is_said(page: AppTest, run: Run) -> None:
    page.run()
    next(button for button in page.button if button.label == "Name the classes").click().run()
    assert "Give a path or choose pictures first" in page.error[0].value


def test_a_path_becomes_a_job(workspace: Workspace, page: AppTest, run: Run, tmp_path: Path) -> None:
    page.run()
    page.segmented_control(key="predict-way").set_value("On the server").run()
    page.text_input(key="predict-path").input(str(tmp_path)).run()
    next(button for button in page.button if button.label == "Name the classes").click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec["run"], job.spec["source"]) == ("predict", RUN, str(tmp_path))
    assert Path(job.spec["out"]).parent.is_relative_to(workspace.home)


def test_uploads_are_kept_under_their_own_names(workspace: Workspace, page: AppTest, run: Run) -> None:
    page.run()
    page.file_uploader[0].set_value(
        [("../../evil.png", b"1", "image/png"), ("b.png", b"2", "image/png"), ("b.png", b"3", "image/png")]
    ).run()
    next(button for button in page.button if button.label == "Name the classes").click().run()
    assert not page.exception
    folder = Path(queue.list_jobs(workspace)[0].spec["source"])
    assert folder.is_relative_to(workspace.uploads_dir)
    assert sorted(path.name for path in folder.iterdir()) == ["0003-b.png", "b.png", "evil.png"]


def test_answers_are_shown_with_counts(workspace: Workspace, page: AppTest, run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "smear", [0, 1])
    out = tmp_path / "out.csv"
    out.write_text(
        f"file,predicted,{','.join(NAMES)}\ncell-0.png,basophil,0.9,0.06,0.04\ncell-1.png,lymphocyte,0.2,0.5,0.3\n"
    )
    spec = {"run": RUN, "source": str(tmp_path / "smear"), "out": str(out), "tta": False}
    job = queue.submit(workspace, "predict", spec)
    rejected = [{"source": "broken.png", "why": "is damaged"}]
    with transaction(workspace) as connection:
        done = {"state": "succeeded", "progress": 1.0, "result": {"images": 2, "rejected": rejected}}
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(**done))
    page.query_params["job"] = job.id
    page.run()
    assert not page.exception
    assert "2 pictures of smear, named by" in shown(page)
    assert "2 pictures, the least certain first" in shown(page)
    tables = [table.value for table in page.dataframe]
    assert tables[0]["File"].tolist() == ["broken.png"]
    assert tables[1]["Pictures"].tolist() == [1, 1, 0]
