"""Which images stand behind a figure: lists of rows for the pages to show, hardest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wbc_core.datasets.spreadsheet import spreadsheet_safe
from wbc_core.evaluation.reports import probabilities_of


def with_confidence(predictions: pd.DataFrame) -> pd.DataFrame:
    """Reduce predictions to what a gallery shows.

    Args:
        predictions: As `load_predictions` gives them.

    Returns:
        Columns row, label, predicted, confidence (probability of the predicted class, 0..1) and
        true_probability (of the true class, 0..1).
    """
    probabilities = probabilities_of(predictions)
    everything = np.arange(len(predictions))
    short = predictions[["row", "label", "predicted"]].copy()
    short["confidence"] = probabilities[everything, predictions["predicted"].to_numpy()]
    short["true_probability"] = probabilities[everything, predictions["label"].to_numpy()]
    return short


def cell_images(predictions: pd.DataFrame, true: int, predicted: int) -> pd.DataFrame:
    """The images behind one cell of the confusion matrix, the least probable true class first."""
    short = with_confidence(predictions)
    cell = short[(short["label"] == true) & (short["predicted"] == predicted)]
    return cell.sort_values(["true_probability", "row"], ignore_index=True)


@dataclass(frozen=True)
class Cell:
    """The images of one cell of the confusion matrix.

    Attributes:
        true: Their class, as a number.
        predicted: The class that they were taken for.
        image_ids: Their ids, in the order of the predictions.
    """

    true: int
    predicted: int
    image_ids: tuple[str, ...]


def commonest_mix_ups(predictions: pd.DataFrame, at_most: int) -> list[Cell]:
    """The cells off the diagonal with the most images, the fullest first.

    Args:
        predictions: As `load_predictions` gives them.
        at_most: How many cells.
    """
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    cells = [
        Cell(int(images["label"].iloc[0]), int(images["predicted"].iloc[0]), tuple(images["image_id"]))
        for _, images in wrong.groupby(["label", "predicted"])
    ]
    return sorted(cells, key=lambda cell: (-len(cell.image_ids), cell.true, cell.predicted))[:at_most]


def images_of(predictions: pd.DataFrame, rows: Iterable[int]) -> pd.DataFrame:
    """The images of some rows, the least probable true class first."""
    short = with_confidence(predictions)
    chosen = short[short["row"].isin(list(rows))]
    return chosen.sort_values(["true_probability", "row"], ignore_index=True)


def confident_errors(predictions: pd.DataFrame, at_most: int = 48) -> pd.DataFrame:
    """The wrong predictions of which the model was surest, the surest first."""
    short = with_confidence(predictions)
    wrong = short[short["label"] != short["predicted"]]
    return wrong.sort_values(["confidence", "row"], ascending=[False, True], ignore_index=True).head(at_most)


def disagreements(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Images on which runs predict different classes, those that fewest runs got right first.

    Args:
        tables: Run id to its predictions, all on the same images in the same order.

    Returns:
        Columns row, label, right (number of runs that named the class), and `predicted RUN` and
        `confidence RUN` for each run.
    """
    shorts = {run_id: with_confidence(table) for run_id, table in tables.items()}
    first = next(iter(shorts.values()))
    predicted = np.stack([short["predicted"].to_numpy() for short in shorts.values()])
    merged = first[["row", "label"]].copy()
    merged["right"] = (predicted == first["label"].to_numpy()).sum(axis=0)
    for run_id, short in shorts.items():
        merged[f"predicted {run_id}"] = short["predicted"].to_numpy()
        merged[f"confidence {run_id}"] = short["confidence"].to_numpy()
    differ = (predicted != predicted[0]).any(axis=0)
    found: pd.DataFrame = merged[differ].sort_values(["right", "row"], ignore_index=True)
    return found


def largest_changes(
    first: Sequence[Sequence[int]],
    second: Sequence[Sequence[int]],
    class_names: Sequence[str],
    at_most: int = 8,
) -> pd.DataFrame:
    """The cells in which two confusion matrices of the same images differ most, the largest change first.

    Args:
        first: Counts, [true][predicted].
        second: Likewise.
        class_names: The classes, in the matrices' order.
        at_most: How many cells.

    Returns:
        Columns True, Predicted, A, B and B - A, in images.

    Example:
        >>> largest_changes([[3, 1], [0, 2]], [[3, 1], [2, 0]], ["a", "b"]).to_dict("records")[0]
        {'True': 'b', 'Predicted': 'a', 'A': 0, 'B': 2, 'B - A': 2}
    """
    one, two = np.asarray(first), np.asarray(second)
    cells = [
        {
            "True": class_names[true],
            "Predicted": class_names[predicted],
            "A": int(one[true, predicted]),
            "B": int(two[true, predicted]),
            "B - A": int(two[true, predicted] - one[true, predicted]),
        }
        for true, predicted in np.argwhere(one != two)
    ]
    ordered = sorted(cells, key=lambda cell: -abs(cell["B - A"]))
    return pd.DataFrame(ordered[:at_most], columns=["True", "Predicted", "A", "B", "B - A"])


def named_predictions(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Predictions with class names in place of labels, harmless in a spreadsheet: for people and their CSV.

    Returns:
        Columns row, image_id, label, predicted, and one probability a class, named as the class.
    """
    names = np.array([spreadsheet_safe(name) for name in class_names], dtype=object)
    table = predictions[["row", "image_id"]].copy()
    table["label"] = names[predictions["label"].to_numpy()]
    table["predicted"] = names[predictions["predicted"].to_numpy()]
    chances = pd.DataFrame(probabilities_of(predictions), columns=names, index=table.index)
    return pd.concat([table, chances], axis=1)


def class_table(report: Mapping[str, Any]) -> pd.DataFrame:
    """The scores of every class in plain columns for a CSV file, harmless in a spreadsheet.

    Args:
        report: A complete report.

    Returns:
        Columns class, support, each score NAME with NAME_low and NAME_high (95 %), and undefined: in words,
        why scores are missing.
    """
    entries = [{"class": name, **report["per_class"][name]} for name in report["classes"]]
    for entry in entries:
        entry["undefined"] = "; ".join(f"{name}: {why}" for name, why in entry["undefined"].items())
    return flat_table(entries)


def flat_table(entries: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Runs or pairs of a comparison as plain columns for a CSV file, harmless in a spreadsheet.

    Args:
        entries: `runs` or `pairs` of a comparison.

    Returns:
        One line an entry; an interval `NAME_ci` becomes `NAME_low` and `NAME_high`, settings become columns.

    Example:
        >>> flat_table([{"run": "=a", "ece_ci": [0.1, 0.2], "settings": {"seed": 1}}]).to_dict("records")
        [{'run': "'=a", 'ece_low': 0.1, 'ece_high': 0.2, 'seed': 1}]
    """
    lines = []
    for entry in entries:
        line: dict[str, object] = {}
        for name, value in entry.items():
            if name.endswith("_ci"):
                ends = value if isinstance(value, list) else [None, None]
                line |= dict(zip((name[:-2] + "low", name[:-2] + "high"), ends, strict=True))
            else:
                line |= dict(value) if isinstance(value, Mapping) else {name: value}
        safe = {
            name: spreadsheet_safe(value) if isinstance(value, str) else value for name, value in line.items()
        }
        lines.append(safe)
    return pd.DataFrame(lines)
