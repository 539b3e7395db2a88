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
AFFINE = (
    Operation("rotation", {"degrees": 45}, 0.5),
    Operation("shear", {"x_factor": 0.25, "y_factor": 0.25}, 0.3),
    Operation("translation", {"height_factor": 0.12, "width_factor": 0.12}, 0.3),
    Operation("zoom", {"zoom_in": 0.15, "zoom_out": 0.15}, 0.3),
    Operation("elastic", {"distance": 2.5}, 0.15),
)
PHOTOMETRIC = (
    Operation("stain_jitter", {"gain": 0.4, "shift": 0.06}, 0.3),
    Operation("brightness", {"factor": 0.25}, 0.25),
    Operation("contrast", {"factor": 0.5}, 0.25),
    Operation("hue", {"factor": 0.1}, 0.2),
    Operation("channel_shift", {"factor": 0.3}, 0.2),
    Operation("random_saturation", {"factor_low": 0.2, "factor_high": 0.8}, 0.2),
    Operation("illumination_gradient", {"strength": 0.5}, 0.2),
    Operation("gaussian_blur", {"sigma_low": 0.3, "sigma_high": 1.8}, 0.15),
    Operation("gaussian_noise", {"deviation_low": 2, "deviation_high": 20}, 0.15),
    Operation("jpeg_quality", {"quality_low": 15, "quality_high": 70}, 0.15),
)
OCCLUSION = (
    Operation("random_cutout", {"height_factor": 0.7, "width_factor": 0.7}, 0.3),
    Operation("grid_mask", {"ratio": 0.55}, 0.25),
)
CANDIDATES = {
    "none": (),
    "symmetries": SYMMETRIES,
    "randaugment": (*SYMMETRIES, Operation("rand_augment", {"magnitude": 0.5})),
    "augmix": (*SYMMETRIES, Operation("aug_mix", {"magnitude": 0.5})),
    "broad": (*SYMMETRIES, *AFFINE, *PHOTOMETRIC, *OCCLUSION),
    "broad-randaugment": (
        *SYMMETRIES,
        *AFFINE,
        *PHOTOMETRIC,
        *OCCLUSION,
        Operation("rand_augment", {"magnitude": 0.4}, 0.3),
    ),
    "broad-cutmix": (
        *SYMMETRIES,
        *AFFINE,
        *PHOTOMETRIC,
        *OCCLUSION,
        Operation("cut_mix", {"alpha": 1.0}, 0.3),
    ),
}


def recipe_of(name: str) -> Recipe:
    return PRESETS.get(name) if name in PRESETS else check_recipe(Recipe(name, online=CANDIDATES[name]))


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
