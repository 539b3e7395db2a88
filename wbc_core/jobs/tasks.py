"""What a job can do: one function a kind, called in the job's own process or in place by the command line.

Each imports what it needs when it is called, so that listing the kinds costs nothing.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from wbc_core.progress import Progress, part_of
from wbc_core.records import Json
from wbc_core.registry import Registry
from wbc_core.workspace import Workspace

Task = Callable[[Workspace, str, Json, Progress], Json]
"""Called with the workspace, the job's id, its spec and where to report; returns the job's result."""

TASKS = Registry[Task]("kind of job")

TRAINING_KINDS = ["train", "dry_run"]
"""Kinds that hold a device for long; all others pass them by in a lane of their own."""


@TASKS.register("import")
def import_dataset(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Import `source`, and remove it once it is in when it was an upload."""
    from wbc_core.datasets.importers import import_source
    from wbc_core.datasets.store import class_counts

    source = Path(spec["source"])
    imported = import_source(
        workspace,
        source,
        name=spec.get("name"),
        size=spec.get("size"),
        class_names=spec.get("classes"),
        progress=progress,
    )
    if source.resolve().is_relative_to(workspace.uploads_dir):
        source.unlink()
        if source.parent != workspace.uploads_dir and not any(source.parent.iterdir()):
            source.parent.rmdir()
    return {
        "dataset": imported.dataset.id,
        "images": imported.dataset.images,
        "classes": class_counts(workspace, imported.dataset),
        "rejected": [{"source": item.source, "why": item.why} for item in imported.rejected],
    }


@TASKS.register("scan")
def scan_dataset(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Run the checks `checks` (all when absent) over `dataset`.

    `embedding` names the run or the backbone whose features stand in for the lab's own (`own` for these,
    where a network was asked before), `ray` the address of the Ray cluster that measures the images; both
    may be absent.
    """
    from wbc_core.curation.ray_cluster import over_ray
    from wbc_core.curation.scan import OWN_FEATURES, refuse_without_features, scan
    from wbc_core.curation.spread import over_threads
    from wbc_core.evaluation.embedding import embed

    dataset, checks, model = spec["dataset"], spec.get("checks"), spec.get("embedding")
    if model:
        refuse_without_features(checks)
    with over_ray(spec["ray"]) if spec.get("ray") else nullcontext(over_threads) as spread:
        if model in (None, "", OWN_FEATURES):
            return scan(workspace, dataset, checks, progress, own_features=bool(model), spread=spread)
        started = time.perf_counter()
        embedding = embed(workspace, dataset, model, part_of(progress, 0.0, 0.7))
        looking = time.perf_counter() - started
        rest = part_of(progress, 0.7, 1.0)
        scanned = scan(workspace, dataset, checks, rest, embedding=embedding, spread=spread)
        return {**scanned, "seconds": round(looking + scanned["seconds"], 3)}


@TASKS.register("export_clean")
def export_clean_set(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Write the clean set of `dataset` to `path`: an npz file, a zip archive or class folders.

    Where `clean` names the clean set that was meant, another one is not written in its place.
    """
    from wbc_core.curation.clean import clean_set
    from wbc_core.curation.export import export_clean_set as write
    from wbc_core.errors import WbcError

    clean = clean_set(workspace, spec["dataset"])
    if spec.get("clean") not in (None, clean.id):
        raise WbcError(
            "The clean set has changed since the export was asked for.",
            expected=spec["clean"],
            got=clean.id,
            fix="Export again.",
        )
    return write(workspace, clean, spec["path"], progress)


@TASKS.register("prepare")
def prepare_split(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Balance and augment the train part of `split` by `recipe`."""
    from wbc_core.augment.prepare import prepare
    from wbc_core.datasets.store import read_dataset
    from wbc_core.records import Recipe

    prepared = prepare(workspace, spec["split"], Recipe.from_json(spec["recipe"]), progress=progress)
    names = read_dataset(workspace, prepared.dataset).class_names
    return {
        "prepared": prepared.id,
        "images": prepared.images,
        "classes": dict(zip(names, prepared.classes, strict=True)),
        "seconds": prepared.seconds,
        "peak_mb": prepared.peak_mb,
        "leaky": prepared.leaky,
    }


@TASKS.register("balance_study")
def balance_study(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Prepare `split` under every one of `plans`, and queue a run of `backbone` on each."""
    from wbc_core.jobs.balance_study import run_balance_study

    return run_balance_study(workspace, job_id, spec, progress)


@TASKS.register("cleaning_study")
def cleaning_study(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Prepare the train part of `split` raw and clean, and queue a run of `backbone` on both."""
    from wbc_core.jobs.cleaning_study import run_cleaning_study

    return run_cleaning_study(workspace, job_id, spec, progress)


@TASKS.register("relaunch")
def relaunch(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Train `run` again on the clean set that the log left at line `head`, every image in its part."""
    from wbc_core.jobs.relaunch import run_relaunch

    return run_relaunch(workspace, job_id, spec, progress)


@TASKS.register("cross_validation")
def cross_validation(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Prepare the `folds` of the set `prepared`, and queue a run of each of `specs` on every one."""
    from wbc_core.jobs.sweep import run_cross_validation

    return run_cross_validation(workspace, job_id, spec, progress)


@TASKS.register("sweep_importance")
def sweep_importance(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Say how much each setting that `sweep` varies moves the validation accuracy."""
    from wbc_core.jobs.sweep_importance import importance

    progress(0.0, "Fitting the trials")
    return importance(workspace, spec["sweep"])


@TASKS.register("train")
def train_run(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Train one run by a RunSpec, then report on its held-out images; `resumes` names an earlier job."""
    from wbc_core.evaluation.report import evaluate_run
    from wbc_core.jobs.delivery import after_delivery, wait_for_delivery
    from wbc_core.jobs.sweep_trial import trial_of
    from wbc_core.tracking.background import mirrored
    from wbc_core.training.loop import train

    begin_from_earlier(workspace, job_id, spec)
    with mirrored(workspace, job_id), trial_of(workspace, job_id, spec) as trial:
        training, watch = part_of(progress, 0.0, 0.97), after_delivery(workspace, trial.watch)
        summary = train(workspace, job_id, trial.spec, progress=training, watch=watch)
        wait_for_delivery(workspace)  # an evaluation that fails loses no epoch
        report = evaluate_run(workspace, job_id, progress=part_of(progress, 0.97, 1.0))
    return {**summary, "accuracy": report["accuracy"], "macro_f1": report["macro_f1"]}


def begin_from_earlier(workspace: Workspace, job_id: str, spec: Json) -> None:
    """Begin the run of a job that `resumes` another with what that one has learnt; once only."""
    earlier = spec.get("resumes")
    if earlier and workspace.run_dir(earlier).exists() and not workspace.run_dir(job_id).exists():
        _take_over(workspace, earlier, job_id, spec)


def _take_over(workspace: Workspace, earlier: str, job_id: str, spec: Json) -> None:
    """Copy what another run has learnt; with its spec, unless this one goes on for more epochs than that."""
    from wbc_core.training.spec import RunSpec

    written = workspace.run_dir(earlier) / "spec.json"
    without = ["reports", "exports", "explanations", "slices", "latency.json", "mlflow.*"]
    if "sweep" not in spec and written.exists():
        before = RunSpec.from_json(workspace.read_json(written, f"run {earlier}"))
        without += ["spec.json", "summary.json"] if before != RunSpec.from_json(spec) else []
    with workspace.atomic_path(workspace.run_dir(job_id)) as scratch:
        shutil.copytree(workspace.run_dir(earlier), scratch, ignore=shutil.ignore_patterns(*without))


@TASKS.register("dry_run")
def dry_run(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Measure on this device, by a few of its own steps, what the run of a RunSpec would cost."""
    from wbc_core.jobs.meters import Meters
    from wbc_core.training.dry_run import dry_run as measure
    from wbc_core.training.spec import RunSpec

    before = Meters().read().get("gpu_memory_mb")
    cost = measure(workspace, RunSpec.from_json(spec), progress).to_json()
    after = Meters().read().get("gpu_memory_mb")
    # Keras gives nothing back before its process ends, and others may hold a part of the same GPU.
    taken = None if before is None or after is None else round(max(0.0, after - before), 1)
    return {**cost, "gpu_memory_mb": taken}


@TASKS.register("evaluate")
def evaluate(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Report on `run`, on its held-out images or those of the file `data`, under `shift` where given."""
    from wbc_core.evaluation.report import evaluate_run

    data = Path(spec["data"]) if spec.get("data") else None
    return evaluate_run(
        workspace,
        spec["run"],
        data=data,
        tta=bool(spec.get("tta")),
        shift=spec.get("shift"),
        strength=spec.get("strength", 3),
        progress=progress,
    )


@TASKS.register("robustness")
def robustness(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Evaluate `run` under `shifts` at `strengths` (all when absent); reports that are there are kept."""
    from wbc_core.evaluation.robustness import evaluate_under_shifts

    return evaluate_under_shifts(
        workspace,
        spec["run"],
        shifts=spec.get("shifts"),
        strengths=spec.get("strengths"),
        tta=bool(spec.get("tta")),
        progress=progress,
    )


@TASKS.register("slices")
def slices(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Find the slices of `report` (the first one when absent) on which `run` does worse than on the rest."""
    from wbc_core.evaluation.slices import MINIMUM, slice_report

    return slice_report(
        workspace,
        spec["run"],
        spec.get("report"),
        minimum=spec.get("minimum") or MINIMUM,
        progress=progress,
    )


@TASKS.register("latency")
def latency(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Time the model of `run` on this machine, for one image and for a batch."""
    from wbc_core.evaluation.latency import measure_latency

    return measure_latency(workspace, spec["run"], progress)


@TASKS.register("ensemble")
def ensemble(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Average the probabilities of `runs` by `weights` (`mean` when absent), as a run with its report."""
    from wbc_core.evaluation.ensemble import build_ensemble

    return build_ensemble(workspace, spec["runs"], spec.get("weights") or "mean", progress)


@TASKS.register("predict")
def predict(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Name the class of every picture at `source` by `run`, into the CSV file `out`.

    Marked for a person are a `share` of them or those below `least_probability`; with `check_foreign` those
    unlike the run's training images.
    """
    from wbc_core.evaluation.marks import marked
    from wbc_core.evaluation.predictions import predict_source

    out = Path(spec["out"])
    table = predict_source(
        workspace,
        spec["run"],
        Path(spec["source"]),
        out=out,
        tta=bool(spec.get("tta")),
        progress=progress,
        share=spec.get("share"),
        least_probability=spec.get("least_probability"),
        check_foreign=bool(spec.get("check_foreign")),
    )
    found = {str(name): value for name, value in table.attrs.items()}
    return {"run": spec["run"], "out": str(out), "images": len(table), **found, **marked(table)}


@TASKS.register("explain")
def explain(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Explain what `run` named the `rows` of its data set, or the pictures `names` of `source`.

    `mix_ups` are pairs of classes, true and predicted, over whose images in the report `report` the maps are
    averaged. All is kept with the run; with `out`, a new folder, it is also written there as pictures.
    """
    from wbc_core.evaluation.explanation_files import explain_all

    return explain_all(workspace, spec, progress)


@TASKS.register("export")
def export(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Write the model of `run` as `to` into `directory`; without one, as each of `to` into the run's own."""
    from wbc_core.export.kept import keep_export
    from wbc_core.export.writing import export_run

    if not spec.get("directory"):
        formats = keep_export(workspace, spec["run"], spec["to"], progress)
        return {"run": spec["run"], "formats": {made["format"]: made["verdict"] for made in formats}}
    directory = Path(spec["directory"])
    entries = export_run(workspace, spec["run"], spec["to"], directory, progress)
    files = sorted(str(path) for path in directory.rglob("*") if path.is_file())
    return {"run": spec["run"], "to": spec["to"], "files": files, "formats": entries}


DEMO_ACCEPTED = ["foreign", "exact_duplicates", "near_duplicates"]
DEMO_RUNS: dict[str, Json] = {
    "cnn": {"epochs": 12, "batch_size": 32},
    "mobilenet_v3_small": {"epochs": 12, "batch_size": 32},
}


@TASKS.register("demo")
def demo(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Build the demo: draw cells, drop copies and foreign pictures, split, prepare, and queue two trainings.

    What is dark or blurred is left for the person, so that the Review page has something to review.
    """
    from wbc_core.augment.prepare import prepare
    from wbc_core.augment.recipe import load_recipe
    from wbc_core.curation.accepting import accept
    from wbc_core.curation.review import effective_decisions
    from wbc_core.curation.scan import scan
    from wbc_core.datasets.synthetic import build_demo_dataset
    from wbc_core.jobs.launching import launch, priority_of_work
    from wbc_core.splitting import make_split
    from wbc_core.training.spec import RunSpec

    dataset = build_demo_dataset(workspace, progress=part_of(progress, 0.0, 0.5))
    scan(workspace, dataset.id, progress=part_of(progress, 0.5, 0.8))
    if not effective_decisions(workspace, dataset.id):
        accept(workspace, dataset.id, DEMO_ACCEPTED, who="demo")
    split = make_split(workspace, dataset.id, progress=part_of(progress, 0.8, 0.85))
    prepared = prepare(
        workspace, split.id, load_recipe(workspace, "plain"), progress=part_of(progress, 0.85, 1.0)
    )
    priority = priority_of_work(workspace, job_id, spec)
    runs = [
        launch(
            workspace,
            RunSpec(prepared=prepared.id, backbone=backbone, **settings).to_json(),
            priority=priority,
        ).id
        for backbone, settings in DEMO_RUNS.items()
    ]
    return {"dataset": dataset.id, "split": split.id, "prepared": prepared.id, "runs": runs}
