"""The design's rules that a machine can check: who may import whom, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = [
    {"errors", "records", "registry", "progress", "quiet", "freed_memory", "wording"},
    {"workspace", "database"},
    {"datasets"},
    {"curation"},
    {"splitting", "derived_splits"},
    {"balance", "augment"},
    {"backbones"},
    {"training"},
    {"evaluation"},
    {"export"},
    {"tracking"},
    {"jobs"},
    {"cli", "command_line", "curation_commands", "result_commands", "study_commands", "training_commands"},
    {"app"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
SOURCES = sorted([*ROOT.glob("wbc_core/**/*.py"), *ROOT.glob("app/**/*.py")])


def part(module: str) -> str | None:
    """The part of the lab that a module belongs to: `wbc_core.jobs.queue` is in `jobs`."""
    words = module.split(".")
    if words[0] == "app":
        return "app"
    return words[1] if words[0] == "wbc_core" and len(words) > 1 else None


def imported(tree: ast.AST) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    modules = imported(ast.parse(path.read_text(encoding="utf-8")))
    if own is None:
        return
    later = {module for module in modules if (other := part(module)) and RANK[other] > RANK[own]}
    assert not later, f"{own} comes before {later}"
    if own != "app":
        assert not any(module.split(".")[0] == "streamlit" for module in modules)
    # SavedModel and LiteRT are TensorFlow's own formats, and KerasCV's layers are TensorFlow's.
    if path.name not in ("saved_model.py", "litert.py", "keras_cv_engine.py"):
        assert not any(module.split(".")[0] == "tensorflow" for module in modules)


SLOW = ("tensorflow", "keras", "sklearn", "imblearn", "optuna", "mlflow", "ray", "umap", "torch", "jax")


def loaded_after(code: str) -> set[str]:
    """Slow packages that a fresh interpreter has loaded after some code."""
    report = f"{code}\nimport sys\nprint([name for name in {SLOW!r} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(ast.literal_eval(answer.stdout.splitlines()[-1]))


def test_help_and_curation_import_nothing_slow() -> None:
    parts = ["cli", "curation.scan", "curation.review", "splitting", "augment.prepare", "balance.smote"]
    parts += ["jobs.worker", "jobs.server", "jobs.sweep_trial", "jobs.sweep_results", "evaluation.compare"]
    parts += [
        "evaluation.explain",
        "evaluation.report",
        "training.runs",
        "tracking.background",
        "export.card",
        "export.kept",
    ]
    assert loaded_after("\n".join(f"import wbc_core.{name}" for name in parts)) == set()
