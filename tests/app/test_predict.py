"""The Predict page: pictures go to a job, its answers come back as pictures, counts and CSV."""

from pathlib import Path

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import NAMES, RUN, add_report, build_dataset, write_pictures
from wbc_core.database import jobs, transaction
from wbc_core.evaluation.corrected_count import corrected_shares
from wbc_core.evaluation.marks import FOREIGN_PICTURE, FOREIGN_SCORE
from wbc_core.evaluation.mixup_costs import keep_costs, missing_costs
from wbc_core.jobs import queue
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return page_at("predict")


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


def finished(workspace: Workspace, page: AppTest, source: Path, lines: list[str], **result: object) -> None:
    """Let the page find a job that has predicted these lines of a CSV file."""
    out = source.parent / "out.csv"
    out.write_text("\n".join([f"file,predicted,{','.join(NAMES)}{lines[0]}", *lines[1:]]) + "\n")
    spec = {"run": RUN, "source": str(source), "out": str(out), "tta": False}
    job = queue.submit(workspace, "predict", spec)
    with transaction(workspace) as connection:
        done = {"state": "succeeded", "progress": 1.0, "result": {"images": len(lines) - 1, **result}}
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(**done))
    page.query_params["job"] = job.id


PLAIN = ["", "cell-0.png,basophil,0.9,0.06,0.04", "cell-1.png,lymphocyte,0.2,0.5,0.3"]


def test_answers_are_shown_with_counts(workspace: Workspace, page: AppTest, run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "smear", [0, 1])
    finished(
        workspace, page, tmp_path / "smear", PLAIN, rejected=[{"source": "broken.png", "why": "is damaged"}]
    )
    page.run()
    assert not page.exception
    assert "2 pictures of smear, named by" in shown(page)
    assert "2 pictures, the least certain first" in shown(page)
    assert "Probabilities are as trained" in shown(page)
    assert "No corrected count: the run has no report" in shown(page)
    tables = [table.value for table in page.dataframe]
    assert tables[0]["File"].tolist() == ["broken.png"]
    assert tables[1]["Pictures"].tolist() == [1, 1, 0]
    assert "Corrected" not in tables[1]


def test_what_needs_a_person_is_marked(workspace: Workspace, page: AppTest, run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "smear", [0, 1])
    report = add_report(workspace, run, right=0.8)
    lines = [f",{FOREIGN_PICTURE},{FOREIGN_SCORE}", f"{PLAIN[1]},no,1.5", f"{PLAIN[2]},yes,22.5"]
    finished(workspace, page, tmp_path / "smear", lines, temperature=1.5)
    page.query_params["reject"] = "probability"
    page.query_params["reject_below"] = "70"
    page.run()
    assert not page.exception
    assert "Unlike the images that the run learnt from: 1 of 2 pictures (50.0 %)." in page.warning[0].value
    assert "temperature of 1.50" in shown(page)
    assert "Pictures that go to a person: **1 of 2**" in shown(page)
    options = page.selectbox(key="predicted-class").options
    assert options[:3] == ["all classes", "for a person", "unlike the training images"]
    table = page.dataframe[0].value
    found = corrected_shares([1, 1, 0], report["confusion"])
    assert table["Corrected"][0].startswith(f"{100 * found.shares[0]:.3g}"[:3])
    page.toggle(key="without_foreign").set_value(True).run()
    assert page.dataframe[0].value["Pictures"].tolist() == [1, 0, 0]
    page.segmented_control(key="reject").select("share").run()
    assert not page.exception
    assert "is that of 5 % of the validation images" in shown(page)


def test_costs_of_mixups_name_a_second_class(
    workspace: Workspace, page: AppTest, run: Run, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "smear", [0, 1])
    finished(workspace, page, tmp_path / "smear", PLAIN)
    page.run()
    assert "least expected cost" not in shown(page)
    keep_costs(workspace, missing_costs(3, 2, 10), NAMES)
    page.query_params["least_cost"] = "true"
    page.run()
    assert not page.exception
    assert "Pictures with another class by least expected cost: **1 of 2**." in shown(page)


def test_a_share_needs_validation_predictions(
    workspace: Workspace, page: AppTest, run: Run, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "smear", [0, 1])
    finished(workspace, page, tmp_path / "smear", PLAIN)
    page.query_params["reject"] = "share"
    page.run()
    assert not page.exception
    assert "no validation predictions" in page.warning[0].value


def test_a_gpu_that_trains_is_left_alone(workspace: Workspace, page: AppTest, run: Run) -> None:
    job = queue.submit(workspace, "train", {"prepared": "pr-000000", "backbone": "cnn"})
    with transaction(workspace) as connection:
        running = {"state": "running", "device": "gpu:0"}
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(**running))
    page.run()
    assert not page.exception
    assert "predictions run on the CPU meanwhile" in shown(page)
