"""What MLflow has been sent of a run, in `runs/ID/mlflow.json`; read without MLflow, so that a page can."""

import os
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from wbc_core.errors import WbcError
from wbc_core.records import Record
from wbc_core.workspace import Workspace


@dataclass(frozen=True)
class MirrorState(Record):
    """How far a run has been sent to one MLflow server.

    Attributes:
        server: Where to, as `server_name` gives it; for another server everything begins anew.
        experiment: MLflow's id of the experiment.
        run: MLflow's id of the run; empty before it was made there.
        epochs: Epochs whose metrics were sent.
        status: The last status sent, in MLflow's words.
        files: Name of each file sent, to its `contents.fingerprint` then.
    """

    server: str
    experiment: str = ""
    run: str = ""
    epochs: int = 0
    status: str = ""
    files: dict[str, str] = field(default_factory=dict)


def tracking_uri() -> str | None:
    """`MLFLOW_TRACKING_URI`; None where runs are not mirrored."""
    return os.environ.get("MLFLOW_TRACKING_URI") or None


def server_name(uri: str) -> str:
    """A tracking URI as it may be shown and kept: without the user's name and password.

    Example:
        >>> server_name("https://ann:secret@mlflow.example:5000/")
        'https://mlflow.example:5000'
    """
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def load_state(workspace: Workspace, run_id: str, uri: str) -> MirrorState:
    """What the server at `uri` has been sent of a run; a damaged file counts as nothing sent."""
    fresh = MirrorState(server_name(uri))
    path = workspace.run_dir(run_id) / "mlflow.json"
    if not path.exists():
        return fresh
    try:
        kept = MirrorState.from_json(workspace.read_json(path, f"run {run_id}"))
    except WbcError:
        return fresh
    return kept if kept.server == fresh.server else fresh


def save_state(workspace: Workspace, run_id: str, state: MirrorState) -> None:
    """Write down what was sent."""
    workspace.write_json(workspace.run_dir(run_id) / "mlflow.json", state.to_json())


def run_url(workspace: Workspace, run_id: str) -> str | None:
    """Address of a run on the MLflow server's own pages; None where there is no such page."""
    uri = tracking_uri()
    state = load_state(workspace, run_id, uri) if uri else None
    if state is None or not state.run or urlsplit(state.server).scheme not in ("http", "https"):
        return None
    return f"{state.server}/#/experiments/{quote(state.experiment)}/runs/{quote(state.run)}"
