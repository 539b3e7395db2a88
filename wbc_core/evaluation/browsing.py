"""Which images stand behind a figure: lists of rows for the pages to show, hardest first."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from wbc_core.evaluation.files import spreadsheet_safe
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


def per_class_table(report: Mapping[str, object], class_names: Sequence[str]) -> pd.DataFrame:
    """The per-class scores of a report as a table, in class order; undefined scores are missing (NaN).

    Returns:
        Columns class, support, then precision, recall, specificity and f1, each followed by the ends of its
        95 % interval as `NAME_low` and `NAME_high`.
    """
    entries = report["per_class"]
    if not isinstance(entries, Mapping):
        raise TypeError("the report holds no per-class scores")
    lines = []
    for name in class_names:
        entry = entries[name]
        line: dict[str, object] = {"class": name, "support": entry["support"]}
        for figure in ("precision", "recall", "specificity", "f1"):
            low, high = entry[f"{figure}_ci"] or (None, None)
            line |= {figure: entry[figure], f"{figure}_low": low, f"{figure}_high": high}
        lines.append(line)
    return pd.DataFrame(lines)
