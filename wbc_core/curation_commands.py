"""The commands from an import to the clean set: `wbc import`, `scan`, `findings`, `decide` and `clean`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from wbc_core.command_line import (
    command,
    console_progress,
    key_values,
    named_values,
    run_task,
    split_values,
    whole_numbers,
)
from wbc_core.errors import WbcError
from wbc_core.quiet import say
from wbc_core.records import Json
from wbc_core.workspace import Workspace

DatasetReference = Annotated[str, Argument(metavar="DATASET", help="Id or name of a data set.")]


def _dataset(workspace: Workspace, reference: str) -> str:
    from wbc_core.datasets.store import find_dataset

    return find_dataset(workspace, reference).id


@command("import")
def import_(
    workspace: Workspace,
    source: Annotated[
        Path, Argument(metavar="SOURCE", help="An npz file, class folders (zip too), or a CSV file.")
    ],
    name: Annotated[str | None, Option(help="What to call the data set; the file's name by default.")] = None,
    size: Annotated[int | None, Option(help="Resize to SIZE x SIZE pixels.")] = None,
    classes: Annotated[str | None, Option(help="Class names in label order, separated by commas.")] = None,
) -> Json:
    """Bring images and labels into the lab."""
    names = None if classes is None else named_values([classes], "--classes")
    spec = {"source": str(source.resolve()), "name": name, "size": size, "classes": names}
    return run_task(workspace, "import", spec)


@command("scan")
def scan(
    workspace: Workspace,
    dataset: DatasetReference,
    checks: Annotated[list[str] | None, Option(help="Only these checks, separated by commas.")] = None,
    deep: Annotated[
        bool,
        Option("--deep", help="Judge labels by a network's features: label errors, class outliers."),
    ] = False,
    embedding: Annotated[
        str | None,
        Option(
            metavar="RUN|BACKBONE|own",
            help="Which network, EfficientNet-Lite0 by default; `own` goes back to the lab's features.",
        ),
    ] = None,
    ray: Annotated[
        str | None, Option(metavar="ADDRESS", help="Measure on a Ray cluster: HOST:PORT, ray://.. or auto.")
    ] = None,
) -> Json:
    """Look for bad images.

    What was found by a network stays so until `--embedding` says otherwise or the check has changed.
    """
    from wbc_core.curation.scan import OWN_FEATURES
    from wbc_core.evaluation.embedding import DEFAULT_EMBEDDING

    if deep and embedding == OWN_FEATURES:
        raise WbcError(
            "--deep asks for a network, --embedding own for the lab's features.", fix="Leave one of them out."
        )
    spec = {
        "dataset": _dataset(workspace, dataset),
        "checks": None if checks is None else named_values(checks, "--checks"),
        "embedding": embedding or (DEFAULT_EMBEDDING if deep else None),
        "ray": ray,
    }
    return run_task(workspace, "scan", spec)


@command("findings")
def findings(
    workspace: Workspace,
    dataset: DatasetReference,
    check: Annotated[str | None, Option(help="Only this check.")] = None,
    flagged: Annotated[bool, Option("--flagged", help="Only what reaches its check's threshold.")] = False,
) -> list[Json]:
    """List what the scan found, worst first."""
    from wbc_core.curation.scan import load_findings

    return [
        {
            "check": found.check,
            "rows": list(found.rows),
            "score": found.score,
            "flagged": found.flagged,
            "suggested": found.suggested,
            "evidence": found.evidence,
        }
        for found in load_findings(workspace, _dataset(workspace, dataset), check)
        if found.flagged or not flagged
    ]


@command("decide")
def decide(
    workspace: Workspace,
    dataset: DatasetReference,
    accept: Annotated[
        list[str] | None,
        Option(help="Follow these checks' suggestions, or `all`; copies whose labels conflict are left."),
    ] = None,
    threshold: Annotated[
        float | None, Option(help="With --accept CHECK: from this score on, in the check's own unit.")
    ] = None,
    drop: Annotated[list[str] | None, Option(help="Drop these rows: 3,17,40-52.")] = None,
    keep: Annotated[list[str] | None, Option(help="Keep these rows.")] = None,
    relabel: Annotated[list[str] | None, Option(help="Give rows another class: ROW=CLASS.")] = None,
    undo: Annotated[int | None, Option(min=1, help="Take the last N steps back.")] = None,
    from_: Annotated[
        Path | None,
        Option("--from", metavar="FILE.csv", help="Make the decisions of an exported file again."),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="With --accept or --from: only say what would change.")
    ] = False,
    by: Annotated[str, Option(help="Who decides.")] = "command line",
) -> Json:
    """Keep, drop or relabel images; every decision is logged and can be undone."""
    from wbc_core.curation import review
    from wbc_core.curation.checks import CHECKS
    from wbc_core.curation.scan import scanned_checks
    from wbc_core.datasets.store import find_dataset

    given = [option for option in (accept, drop, keep, relabel, undo, from_) if option]
    if len(given) != 1:
        raise WbcError(
            "One decision at a time.",
            expected="exactly one of --accept, --drop, --keep, --relabel, --undo, --from",
            got=len(given),
        )
    record = find_dataset(workspace, dataset)
    if from_ is not None:
        return _decide_from(workspace, record.id, from_, by, dry_run)
    if dry_run and not accept:
        raise WbcError(
            "--dry-run goes with --accept or --from only.",
            fix="Leave it out, or name checks by --accept or a file by --from.",
        )
    if threshold is not None and not accept:
        raise WbcError(
            "--threshold goes with --accept only.", fix="Leave it out, or name a check by --accept."
        )
    if accept:
        # All that were scanned: where none was, all are asked for, and the answer says what to do.
        every = scanned_checks(workspace, record.id) or CHECKS.names()
        chosen = every if accept == ["all"] else named_values(accept, "--accept")
        return _accept(workspace, record.id, chosen, by, threshold, dry_run)
    if undo:
        decided = review.undo(workspace, record.id, undo, who=by)
    else:
        actions: dict[int, tuple[str, int | None]] = dict.fromkeys(whole_numbers(drop or []), ("drop", None))
        actions |= dict.fromkeys(whole_numbers(keep or []), ("keep", None))
        for row, class_name in key_values(split_values(relabel or []), "ROW=CLASS").items():
            if class_name not in record.class_names:
                known = ", ".join(record.class_names)
                raise WbcError(f"There is no class {class_name!r}.", expected=f"one of {known}")
            label = record.class_names.index(class_name)
            actions |= dict.fromkeys(whole_numbers([row]), ("relabel", label))
        review.decide(workspace, record.id, actions, who=by)
        decided = len(actions)
    return {"decided": decided, "head": review.head(workspace, record.id)}


def _accept(
    workspace: Workspace, dataset_id: str, checks: list[str], by: str, threshold: float | None, dry_run: bool
) -> Json:
    """Follow the suggestions, or only say what that would change; tell which groups are left for a person."""
    from wbc_core.curation import accepting, review

    plan = accepting.plan_acceptance(workspace, dataset_id, checks, threshold)
    if plan.conflicts:
        say(accepting.conflicts_left(plan.conflicts))
    decided = 0 if dry_run else accepting.follow(workspace, plan, who=by)
    result: Json = {
        "decided": decided,
        "conflicts": plan.conflicts,
        "head": review.head(workspace, dataset_id),
    }
    if dry_run:
        actions = {row: (made.action, made.label) for row, made in plan.verdicts.items()}
        effect = accepting.effect_by_class(plan.dataset.class_names, plan.labels, actions)
        result["classes"] = [{"class": one.pop("name"), **one} for one in map(asdict, effect)]
    return result


def _decide_from(workspace: Workspace, dataset_id: str, path: Path, by: str, dry_run: bool) -> Json:
    """Make the decisions of a CSV file again, or only say what that would change."""
    from wbc_core.curation import replay, review

    plan = replay.plan_replay(workspace, dataset_id, path)
    decided = 0 if dry_run else replay.apply_replay(workspace, plan, who=by)
    return {
        "decided": decided,
        "head": review.head(workspace, dataset_id),
        "effect": plan.effect,
        "unchanged": plan.unchanged,
        "unknown": {"images": len(plan.unknown), "first": list(plan.unknown[:10])},
    }


@command("clean")
def clean(
    workspace: Workspace,
    dataset: DatasetReference,
    export: Annotated[
        str | None, Option(metavar="FILE.npz|FILE.zip|DIR/", help="Write the clean set there.")
    ] = None,
    report: Annotated[
        Path | None, Option(metavar="FILE.html|FILE.pdf", help="Write the cleaning report there.")
    ] = None,
    decisions: Annotated[
        Path | None,
        Option(metavar="FILE.csv", help="Write the decision log there; `decide --from` reads it."),
    ] = None,
) -> Json:
    """Show the clean set that the decisions leave; write it, or how it came about."""
    from wbc_core.curation.clean import clean_counts, clean_set
    from wbc_core.curation.cleaning_report import write_report
    from wbc_core.curation.decision_csv import export_decisions_csv
    from wbc_core.curation.export import export_clean_set

    cleaned = clean_set(workspace, _dataset(workspace, dataset))
    if export is not None:
        with console_progress() as progress:
            export_clean_set(workspace, cleaned, export, progress)
    if report is not None:
        write_report(workspace, cleaned.dataset.id, report.resolve())
    if decisions is not None:
        export_decisions_csv(workspace, cleaned.dataset.id, decisions.resolve())
    counts = clean_counts(cleaned)
    return {"clean": cleaned.id, "kept": len(cleaned.rows), "dropped": cleaned.dropped, "classes": counts}
