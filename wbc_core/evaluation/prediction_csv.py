"""Predictions of pictures as a CSV file: written piece by piece, harmless in a spreadsheet, read back."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from wbc_core.datasets.spreadsheet import spreadsheet_safe, without_escape
from wbc_core.errors import WbcError
from wbc_core.evaluation.marks import class_columns
from wbc_core.workspace import whole_file

_YES, _NO = "yes", "no"


def _cell(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return _YES if value else _NO
    return f"{value:.6g}" if isinstance(value, float | np.floating) else spreadsheet_safe(str(value))


def write_predictions(table: pd.DataFrame, stream: TextIO, *, header: bool = True) -> None:
    """Write a table of predictions as CSV; marks are yes or no."""
    writer = csv.writer(stream)
    if header:
        writer.writerow([spreadsheet_safe(str(name)) for name in table.columns])
    columns = [table.iloc[:, place].tolist() for place in range(table.shape[1])]
    writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))


@contextmanager
def prediction_writer(out: Path | None) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that appends predictions to a CSV file, or does nothing where none is asked for.

    The file appears whole when the block ends well.
    """
    if out is None:
        yield lambda table: None
        return
    with whole_file(out) as scratch, scratch.open("w", newline="", encoding="utf-8") as stream:
        yield lambda table: write_predictions(table, stream, header=stream.tell() == 0)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a CSV file of predictions.

    Returns:
        Columns file, predicted, one probability a class, float 0..1, and the marks that are there.

    Raises:
        WbcError: It is not there, or is no such file.
    """
    try:
        table = pd.read_csv(path, dtype={"file": str, "predicted": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise WbcError(
            f"The predictions {path.name} cannot be read.", got=error, fix="Predict again."
        ) from None
    if list(table.columns[:2]) != ["file", "predicted"]:
        raise WbcError(f"{path.name} holds no predictions.", expected="columns file, predicted, ..")
    for column in ("file", "predicted"):
        table[column] = table[column].map(without_escape)
    table = table.rename(columns=without_escape)
    for mark in table.columns[2 + len(class_columns(table)) :]:
        if table[mark].isin([_YES, _NO]).all():
            table[mark] = table[mark] == _YES
    return table
