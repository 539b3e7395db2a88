"""The decision log as a CSV file: written whole, and read back with every line checked."""

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from wbc_core.curation.review import ACTIONS, decision_log
from wbc_core.datasets.spreadsheet import spreadsheet_safe, without_escape
from wbc_core.datasets.store import load_table, read_dataset
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace, whole_file

COLUMNS = (
    "id",
    "row",
    "image_id",
    "action",
    "label",
    "reason",
    "who",
    "at",
    "check",
    "step",
    "undoes",
    "was",
    "threshold",
)
"""Labels are class names; `was` is the class that the image was imported with, `threshold` the score from
which a check's suggestions were followed."""

REQUIRED = ("image_id", "action", "label")
LARGEST_BYTES = 100 << 20
LONGEST_TEXT = 10_000
_SHOWN = 8
_IMAGE_ID = re.compile(r"[0-9a-f]{20}(-[1-9][0-9]{0,8})?")


def write_decisions(
    workspace: Workspace, dataset_id: str, stream: TextIO, *, up_to: int | None = None
) -> None:
    """Write the decision log of a data set as CSV, oldest line first, labels by their class names.

    Texts that a spreadsheet would run as formulas get an apostrophe in front.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        stream: Where to, opened with `newline=""`.
        up_to: Id of the last line that is written; the whole log when None.

    Raises:
        WbcError: No such data set.
    """
    dataset = read_dataset(workspace, dataset_id)
    imported_as = load_table(workspace, dataset.id)["label"].to_numpy()
    lines = [line for line in decision_log(workspace, dataset.id) if up_to is None or line.id <= up_to]
    # Without a threshold the file is the one that older labs wrote, whose hash may have been published.
    columns = COLUMNS if any(line.threshold is not None for line in lines) else COLUMNS[:-1]
    writer = csv.writer(stream)
    writer.writerow(columns)
    for line in lines:
        values = {
            **vars(line),
            "label": "" if line.label is None else dataset.class_names[line.label],
            "was": dataset.class_names[imported_as[line.row]],
        }
        cells = ("" if (value := values[column]) is None else value for column in columns)
        writer.writerow([spreadsheet_safe(cell) if isinstance(cell, str) else cell for cell in cells])


def export_decisions_csv(workspace: Workspace, dataset_id: str, path: Path) -> None:
    """Write the file of `write_decisions`, whole or not at all.

    Raises:
        WbcError: No such data set, or the folder does not exist.
    """
    with whole_file(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as stream:
        write_decisions(workspace, dataset_id, stream)


@dataclass(frozen=True)
class Entry:
    """One line of a CSV file of decisions.

    Attributes:
        line: Its line number in the file, from 1; the header is line 1.
        id: Its number in the log; the line number where the file has no such column.
        image_id: Id of the image.
        action: `keep`, `drop`, `relabel` or `undo`.
        label: Name of the new class where the action is `relabel`, else empty.
        reason: Why, in words.
        who: Who decided.
        at: When, as the file says.
        check: The check whose finding was looked at; may be empty.
        undoes: Number of the line that an `undo` takes back.
        was: The class that the image was imported with; may be empty.
        threshold: Score from which the check's suggestions were followed; None for a person's own.
    """

    line: int
    id: int
    image_id: str
    action: str
    label: str = ""
    reason: str = ""
    who: str = ""
    at: str = ""
    check: str = ""
    undoes: int | None = None
    was: str = ""
    threshold: float | None = None


class Problems:
    """What is wrong with a file, line by line; told together, so that all can be mended at once."""

    def __init__(self, file: str) -> None:
        self._file, self._found, self._lines = file, list[str](), set[int]()

    def add(self, line: int, what: str) -> None:
        """Note that a line is wrong."""
        self._found.append(f"line {line:,}: {what}")
        self._lines.add(line)

    def raise_any(self) -> None:
        """End here where something is wrong.

        Raises:
            WbcError: It names the first lines that are wrong and how many there are.
        """
        if self._found:
            more = f"; and {len(self._found) - _SHOWN:,} more" if len(self._found) > _SHOWN else ""
            shown = "; ".join(self._found[:_SHOWN])
            lines = "line is" if len(self._lines) == 1 else "lines are"
            raise WbcError(
                f"{self._file} was not taken over: {len(self._lines):,} {lines} wrong ({shown}{more}).",
                fix="Correct the file; nothing was changed.",
            )


def read_decisions(path: Path, name: str | None = None) -> list[Entry]:
    """Read a CSV file of decisions, in the order in which they were made.

    Columns image_id, action and label are needed (the label is empty but for `relabel`); with the columns id
    and undoes it may be a whole log. Other columns than those of `COLUMNS` are passed over.

    Args:
        path: The file.
        name: What to call it in messages; its own name by default.

    Raises:
        WbcError: It is not there, too large, not UTF-8 or no CSV, a column is missing, or lines are wrong;
            the message names them.
    """
    file = name or path.name
    if not path.is_file():
        raise WbcError(f"There is no file {path}.", fix="Check the path.")
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise WbcError(
            f"{file} is too large.",
            expected=f"at most {LARGEST_BYTES >> 20} MB",
            got=f"{size >> 20:,} MB",
            fix="Check that it is a file of decisions.",
        )
    problems = Problems(file)
    entries: list[Entry] = []
    lines = _lines(path, file)
    _, header = next(lines, (0, []))
    columns = _columns(header, file)
    numbered = "id" in columns
    for line, fields in lines:
        if len(fields) != len(columns):
            problems.add(line, f"it has {len(fields)} fields where the header has {len(columns)}")
            continue
        values = {column: without_escape(text.strip()) for column, text in zip(columns, fields, strict=True)}
        entry = _entry(line, values, numbered, problems)
        if entry is not None:
            entries.append(entry)
    _check_together(entries, numbered, problems)
    problems.raise_any()
    if not entries:
        raise WbcError(f"{file} holds no decision.", expected="one line a decision below the header")
    return sorted(entries, key=lambda entry: entry.id)


def _lines(path: Path, file: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line and the fields of every record that is not blank."""
    before = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            for fields in reader:
                if any(text.strip() for text in fields):
                    yield before + 1, fields
                before = reader.line_num
    except UnicodeDecodeError as error:
        raise WbcError(
            f"{file} cannot be read.",
            expected="text in UTF-8",
            got=f"byte {error.object[error.start]:#04x} in line {before + 1:,} or soon after",
            fix="Save it as CSV with UTF-8.",
        ) from None
    except csv.Error as error:
        raise WbcError(
            f"{file} cannot be read.",
            expected="comma-separated text",
            got=f"line {before + 1:,}: {error}",
            fix="Save it as CSV with UTF-8.",
        ) from None


def _columns(header: Sequence[str], file: str) -> list[str]:
    columns = [name.strip().lower() for name in header]
    missing = [name for name in REQUIRED if name not in columns]
    twice = sorted({name for name in columns if name in COLUMNS and columns.count(name) > 1})
    if missing or twice:
        wrong = f"no column {', '.join(missing)}" if missing else f"the column {', '.join(twice)} twice"
        separated = len(columns) == 1 and any(mark in columns[0] for mark in ";\t")
        raise WbcError(
            f"The header of {file} (line 1) is wrong.",
            expected=f"the columns {', '.join(REQUIRED)}",
            got=wrong,
            fix="Save it with commas between the columns." if separated else "Export the decisions again.",
        )
    return columns


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _is_score(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _entry(line: int, values: dict[str, str], numbered: bool, problems: Problems) -> Entry | None:
    """One line as an entry; None where something is wrong with it."""
    wrong = _wrong(values, numbered)
    for what in wrong:
        problems.add(line, what)
    if wrong:
        return None
    texts = {column: values.get(column, "") for column in ("label", "reason", "who", "at", "check", "was")}
    return Entry(
        line=line,
        id=int(values["id"]) if numbered else line,
        image_id=values["image_id"],
        action=values["action"],
        undoes=int(values["undoes"]) if values["action"] == "undo" else None,
        threshold=float(values["threshold"]) if values.get("threshold") else None,
        **texts,
    )


def _wrong(values: dict[str, str], numbered: bool) -> list[str]:
    action, label = values["action"], values["label"]
    allowed = (*ACTIONS, "undo") if numbered and "undoes" in values else ACTIONS
    tests: list[tuple[bool, Callable[[], str]]] = [
        (
            not _IMAGE_ID.fullmatch(values["image_id"]),
            lambda: f"{values['image_id'][:60]!r} is no image id (20 hexadecimal digits)",
        ),
        (action not in allowed, lambda: f"the action {action[:40]!r} is none of {', '.join(allowed)}"),
        (action == "relabel" and not label, lambda: "a relabel needs a class in the column label"),
        (action in ("keep", "drop") and bool(label), lambda: f"a {action} has no label, got {label[:60]!r}"),
        (
            numbered and _number(values["id"]) is None,
            lambda: f"the id {values['id'][:40]!r} is no whole number",
        ),
        (
            action == "undo" and action in allowed and _number(values["undoes"]) is None,
            lambda: "an undo needs the id of a line in the column undoes",
        ),
        (
            not _is_score(values.get("threshold", "") or "0"),
            lambda: f"the threshold {values['threshold'][:40]!r} is no number",
        ),
        (
            any(len(text) > LONGEST_TEXT or "\0" in text for text in values.values()),
            lambda: f"a text is longer than {LONGEST_TEXT:,} characters or holds a NUL",
        ),
    ]
    return [say() for is_wrong, say in tests if is_wrong]


def _check_together(entries: Sequence[Entry], numbered: bool, problems: Problems) -> None:
    """Find lines that come twice, and undos of what is not there."""
    first: dict[object, int] = {}
    by_id = {entry.id: entry for entry in entries}
    for entry in entries:
        key, what = (entry.id, f"the id {entry.id}") if numbered else (entry.image_id, "the image")
        if key in first:
            problems.add(entry.line, f"{what} is in line {first[key]:,} already")
        first.setdefault(key, entry.line)
        if entry.action == "undo":
            undone = by_id.get(entry.undoes or 0)
            if undone is None or undone.image_id != entry.image_id or undone.action == "undo":
                problems.add(entry.line, f"it undoes {entry.undoes}, which is no decision on its image")
