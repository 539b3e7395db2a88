"""SelfClean's evaluation protocol: planted contaminations, and what ours and three other tools find of them.

    curation.py [DATA] [--share 0.05 0.1] [--seed 0] [--images N] [--tools ours]
        [--python PEERS/python]

One command, one run, the same files: five kinds of contamination (`contamination.py`) are planted into the
images, each in its own share of the rows, and every tool runs in a process of its own (`curation_tools.py`).
With `--share 0` nothing is planted, and only seconds and memory are compared. Prints Markdown. The peers come
with `pip install 'wbc-lab[benchmark]'`, here or in the environment of --python; one that is missing is named
and left out. Without DATA, 2,000 painted cells are contaminated.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from contamination import KINDS, Contaminated, contaminate, photographs
from curation_tools import NEEDED, TOOLS
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

TOP = 20
PAIRS = "pairs"
QUALITY = "quality"
LINES: dict[str, tuple[str, dict[str, str]]] = {
    "ours": (
        "ours",
        {
            "off_topic": "foreign",
            "blends": "foreign",
            "near_duplicates": PAIRS,
            "label_errors": "label_errors",
            "quality": QUALITY,
        },
    ),
    "ours, class outliers": (
        "ours",
        dict.fromkeys(("off_topic", "blends", "label_errors"), "class_outliers"),
    ),
    "CleanVision": ("CleanVision", {"near_duplicates": PAIRS, "quality": QUALITY}),
    "imagededup": ("imagededup", {"near_duplicates": PAIRS}),
    **{
        name: (name, {"off_topic": "outliers", "blends": "outliers", "label_errors": "label_errors"})
        for name in ("cleanlab on pixels", "cleanlab on our features")
    },
}
"""What each line of the table is: the tool, and its check for each kind. `QUALITY`: the largest score over
threshold of all checks of single images that no other kind names."""

_OTHER = {"foreign", "class_outliers", "label_errors", "outliers", "exact_duplicates", "near_duplicates"}

NOTES = """
- AP: average precision; P@20, R@20: precision and recall of the 20 highest scores; recall: share flagged at
  the tool's default threshold; real flagged: untouched images that it flags (near duplicates: in pairs that
  are none, originals apart); any check: share that any of its checks flags. -: no such check or threshold.
- Each kind is ranked among its own and the untouched images. Quality is ranked by the largest score over its
  threshold of all quality checks, ours and CleanVision's alike.
- Near duplicates are ranked as pairs, among all pairs of images that still show a cell undamaged: ours by
  likeness, imagededup's by Hamming distance (all of them, not only those under its threshold), CleanVision's
  by its sets.
- Ours are ranked by all the scores that a check's `find` gives; flagged is what the stored findings say.
- imagededup is PHash: its CNN needs downloaded weights. cleanlab reads a 5-fold linear discriminant.
"""


def plant(source: Path | None, count: int | None, share: float, seed: int, folder: Path) -> Contaminated:
    """Contaminate the images and write the files that the tools read."""
    from wbc_core.datasets.importers import import_source
    from wbc_core.datasets.store import load_table, open_images
    from wbc_core.workspace import Workspace

    if source is None:
        from wbc_core.datasets.synthetic import draw_cells

        labels = np.arange(2_000) % 8
        images = draw_cells(np.random.default_rng(seed), labels)
    else:
        clean = Workspace(folder / "clean")
        dataset = import_source(clean, source).dataset
        table = load_table(clean, dataset.id)
        # The source's own exact copies would count as false positives.
        copies = table["image_id"].str.contains("-").to_numpy()
        rows = np.flatnonzero(~copies | (share == 0))
        images, labels = open_images(clean, dataset.id)[rows], table["label"].to_numpy()[rows]
    generator = np.random.default_rng(seed)
    if count is not None and count < len(images):
        chosen = np.sort(generator.choice(len(images), count, replace=False))
        images, labels = images[chosen], labels[chosen]
    planted = contaminate(generator, images, labels, dict.fromkeys(KINDS, share))
    np.save(folder / "images.npy", planted.images)
    np.save(folder / "labels.npy", planted.labels)
    for row, (image, label) in enumerate(zip(planted.images, planted.labels, strict=True)):
        path = folder / "png" / f"class {label}" / f"{row:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image[..., ::-1])
    np.savez(folder / "set.npz", images=planted.images, labels=planted.labels)
    import_source(Workspace(folder / "lab"), folder / "set.npz")
    return planted


def run(tool: str, folder: Path, python: str) -> dict[str, Any] | None:
    """Run one tool in a process of its own: its summary and arrays, None where it is not installed."""
    python = python if tool in NEEDED else sys.executable
    if tool in NEEDED:
        look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({NEEDED[tool]!r}) is None)"
        if subprocess.run([python, "-c", look], check=False).returncode:
            print(
                f"{tool} is left out: {NEEDED[tool]} is not installed (pip install 'wbc-lab[benchmark]').\n"
            )
            return None
    script = str(Path(__file__).with_name("curation_tools.py"))
    done = subprocess.run([python, script, tool, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{tool} is left out: {(done.stderr.strip().splitlines() or ['it was killed'])[-1]}\n")
        return None
    with np.load(folder / f"{tool}.npz", allow_pickle=False) as arrays:
        return json.loads(done.stdout.splitlines()[-1]) | dict(arrays)


def ranked(
    positive: NDArray[np.floating], negative: NDArray[np.floating], weights: NDArray[np.floating]
) -> list[float]:
    """Average precision, AUROC, and precision and recall of the top 20; ties share what they have.

    Args:
        positive: Scores of what was planted.
        negative: Scores of all else.
        weights: How many each of the `negative` stands for.
    """
    negative, weights = negative[weights > 0], weights[weights > 0]
    scores = np.concatenate([positive, negative])
    truth = np.repeat([1, 0], [len(positive), len(negative)])
    counts = np.concatenate([np.ones(len(positive)), weights])
    hits, room = 0.0, float(TOP)
    for score in np.unique(scores)[::-1]:
        tied = scores == score
        taken = min(room, counts[tied].sum())
        hits += taken * (counts * truth)[tied].sum() / counts[tied].sum()
        room -= taken
        if room <= 0:
            break
    precision = float(average_precision_score(truth, scores, sample_weight=counts))
    area = float(roc_auc_score(truth, scores, sample_weight=counts))
    return [precision, area, hits / TOP, hits / len(positive)]


def merged(found: dict[str, Any], check: str, what: str) -> NDArray[Any] | None:
    """Scores or flags by row of one check, or of all quality checks; None where the tool has none."""
    names = [name.removeprefix(f"{what}:") for name in found if name.startswith(f"{what}:")]
    wanted = [name for name in names if (name not in _OTHER if check == QUALITY else name == check)]
    return np.max([found[f"{what}:{name}"] for name in wanted], axis=0) if wanted else None


def any_check(found: dict[str, Any], count: int) -> NDArray[np.bool_]:
    """Rows that any check of a tool flags."""
    flags = np.zeros(count, dtype=bool)
    for name, values in found.items():
        if name.startswith("flag:"):
            flags |= values
    flags[found.get("pair:flagged", np.empty(0, np.int64)).reshape(-1)] = True
    return flags


def pair_line(found: dict[str, Any], planted: Contaminated, wanted: NDArray[np.int64]) -> list[Any]:
    """The line of near duplicates; of the planted pairs only `wanted` count, for or against."""
    cell = np.ones(len(planted.labels), dtype=bool)
    for kind in ("off_topic", "blends", "quality"):
        cell[planted.rows(kind)] = False
    count = len(cell)
    codes = {
        name: np.sort(pairs, axis=1) @ [count, 1]
        for name, pairs in (("wanted", wanted), ("all", planted.pairs))
    }
    total = cell.sum() * (cell.sum() - 1) / 2 - len(planted.pairs)
    if "hashes" in found:
        hashes, rows = found["hashes"], np.flatnonzero(cell)
        near = np.zeros(65)
        for position, row in enumerate(rows[:-1]):
            near += np.bincount(np.bitwise_count(hashes[row] ^ hashes[rows[position + 1 :]]), minlength=65)
        distance = {
            name: np.bitwise_count(hashes[code // count] ^ hashes[code % count])
            for name, code in codes.items()
        }
        near -= np.bincount(distance["all"], minlength=65)
        ranking = ranked(-distance["wanted"].astype(float), -np.arange(65.0), near)
    else:
        rows = np.sort(found["pair:rows"], axis=1)
        listed = cell[rows].all(axis=1)
        code, score = rows[listed] @ [count, 1], found["pair:score"][listed]
        known = dict(zip(code.tolist(), score.tolist(), strict=True))
        positive = np.array([known.get(pair, 0.0) for pair in codes["wanted"].tolist()])
        negative = score[~np.isin(code, codes["all"])]
        ranking = ranked(
            positive, np.append(negative, 0.0), np.append(np.ones(len(negative)), total - len(negative))
        )
    flagged = np.sort(found["pair:flagged"], axis=1)
    flagged = flagged[cell[flagged].all(axis=1)]
    code = flagged @ [count, 1]
    false = np.unique(flagged[~np.isin(code, codes["all"])])
    false = np.setdiff1d(false, planted.pairs)
    return [*ranking, np.isin(codes["wanted"], code).mean(), len(false)]


def line(found: dict[str, Any], planted: Contaminated, kind: str, check: str | None) -> list[Any]:
    """AP, AUROC, P@20, R@20, recall, real images flagged and recall of any check; None for none."""
    rows = planted.rows(kind)
    untouched = np.ones(len(planted.labels), dtype=bool)
    untouched[planted.rows()] = False
    cells: list[Any] = [None] * 6
    if not len(rows):
        return [*cells, None]
    if check == PAIRS:
        cells = pair_line(found, planted, planted.pairs[np.isin(planted.pairs[:, 0], rows)])
    elif check is not None:
        scores, flags = merged(found, check, "score"), merged(found, check, "flag")
        if scores is not None:
            cells[:4] = ranked(scores[rows], scores[untouched], np.ones(untouched.sum()))
        if flags is not None:
            cells[4:] = [flags[rows].mean(), int(flags[untouched].sum())]
    flagged = any_check(found, len(planted.labels))
    return [*cells, flagged[rows].mean() if flagged.any() else None]


def row(*cells: Any) -> None:
    shown = []
    for cell in cells:
        if cell is None:
            shown.append("-")
        elif isinstance(cell, float):
            shown.append(f"{cell:.3f}")
        else:
            shown.append(f"{cell:,}" if isinstance(cell, int) else str(cell))
    print("| " + " | ".join(shown) + " |", flush=True)


def header(*names: str) -> None:
    row(*names)
    print("|---" * len(names) + "|")


def print_tools(results: dict[str, dict[str, Any]], planted: Contaminated) -> None:
    count = len(planted.labels)
    real = np.ones(count, dtype=bool)
    real[planted.rows()] = False
    real[planted.pairs.reshape(-1)] = False
    header("tool", "seconds", "CPU seconds", "peak MB", "untouched images flagged by any check")
    for tool, found in results.items():
        flags = any_check(found, count)
        judges = any(name.startswith(("flag:", "pair:flagged")) for name in found)
        flagged = f"{int((flags & real).sum()):,}" if judges else "-"
        if "acted" in found:
            flagged += f", {int((found['acted'] & real).sum()):,} of them for dropping or relabelling"
        measured = [f"{found['seconds']:.2f}", f"{found['cpu']:.2f}", f"{found['megabytes']:,.0f}"]
        row(f"{tool} {found['version']}".strip(), *measured, flagged)
    for tool in (tool for tool in ("ours", "CleanVision") if tool in results):
        flags = {name: values for name, values in results[tool].items() if name.startswith("flag:")}
        listed = [
            f"{name[5:]} {int((own & real).sum()):,}" for name, own in flags.items() if (own & real).any()
        ]
        print(f"\nUntouched images that {tool} flags, by check: {', '.join(listed) or 'none'}.")
    for tool, words in {
        "ours, CleanVision's kinds": "our checks of the same kinds from the store",
        "ours": "all of ours from the store",
        "ours from files": "all of ours from the same PNG files, with import",
    }.items():
        if {tool, "CleanVision"} <= set(results):
            ratio, cpu = (results["CleanVision"][unit] / results[tool][unit] for unit in ("seconds", "cpu"))
            print(f"\nCleanVision takes {ratio:.1f} times as long as {words} (CPU: {cpu:.1f}).")


def print_kinds(results: dict[str, dict[str, Any]], planted: Contaminated) -> None:
    header("contamination", "tool", "AP", "AUROC", "P@20", "R@20", "recall", "real flagged", "any check")
    for kind in KINDS:
        for name, (tool, checks) in LINES.items():
            found = results.get(tool)
            check = checks.get(kind)
            own = name == tool or (found is not None and check is not None and f"score:{check}" in found)
            if found is not None and own:
                row(kind, name, *line(found, planted, kind, check))


def print_variants(results: dict[str, dict[str, Any]], planted: Contaminated) -> None:
    tools = [name for name in LINES if name in results]
    header("contamination", "images", *(f"{name}: AP, recall" for name in tools))
    for variant in dict.fromkeys(f"{kind}/{name}" for kind in KINDS for name in KINDS[kind]):
        cells = []
        for name in tools:
            precision, *_, recall, _, _ = line(
                results[name], planted, variant, LINES[name][1].get(variant.split("/")[0])
            )
            cells.append(
                None
                if precision is None
                else f"{precision:.3f}, {'-' if recall is None else f'{recall:.2f}'}"
            )
        row(variant, len(planted.rows(variant)), *cells)


def compare(share: float, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = plant(options.data, options.images, share, options.seed, folder)
        print(f"### {100 * share:g} % of each kind\n\n{len(planted.labels):,} images, ", end="")
        print(f"{len(planted.rows()):,} of them contaminated ", end="")
        print(f"({len(photographs()) or 'no'} sample photographs installed); seed {options.seed}, ", end="")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.\n", flush=True)
        results = {tool: run(tool, folder, options.python) for tool in options.tools}
    found = {tool: result for tool, result in results.items() if result is not None}
    print_tools(found, planted)
    if share:
        print()
        print_kinds(found, planted)
        print()
        print_variants(found, planted)
    print(flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="images: an npz file, a zip archive or a folder")
    parser.add_argument("--share", type=float, nargs="+", default=[0.05, 0.1], help="of each kind, 0..0.16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help="only so many of the images, drawn by the seed")
    parser.add_argument("--tools", nargs="+", choices=list(TOOLS), default=list(TOOLS))
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peers")
    options = parser.parse_args(arguments)
    for share in options.share:
        compare(share, options)
    if any(options.share):
        print(NOTES.strip())


if __name__ == "__main__":
    main()
