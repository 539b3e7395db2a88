"""Which recipe makes a network robust: one backbone, several recipes, judged on clean and shifted validation.

    .venv/bin/python benchmarks/robustness.py --home WORKSPACE --split sp-... [--epochs 10] [--only robust ..]

Every recipe trains the same network from the same seed for the same epochs; the best epoch is chosen on the
`combined` shift at strength 3. The figures are those of the validation part, which chose the epoch too.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import PRESETS, check_recipe
from wbc_core.augment.shifts import SHIFTS
from wbc_core.evaluation.report import evaluate_run
from wbc_core.evaluation.reports import list_reports, load_report
from wbc_core.records import Operation, Recipe, content_id
from wbc_core.training.loop import train
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SYMMETRIES = (Operation("flip"), Operation("quarter_turns"))
BROAD = PRESETS.get("robust").online
CANDIDATES = {
    "none": (),
    "symmetries": SYMMETRIES,
    "stain": PRESETS.get("stain").online,
    "randaugment": (*SYMMETRIES, Operation("rand_augment", {"magnitude": 0.5})),
    "augmix": (*SYMMETRIES, Operation("aug_mix", {"magnitude": 0.5})),
    "broad": BROAD,
    "broad-randaugment": (*BROAD, Operation("rand_augment", {"magnitude": 0.4}, 0.3)),
    "broad-cutmix": (*BROAD, Operation("cut_mix", {"alpha": 1.0}, 0.3)),
}


def recipe_of(name: str) -> Recipe:
    return check_recipe(Recipe(name, online=CANDIDATES[name]))


def judged(workspace: Workspace, run: str) -> dict[str, float]:
    """Accuracy of a run on the clean validation part and under every shift at strength 3, in percent."""
    figures = {}
    for shift in (None, *SHIFTS.names()):
        name = f"validation-{shift}-3" if shift else "validation"
        there = name in list_reports(workspace, run)
        report = load_report(workspace, run, name) if there else evaluate_run(workspace, run, shift=shift)
        figures[shift or "clean"] = 100 * report["accuracy"]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--backbone", default="cnn")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--only", nargs="+", default=list(CANDIDATES), metavar="RECIPE")
    options = parser.parse_args()
    workspace = Workspace(options.home)
    columns = ["clean", *SHIFTS.names()]
    print(f"| recipe | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}", flush=True)
    for name in options.only:
        prepared = prepare(workspace, options.split, recipe_of(name)).id
        settings = {"epochs": str(options.epochs), "validation_shift": "combined", "dropout": "0.3"}
        spec = RunSpec.parse(prepared, options.backbone, settings)
        run = content_id("job", spec.to_json())
        train(workspace, run, spec)
        figures = judged(workspace, run)
        print(f"| {name} | {' | '.join(f'{figures[column]:.1f}' for column in columns)} |", flush=True)


if __name__ == "__main__":
    main()
