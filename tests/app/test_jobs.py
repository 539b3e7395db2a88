"""The Jobs page: empty state, a running training with its curves, cancel and resume."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from wbc_core.jobs import queue
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return AppTest.from_file("../../app/main.py", default_timeout=30).switch_page("views/jobs.py")


def shown(page: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*page.markdown, *page.warning, *page.subheader])


def submit_training(workspace: Workspace) -> str:
    return queue.submit(workspace, "train", {"prepared": "pr-0123456789ab", "backbone": "cnn"}).id


def test_without_jobs_the_page_says_what_to_do(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "No job has been submitted yet" in shown(page)


def test_a_waiting_job_without_a_worker_is_explained_and_cancelled(
    workspace: Workspace, page: AppTest
) -> None:
    job = submit_training(workspace)
    page.run()
    assert not page.exception
    assert "No worker is running" in shown(page)
    assert "Train cnn" in shown(page)
    page.button(key=f"cancel-{job}").click().run()
    assert queue.get_job(workspace, job).state == "cancelled"


def test_a_running_training_shows_its_curves(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace)
    queue.announce_worker(workspace, "wk-1", "here", "cpu")
    assert queue.claim_next(workspace, ["train"], "cpu") is not None
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "loss": [1.5, 1.1],
            "accuracy": [0.4, 0.6],
            "val_loss": [1.4, 1.2],
            "val_accuracy": [0.45, 0.5],
            "learning_rate": [1e-3, 1e-3],
            "seconds": [3.0, 2.5],
            "images_per_second": [190.0, 200.0],
        }
    )
    workspace.run_dir(job).mkdir(parents=True)
    history.to_csv(workspace.run_dir(job) / "history.csv", index=False)
    page.run()
    assert not page.exception
    assert "No worker is running" not in shown(page)
    values = {metric.label: metric.value for metric in page.metric}
    assert values["Best validation accuracy"] == "50.0 %"
    assert values["At epoch"] == "2 of 2"
    assert values["Speed"] == "200 images/s"


def test_a_failed_job_says_why_and_is_resumed(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace)
    held = queue.claim_next(workspace, ["train"], "cpu")
    assert held is not None
    queue.finish(workspace, job, held[1], "failed", error="No column [x](y).")
    page.run()
    assert not page.exception
    assert [error.value for error in page.error] == [r"No column \[x\]\(y\)\."]
    page.button(key=f"resume-{job}").click().run()
    newest = queue.list_jobs(workspace)[0]
    assert newest.spec["resumes"] == job
