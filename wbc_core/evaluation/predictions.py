"""Name the class of pictures that nobody has labelled, and write the answers as CSV."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.datasets.listing import Rejected
from wbc_core.datasets.spreadsheet import spreadsheet_safe, without_escape
from wbc_core.errors import WbcError
from wbc_core.evaluation.intervals import wilson
from wbc_core.evaluation.pictures import read_pictures
from wbc_core.progress import Progress, silent
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace, whole_file

Write = Callable[[Sequence[str], NDArray[np.float32]], None]


@contextmanager
def _csv_writer(out: Path | None, class_names: Sequence[str]) -> Iterator[Write]:
    """A function that appends predictions to the CSV file, or does nothing where none is asked for."""
    if out is None:
        yield lambda names, probabilities: None
        return
    with whole_file(out) as scratch, scratch.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        safe_classes = [spreadsheet_safe(name) for name in class_names]
        writer.writerow(["file", "predicted", *safe_classes])

        def write(names: Sequence[str], probabilities: NDArray[np.float32]) -> None:
            for name, line in zip(names, probabilities, strict=True):
                chances = [f"{value:.6g}" for value in line]
                writer.writerow([spreadsheet_safe(name), safe_classes[int(line.argmax())], *chances])

        yield write


def predict_source(
    workspace: Workspace,
    run_id: str,
    source: Path,
    out: Path | None = None,
    tta: bool = False,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Predict the class of every picture of a source with the best model of a run.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        source: A picture file, a folder, a zip archive, or an npz file with images. Pictures of another size
            are cut to a centred square and resized to the model's, as an import does.
        out: CSV file to write; it appears whole when all is done. Texts that a spreadsheet would run as
            formulas get an apostrophe in front.
        tta: Average over the symmetries of every picture (test-time augmentation).
        progress: Where to report.

    Returns:
        Columns file, predicted (class name), and one probability a class, named as the class, float32 0..1.
        `attrs["rejected"]` lists the files that could not be read: [{"source", "why"}].

    Raises:
        WbcError: No such run, no model yet, no such source, or nothing in it that can be read.
    """
    run = load_run(workspace, run_id)
    if not source.exists():
        raise WbcError(f"There is no file or folder {source}.", fix="Check the path.")
    from wbc_core.training.predict import load_model, predict_probabilities

    progress(0.0, "Loading the model")
    model = None
    names, rejected = list[str](), list[Rejected]()
    tables = [np.empty((0, len(run.class_names)), dtype=np.float32)]
    with _csv_writer(out, run.class_names) as write:
        for batch in read_pictures(source, run.image_shape):
            rejected += batch.rejected
            if batch.names:
                # Not before a picture was read: a source without any is told at once.
                model = model or load_model(workspace, run_id)
                probabilities = predict_probabilities(model, batch.images, tta)
                write(batch.names, probabilities)
                names += batch.names
                tables.append(probabilities)
            progress(batch.done, f"Predicted {len(names):,} pictures")
        if not names:
            first = "; ".join(f"{item.source} {item.why}" for item in rejected[:3])
            raise WbcError(
                f"{source.name} holds no picture that can be read.",
                expected="pictures (PNG, JPEG, TIFF, ..) or an npz file with images",
                got=first or "no files",
                fix="Check that it is the right one.",
            )
    chances = np.concatenate(tables)
    table = pd.DataFrame(chances, columns=list(run.class_names))
    table.insert(0, "predicted", np.array(run.class_names)[chances.argmax(axis=1)], allow_duplicates=True)
    table.insert(0, "file", names, allow_duplicates=True)
    table.attrs["rejected"] = [{"source": item.source, "why": item.why} for item in rejected]
    return table


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a CSV file that `predict_source` wrote.

    Returns:
        Columns file, predicted, and one probability a class, float 0..1.

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
    return table.rename(columns=without_escape)


def differential_count(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count how many pictures were predicted as each class, as a differential blood count does.

    Args:
        predictions: Of `predict_source` or `read_predictions`.

    Returns:
        Columns class, images, share (0..1), low and high: Wilson's 95 % interval of the share, which knows
        the sample's size but not the model's errors.
    """
    classes = list(predictions.columns[2:])
    counts = predictions["predicted"].value_counts()
    lines = []
    for name in classes:
        count = int(counts.get(name, 0))
        low, high = wilson(count, len(predictions)) or (None, None)
        share = count / len(predictions) if len(predictions) else None
        lines.append({"class": name, "images": count, "share": share, "low": low, "high": high})
    return pd.DataFrame(lines)


def least_certain(predictions: pd.DataFrame, name: str | None = None) -> pd.DataFrame:
    """Rank predictions by how sure the model was, the least sure first.

    Args:
        predictions: Of `predict_source` or `read_predictions`.
        name: Only those predicted as this class.

    Returns:
        Columns file, predicted, confidence (0..1), and second: the two most probable classes in words.
    """
    chosen = predictions if name is None else predictions[predictions["predicted"] == name]
    chances = chosen.iloc[:, 2:].to_numpy(dtype=np.float64)
    classes, order = list(predictions.columns[2:]), np.argsort(-chances, axis=1)
    words = [
        ", ".join(f"{classes[column]} {100 * line[column]:.1f} %" for column in best[:2])
        for line, best in zip(chances, order, strict=True)
    ]
    ranked = pd.DataFrame(
        {
            "file": chosen["file"].to_numpy(),
            "predicted": chosen["predicted"].to_numpy(),
            "confidence": chances.max(axis=1, initial=0.0),
            "second": words,
        }
    )
    return ranked.sort_values(["confidence", "file"], ignore_index=True)
