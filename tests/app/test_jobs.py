"""The Jobs page: empty state, a running training with its curves, cancel and resume."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.components.job_facts import remaining
from app.formatting import plain
from tests.app.opening import page_at
from tests.results_lab import prepared_id
from wbc_core.jobs import order, queue
from wbc_core.training.runs import HISTORY_COLUMNS
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SPEC = RunSpec("pr-0123456789ab", "cnn", epochs=5).to_json()


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return page_at("jobs")


def shown(page: AppTest) -> str:
    elements = [*page.markdown, *page.warning, *page.subheader, *page.caption, *page.info]
    return "\n".join(str(element.value) for element in elements)


def plain_text(markdown: str) -> str:
    return markdown.replace("\\", "")


def submit_training(workspace: Workspace, **more: object) -> str:
    return queue.submit(workspace, "train", {**SPEC, **more}).id


def end(workspace: Workspace, job: str, how: str, **outcome: object) -> None:
    held = queue.claim_next(workspace, ["train"], "cpu", only=job)
    assert held is not None
    queue.write_held(workspace, job, held[1], usage={"peak_memory_mb": 1830.0})
    queue.finish(workspace, job, held[1], how, **outcome)


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
    job = submit_training(workspace, prepared=prepared_id(workspace))
    end(workspace, job, "failed", error="No column [x](y).")
    page.run()
    assert not page.exception
    assert [error.value for error in page.error] == [r"No column \[x\]\(y\)\."]
    page.button(key=f"resume-{job}").click().run()
    newest = queue.list_jobs(workspace)[0]
    assert newest.spec["resumes"] == job
    assert newest.spec["foreseen"]["seconds"] > 0
    lost = submit_training(workspace)
    end(workspace, lost, "failed", error="Lost.")
    page.query_params["job"] = lost
    page.run()
    page.button(key=f"resume-{lost}").click().run()
    assert not page.exception
    assert any("There is no prepared set" in plain_text(error.value) for error in page.error)


def test_the_waiting_jobs_are_moved_paused_and_cancelled(workspace: Workspace, page: AppTest) -> None:
    jobs = [submit_training(workspace) for _ in range(3)]
    queue.announce_worker(workspace, "wk-1", "here", "cpu")
    page.run()
    assert "Waiting, in this order" in shown(page)
    keys = {button.key for button in page.button}
    assert not keys & {f"up-{jobs[0]}", f"first-{jobs[0]}", f"down-{jobs[2]}"}
    for key, expected in {"first": [2, 0, 1], "down": [0, 2, 1], "up": [2, 0, 1]}.items():
        page.button(key=f"{key}-{jobs[2]}").click().run()
        assert [job.id for job in order.waiting_jobs(workspace)] == [jobs[place] for place in expected]
    page.selectbox(key=f"priority-{jobs[2]}").set_value("low").run()
    assert [job.id for job in order.waiting_jobs(workspace)] == jobs
    keys = {button.key for button in page.button}
    assert not keys & {f"up-{jobs[2]}", f"down-{jobs[1]}"}
    page.button(key=f"pause-{jobs[1]}").click().run()
    assert queue.get_job(workspace, jobs[1]).paused
    page.button(key=f"start-{jobs[1]}").click().run()
    assert not queue.get_job(workspace, jobs[1]).paused
    page.button(key=f"queue-cancel-{jobs[2]}").click().run()
    assert [job.id for job in order.waiting_jobs(workspace)] == jobs[:2]
    page.button(key="queue-pause").click().run()
    assert order.queue_is_paused(workspace)
    assert "The queue is paused" in shown(page)
    page.button(key="queue-start").click().run()
    assert not page.exception
    assert not order.queue_is_paused(workspace)


def test_the_shown_job_is_in_the_url_and_stays_when_others_come(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace)
    page.run()
    assert page.query_params["job"] == job
    end(workspace, job, "succeeded")
    submit_training(workspace)
    page.run()
    assert page.query_params["job"] == job


def test_a_running_job_shows_what_it_uses(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace)
    held = queue.claim_next(workspace, ["train"], "gpu:0")
    assert held is not None
    page.run()
    assert "Measuring what it uses" in shown(page)
    usage = {"cpu_percent": 187.0, "memory_mb": 1830.0, "peak_memory_mb": 1990.0}
    gpu = {"gpu_percent": 87.0, "gpu_memory_mb": 12300.0, "gpu_total_mb": 143771.0}
    queue.write_held(workspace, job, held[1], usage={**usage, **gpu})
    page.run()
    assert not page.exception
    assert "1.9 CPU cores busy · 1,830 MB of memory, at most 1,990 MB" in shown(page)
    assert "GPU 87 % busy · 12,300 of 143,771 MB of GPU memory" in shown(page)


def test_the_cost_is_shown_beside_what_was_foreseen(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace, foreseen={"seconds": 900, "memory_mb": 2000, "disk_mb": 3})
    workspace.run_dir(job).mkdir(parents=True)
    (workspace.run_dir(job) / "best.keras").write_bytes(bytes(2_000_000))
    end(workspace, job, "succeeded")
    page.run()
    assert not page.exception
    told = shown(page)
    assert "s, foreseen 15 min 0 s" in told
    assert "at most 1,830 MB of memory, foreseen 2,000 MB" in told
    assert "2 MB on disk, foreseen 3 MB" in told


def test_the_log_is_searched_and_counted(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace)
    log = workspace.job_log(job)
    log.parent.mkdir(parents=True)
    # As much as half a day of training says: the first line must be found too.
    log.write_text("WARNING: slow\n" + "".join(f"epoch {number} loss\n" for number in range(1, 20_001)))
    page.run()
    assert "20,001 lines, the last 200 shown" in shown(page)
    page.text_input(key=f"log-search-{job}").set_value("warning").run()
    assert not page.exception
    assert "1 of 20,001 lines" in shown(page)
    assert page.code[0].value == "WARNING: slow"
    page.text_input(key=f"log-search-{job}").set_value("nowhere").run()
    assert "0 of 20,001 lines" in shown(page)


def test_a_clone_opens_the_launch_page(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace)
    clone = submit_training(workspace, learning_rate=3e-4, clones=job)
    page.query_params["job"] = clone
    page.run()
    table = page.dataframe[0].value
    assert list(table["About"]) == ["learning_rate=0.0003 epochs=5", "epochs=5 learning_rate=0.001"]
    assert plain(f"Differs from {job}: learning_rate 0.001 → 0.0003") in shown(page)
    page.button(key=f"clone-{clone}").click().run()
    assert not page.exception
    assert page.title[0].value == "Launch"
    assert page.session_state["clone"] == {
        **SPEC,
        "learning_rate": 3e-4,
        "clones": clone,
        "source": f"run {clone}",
    }


def test_a_run_out_of_memory_is_retried_with_half_the_batch(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace, prepared=prepared_id(workspace))
    end(workspace, job, "failed", error="The device is out of memory.")
    page.run()
    page.button(key=f"half-{job}").click().run()
    assert not page.exception
    newest = queue.list_jobs(workspace)[0]
    assert (newest.spec["batch_size"], newest.spec["accumulation"]) == (16, 2)
    assert page.query_params["job"] == newest.id


def test_a_job_that_waits_again_has_not_taken_time(workspace: Workspace, page: AppTest) -> None:
    submit_training(workspace)
    job, claim = queue.claim_next(workspace, ["train"], "cpu") or (None, "")
    queue.release(workspace, job.id, claim, "its worker was stopped")
    page.run()
    assert list(page.dataframe[0].value[["State", "Took"]].iloc[0]) == ["queued", "–"]


def test_a_finished_run_is_continued(workspace: Workspace, page: AppTest) -> None:
    job = submit_training(workspace, prepared=prepared_id(workspace))
    end(workspace, job, "succeeded")
    page.run()
    assert f"half-{job}" not in {button.key for button in page.button}
    assert "of its patience" not in shown(page)
    page.number_input(key=f"epochs-{job}").set_value(12).run()
    page.button(key=f"continue-{job}").click().run()
    assert not page.exception
    newest = queue.list_jobs(workspace)[0]
    assert (newest.spec["epochs"], newest.spec["resumes"]) == (12, job)


def test_the_running_job_is_found_behind_many_that_wait(workspace: Workspace, page: AppTest) -> None:
    old = submit_training(workspace)
    end(workspace, old, "failed", error="An old fault.")
    running = submit_training(workspace)
    queue.claim_next(workspace, ["train"], "cpu")
    for _ in range(205):
        submit_training(workspace)
    page.run()
    assert not page.exception
    assert page.query_params["job"] == running
    table = page.dataframe[0].value
    assert (len(table), table["Id"].iloc[0], table["State"].iloc[0]) == (201, running, "running")
    told = shown(page)
    assert "What runs and the newest others, 201 of 207 jobs." in told
    assert "and 202 more waiting" in told
    page.query_params["job"] = old
    page.run()
    assert [error.value for error in page.error] == [r"An old fault\."]
    page.query_params["job"] = "job-0000000000"
    page.run()
    assert "There is no job\\-0000000000 here" in page.toast[0].value
    assert page.query_params["job"] == running


def test_a_run_without_patience_left_says_that_it_gets_as_much_again(
    workspace: Workspace, page: AppTest
) -> None:
    job = submit_training(workspace, early_stopping_patience=2)
    workspace.run_dir(job).mkdir(parents=True)
    history = pd.DataFrame(1.0, index=range(3), columns=list(HISTORY_COLUMNS))
    history.to_csv(workspace.run_dir(job) / "history.csv", index=False)
    end(workspace, job, "succeeded", result={"epochs": 3, "ended": "early stopping"})
    page.run()
    assert page.number_input(key=f"epochs-{job}").min == 4
    assert plain("The learning rate, 1 at the end of epoch 3,") not in shown(page)
    assert plain("The learning rate goes on at 0.001 and falls on a plateau as before.") in shown(page)
    assert "Nothing of its patience was left after 3 epochs; it gets as much again, 4 in all." in shown(page)
    page.button(key=f"continue-{job}").click().run()
    assert not page.exception
    assert "There is no prepared set" in plain_text(page.error[0].value)


@pytest.mark.parametrize(("had", "shown_epochs"), [(995, 1000), (1000, None)])
def test_the_most_epochs_are_not_exceeded(
    workspace: Workspace, page: AppTest, had: int, shown_epochs: int | None
) -> None:
    job = submit_training(workspace, epochs=1000)
    end(workspace, job, "succeeded", result={"epochs": had, "ended": "early stopping"})
    page.run()
    assert not page.exception
    assert [asked.value for asked in page.number_input if asked.key == f"epochs-{job}"] == (
        [shown_epochs] if shown_epochs else []
    )


def test_what_is_left_is_foretold_of_a_first_attempt_alone(workspace: Workspace) -> None:
    job = queue.submit(workspace, "scan", {"dataset": "ds-0123456789ab"})
    held = queue.claim_next(workspace, ["scan"], "cpu")
    assert held is not None
    minute = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="seconds")
    queue.write_held(workspace, job.id, held[1], progress=0.5, started=minute)
    assert remaining(queue.get_job(workspace, job.id)) == pytest.approx(60, abs=5)
    queue.settle(workspace, job.id, held[1], "Its worker died")
    assert remaining(queue.get_job(workspace, job.id)) is None
    assert queue.claim_next(workspace, ["scan"], "cpu") is not None
    assert remaining(queue.get_job(workspace, job.id)) is None
