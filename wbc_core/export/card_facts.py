"""Everything that a model card says about a run, read from its records; nothing is computed from images."""

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from wbc_core.augment.prepare import load_prepared
from wbc_core.curation.decision_csv import write_decisions
from wbc_core.curation.review import decision_log, outcomes, standing
from wbc_core.datasets.store import class_counts, find_dataset
from wbc_core.errors import WbcError
from wbc_core.evaluation.latency import load_latency
from wbc_core.evaluation.report import sha256_of
from wbc_core.evaluation.reports import list_reports, load_report
from wbc_core.records import Dataset, Json, PreparedSet, Split
from wbc_core.splitting import load_split
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@dataclass(frozen=True)
class CardFacts:
    """The facts.

    Attributes:
        run: The run.
        dataset: Its data set.
        split: Its split.
        prepared: What it learnt from.
        imported: Images of each class as imported.
        dropped: Images dropped before the split, by the check that was followed (`""`: by eye).
        relabelled: Images given another class before the split.
        decisions_sha256: SHA-256 of the decision log up to the split, as the CSV that the lab exports.
        reports: Every report of the model as it is now, by its name, the most telling first.
        latency: `runs/ID/latency.json`, or None where nobody measured.
        versions: What trained it: packages, platform, device.
        exports: Passports of exported models that lie beside the card.
    """

    run: Run
    dataset: Dataset
    split: Split
    prepared: PreparedSet
    imported: dict[str, int]
    dropped: dict[str, int]
    relabelled: int
    decisions_sha256: str
    reports: dict[str, Json]
    latency: Json | None
    versions: Json
    exports: tuple[Json, ...]

    @property
    def main(self) -> Json:
        """The report to look at first."""
        return next(iter(self.reports.values()))

    @cached_property
    def plain_reports(self) -> dict[str, Json]:
        """Reports on images as they are."""
        return {name: report for name, report in self.reports.items() if not report.get("shift")}

    @cached_property
    def shifted(self) -> dict[tuple[str, str], dict[int, Json]]:
        """Reports on shifted images: by part and shift, then by strength; averaged views are left out."""
        found: dict[tuple[str, str], dict[int, Json]] = {}
        for report in self.reports.values():
            if report.get("shift") and not report["tta"]:
                found.setdefault((report["part"], report["shift"]), {})[report["strength"]] = report
        return found


def _optional(workspace: Workspace, run_id: str, file: str) -> Json | None:
    path = workspace.run_dir(run_id) / file
    return workspace.read_json(path, f"run {run_id}") if path.exists() else None


def _reports(workspace: Workspace, run: Run) -> dict[str, Json]:
    """Reports of the model as it is now; those of an earlier epoch say nothing about it."""
    found = {name: load_report(workspace, run.id, name) for name in list_reports(workspace, run.id)}
    model = workspace.run_dir(run.id) / "best.keras"
    if not found or not model.exists():
        return found
    sha256 = sha256_of(model)
    return {name: report for name, report in found.items() if report["model_sha256"] == sha256}


def _decided(workspace: Workspace, split: Split) -> tuple[dict[str, int], int, str]:
    """Images dropped by check, images relabelled, hash of the log: all up to the split."""
    head = split.decisions_head
    log = [line for line in decision_log(workspace, split.dataset) if line.id <= head]
    holding = outcomes(standing(log)).values()
    text = io.StringIO(newline="")
    write_decisions(workspace, split.dataset, text, up_to=head)
    return (
        dict(Counter(line.check or "" for line in holding if line.action == "drop")),
        sum(line.action == "relabel" for line in holding),
        hashlib.sha256(text.getvalue().encode()).hexdigest(),
    )


def card_facts(workspace: Workspace, run: Run, exports: Sequence[Json] = ()) -> CardFacts:
    """Gather the facts.

    Args:
        workspace: The lab.
        run: The run.
        exports: Passports of the models that the card goes with.

    Raises:
        WbcError: The run has no report of its model as it is now, or a record is missing.
    """
    reports = _reports(workspace, run)
    if not reports:
        raise WbcError(
            f"Run {run.id} has no report of its model yet, so a model card would have no figures.",
            fix=f"Run `wbc evaluate {run.id}` first.",
        )
    dataset, split = find_dataset(workspace, run.dataset), load_split(workspace, run.split)
    dropped, relabelled, sha256 = _decided(workspace, split)
    return CardFacts(
        run=run,
        dataset=dataset,
        split=split,
        prepared=load_prepared(workspace, run.prepared),
        imported=class_counts(workspace, dataset),
        dropped=dropped,
        relabelled=relabelled,
        decisions_sha256=sha256,
        reports=reports,
        latency=load_latency(workspace, run.id),
        versions=_optional(workspace, run.id, "versions.json") or {},
        exports=tuple(exports),
    )
