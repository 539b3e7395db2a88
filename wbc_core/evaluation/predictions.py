"""Name the class of pictures that nobody has labelled."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.measures.appearance import appearance
from wbc_core.datasets.listing import Rejected
from wbc_core.errors import WbcError
from wbc_core.evaluation.confidence import run_temperature
from wbc_core.evaluation.intervals import wilson
from wbc_core.evaluation.marks import (
    class_columns,
    person_threshold,
    probability_table,
    training_images,
    with_marks,
)
from wbc_core.evaluation.pictures import read_pictures
from wbc_core.evaluation.prediction_csv import prediction_writer
from wbc_core.evaluation.temperature import with_temperature
from wbc_core.progress import Progress, part_of, silent
from wbc_core.training.runs import load_run
from wbc_core.wording import counted
from wbc_core.workspace import Workspace


def predict_source(
    workspace: Workspace,
    run_id: str,
    source: Path,
    out: Path | None = None,
    tta: bool = False,
    progress: Progress = silent,
    *,
    share: float | None = None,
    least_probability: float | None = None,
    check_foreign: bool = False,
) -> pd.DataFrame:
    """Predict the class of every picture of a source with the best model of a run.

    The probabilities are calibrated with the run's temperature where it has one.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        source: A picture file, a folder, a zip archive, or an npz file with images. Pictures of another size
            are cut to a centred square and resized to the model's, as an import does.
        out: CSV file to write; it appears whole when all is done. Texts that a spreadsheet would run as
            formulas get an apostrophe in front.
        tta: Average over the symmetries of every picture (test-time augmentation).
        progress: Where to report.
        share: Mark the least certain for a person, as many as this share of the validation images.
        least_probability: Or mark those whose predicted class is less probable.
        check_foreign: Mark pictures that the scan's check calls foreign beside the run's training images.

    Returns:
        Columns file, predicted (class name), and one probability a class, named as the class, float32 0..1;
        behind them the marks asked for, see `marks.with_marks`. `attrs` has `rejected`, the files that could
        not be read: [{"source", "why"}], the `temperature`, None where the probabilities are as trained, and
        the `threshold` below which a picture goes to a person, None where none does.

    Raises:
        WbcError: No such run, no model yet, no such source, nothing in it that can be read, or a share or a
            least probability that cannot be used.
    """
    run = load_run(workspace, run_id)
    if not source.exists():
        raise WbcError(f"There is no file or folder {source}.", fix="Check the path.")
    temperature = run_temperature(workspace, run_id, tta=tta).value
    threshold = person_threshold(
        workspace,
        run_id,
        share=share,
        least_probability=least_probability,
        temperature=temperature,
        tta=tta,
    )
    from wbc_core.training.predict import load_model, predict_probabilities

    known = training_images(workspace, run, part_of(progress, 0.0, 0.3)) if check_foreign else None
    told = part_of(progress, 0.3 if known else 0.0, 1.0)
    told(0.0, "Loading the model")
    model = None
    rejected, tables, images = list[Rejected](), list[pd.DataFrame](), 0
    with prediction_writer(out) as write:
        for batch in read_pictures(source, run.image_shape):
            rejected += batch.rejected
            if batch.names:
                # Not before a picture was read: a source without any is told at once.
                model = model or load_model(workspace, run_id)
                chances = predict_probabilities(model, batch.images, tta)
                if temperature is not None:
                    chances = with_temperature(chances, temperature).astype(np.float32)
                named = with_marks(_table(batch.names, chances, run.class_names), threshold)
                if known is not None:
                    scores = known.unlikeness(appearance(batch.images))
                    named = with_marks(named, None, scores, known.threshold)
                tables.append(named)
                write(tables[-1])
                images += len(batch.names)
            told(batch.done, f"Predicted {counted(images, 'picture')}")
        if not tables:
            raise _nothing_read(source, rejected)
    table = pd.concat(tables, ignore_index=True)
    table.attrs["rejected"] = [{"source": item.source, "why": item.why} for item in rejected]
    table.attrs |= {"temperature": temperature, "threshold": threshold}
    return table


def _table(names: list[str], chances: NDArray[np.float32], class_names: tuple[str, ...]) -> pd.DataFrame:
    table = pd.DataFrame(chances, columns=list(class_names))
    table.insert(0, "predicted", np.array(class_names)[chances.argmax(axis=1)], allow_duplicates=True)
    table.insert(0, "file", names, allow_duplicates=True)
    return table


def _nothing_read(source: Path, rejected: list[Rejected]) -> WbcError:
    first = "; ".join(f"{item.source} {item.why}" for item in rejected[:3])
    return WbcError(
        f"{source.name} holds no picture that can be read.",
        expected="pictures (PNG, JPEG, TIFF, ..) or an npz file with images",
        got=first or "no files",
        fix="Check that it is the right one.",
    )


def differential_count(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count how many pictures were predicted as each class, as a differential blood count does.

    Args:
        predictions: Of `predict_source` or `read_predictions`.

    Returns:
        Columns class, images, share (0..1), low and high: Wilson's 95 % interval of the share, which knows
        the sample's size but not the model's errors; see `corrected_count.corrected_shares` for those.
    """
    counts = predictions["predicted"].value_counts()
    lines = []
    for name in class_columns(predictions):
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
        Columns file, predicted, confidence (0..1), second: the two most probable classes in words, and the
        marks that are there.
    """
    chosen = predictions if name is None else predictions[predictions["predicted"] == name]
    classes = class_columns(predictions)
    chances = probability_table(chosen)
    order = np.argsort(-chances, axis=1)
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
    for mark in predictions.columns[2 + len(classes) :]:
        ranked[mark] = chosen[mark].to_numpy()
    return ranked.sort_values(["confidence", "file"], ignore_index=True)
