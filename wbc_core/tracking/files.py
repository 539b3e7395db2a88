"""Sending the files of an ended run to MLflow: records, log, reports and the best model."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from wbc_core.errors import WbcError
from wbc_core.evaluation.report import sha256_of
from wbc_core.evaluation.reports import load_report
from wbc_core.tracking.contents import MODEL, milliseconds, run_files
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

_OF_A_REPORT = ("accuracy", "macro_f1", "ece")


def refuse_without_way(uri: str, artifact_uri: str) -> None:
    """Refuse to write files where they would not reach the server: into a folder or bucket that only it sees.

    Raises:
        WbcError: The server does not take files itself.
    """
    remote = urlsplit(uri).scheme in ("http", "https")
    if remote and urlsplit(artifact_uri).scheme != "mlflow-artifacts":
        raise WbcError(
            "The MLflow server does not take files.",
            expected="artifacts that it serves itself (mlflow-artifacts:)",
            got=artifact_uri,
            fix="Start it with --serve-artifacts --artifacts-destination FOLDER.",
        )


def send_file(client: "MlflowClient", workspace: Workspace, run: Run, mlflow_run: str, name: str) -> None:
    """Send one of `run_files`, with what follows from it; sending it again replaces it.

    Args:
        client: Client of the server.
        workspace: The workspace.
        run: The run.
        mlflow_run: MLflow's id of the run.
        name: Name of the file.
    """
    path = run_files(workspace, run.id)[name]
    if name == MODEL:
        _send_model(client, workspace, run, mlflow_run, path)
    elif name.startswith("reports/"):
        client.log_artifact(mlflow_run, str(path), "reports")
        _send_figures(client, workspace, run, mlflow_run, path.stem)
    else:
        client.log_artifact(mlflow_run, str(path))


def _send_figures(
    client: "MlflowClient", workspace: Workspace, run: Run, mlflow_run: str, report_name: str
) -> None:
    """Metrics of a report, beside those of the epochs, and its confusion matrix as a table."""
    from mlflow.entities import Metric

    report = load_report(workspace, run.id, report_name)
    at, step = milliseconds(report["created"]), run.best_epoch or 0
    metrics = [
        Metric(f"{report_name}_{key}", float(report[key]), at, step)
        for key in _OF_A_REPORT
        if report.get(key) is not None
    ]
    client.log_batch(mlflow_run, metrics=metrics)
    names = pd.Index(report["classes"], name="true \\ predicted")
    table = pd.DataFrame(report["confusion"], index=names, columns=report["classes"])
    client.log_text(mlflow_run, table.to_csv(), f"reports/{report_name}-confusion.csv")


def _send_model(client: "MlflowClient", workspace: Workspace, run: Run, mlflow_run: str, best: Path) -> None:
    """Send the best model in MLflow's own layout and register it as a version of `wbc-BACKBONE`."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_model(workspace, run, folder)
        (folder / "data").mkdir()
        (folder / "data" / "model.keras").symlink_to(best)
        client.log_artifacts(mlflow_run, str(folder), MODEL)
    _register(client, run, mlflow_run, sha256_of(best))


def _write_model(workspace: Workspace, run: Run, folder: Path) -> None:
    """Describe the model as `mlflow.keras.save_model` does, which would have to load keras and the model."""
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    found = workspace.read_json(workspace.run_dir(run.id) / "versions.json", f"run {run.id}")
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, *run.image_shape))]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, len(run.class_names)))]),
    )
    described = Model(signature=signature, metadata={"classes": list(run.class_names), "wbc.run_id": run.id})
    described.add_flavor(
        "keras",
        data="data",
        keras_version=found["keras"],
        keras_backend=found["backend"],
        save_exported_model=False,
    )
    described.add_flavor("python_function", loader_module="mlflow.keras", python_version=found["python"])
    described.save(str(folder / "MLmodel"))
    needed = [f"{package}=={found[package]}" for package in ("keras", found["backend"]) if found[package]]
    (folder / "requirements.txt").write_text("\n".join(["mlflow", *needed]) + "\n", encoding="utf-8")


def _register(client: "MlflowClient", run: Run, mlflow_run: str, checksum: str) -> None:
    """Make the model's version in the registry, unless one of these very weights is there."""
    from mlflow.exceptions import MlflowException

    name = f"wbc-{run.backbone}"
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    there = client.search_model_versions(f"run_id = '{mlflow_run}'")
    if any(version.tags.get("wbc.model_sha256") == checksum for version in there):
        return
    labels = {"wbc.run_id": run.id, "wbc.model_sha256": checksum, "wbc.leaky": str(run.leaky).lower()}
    client.create_model_version(
        name, f"runs:/{mlflow_run}/{MODEL}", mlflow_run, tags=labels, await_creation_for=0
    )
