"""Sending runs to MLflow: whatever it lacks, in steps that can be broken off anywhere and taken up again."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from wbc_core.errors import WbcError
from wbc_core.records import Json
from wbc_core.tracking.contents import (
    fingerprint,
    milliseconds,
    parameters,
    run_status,
    tags,
    unsent,
    unsent_runs,
)
from wbc_core.tracking.files import refuse_without_way, send_file
from wbc_core.tracking.state import MirrorState, load_state, save_state, server_name
from wbc_core.training.runs import Run, history, load_run
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "wbc-lab"
_EPOCHS_AT_ONCE = 100  # MLflow takes 1,000 metrics in a request
_DEFAULTS = {
    # A server that is away must cost seconds; MLflow's own patience is minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def client_of(uri: str) -> "MlflowClient":
    """A client for a tracking URI that gives up soon; what the user has set himself stays.

    Raises:
        WbcError: MLflow is not installed.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ModuleNotFoundError as error:
        raise WbcError(
            "MLFLOW_TRACKING_URI is set, but MLflow is not installed.",
            got=error,
            fix="pip install 'wbc-lab[tracking]'",
        ) from None
    return MlflowClient(tracking_uri=uri)


def in_words(error: Exception, uri: str) -> str:
    """What went wrong, on one line, without the password of the tracking URI."""
    words = str(error) if isinstance(error, WbcError) else f"{type(error).__name__}: {error}"
    return " ".join(words.replace(uri, server_name(uri)).split())[:300]


@contextmanager
def _only_one(folder: Path) -> Iterator[bool]:
    """Whether this is the only process that sends this run; a lock that the system ends with its process."""
    with (folder / "mlflow.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def sync_run(workspace: Workspace, run_id: str, uri: str) -> bool:
    """Send what the server at `uri` lacks of a run.

    Returns:
        False where another process is doing so at this moment.

    Raises:
        Exception: Whatever the server or the way to it did; what was sent until then is written down.
    """
    with _only_one(workspace.run_dir(run_id)) as alone:
        if alone:
            _Sender(workspace, load_run(workspace, run_id), uri).send()
        return alone


def send_missed(workspace: Workspace, uri: str, *, running: bool) -> Iterator[str]:
    """Send everything that the server at `uri` lacks, the oldest run first.

    Args:
        workspace: The workspace.
        uri: Tracking URI.
        running: Whether to send runs too that have not ended, which their own processes send.

    Yields:
        The id of each run as soon as it was sent.

    Raises:
        Exception: The server is away, or it would not take one of the runs; the others are sent all the same.
    """
    refused: list[Exception] = []
    for run, _ in unsent_runs(workspace, uri):
        if not running and run_status(workspace, run) == "RUNNING":
            continue
        try:
            done = sync_run(workspace, run.id, uri)
        except Exception as error:
            # Raises where the server is away, which the other runs would only wait for as well.
            client_of(uri).search_experiments(max_results=1)
            refused.append(error)
        else:
            if done:
                yield run.id
    if refused:
        raise refused[0]


def describe_unsent(workspace: Workspace, uri: str) -> list[Json]:
    """What the server at `uri` lacks: `run`, `epochs` and `files` (numbers), `status` of each run."""
    return [
        {"run": run.id, "epochs": len(item.epochs), "files": len(item.files), "status": item.status}
        for run, item in unsent_runs(workspace, uri)
    ]


class _Sender:
    """Sends one run; the state file is written after each step."""

    def __init__(self, workspace: Workspace, run: Run, uri: str) -> None:
        self.workspace, self.run, self.uri = workspace, run, uri
        self.state = load_state(workspace, run.id, uri)

    def send(self) -> None:
        if not unsent(self.workspace, self.run, self.state):
            return
        self.client = client_of(self.uri)
        there = self._find()
        if there is None:
            self.state = MirrorState(server_name(self.uri))  # the server may have lost what it had
            there = self._create()
        missing = unsent(self.workspace, self.run, self.state)
        self._send_epochs(missing.epochs)
        if missing.status:
            self._send_status(missing.status)
        if missing.files:
            refuse_without_way(self.uri, there.info.artifact_uri)
        for name, path in missing.files.items():
            known = fingerprint(path)  # before it is read: what changes meanwhile is sent again
            send_file(self.client, self.workspace, self.run, self.state.run, name)
            self._save(files={**self.state.files, name: known})

    def _save(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        save_state(self.workspace, self.run.id, self.state)

    def _find(self) -> Any:
        """The run on the server; the id may be unknown here when a process died after it was made."""
        from mlflow.exceptions import MlflowException

        if self.state.run:
            try:
                return self.client.get_run(self.state.run)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        return None

    def _create(self) -> Any:
        from mlflow.entities import Param

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        known = self.client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self.client.create_experiment(name)
        mine = f"tags.`wbc.run_id` = '{self.run.id}'"
        found = self.client.search_runs([experiment], filter_string=mine, max_results=1)
        there = (
            found[0]
            if found
            else self.client.create_run(
                experiment,
                start_time=milliseconds(self.run.created),
                run_name=f"{self.run.backbone} {self.run.id}",
                tags=tags(self.workspace, self.run),
            )
        )
        entries = [Param(key, value) for key, value in parameters(self.run).items()]
        self.client.log_batch(there.info.run_id, params=entries)
        self._save(experiment=experiment, run=there.info.run_id, status="RUNNING")
        return there

    def _send_epochs(self, table: pd.DataFrame) -> None:
        from mlflow.entities import Metric

        whole = history(self.workspace, self.run.id)
        at = dict(zip(whole["epoch"], whole["seconds"].cumsum(), strict=True))
        for first in range(0, len(table), _EPOCHS_AT_ONCE):
            rows = table.iloc[first : first + _EPOCHS_AT_ONCE].to_dict("records")
            metrics = [
                Metric(
                    str(name),
                    float(value),
                    milliseconds(self.run.created, at[row["epoch"]]),
                    int(row["epoch"]),
                )
                for row in rows
                for name, value in row.items()
                if name != "epoch"
            ]
            self.client.log_batch(self.state.run, metrics=metrics)
            self._save(epochs=int(rows[-1]["epoch"]))

    def _send_status(self, status: str) -> None:
        if status == "RUNNING":
            self.client.update_run(self.state.run, status)
        else:
            ended = milliseconds(self.run.created, self.run.seconds)
            self.client.set_terminated(self.state.run, status, ended)
        self._save(status=status)
