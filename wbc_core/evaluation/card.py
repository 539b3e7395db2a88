"""The model card of a run, in Markdown (Mitchell et al., "Model cards for model reporting", FAT* 2019)."""

import re
from collections.abc import Sequence

from wbc_core.augment.prepare import load_prepared
from wbc_core.balance.leaky import WARNING as LEAKY
from wbc_core.datasets.store import find_dataset
from wbc_core.evaluation.reports import load_report
from wbc_core.records import Json, PreparedSet, Recipe
from wbc_core.splitting import load_split
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace

_FEW_IMAGES = 50
"""Below this support a 95 % interval of recall is wider than some 10 points."""


def _plain(text: object) -> str:
    """Text from a user's file, without a meaning in Markdown or its tables."""
    return re.sub(r"([\\`*_{}\[\]()#|<>~!])", r"\\\1", " ".join(str(text).split()))


def _percent(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "undefined"
    ends = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
    return f"{100 * value:.1f} %{ends}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:#.3g}"


def _table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


def _recipe(recipe: Recipe, prepared: PreparedSet) -> str:
    operations = []
    for operation in recipe.operations:
        values = ", ".join(f"{_plain(key)} {value:g}" for key, value in operation.parameters.items())
        operations.append(_plain(operation.name) + (f" ({values})" if values else ""))
    copies = f"one augmented copy an operation: {', '.join(operations)}" if operations else "no augmentation"
    return (
        f"{_plain(recipe.name)}: balance `{recipe.balance}`, {copies}; {prepared.images:,} train images, "
        f"seed {recipe.seed}, `{prepared.id}`" + (f". **{LEAKY.capitalize()}.**" if prepared.leaky else "")
    )


def _figures(report: Json) -> str:
    return _table(
        ["Measure", "Value (95 % interval)"],
        [
            ["Accuracy", _percent(report["accuracy"], report["accuracy_ci"])],
            ["Macro-F1", _percent(report["macro_f1"], report["macro_f1_ci"])],
            ["Balanced accuracy", _percent(report["balanced_accuracy"], None)],
            ["Matthews correlation", _number(report["matthews_correlation"])],
            ["Cohen's kappa", _number(report["cohen_kappa"])],
            ["Log loss (nats)", _number(report["log_loss"])],
            ["Expected calibration error, 15 equal-width bins", _percent(report["ece"], None)],
            ["Expected calibration error, 15 equal-mass bins", _percent(report["ece_equal_mass"], None)],
        ],
    )


def _classes(report: Json) -> str:
    lines = []
    for name in report["classes"]:
        entry = report["per_class"][name]
        scores = [
            _percent(entry[score], entry[f"{score}_ci"])
            for score in ("precision", "recall", "specificity", "f1")
        ]
        lines.append([_plain(name), f"{entry['support']:,}", *scores])
    return _table(["Class", "Images", "Precision", "Recall", "Specificity", "F1"], lines)


def _limits(report: Json) -> list[str]:
    support = {name: report["per_class"][name]["support"] for name in report["classes"]}
    few = [f"{_plain(name)} ({count:,})" for name, count in support.items() if count < _FEW_IMAGES]
    limits = [
        "The held-out images come from the same source as those learnt from. Other microscopes, stains, "
        "scanners and patients were not tested, and accuracy elsewhere can be far lower.",
        "The model names one of its classes for any picture, also for a picture that shows none of them.",
        "The intervals know how many images were held out, not how training varies with its seed.",
    ]
    if few:
        limits.append(f"Few held-out images, hence wide intervals: {', '.join(few)}.")
    if report["part"] == "validation":
        limits.append(
            "The best epoch was chosen on the same images that the figures are from, which makes them "
            "somewhat too good."
        )
    return limits


def model_card(workspace: Workspace, run: Run) -> str:
    """Fill the model card of a run from its records and its report.

    Args:
        workspace: The lab.
        run: A run that has a report.

    Returns:
        Markdown: what the model is, its data, figures with intervals, classes, limits, intended use.

    Raises:
        WbcError: The run has no report yet, or a record is missing.
    """
    report = load_report(workspace, run.id)
    dataset = find_dataset(workspace, run.dataset)
    split, prepared = load_split(workspace, run.split), load_prepared(workspace, run.prepared)
    parts = ", ".join(f"{part} {sum(counts):,}" for part, counts in split.parts.items())
    settings = [
        [f"`{name}`", _plain(value)] for name, value in run.spec.to_json().items() if name != "prepared"
    ]
    height, width, _ = run.image_shape
    sections = [
        f"# Model card: {_plain(run.backbone)}, run {run.id}",
        "**Intended use: research only, not a medical device.** It may not be used to diagnose, to "
        "monitor or to treat.",
        "## Model",
        f"Names the class of a white-blood-cell image of {height} x {width} pixels, RGB. {run.parameters:,} "
        f"parameters, {report['file_size_bytes'] / 1e6:.3g} MB, trained for {run.epochs} epochs "
        f"(best: {run.best_epoch}) in {run.seconds:,.0f} s on {_plain(run.device_name)}. SHA-256 of the "
        f"model: `{report['model_sha256']}`.",
        f"Classes, in the order of the outputs: {', '.join(_plain(name) for name in run.class_names)}.",
        "## Data",
        f"- Data set: {_plain(dataset.name)}, {dataset.images:,} images, `{dataset.id}`\n"
        f"- Clean set: `{split.clean}`, decision log up to line {split.decisions_head:,}\n"
        f"- Split: {parts}, seed {split.seed}, {split.grouped:,} groups of duplicates kept together, "
        f"`{split.id}`\n"
        f"- Recipe: {_recipe(prepared.recipe, prepared)}",
        "## Settings",
        _table(["Setting", "Value"], settings),
        f"## Figures on {report['images']:,} images ({report['part']})",
        *([f"**{LEAKY.capitalize()}: these figures are too good.**"] if prepared.leaky else []),
        _figures(report),
        "Intervals: Wilson for rates, stratified bootstrap (2,000 draws) for F1.",
        "## Classes",
        _classes(report),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(report)),
    ]
    return "\n\n".join(sections) + "\n"
