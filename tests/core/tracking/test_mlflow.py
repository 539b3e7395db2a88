"""Runs reach a real MLflow server, whatever happens to the server and to the process that sends."""

import fcntl
import os
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.core.tracking.conftest import MlflowServer
from tests.results_lab import RUN, add_report, add_run, build_dataset, build_split
from tests.waiting import PATIENCE_SECONDS, wait_until
from wbc_core.cli import track
from wbc_core.command_line import WorkFailed
from wbc_core.datasets.store import open_images
from wbc_core.errors import WbcError
from wbc_core.evaluation.reports import load_report, reports_dir
from wbc_core.jobs import queue
from wbc_core.jobs.tasks import TASKS
from wbc_core.tracking import background
from wbc_core.tracking.background import mirror_what_was_missed, mirrored
from wbc_core.tracking.mirror import describe_unsent, send_missed, sync_run
from wbc_core.tracking.state import load_state, run_url, save_state
from wbc_core.training.predict import load_model, predict_probabilities
from wbc_core.training.runs import history, load_run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

TRAINED = "job-00000000aaaa"
EPOCHS = 4


@pytest.fixture(scope="module", autouse=True)
def _pace() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "RUN_EVERY_SECONDS", 0.1)
        patch.setattr(background, "LONGEST_PAUSE_SECONDS", 0.5)
        patch.setattr(background, "LAST_WORDS_SECONDS", 120)  # a busy machine must not decide a test
        for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
            patch.delenv(name)
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")  # a dead server refuses at once
        yield


@pytest.fixture
def uri(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the running server, set as a user sets it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    return server.uri


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the mirror leaves in the log."""
    lines: list[str] = []
    monkeypatch.setattr(background, "_say", lines.append)
    return lines


@pytest.fixture
def finished(workspace: Workspace) -> Workspace:
    """A workspace with a finished run that nobody had to train, and its report."""
    run = add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN)
    add_report(workspace, run, right=0.8)
    return workspace


@pytest.fixture(scope="module")
def trained(prepared_home: tuple[Path, str], server: MlflowServer) -> tuple[Workspace, list[str]]:
    """A run whose server was killed after its first epoch, and started again after its end; what was said."""
    workspace, lines = Workspace(prepared_home[0]), []

    def kill_the_server(fraction: float, message: str) -> None:
        # Said at the end of the first epoch, and only there; a fast machine says nothing early in the second.
        if message.startswith("epoch 1/") and "val accuracy" in message:
            wait_until(lambda: load_state(workspace, TRAINED, server.uri).epochs == 1 or bool(lines))
            assert not lines, lines
            server.kill()
        if message.startswith("epoch 4/"):
            wait_until(lambda: bool(lines))

    spec = RunSpec(prepared_home[1], "cnn", epochs=EPOCHS, batch_size=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        patch.setattr(background, "_say", lines.append)
        TASKS.get("train")(workspace, TRAINED, spec.to_json(), kill_the_server)
    server.start()
    return workspace, lines


def on_server(uri: str, workspace: Workspace, run_id: str) -> tuple[Any, Any]:
    """A client, and what the server has of a run."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    return client, client.get_run(load_state(workspace, run_id, uri).run)


def names_of(client: Any, mlflow_run: str, folder: str | None = None) -> list[str]:
    return [entry.path for entry in client.list_artifacts(mlflow_run, folder)]


def test_a_dead_server_harms_no_run_and_gets_what_it_missed(
    trained: tuple[Workspace, list[str]], uri: str
) -> None:
    workspace, lines = trained
    assert load_run(workspace, TRAINED).finished
    assert [line.partition(".")[0] for line in lines] == ["MLflow was not sent everything; it is sent later"]
    assert load_state(workspace, TRAINED, uri).epochs == 1
    lacking = describe_unsent(workspace, uri)
    assert [(entry["run"], entry["epochs"], entry["status"]) for entry in lacking] == [
        (TRAINED, EPOCHS - 1, "FINISHED")
    ]

    assert list(send_missed(workspace, uri, running=False)) == [TRAINED]
    assert describe_unsent(workspace, uri) == []
    client, there = on_server(uri, workspace, TRAINED)
    assert there.info.status == "FINISHED"
    table = history(workspace, TRAINED)
    for name in table.columns.drop("epoch"):
        points = client.get_metric_history(there.info.run_id, name)
        assert [point.step for point in points] == table["epoch"].tolist()
        assert [point.value for point in points] == pytest.approx(table[name].tolist())
    assert there.data.params == {
        name: str(value) for name, value in load_run(workspace, TRAINED).spec.to_json().items()
    }
    run = load_run(workspace, TRAINED)
    expected = {"run_id": TRAINED, "dataset": run.dataset, "split": run.split, "prepared": run.prepared}
    expected |= {"leaky": "false", "version.keras": sys.modules["keras"].__version__}
    assert {f"wbc.{name}": value for name, value in expected.items()}.items() <= there.data.tags.items()


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")  # on its import
def test_files_and_the_model_arrive(trained: tuple[Workspace, list[str]], uri: str, tmp_path: Path) -> None:
    workspace, _ = trained
    list(send_missed(workspace, uri, running=False))
    client, there = on_server(uri, workspace, TRAINED)
    sent = {"spec.json", "versions.json", "summary.json", "history.csv", "reports", "model"}
    assert set(names_of(client, there.info.run_id)) == sent
    matrix = client.download_artifacts(there.info.run_id, "reports/validation-confusion.csv", str(tmp_path))
    report = load_report(workspace, TRAINED)
    assert pd.read_csv(matrix, index_col=0).to_numpy().tolist() == report["confusion"]
    assert there.data.metrics["validation_macro_f1"] == pytest.approx(report["macro_f1"])

    from mlflow import pyfunc

    (version,) = client.search_model_versions("name = 'wbc-cnn'")
    assert (version.run_id, version.tags["wbc.run_id"]) == (there.info.run_id, TRAINED)
    images = open_images(workspace, load_run(workspace, TRAINED).dataset)[:8]
    ours = predict_probabilities(load_model(workspace, TRAINED), images)
    theirs = pyfunc.load_model(f"models:/wbc-cnn/{version.version}", dst_path=str(tmp_path))
    np.testing.assert_allclose(theirs.predict(np.array(images)), ours, atol=1e-6)


def test_a_process_that_died_leaves_nothing_twice(trained: tuple[Workspace, list[str]], uri: str) -> None:
    workspace, _ = trained
    list(send_missed(workspace, uri, running=False))
    client, before = on_server(uri, workspace, TRAINED)
    # As when it dies after the server took something and before that was written down.
    (workspace.run_dir(TRAINED) / "mlflow.json").unlink()
    assert list(send_missed(workspace, uri, running=False)) == [TRAINED]
    _, after = on_server(uri, workspace, TRAINED)
    assert after.info.run_id == before.info.run_id
    assert after.info.status == "FINISHED"
    assert len(client.search_runs([before.info.experiment_id], f"tags.`wbc.run_id` = '{TRAINED}'")) == 1
    assert len(client.get_metric_history(after.info.run_id, "loss")) == EPOCHS
    assert len(client.search_model_versions("name = 'wbc-cnn'")) == 1


def test_a_run_is_sent_while_it_goes_and_later_what_became_of_it(finished: Workspace, uri: str) -> None:
    job = queue.submit(finished, "train", {}).id
    folder = finished.run_dir(RUN).rename(finished.run_dir(job))
    finished.write_json(
        folder / "summary.json",
        finished.read_json(folder / "summary.json", "run") | {"finished": False, "leaky": True},
    )
    sync_run(finished, job, uri)
    client, there = on_server(uri, finished, job)
    assert (there.info.status, there.data.tags["wbc.leaky"]) == ("RUNNING", "true")
    assert len(client.get_metric_history(there.info.run_id, "val_accuracy")) == 3
    assert names_of(client, there.info.run_id) == []
    queue.cancel(finished, job)
    assert list(send_missed(finished, uri, running=False)) == [job]
    assert client.get_run(there.info.run_id).info.status == "KILLED"
    assert "reports/validation.json" in names_of(client, there.info.run_id, "reports")


def test_a_later_report_is_sent_and_one_job_sends_what_others_missed(
    finished: Workspace, uri: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with mirrored(finished, "job-00000000bbbb"):
        pass
    assert describe_unsent(finished, uri) == []
    add_report(finished, load_run(finished, RUN), right=0.5, seed=1)
    later = load_report(finished, RUN) | {"created": "2099-01-01T00:00:00+00:00"}
    finished.write_json(reports_dir(finished, RUN) / "validation.json", later)
    assert [entry["files"] for entry in describe_unsent(finished, uri)] == [1]
    assert track(finished) == {"server": uri, "sent": [RUN], "unsent": []}
    _, there = on_server(uri, finished, RUN)
    assert there.data.metrics["validation_accuracy"] == later["accuracy"]
    assert said == []
    assert capsys.readouterr() == ("", "")  # `--json` promises nothing beside the one document


def test_a_run_that_mlflow_refuses_does_not_hold_up_the_others(finished: Workspace, uri: str) -> None:
    sync_run(finished, RUN, uri)
    client, there = on_server(uri, finished, RUN)
    client.delete_run(there.info.run_id)
    run = load_run(finished, RUN)
    add_report(finished, run, right=0.5, seed=1)
    (finished.run_dir(RUN) / "history.csv").write_text(
        history(finished, RUN).assign(epoch=[4, 5, 6]).to_csv(index=False)
    )
    other = finished.run_dir("job-00000000cccc")
    finished.write_json(other / "spec.json", run.spec.to_json())
    write_run(finished, type(run).from_json({**run.to_json(), "id": other.name}))
    with pytest.raises(WorkFailed, match=RUN):
        track(finished)
    assert [entry["run"] for entry in describe_unsent(finished, uri)] == [RUN]
    assert load_state(finished, other.name, uri).status == "FINISHED"


def test_a_server_that_lost_its_store_gets_everything_again(finished: Workspace, uri: str) -> None:
    sync_run(finished, RUN, uri)
    state = load_state(finished, RUN, uri)
    save_state(finished, RUN, type(state)(**{**state.to_json(), "run": "0" * 32, "epochs": 2}))
    sync_run(finished, RUN, uri)
    assert load_state(finished, RUN, uri) == state


def test_the_address_of_a_run(finished: Workspace, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_url(finished, RUN) is None
    sync_run(finished, RUN, uri)
    state = load_state(finished, RUN, uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.replace("://", "://ann:secret@"))
    assert run_url(finished, RUN) == f"{uri}/#/experiments/{state.experiment}/runs/{state.run}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://another:5000")
    assert run_url(finished, RUN) is None
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert run_url(finished, RUN) is None


def test_a_worker_sends_what_jobs_left(
    finished: Workspace, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MISSED_EVERY_SECONDS", 0.05)
    mirror = mirror_what_was_missed(finished)
    assert mirror is not None
    wait_until(lambda: not describe_unsent(finished, uri))
    mirror.end(within=PATIENCE_SECONDS)
    assert not mirror.is_alive()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert mirror_what_was_missed(finished) is None


def test_one_process_at_a_time_sends_a_run(finished: Workspace, uri: str) -> None:
    with (finished.run_dir(RUN) / "mlflow.lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not sync_run(finished, RUN, uri)
        assert list(send_missed(finished, uri, running=False)) == []
    assert sync_run(finished, RUN, uri)


class _Refusing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_error(403, "Forbidden")

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_a_server_that_refuses_costs_one_line(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Refusing) as refusing:
        thread = threading.Thread(target=refusing.serve_forever)
        thread.start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:secret@127.0.0.1:{refusing.server_port}")
        mirror_began = threading.active_count()
        with mirrored(finished, RUN):
            wait_until(lambda: len(said) > 0)
        wait_until(lambda: threading.active_count() == mirror_began)
        refusing.shutdown()
        thread.join()
    (line,) = said
    assert "403" in line
    assert "secret" not in line


def test_a_server_that_never_answers_holds_nothing_up(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(background, "LAST_WORDS_SECONDS", 0.2)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3600")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with mirrored(finished, RUN):
            connection, _ = silent.accept()  # the mirror waits for an answer now
        assert any(thread.name == "mlflow-mirror" for thread in threading.enumerate())
        connection.close()
    wait_until(lambda: not any(thread.name == "mlflow-mirror" for thread in threading.enumerate()))


def test_without_mlflow_one_line_names_the_extra(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with mirrored(finished, RUN):
        wait_until(lambda: len(said) > 0)
    (line,) = said
    assert "pip install 'wbc-lab[tracking]'" in line
    with pytest.raises(WbcError, match="not installed"):
        track(finished)


def test_without_an_address_nothing_is_sent(finished: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    before = threading.active_count()
    with mirrored(finished, RUN):
        assert threading.active_count() == before
    assert not list(finished.run_dir(RUN).glob("mlflow.*"))
    with pytest.raises(WbcError, match="MLFLOW_TRACKING_URI is not set"):
        track(finished)
