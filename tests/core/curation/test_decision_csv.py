"""The log as CSV: harmless in a spreadsheet, whole when read back, and refused line by line when wrong."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.curation.conftest import Store, noise_images
from wbc_core.curation import decision_csv
from wbc_core.curation.decision_csv import export_decisions_csv, read_decisions
from wbc_core.curation.review import decide, undo
from wbc_core.datasets.store import DatasetWriter
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

HEADER = "image_id,action,label"
A, B = "a" * 20, "b" * 20


def refused(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "in.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(WbcError) as caught:
        read_decisions(path)
    assert "in.csv" in str(caught.value)
    return str(caught.value)


def test_the_log_is_exported_with_class_names(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    dataset = store(noise_images(6)).id
    decide(workspace, dataset, {2: ("relabel", 1)}, who="Ada", reason='says "no"')
    undo(workspace, dataset, who="Ben")
    export_decisions_csv(workspace, dataset, tmp_path / "log.csv")
    with (tmp_path / "log.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["action"], line["label"], line["was"], line["who"], line["undoes"]) for line in lines] == [
        ("relabel", "class 1", "class 0", "Ada", ""),
        ("undo", "", "class 0", "Ben", "1"),
    ]
    assert lines[0]["reason"] == 'says "no"'


def test_the_threshold_comes_back_and_a_log_without_one_is_the_file_that_it_always_was(
    workspace: Workspace, store: Store, tmp_path: Path
) -> None:
    dataset = store(noise_images(6)).id
    decide(workspace, dataset, {2: ("drop", None)}, who="Ada", check="foreign")
    export_decisions_csv(workspace, dataset, tmp_path / "log.csv")
    assert (tmp_path / "log.csv").read_text().splitlines()[0].endswith(",undoes,was")
    decide(workspace, dataset, {3: ("drop", None)}, who="Ada", check="foreign", threshold=12.5)
    export_decisions_csv(workspace, dataset, tmp_path / "log.csv")
    assert [entry.threshold for entry in read_decisions(tmp_path / "log.csv")] == [None, 12.5]


def test_no_cell_of_the_log_runs_in_a_spreadsheet_and_all_come_back(
    workspace: Workspace, tmp_path: Path
) -> None:
    with DatasetWriter(workspace, "odd", ["=1+1", "@SUM(A1)"], (16, 16, 3)) as writer:
        writer.append(noise_images(4), np.array([0, 1, 0, 1]), ["1", "2", "3", "4"], np.full((4, 2), 16))
        dataset = writer.finish("a test").id
    decide(workspace, dataset, {0: ("relabel", 1)}, who="=HYPERLINK(1)", reason="-1\nof 'two'")
    export_decisions_csv(workspace, dataset, tmp_path / "log.csv")
    with (tmp_path / "log.csv").open(newline="") as stream:
        cells = [cell for line in csv.reader(stream) for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    entry = read_decisions(tmp_path / "log.csv")[0]
    assert (entry.label, entry.was, entry.who) == ("@SUM(A1)", "=1+1", "=HYPERLINK(1)")
    assert entry.reason == "-1\nof 'two'"


def test_three_columns_are_enough_whatever_a_spreadsheet_made_of_them(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(
        f"\ufeffAction, Image_ID ,label,note\r\n\r\ndrop,{A},,x\r\nrelabel,{B}-1, new \r\n".encode()
    )
    with pytest.raises(WbcError, match="line 4: it has 3 fields where the header has 4"):
        read_decisions(path)
    path.write_bytes(f"\ufeffAction, Image_ID ,label\r\n\r\ndrop,{A},\r\nrelabel,{B}-1, new \r\n".encode())
    assert [(entry.line, entry.image_id, entry.action, entry.label) for entry in read_decisions(path)] == [
        (3, A, "drop", ""),
        (4, f"{B}-1", "relabel", "new"),
    ]


def test_a_log_that_was_sorted_otherwise_is_read_in_its_own_order(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"id,undoes,{HEADER}\n2,1,{A},undo,\n1,,{A},drop,\n")
    assert [entry.id for entry in read_decisions(path)] == [1, 2]


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("", "no column image_id, action, label"),
        ("image_id,action\n", "no column label"),
        ("image_id;action;label\n", "commas between"),
        (f"{HEADER},Label\n", "label twice"),
        (f"{HEADER}\n", "no decision"),
        (f"{HEADER}\n{A},explode,\n", "line 2: the action 'explode' is none of keep, drop, relabel"),
        (f"{HEADER}\n{A},undo,\n", "line 2: the action 'undo'"),
        (f"{HEADER}\n../../etc,drop,\n", "line 2: '../../etc' is no image id"),
        (f"{HEADER}\n{A},relabel,\n", "line 2: a relabel needs a class"),
        (f"{HEADER}\n{A},drop,new\n", "line 2: a drop has no label"),
        (f'{HEADER},note\n{A},drop,,"two\nlines"\n{A},keep,,\n', "line 4: the image is in line 2 already"),
        (f"id,{HEADER}\n7,{A},drop,\n7,{B},drop,\n", "line 3: the id 7 is in line 2 already"),
        (f"id,{HEADER}\n1.5,{A},drop,\n", "line 2: the id '1.5'"),
        (f"id,undoes,{HEADER}\n1,,{A},drop,\n2,1,{B},undo,\n", "line 3: it undoes 1"),
        (f"id,undoes,{HEADER}\n1,,{A},drop,\n2,x,{A},undo,\n", "line 3: an undo needs the id"),
        (f"{HEADER},threshold\n{A},drop,,low\n", "line 2: the threshold 'low' is no number"),
        (f"{HEADER},threshold\n{A},drop,,nan\n", "line 2: the threshold 'nan' is no number"),
        (f"{HEADER},reason\n{A},drop,,{'x' * 10_001}\n", "line 2: a text is longer"),
        (f"{HEADER},reason\n{A},drop,,{'x' * 200_000}\n", "line 2: field larger"),
        (f'{HEADER}\n{A},"drop" now,\n', "comma-separated"),
        (f"{HEADER}\n{A},drop,\n".encode("utf-16"), "UTF-8"),
        (HEADER.encode() + b"\n\xff\xfe,drop,\n", "UTF-8"),
        (f"{HEADER}\n" + f"{A},explode,\n" * 30, "30 lines are wrong"),
        (f"{HEADER}\nabc,explode,\n", "1 line is wrong (line 2: 'abc' is no image id"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path: Path, content: str | bytes, hint: str) -> None:
    assert hint in refused(tmp_path, content)


def test_a_file_that_is_too_large_or_none_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WbcError, match="no file"):
        read_decisions(Path("/dev/zero"))
    monkeypatch.setattr(decision_csv, "LARGEST_BYTES", 10)
    assert "too large" in refused(tmp_path, f"{HEADER}\n{A},drop,\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: (HEADER + "\n" + text).encode()))
def test_no_bytes_do_more_than_be_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    try:
        entries = read_decisions(path)
    except WbcError:
        return
    assert entries
