"""Models and cards on their way out: written, opened again, checked, and only then kept."""

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from wbc_core.errors import WbcError
from wbc_core.evaluation.latency import time_calls
from wbc_core.evaluation.report import sha256_of
from wbc_core.evaluation.reports import list_reports
from wbc_core.export.card import write_card
from wbc_core.export.check import answers, compare
from wbc_core.export.entry import ExportFormat, Opened
from wbc_core.export.original import Original, load_original
from wbc_core.export.registry import FORMATS
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.training.predict import best_model_path
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace, now, whole_folder

CARD = "card"
ALL = "all"
PASSPORT = "passport.json"
_PACKAGES = ("keras", "tensorflow", "onnx", "tf2onnx", "onnxruntime", "ai-edge-litert", "numpy")


def export_formats() -> list[str]:
    """What a run can be exported to."""
    return [*FORMATS.names(), CARD]


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _passport(original: Original, to: str, opened: Opened, checked: Json, folder: Path) -> Json:
    run = original.run
    files: dict[str, Json] = {
        path.relative_to(folder).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    size, before = sum(file["bytes"] for file in files.values()), original.file.stat().st_size
    return {
        "run": run.id,
        "format": to,
        "dataset": run.dataset,
        "split": run.split,
        "prepared": run.prepared,
        "backbone": run.backbone,
        "leaky": run.leaky,
        "classes": list(run.class_names),
        "input": {
            "shape": list(original.model.input_shape[1:]),
            "type": opened.input_type,
            "range": [0, 255],
            "colour": "RGB",
        },
        "model_sha256": original.sha256,
        **opened.facts,
        **checked,
        "bytes": size,
        "original_bytes": before,
        "size_ratio": size / before,
        "files": files,
        "versions": _versions(),
        "intended_use": "research only, not a medical device",
        "created": now(),
    }


def _written(original: Original, to: ExportFormat, folder: Path, progress: Progress) -> Opened:
    try:
        return to.write(original, folder, progress)
    except WbcError:
        raise
    except Exception as error:  # every converter fails in its own way
        raise WbcError(
            f"The model cannot be converted to {to.title}.",
            got=str(error).splitlines()[0][:300] if str(error) else type(error).__name__,
            fix="Export to another format.",
        ) from error


def write_format(original: Original, name: str, folder: Path, progress: Progress = silent) -> Json:
    """Write one format into an empty folder, open it again and hold it against the original.

    Args:
        original: The model.
        name: Name of the format.
        folder: The folder; after an error what lies there is worth nothing.
        progress: Where to report.

    Returns:
        The passport, as it was written to `passport.json`: where the model comes from, its input, the figures
        of `check.compare`, `latency` and `original_latency` of `latency.time_calls`, sizes in bytes and their
        ratio, SHA-256 of every file, versions.

    Raises:
        WbcError: The model cannot be converted, or answers otherwise than the format's rule allows.
    """
    to = FORMATS.get(name)
    progress(0.0, f"Writing {to.title}")
    opened = _written(original, to, folder, part_of(progress, 0.0, 0.6))
    exported = answers(opened.predict, original.images, part_of(progress, 0.6, 0.9))
    checked = compare(original.probabilities, exported, original.labels)
    if broken := to.rule(checked):
        raise WbcError(
            f"The model exported to {to.title} does not answer as the original does and is not kept.",
            expected=broken[0],
            got=broken[1],
            fix="Export to another format.",
        )
    checked |= {
        "latency": time_calls(opened.predict, original.images),
        "original_latency": original.latency,
    }
    passport = _passport(original, name, opened, checked, folder)
    text = json.dumps(passport, indent=2, allow_nan=False) + "\n"
    (folder / PASSPORT).write_text(text, encoding="utf-8")
    progress(1.0, f"Wrote {to.title}")
    return passport


def write_each(
    workspace: Workspace, run_id: str, names: Sequence[str], folder: Path, progress: Progress = silent
) -> list[Json]:
    """Write several formats, each into a new folder of its name; one that is refused leaves nothing.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        names: Names of formats, `card` among them or not.
        folder: The folder to write to.
        progress: Where to report.

    Returns:
        One entry a format: `format`, `verdict` (`kept` or `refused`), and its passport or the `reason`.

    Raises:
        WbcError: No such run or format, or no model yet.
    """
    models = [name for name in names if name != CARD]
    for name in models:
        FORMATS.get(name)
    original = load_original(workspace, run_id, part_of(progress, 0.0, 0.1)) if models else None
    entries: list[Json] = []
    for number, name in enumerate(names):
        step = part_of(progress, *(0.1 + 0.9 * (number + side) / len(names) for side in (0, 1)))
        try:
            with whole_folder(folder / name) as inner:
                if original is None or name == CARD:
                    passports = [made for made in entries if made["verdict"] == "kept"]
                    write_card(workspace, load_run(workspace, run_id), inner, passports)
                    entry: Json = {}
                else:
                    FORMATS.get(name).refuse_without_packages()
                    entry = write_format(original, name, inner, step)
            entries.append({"format": name, "verdict": "kept", **entry})
        except WbcError as error:
            entries.append({"format": name, "verdict": "refused", "reason": str(error)})
    return entries


def export_run(
    workspace: Workspace, run_id: str, to: str, directory: Path, progress: Progress = silent
) -> list[Json]:
    """Write the best model of a run, its model card, or everything, into a new folder.

    Every model is opened again in its own runtime and compared with the original on validation images; the
    result is written to `passport.json` beside it. A model that answers otherwise is refused.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        to: A format (`keras`, `savedmodel`, `onnx`, `litert`, `litert_int8`), `card` (Markdown and HTML), or
            `all`: every format that is installed and the card, each in a folder of its own.
        directory: The folder to make; it may exist if it is empty.
        progress: Where to report.

    Returns:
        As `write_each`; one entry unless `to` is `all`.

    Raises:
        WbcError: No such run or format, no model yet, a missing extra, a folder with something in it, or, of
            a single format, a model that failed its check.
    """
    if to not in (*FORMATS, CARD, ALL):
        known = ", ".join((*export_formats(), ALL))
        raise WbcError(f"There is no export to {to!r}.", expected=f"one of {known}")
    run = load_run(workspace, run_id)
    if to == ALL:
        best_model_path(workspace, run_id)
        names = [name for name, entry in FORMATS.items() if not entry.missing()]
        names += [CARD] if list_reports(workspace, run_id) else []
        with whole_folder(directory) as folder:
            return write_each(workspace, run_id, names, folder, progress)
    if to == CARD:
        with whole_folder(directory) as folder:
            write_card(workspace, run, folder)
        return [{"format": CARD, "verdict": "kept"}]
    FORMATS.get(to).refuse_without_packages()
    with whole_folder(directory) as folder:
        original = load_original(workspace, run_id, part_of(progress, 0.0, 0.2))
        passport = write_format(original, to, folder, part_of(progress, 0.2, 1.0))
    return [{"format": to, "verdict": "kept", **passport}]
