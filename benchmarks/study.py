"""How a run fares on images that neither taught nor chose it: clean, and under every shift at every strength.

    .venv/bin/python benchmarks/study.py --home WORKSPACE --run job-... --data TEST.npz [--out docs/study]

Writes NAME-history.csv (what every epoch measured) and NAME-shifts.csv (accuracies, Wilson's 95 % intervals),
NAME being the backbone, and prints the latter as a table.
"""

import argparse
import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd

from wbc_core.augment.shifts import SHIFTS, STRENGTHS
from wbc_core.evaluation.report import evaluate_run
from wbc_core.training.predict import load_model
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--data", type=Path, required=True, help="npz file of test images")
    parser.add_argument("--out", type=Path, default=Path("docs/study"))
    options = parser.parse_args()
    workspace = Workspace(options.home)
    run = load_run(workspace, options.run)
    model = load_model(workspace, run.id)
    clean = evaluate_run(workspace, run.id, data=options.data, model=model)
    images = sum(entry["support"] for entry in clean["per_class"].values())
    symmetric = evaluate_run(workspace, run.id, data=options.data, tta=True, model=model)
    rows = [{"shift": "none", "strength": 0, "accuracy": clean["accuracy"], "ci": clean["accuracy_ci"]}]
    for shift in SHIFTS.names():
        for strength in STRENGTHS:
            report = evaluate_run(
                workspace, run.id, data=options.data, shift=shift, strength=strength, model=model
            )
            ci = report["accuracy_ci"]
            rows.append({"shift": shift, "strength": strength, "accuracy": report["accuracy"], "ci": ci})
    table = pd.DataFrame(rows)
    table[["low", "high"]] = table.pop("ci").to_list()
    options.out.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(options.out / f"{run.backbone}-shifts.csv", index=False)
    shutil.copyfile(workspace.run_dir(run.id) / "history.csv", options.out / f"{run.backbone}-history.csv")
    low, high = clean["accuracy_ci"]
    print(f"{images:,} images; clean {clean['accuracy']:.2%} ({low:.2%}-{high:.2%}),", end=" ")
    print(f"macro-F1 {clean['macro_f1']:.4f}, expected calibration error {clean['ece']:.4f};", end=" ")
    print(f"averaged over the 8 symmetries {symmetric['accuracy']:.2%}\n")
    print("| shift |" + "".join(f" strength {strength} |" for strength in STRENGTHS))
    print("|---" * (1 + len(STRENGTHS)) + "|")
    shifted = table[table["strength"] > 0]
    for shift, group in shifted.groupby("shift", sort=False):
        print(f"| {shift} |" + "".join(f" {100 * accuracy:.1f} |" for accuracy in group["accuracy"]))


if __name__ == "__main__":
    main()
