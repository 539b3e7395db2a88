"""Run the checks over a data set and keep what they found."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from wbc_core.curation.checks import CHECKS
from wbc_core.curation.checks.base import Check, Completion
from wbc_core.curation.measure import Measurements, measure
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.spread import Spread, over_threads, threads_of_ours
from wbc_core.datasets.store import open_images, read_dataset
from wbc_core.errors import WbcError
from wbc_core.freed_memory import give_back_freed_memory
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Dataset, Finding, Json
from wbc_core.workspace import Workspace

FEATURES = "features"
"""The array that an embedding stands in for."""

OWN_FEATURES = "own"
"""Names the lab's own features where a network may be named."""

DUPLICATE_CHECKS = ("exact_duplicates", "near_duplicates")
"""The checks whose findings say that several rows show the same picture."""

_MEASURING = 0.6
"""Share of the progress bar that measuring takes."""

_SCHEMA = pa.schema(
    [
        ("rows", pa.list_(pa.int64())),
        ("image_ids", pa.list_(pa.string())),
        ("score", pa.float64()),
        ("flagged", pa.bool_()),
        ("suggested", pa.string()),
        ("evidence", pa.string()),
    ]
)


@dataclass(frozen=True)
class Embedding:
    """What a model makes of each image, instead of the features that the lab computes itself.

    Attributes:
        id: Names the model and its weights; findings made with another id are made anew.
        vectors: float32 (n, dimensions), in row order.
    """

    id: str
    vectors: NDArray[np.float32]


def scan(
    workspace: Workspace,
    dataset_id: str,
    checks: Sequence[str] | None = None,
    progress: Progress = silent,
    *,
    embedding: Embedding | None = None,
    own_features: bool = False,
    spread: Spread = over_threads,
) -> Json:
    """Measure the images once, run checks on what was measured, and store the findings.

    What an earlier scan measured and found in the same way is taken over, and so is what it found by a
    network: that goes only where another one or the lab's own features are asked for, or the check changed.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        checks: Names of checks; all of them where None.
        progress: Told the fraction done.
        embedding: Stands in for the measure `features`.
        own_features: Find anew by the lab's own features what was found by a network.
        spread: Where the images are measured.

    Returns:
        `{"seconds": s, "checks": {name: {"flagged": images, "groups": findings flagged, "seconds": s}}}`,
        where there are such with `embedding`, the id of the network that was asked, and `replaces`, the id of
        the one that an earlier scan had asked.

    Raises:
        WbcError: No such data set or check.
    """
    chosen = [CHECKS.get(name) for name in (CHECKS.names() if checks is None else dict.fromkeys(checks))]
    started = time.perf_counter()
    dataset = read_dataset(workspace, dataset_id)
    earlier = {check.name: settings_of(workspace, dataset.id, check.name) or {} for check in chosen}
    made_by = {check.name: _made_by(check, embedding) for check in chosen}
    for check in chosen:
        if check.completion:
            other = check.completion.check
            made_by[check.name]["beside"] = made_by.get(other) or _current(workspace, dataset.id, other)
    if embedding is None and not own_features:
        for name, made in earlier.items():
            if made == {**made_by[name], "embedding": made.get("embedding")}:
                made_by[name] = made
    due = [check for check in chosen if earlier[check.name] != made_by[check.name]]
    with threads_of_ours():
        give_back_freed_memory()
        measuring = part_of(progress, 0.0, _MEASURING)
        measurements = _measured(workspace, dataset, due, embedding, measuring, spread)
        give_back_freed_memory()

        def look(check: Check) -> _Looked:
            return _look(workspace, dataset.id, check, measurements, made_by[check.name], anew=check in due)

        looked: dict[str, _Looked] = {}
        # Near duplicates take as long as all others together: they begin at once.
        order = sorted(chosen, key=lambda check: check.name not in DUPLICATE_CHECKS)
        for check, found in zip(order, over_threads(look, order), strict=True):
            looked[check.name] = found
            done = len(looked) / len(chosen)
            progress(_MEASURING + (1 - _MEASURING) * done, f"looked for {check.title.lower()}")
        for check in due:
            if check.completion:
                more = _complete(
                    workspace, dataset.id, check.completion, check, measurements, looked, made_by
                )
                looked[check.name] = more
    results: Json = {
        name: _told(looked[name], made_by[name], earlier[name].get("embedding"))
        for name in (check.name for check in chosen)
    }
    progress(1.0, "scanned")
    return {"seconds": round(time.perf_counter() - started, 3), "checks": results}


def _measured(
    workspace: Workspace,
    dataset: Dataset,
    checks: Sequence[Check],
    embedding: Embedding | None,
    progress: Progress,
    spread: Spread,
) -> Measurements:
    """What some checks look at, the features from the embedding where there is one."""
    wanted = {measure for check in checks for measure in check.measures}
    needed = [name for name in MEASURES if name in wanted and not (embedding and name == FEATURES)]
    measurements = measure(workspace, dataset, needed, progress, spread)
    if embedding is None:
        return measurements
    return replace(measurements, arrays={**measurements.arrays, FEATURES: embedding.vectors})


@dataclass(frozen=True)
class _Looked:
    """What a check found, and how many seconds it took."""

    findings: list[Finding]
    seconds: float


def _look(
    workspace: Workspace,
    dataset_id: str,
    check: Check,
    measurements: Measurements,
    made_by: Json,
    *,
    anew: bool,
) -> _Looked:
    """Run a check, or take over what was found in the same way."""
    started = time.perf_counter()
    if not anew:
        findings = _read(workspace, dataset_id, check.name)
    else:
        findings = check.find(measurements, open_images(workspace, dataset_id), check.threshold)
        if check.completion is None:
            _write(workspace, dataset_id, check, findings, made_by)
    return _Looked(findings, time.perf_counter() - started)


def _complete(
    workspace: Workspace,
    dataset_id: str,
    completion: Completion,
    check: Check,
    measurements: Measurements,
    looked: Mapping[str, _Looked],
    made_by: Mapping[str, Json],
) -> _Looked:
    """Add to the findings of a check what another check's say, as far as these are there."""
    started, found, other = time.perf_counter(), looked[check.name], completion.check
    findings = found.findings
    if made_by[check.name]["beside"] is not None:
        beside = looked[other].findings if other in looked else _read(workspace, dataset_id, other)
        findings = completion.complete(measurements, findings, beside, check.threshold)
    _write(workspace, dataset_id, check, findings, made_by[check.name])
    return _Looked(findings, found.seconds + time.perf_counter() - started)


def _told(looked: _Looked, made_by: Json, network_before: str | None) -> Json:
    """What a scan says of a check."""
    flagged = [finding for finding in looked.findings if finding.flagged]
    network = made_by["embedding"]
    return {
        **({"embedding": network} if network else {}),
        **({"replaces": network_before} if network_before and network_before != network else {}),
        "flagged": len({row for finding in flagged for row in finding.rows}),
        "groups": len(flagged),
        "seconds": round(looked.seconds, 3),
    }


def refuse_without_features(checks: Sequence[str] | None) -> None:
    """Refuse an embedding that no check would look at.

    Raises:
        WbcError: No such check, or none of them reads features.
    """
    if not any(
        FEATURES in CHECKS.get(name).measures for name in (CHECKS.names() if checks is None else checks)
    ):
        reading = [name for name, check in CHECKS.items() if FEATURES in check.measures]
        raise WbcError(
            "None of these checks looks at features, so that an embedding would change nothing.",
            expected=f"one of {', '.join(reading)}" if reading else None,
            fix="Choose other checks, or scan without --deep and --embedding.",
        )


def _made_by(check: Check, embedding: Embedding | None) -> Json:
    """Everything but the images that a check's findings depend on."""
    return {
        "threshold": check.threshold,
        "lowest": check.threshold_range[0],
        "version": check.version,
        "measures": {name: MEASURES.get(name).version for name in check.measures},
        "embedding": embedding.id if embedding and FEATURES in check.measures else None,
    }


def settings_of(workspace: Workspace, dataset_id: str, check: str) -> Json | None:
    """What made the findings of a check: threshold and lowest score, versions, embedding.

    None where there are no findings that can be read.
    """
    try:
        metadata = pq.read_schema(_path(workspace, dataset_id, check)).metadata or {}
        made_by: Json = json.loads(metadata[b"check"])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    return made_by


def network_of(workspace: Workspace, dataset_id: str, check: str) -> str | None:
    """The run or the backbone by which a check's findings were made; None for the lab's own features."""
    embedding = (settings_of(workspace, dataset_id, check) or {}).get("embedding")
    return network_name(embedding) if embedding else None


def network_name(embedding: str) -> str:
    """The run or the backbone in the id of an embedding, which ends in the checksum of its weights."""
    return embedding.rpartition("-")[0] or embedding


def threshold_of_scan(workspace: Workspace, dataset_id: str, check: str) -> float:
    """The score from which the last scan flagged; the check's own where there is none.

    Raises:
        WbcError: No such check.
    """
    own = CHECKS.get(check).threshold
    return float((settings_of(workspace, dataset_id, check) or {}).get("threshold", own))


def _path(workspace: Workspace, dataset_id: str, check: str) -> Path:
    return workspace.findings_dir(dataset_id) / f"{check}.parquet"


def _write(
    workspace: Workspace, dataset_id: str, check: Check, findings: Sequence[Finding], made_by: Json
) -> None:
    columns = {name: [getattr(finding, name) for finding in findings] for name in _SCHEMA.names}
    columns["suggested"] = [json.dumps(suggested) for suggested in columns["suggested"]]
    table = pa.table(columns, schema=_SCHEMA.with_metadata({"check": json.dumps(made_by)}))
    with workspace.atomic_path(_path(workspace, dataset_id, check.name)) as scratch:
        pq.write_table(table, scratch)


def _read(workspace: Workspace, dataset_id: str, check: str) -> list[Finding]:
    table = pd.read_parquet(_path(workspace, dataset_id, check))
    return [
        Finding(
            check=check,
            rows=tuple(rows.tolist()),
            image_ids=tuple(image_ids.tolist()),
            score=score,
            flagged=flagged,
            suggested=json.loads(suggested),
            evidence=evidence,
        )
        for rows, image_ids, score, flagged, suggested, evidence in zip(
            *(table[name].tolist() for name in _SCHEMA.names), strict=True
        )
    ]


def scanned_checks(workspace: Workspace, dataset_id: str) -> list[str]:
    """Names of the checks whose findings are there, in the order of the registry."""
    return [name for name in CHECKS if _path(workspace, dataset_id, name).exists()]


def outdated_checks(workspace: Workspace, dataset_id: str) -> list[str]:
    """Names of the scanned checks that would find something else now: they or their measures have changed,
    or an older lab kept less of what lies below the threshold."""

    def versions(made_by: Json) -> list[object]:
        return [made_by.get(key) for key in ("version", "measures", "lowest")]

    return [
        name
        for name in scanned_checks(workspace, dataset_id)
        if versions(settings_of(workspace, dataset_id, name) or {})
        != versions(_made_by(CHECKS.get(name), None))
    ]


def _current(workspace: Workspace, dataset_id: str, check: str) -> Json | None:
    """What made the findings of a check; None where there are none that it would make again."""
    made_by = settings_of(workspace, dataset_id, check)
    return made_by if made_by == _made_by(CHECKS.get(check), None) else None


def load_findings(workspace: Workspace, dataset_id: str, check: str | None = None) -> list[Finding]:
    """Read what was found, worst first within each check.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        check: Name of one check; all that were scanned where None.

    Returns:
        Flagged findings and those that a lower threshold would flag.

    Raises:
        WbcError: No such data set or check, or it was not scanned yet.
    """
    if check is not None:
        CHECKS.get(check)
    dataset = read_dataset(workspace, dataset_id)
    scanned = scanned_checks(workspace, dataset.id)
    wanted = scanned if check is None else [check]
    if not scanned or (check is not None and check not in scanned):
        raise WbcError(
            f"The data set {dataset.name} was not scanned" + (f" for {check}." if check else "."),
            fix=f"Scan it with `wbc scan {dataset.id}`.",
        )
    return [finding for name in wanted for finding in _read(workspace, dataset.id, name)]


def duplicate_groups(workspace: Workspace, dataset_id: str) -> list[tuple[int, ...]]:
    """Rows that show the same picture, exactly or nearly, as connected groups.

    A check that was not scanned yet, or has changed since, is scanned now: what an older one missed would
    leak from one part of a split into another.

    Returns:
        Groups of at least two rows, each rising, in the order of their first row; no row is in two.

    Raises:
        WbcError: No such data set.
    """
    found = set(scanned_checks(workspace, dataset_id)) - set(outdated_checks(workspace, dataset_id))
    missing = [name for name in DUPLICATE_CHECKS if name not in found]
    if missing:
        scan(workspace, dataset_id, missing)
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        parent.setdefault(row, row)
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for name in DUPLICATE_CHECKS:
        for finding in load_findings(workspace, dataset_id, name):
            if finding.flagged:
                for row in finding.rows[1:]:
                    parent[root(row)] = root(finding.rows[0])
    groups: dict[int, list[int]] = {}
    for row in sorted(parent):
        groups.setdefault(root(row), []).append(row)
    return sorted(tuple(rows) for rows in groups.values())
