"""All figures of a report with their intervals: ours beside scikit-learn in a loop and `confidenceinterval`.

    .venv/bin/python benchmarks/evaluation.py [--images 2000] [--runs 10] [--repeats 5]

`confidenceinterval` is measured where it can be imported. It wants an older setuptools than the lab is built
with, so it gets a folder of its own, named by PYTHONPATH:

    pip install --target DIR --no-deps confidenceinterval statsmodels patsy

Ours draws 2,000 times; the others, far slower, draw fewer times and their seconds are scaled to 2,000. All
take turns, so that each ratio, of the CPU seconds of all threads, compares what happened under the same load.
"""

import argparse
import importlib.util
import logging
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn import metrics as reference

from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import load_recipe
from wbc_core.datasets.store import DatasetWriter
from wbc_core.evaluation.compare import compare
from wbc_core.evaluation.figures import WeightedFigures, bootstrap_figures
from wbc_core.evaluation.intervals import DRAWS, percentile_interval
from wbc_core.evaluation.report import held_out
from wbc_core.evaluation.reports import (
    complete_report,
    load_predictions,
    predictions_table,
    probabilities_of,
    save_report,
)
from wbc_core.evaluation.scoring import score
from wbc_core.splitting import make_split
from wbc_core.training.runs import Run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

CLASSES = ("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet")
SCORES = ("precision", "recall", "f1")
SIDE = 16
SECTIONS = ("differences", "cost", "classes", "curves", "confusions", "ensemble", "images", "published")
LOOP_DRAWS, PACKAGE_DRAWS = 10, 40


def draw_probabilities(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Probabilities float32 (n, 8) of a good classifier, right in some 95 of 100 images."""
    logits = generator.normal(size=(len(labels), len(CLASSES)))
    logits[np.arange(len(labels)), labels] += 4
    chances = np.exp(logits)
    return (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32)


def one_draw(labels: np.ndarray, table: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure of one resample, by scikit-learn."""
    predicted, names = table.argmax(axis=1), list(range(len(CLASSES)))
    figures: dict[str, object] = {"accuracy": reference.accuracy_score(labels, predicted)}
    options = {"labels": names, "zero_division": np.nan}
    for average in (None, "macro", "weighted"):
        scores = reference.precision_recall_fscore_support(labels, predicted, average=average, **options)
        prefix = f"{average}_" if average else ""
        figures |= {f"{prefix}{name}": value for name, value in zip(SCORES, scores[:3], strict=True)}
    hits = reference.multilabel_confusion_matrix(labels, predicted, labels=names)
    figures["specificity"] = hits[:, 0, 0] / hits[:, 0].sum(axis=1)
    figures["balanced_accuracy"] = reference.balanced_accuracy_score(labels, predicted)
    figures["matthews_correlation"] = reference.matthews_corrcoef(labels, predicted)
    figures["cohen_kappa"] = reference.cohen_kappa_score(labels, predicted)
    figures["log_loss"] = reference.log_loss(labels, table, labels=names)
    figures["brier_score"] = reference.brier_score_loss(labels, table, labels=names)
    for name, function in (
        ("auc", reference.roc_auc_score),
        ("average_precision", reference.average_precision_score),
    ):
        figures[name] = np.array([function(labels == k, table[:, k]) for k in names])
        figures[f"macro_{name}"] = figures[name].mean()
    return {name: np.asarray(value) for name, value in figures.items()}


def resample(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Rows of one draw with replacement within each class."""
    strata = [np.flatnonzero(labels == k) for k in range(len(CLASSES))]
    return np.concatenate([generator.choice(rows, rows.size) for rows in strata])


def largest_gap(labels: np.ndarray, table: np.ndarray) -> float:
    """The largest difference of any figure between ours and scikit-learn's on the same resampled images."""
    generator, gap = np.random.default_rng(1), 0.0
    weighted = WeightedFigures(labels, table)
    for _ in range(LOOP_DRAWS):
        rows = resample(labels, generator)
        ours = weighted(np.bincount(rows, minlength=len(labels)).astype(float)[:, None])
        theirs = one_draw(labels[rows], table[rows])
        assert theirs.keys() == ours.keys()
        gap = max(gap, *(float(np.abs(ours[name][0] - theirs[name]).max()) for name in ours))
    return gap


def seconds_of(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds and CPU seconds that a function takes."""
    started, before = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - started, time.process_time() - before


def ours(labels: np.ndarray, table: np.ndarray) -> dict[str, np.ndarray]:
    return bootstrap_figures(labels, WeightedFigures(labels, table), np.random.default_rng(0), DRAWS)


def loop(labels: np.ndarray, table: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    for _ in range(LOOP_DRAWS):
        rows = resample(labels, generator)
        one_draw(labels[rows], table[rows])


def package(labels: np.ndarray, table: np.ndarray, draws: int) -> dict[str, tuple[float, float]]:
    """What `confidenceinterval` offers of ours by bootstrap: macro precision, recall, F1, and 8 AUCs."""
    import confidenceinterval

    predicted = table.argmax(axis=1)
    options = {"method": "bootstrap_percentile", "n_resamples": draws}
    ends = {}
    for name in SCORES:
        function = getattr(confidenceinterval, f"{name}_score")
        ends[f"macro_{name}"] = function(labels, predicted, average="macro", **options)[1]
    for k, name in enumerate(CLASSES):
        own = (labels == k).astype(int)
        ends[f"auc of {name}"] = confidenceinterval.roc_auc_score(own, table[:, k], **options)[1]
    return ends


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}..{max(values):,.{digits}f})"


def compare_bootstraps(labels: np.ndarray, table: np.ndarray, repeats: int) -> None:
    """Print seconds for 2,000 draws by ours and the others, and how far their figures are apart."""
    every = sum(values.size for values in WeightedFigures(labels, table)(np.ones((len(labels), 1))).values())
    measured = {
        "ours": (every, lambda: ours(labels, table), 1.0),
        "scikit-learn in a loop": (every, lambda: loop(labels, table), DRAWS / LOOP_DRAWS),
    }
    if importlib.util.find_spec("confidenceinterval"):
        scale = DRAWS / PACKAGE_DRAWS
        measured["confidenceinterval"] = (11, lambda: package(labels, table, PACKAGE_DRAWS), scale)
    else:
        print("The package confidenceinterval is not installed: left out.")
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in measured}
    for _ in range(repeats):
        for name, (_, function, scale) in measured.items():
            wall, processor = seconds_of(function)
            seconds[name].append((wall * scale, processor * scale))
    print(f"{DRAWS:,} draws of {len(labels):,} images\n\n| by | figures | s | CPU s | CPU, times ours |")
    print("|---|---|---|---|---|")
    for name, pairs in seconds.items():
        wall, processor = ([pair[place] for pair in pairs] for place in (0, 1))
        ratios = [theirs / own for (_, theirs), (_, own) in zip(pairs, seconds["ours"], strict=True)]
        columns = [spread(wall, 2), spread(processor, 2), spread(ratios, 0)]
        print(f"| {name} | {measured[name][0]} | {' | '.join(columns)} |")
    print(f"\nLargest gap to scikit-learn on the same {LOOP_DRAWS} draws: {largest_gap(labels, table):.1e}.")
    if "confidenceinterval" in measured:
        compare_ends(labels, table)


def compare_ends(labels: np.ndarray, table: np.ndarray) -> None:
    """Print the largest gap between the ends of our intervals and the package's, which does not stratify."""
    drawn, theirs = ours(labels, table), package(labels, table, 500)
    gaps = {}
    for name, ends in theirs.items():
        word, _, of_class = name.partition(" of ")
        own = drawn[word][:, CLASSES.index(of_class)] if of_class else drawn[name]
        gaps[name] = max(abs(a - b) for a, b in zip(percentile_interval(own), ends, strict=True))
    name = max(gaps, key=gaps.__getitem__)
    low, high = theirs[name]
    print(
        f"Largest gap of an interval's end to confidenceinterval's (500 draws, not stratified): "
        f"{gaps[name]:.4f} for {name}, whose interval is {high - low:.4f} wide."
    )


def build_lab(workspace: Workspace, images: int, runs: int) -> list[str]:
    """A lab with `runs` finished runs and reports of their `images` held-out images; nothing is trained."""
    generator = np.random.default_rng(0)
    labels = np.arange(2 * images) % len(CLASSES)
    with DatasetWriter(workspace, "cells", CLASSES, (SIDE, SIDE, 3)) as writer:
        pixels = generator.integers(0, 256, (len(labels), SIDE, SIDE, 3), dtype=np.uint8)
        names = [f"{row}.png" for row in range(len(labels))]
        writer.append(pixels, labels, names, np.full((len(labels), 2), SIDE))
        dataset = writer.finish("drawn for a benchmark")
    split = make_split(workspace, dataset.id, fractions=(0.5, 0.5), seed=0)
    prepared = prepare(workspace, split.id, load_recipe(workspace, "plain"))
    ids = [f"job-{number:012x}" for number in range(runs)]
    for number, run_id in enumerate(ids):
        folder = workspace.run_dir(run_id)
        folder.mkdir(parents=True)
        spec = RunSpec(prepared=prepared.id, backbone="cnn", seed=number)
        workspace.write_json(folder / "spec.json", spec.to_json())
        run = Run(
            id=run_id,
            spec=spec,
            dataset=dataset.id,
            split=split.id,
            class_names=CLASSES,
            image_shape=(SIDE, SIDE, 3),
            train_images=prepared.images,
            validation_images=images,
            parameters=1000,
            epochs=1,
            best_epoch=1,
            val_accuracy=0.9,
            seconds=1.0,
            device="cpu",
            device_name="no device",
            created=now(),
            finished=True,
            ended="all epochs are done",
        )
        write_run(workspace, run)
        held = held_out(workspace, run).table
        truth = held["label"].to_numpy()
        table = draw_probabilities(truth, np.random.default_rng(number))
        predictions = predictions_table(
            held["row"].to_numpy(), held["image_id"].tolist(), truth, table, CLASSES
        )
        origin = {"run": run_id, "dataset": dataset.id, "part": "validation", "tta": False}
        costs = {"parameters": 1000, "file_size_bytes": 4000, "training_seconds": 1.0, "seconds": 1.0}
        about = {"classes": list(CLASSES), "created": now(), "model_sha256": "0" * 64}
        save_report(workspace, {**origin, **score(truth, table, CLASSES), **costs, **about}, predictions)
    return ids


def measure_lab(workspace: Workspace, images: int, runs: int, repeats: int) -> list[str]:
    """Print what a report from saved predictions and a comparison of all runs cost; return the runs' ids."""
    ids = build_lab(workspace, images, runs)

    def figures() -> None:
        predictions = load_predictions(workspace, ids[0])
        score(predictions["label"], probabilities_of(predictions), CLASSES)

    steps = {
        "all figures of a report from its saved predictions": figures,
        "reading a report that holds them": lambda: complete_report(workspace, ids[0]),
        f"comparing {runs} runs, {runs * (runs - 1) // 2} pairs": lambda: compare(workspace, ids),
    }
    print(f"\n{images:,} held-out images\n\n| step | ms | CPU ms |\n|---|---|---|")
    for name, step in steps.items():
        pairs = [seconds_of(step) for _ in range(repeats)]
        columns = [spread([1000 * pair[place] for pair in pairs], 0) for place in (0, 1)]
        print(f"| {name} | {' | '.join(columns)} |")
    return ids


def measure_page(home: Path, ids: list[str], repeats: int) -> None:
    """Print what each section of the Compare page costs: with nothing in the caches, and again."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    os.environ["WBC_HOME"] = str(home)
    main = Path(__file__).parents[1] / "app" / "main.py"
    for logger in ("streamlit.runtime.caching", "streamlit.runtime.scriptrunner_utils"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    print("\n| Compare page | first draw, ms | CPU ms | rerun, ms | CPU ms |\n|---|---|---|---|---|")
    for section in SECTIONS:
        page = AppTest.from_file(str(main), default_timeout=60).switch_page("views/compare.py")
        page.query_params["runs"], page.query_params["section"] = ",".join(ids), section
        page.run()
        st.cache_data.clear()
        first, *again = [seconds_of(page.run) for _ in range(1 + repeats)]
        assert not page.exception
        columns = [f"{1000 * value:,.0f}" for value in first]
        columns += [spread([1000 * pair[place] for pair in again], 0) for place in (0, 1)]
        print(f"| {section} | {' | '.join(columns)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--home", type=Path, help="Keep the drawn lab in this new folder, to look at its pages."
    )
    options = parser.parse_args()
    labels = np.arange(options.images) % len(CLASSES)
    table = draw_probabilities(labels, np.random.default_rng(0)).astype(float)
    # scikit-learn warns of rows whose sum is 1 only to the digits of a float32.
    table /= table.sum(axis=1, keepdims=True)
    print(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.\n")
    compare_bootstraps(labels, table, options.repeats)
    tracemalloc.start()
    ours(labels, table)
    print(f"Peak memory of ours: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB.")
    tracemalloc.stop()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "lab"
        ids = measure_lab(Workspace(home), options.images, options.runs, options.repeats)
        measure_page(home, ids, options.repeats)


if __name__ == "__main__":
    main()
