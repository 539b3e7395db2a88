"""A comparison as headed text and tables, before it is HTML or LaTeX. All text is plain."""

from collections.abc import Mapping, Sequence

from wbc_core.evaluation.compare import FITTED_HERE
from wbc_core.evaluation.pairs import SIGNIFICANCE
from wbc_core.evaluation.significance import p_value, points
from wbc_core.export.card_blocks import Bullets, Paragraph, Section, Table, number, share
from wbc_core.records import Json
from wbc_core.wording import counted

_IN_NAMES = ("backbone", "prepared")


def comparison_sections(comparison: Json, reports: Mapping[str, Json]) -> dict[str, Section]:
    """Write a comparison in words and tables.

    Args:
        comparison: One entry of `compare_splits`.
        reports: Run id to its complete report of the compared part.

    Returns:
        Sections by name, in their order: `verdicts`, `groups`, `group_pairs`, `runs`, `pairs`, `classes`;
        those with nothing to say are left out.
    """
    pooled = any(len(group["runs"]) > 1 for group in comparison["groups"])
    names = {run["run"]: run["name"] for run in comparison["runs"]}
    sections = {"verdicts": _verdicts(comparison)}
    if pooled:
        sections["groups"] = Section("Ways of training, seeds pooled", (_groups(comparison["groups"]),))
        sections["group_pairs"] = Section(
            "Every pair of ways of training", (_pairs(comparison["group_pairs"]),)
        )
    sections["runs"] = Section("Runs", (_runs(comparison["runs"]),))
    if comparison["pairs"]:
        sections["pairs"] = Section("Every pair of runs", (_pairs(comparison["pairs"], names),))
    sections["classes"] = Section("F1 of each class", (_classes(comparison, reports),))
    return sections


def _verdicts(comparison: Json) -> Section:
    pairs = sorted(comparison["group_pairs"], key=lambda pair: pair["holm_p"] >= SIGNIFICANCE)
    about = (
        f"{comparison['images']:,} images of the {comparison['part']} part of split {comparison['split']}"
        + ("." if comparison["leaky"] else ", none of which any run learnt from.")
    )
    blocks = [Paragraph(about)]
    if comparison["leaky"]:
        blocks.append(
            Paragraph(
                "Leaky order: held-out images helped make what a run learnt from; its figures are too good.",
                strong=True,
            )
        )
    if comparison["part"].startswith("validation"):
        blocks.append(
            Paragraph("The best epochs were chosen on these images, so the figures are a little hopeful.")
        )
    blocks += [
        Paragraph(f"{run['name']}: {FITTED_HERE}") for run in comparison["runs"] if run["weights_fitted_here"]
    ]
    if not pairs:
        return Section("What was shown", (*blocks, Paragraph("All runs are one way of training.")))
    return Section("What was shown", (*blocks, Bullets(tuple(pair["words"] for pair in pairs))))


def _settings(entries: Sequence[Json]) -> list[str]:
    return [name for name in entries[0]["settings"] if name not in _IN_NAMES]


def _setting_cells(entry: Json, settings: Sequence[str]) -> list[str]:
    values = [entry["settings"][name] for name in settings]
    return ["–" if value is None else str(value) for value in values]


def _spread(deviation: float | None, ends: Sequence[float] | None) -> str:
    if deviation is None or ends is None:
        return "one seed"
    return f"sd {100 * deviation:.2f}, {100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"


def _groups(groups: Sequence[Json]) -> Table:
    settings = _settings(groups)
    head = ("Trained", "Seeds", "Accuracy", "over seeds", "Macro-F1", "over seeds", "Parameters")
    rows = [
        (
            group["name"],
            group["pooled"],
            share(group["accuracy"], group["accuracy_ci"]),
            _spread(group["accuracy_sd"], group["accuracy_range"]),
            share(group["macro_f1"], group["macro_f1_ci"]),
            _spread(group["macro_f1_sd"], group["macro_f1_range"]),
            f"{group['parameters']:,}",
            *_setting_cells(group, settings),
        )
        for group in groups
    ]
    note = "Means over the seeds; 95 % intervals over images in brackets. sd: standard deviation over seeds."
    return Table((*head, *(name.replace("_", " ") for name in settings)), tuple(rows), note)


def _runs(runs: Sequence[Json]) -> Table:
    settings = _settings(runs)
    head = ("Run", "Id", "Accuracy", "Macro-F1", "ECE", "Parameters", "Latency (ms)", "Training (s)")
    rows = [
        (
            run["name"],
            run["run"],
            share(run["accuracy"], run["accuracy_ci"]),
            share(run["macro_f1"], run["macro_f1_ci"]),
            share(run["ece"]),
            f"{run['parameters']:,}",
            "–" if run["latency_ms"] is None else number(run["latency_ms"]),
            f"{run['training_seconds']:,.0f}",
            *_setting_cells(run, settings),
        )
        for run in runs
    ]
    machines = sorted({run["latency_on"] for run in runs if run["latency_on"]})
    note = "95 % intervals in brackets. ECE: expected calibration error." + (
        f" Latency: median of one image on {', '.join(machines)}." if machines else ""
    )
    return Table((*head, *(name.replace("_", " ") for name in settings)), tuple(rows), note)


def _pairs(pairs: Sequence[Json], names: Mapping[str, str] | None = None) -> Table:
    rows = [
        (
            (names or {}).get(pair["a"], pair["a"]),
            (names or {}).get(pair["b"], pair["b"]),
            points(pair["accuracy_difference"], pair["accuracy_difference_ci"]),
            points(pair["macro_f1_difference"], pair["macro_f1_difference_ci"]),
            p_value(pair["mcnemar_p"] if names else pair["p"]),
            p_value(pair["holm_p"]),
            pair["mcnemar_method"] if names else pair["method"],
        )
        for pair in pairs
    ]
    note = (
        "Differences in percentage points with 95 % intervals from a paired bootstrap of 2,000 draws, "
        f"stratified by class. p Holm-adjusted over the {counted(len(pairs), 'pair')} of this table."
    )
    head = ("A", "B", "Accuracy, B - A", "Macro-F1, B - A", "p", "Holm p", "Test")
    return Table(head, tuple(rows), note)


def _classes(comparison: Json, reports: Mapping[str, Json]) -> Table:
    runs = comparison["runs"]
    rows = []
    for name in comparison["classes"]:
        scores = [reports[run["run"]]["per_class"][name] for run in runs]
        images = f"{scores[0]['support']:,}"
        rows.append((name, images, *(share(score["f1"], score["f1_ci"]) for score in scores)))
    return Table(
        ("Class", "Images", *(run["name"] for run in runs)), tuple(rows), "95 % intervals in brackets."
    )
