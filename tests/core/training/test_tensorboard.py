"""TensorFlow's own readers accept the event file of a run, and it grows with the run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wbc_core.training.runs import Run, history, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.training.tensorboard import FILE_NAME, TAGS, write_events
from wbc_core.workspace import Workspace

RUN = "job-000000000001"
BEGUN = 1_780_000_000.0


def write_history(workspace: Workspace, epochs: int, loss: float = 2.0) -> None:
    epoch = np.arange(1, epochs + 1)
    table = pd.DataFrame({"epoch": epoch, "loss": loss / epoch, "val_accuracy": 0.25 + epoch / 1e4})
    table = table.assign(
        accuracy=0.5, val_loss=1.5, learning_rate=1e-3, seconds=60.0, images_per_second=1234.5
    )
    with workspace.atomic_path(workspace.run_dir(RUN) / "history.csv") as scratch:
        table.to_csv(scratch, index=False)


@pytest.fixture
def events(workspace: Workspace) -> Path:
    """Where the event file of a run without epochs will lie."""
    spec = RunSpec("pr-000000000000", "cnn")
    plain = dict.fromkeys(Run.__dataclass_fields__, 0) | {
        "id": RUN,
        "spec": spec,
        "created": pd.Timestamp(BEGUN, unit="s", tz="UTC").isoformat(),
    }
    write_run(workspace, Run(**plain))
    workspace.write_json(workspace.run_dir(RUN) / "spec.json", spec.to_json())
    return workspace.run_dir(RUN) / "tensorboard" / FILE_NAME


def test_tensorflow_reads_every_epoch(workspace: Workspace, events: Path) -> None:
    from tensorflow.compat.v1.train import summary_iterator

    epochs = 200  # a step of two bytes too
    write_history(workspace, epochs)
    write_events(workspace, RUN)
    version, *read = summary_iterator(str(events))  # checks both checksums of every record
    assert version.file_version == "brain.Event:2"
    table = history(workspace, RUN)
    assert [event.step for event in read] == table["epoch"].tolist()
    assert [event.wall_time for event in read] == [BEGUN + 60.0 * epoch for epoch in table["epoch"]]
    for event, row in zip(read, table.to_dict("records"), strict=True):
        values = {value.tag: value.simple_value for value in event.summary.value}
        assert values == pytest.approx({tag: row[tag] for tag in TAGS}, rel=1e-6)


def test_the_file_grows_in_place(workspace: Workspace, events: Path) -> None:
    write_events(workspace, RUN)
    opened = events.open("rb")  # as TensorBoard keeps it
    seen = opened.read()
    for epochs in (1, 2, 2, 5):
        write_history(workspace, epochs)
        write_events(workspace, RUN)
        seen += opened.read()
    opened.close()
    assert seen == events.read_bytes()
    events.unlink()
    write_events(workspace, RUN)
    assert events.read_bytes() == seen


def test_a_torn_end_is_completed_and_another_history_replaces(workspace: Workspace, events: Path) -> None:
    write_history(workspace, 3)
    write_events(workspace, RUN)
    whole = events.read_bytes()
    events.write_bytes(whole[:-7])
    write_events(workspace, RUN)
    assert events.read_bytes() == whole
    write_history(workspace, 2, loss=3.0)
    write_events(workspace, RUN)
    assert len(events.read_bytes()) < len(whole)
    assert list(events.parent.iterdir()) == [events]
