"""How bad each mix-up is: a matrix that the lab sets, kept for its list of classes."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wbc_core.datasets.spreadsheet import spreadsheet_safe, without_escape
from wbc_core.errors import WbcError
from wbc_core.evaluation.metrics import Floats
from wbc_core.records import Json, content_id
from wbc_core.workspace import Workspace, now

MOST = 1_000_000.0
"""The largest cost: sums of such costs over millions of images stay exact enough."""
_CORNER = "true / predicted"


def equal_costs(classes: int) -> Floats:
    """Every mix-up costs 1, a right answer nothing: floats (K, K), [true][predicted]."""
    return np.ones((classes, classes)) - np.eye(classes)


def missing_costs(classes: int, missed: int, factor: float) -> Floats:
    """As `equal_costs`, but an image of class `missed` that is taken for another costs `factor`."""
    costs = equal_costs(classes)
    costs[missed] *= factor
    return costs


def rarity_costs(support: Sequence[int]) -> Floats:
    """Missing an image costs as many times more as its class is rarer than the commonest one.

    Every class then weighs the same in the expected cost, as in balanced accuracy.

    Args:
        support: Images of each class; one without images counts as one with a single image.

    Example:
        >>> rarity_costs([100, 25]).tolist()
        [[0.0, 1.0], [4.0, 0.0]]
    """
    counts = np.maximum(np.asarray(support, dtype=np.float64), 1.0)
    rows = [float(f"{value:.3g}") for value in counts.max(initial=1.0) / counts]
    return np.asarray(equal_costs(len(counts)) * np.array(rows)[:, None])


def checked_costs(costs: npt.ArrayLike, class_names: Sequence[str]) -> Floats:
    """A cost matrix as floats (K, K), refused where it makes no sense.

    Raises:
        WbcError: It has another shape, a cost that is no number from 0 to a million, a right answer that
            costs something, or no cost at all.
    """
    size = len(class_names)
    fix = "Correct the matrix of costs."
    try:
        table = np.asarray(costs, dtype=np.float64)
    except (TypeError, ValueError):
        raise WbcError("A cost is no number.", expected=f"numbers from 0 to {MOST:,.0f}", fix=fix) from None
    if table.shape != (size, size):
        raise WbcError(
            "The costs do not fit the classes.",
            expected=f"{size} rows and {size} columns",
            got=f"shape {table.shape}",
            fix=fix,
        )
    for cell in np.argwhere(~((table >= 0) & (table <= MOST))):
        true, predicted = int(cell[0]), int(cell[1])
        raise WbcError(
            f"The cost of taking {class_names[true]} for {class_names[predicted]} cannot be used.",
            expected=f"a number from 0 to {MOST:,.0f}",
            got=f"{table[true, predicted]:g}",
            fix=fix,
        )
    for place in map(int, np.flatnonzero(np.diagonal(table))):
        raise WbcError(
            f"Recognising {class_names[place]} must cost nothing.",
            expected="0 where true and predicted are one class",
            got=f"{table[place, place]:g}",
            fix=fix,
        )
    if size > 1 and not table.any():
        raise WbcError("No mix-up costs anything.", expected="a cost above 0", fix=fix)
    return table


def costs_id(class_names: Sequence[str]) -> str:
    """Id of the record of costs of a list of classes, whatever data set has them."""
    return content_id("mc", list(class_names))


def load_costs(workspace: Workspace, class_names: Sequence[str]) -> Floats | None:
    """The costs that the lab has set for a list of classes, None where it has set none.

    Raises:
        WbcError: The record is damaged.
    """
    path = workspace.costs_path(costs_id(class_names))
    if not path.exists():
        return None
    return checked_costs(workspace.read_json(path, "costs of mix-ups").get("costs", []), class_names)


def keep_costs(workspace: Workspace, costs: npt.ArrayLike, class_names: Sequence[str]) -> Json:
    """Keep the costs of a list of classes, in place of those before.

    Returns:
        The record: id, classes, costs [true][predicted], and when it was written.

    Raises:
        WbcError: They are refused by `checked_costs`.
    """
    table = checked_costs(costs, class_names)
    record: Json = {
        "id": costs_id(class_names),
        "classes": list(class_names),
        "costs": table.tolist(),
        "created": now(),
    }
    workspace.write_json(workspace.costs_path(record["id"]), record)
    return record


def costs_as_csv(costs: npt.ArrayLike, class_names: Sequence[str]) -> str:
    """Costs as CSV text: one row a true class, one column a predicted one, names in front of both."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    safe = [spreadsheet_safe(name) for name in class_names]
    writer.writerow([_CORNER, *safe])
    table = np.asarray(costs, dtype=np.float64)
    writer.writerows(
        [name, *(f"{value:.12g}" for value in row)] for name, row in zip(safe, table, strict=True)
    )
    return stream.getvalue()


def costs_from_csv(text: str, class_names: Sequence[str]) -> Floats:
    """Read what `costs_as_csv` wrote; rows and columns may come in any order.

    Raises:
        WbcError: Its classes are others, or `checked_costs` refuses it.
    """
    try:
        lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=None))
        rows = [row for row in lines if any(row)]
    except csv.Error as error:
        raise WbcError(
            f"This is no CSV file: {error}.",
            fix="Download the costs as CSV, change the numbers and upload it.",
        ) from None
    head = [without_escape(name.strip()) for name in rows[0][1:]] if rows else []
    names = [without_escape(row[0].strip()) for row in rows[1:]]
    wanted = sorted(class_names)
    if sorted(head) != wanted or sorted(names) != wanted or any(len(row) != len(rows[0]) for row in rows):
        raise WbcError(
            "This is no table of costs of these classes.",
            expected=f"one row and one column for each of {', '.join(class_names)}",
            got=f"rows {', '.join(names[:20]) or 'none'}; columns {', '.join(head[:20]) or 'none'}",
            fix="Download the costs as CSV, change the numbers and upload that file.",
        )
    cells = {name: dict(zip(head, row[1:], strict=True)) for name, row in zip(names, rows[1:], strict=True)}
    table = [[cells[true][predicted].strip() for predicted in class_names] for true in class_names]
    return checked_costs(table, class_names)


def read_costs(path: Path, class_names: Sequence[str]) -> Floats:
    """Read a CSV file of costs; see `costs_from_csv`.

    Raises:
        WbcError: It cannot be read, or is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise WbcError(
            f"The costs {path.name} cannot be read.",
            expected="a CSV file in UTF-8",
            got=error,
            fix="Check the path.",
        ) from None
    return costs_from_csv(text, class_names)
