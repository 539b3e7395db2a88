"""Decisions made elsewhere, or on an earlier import, made again on the same pictures wherever they lie."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wbc_core.curation.checks import CHECKS
from wbc_core.curation.decision_csv import Entry, Problems, read_decisions
from wbc_core.curation.outcome import held_by_check, outcome
from wbc_core.curation.review import ACTIONS, Verdict, decide_each
from wbc_core.curation.standing import brought_up_to_date, nothing_decided
from wbc_core.datasets.store import load_table, read_dataset
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Decision
from wbc_core.workspace import Workspace

_ORIGIN = re.compile(r"\(decided by (?P<who>.{1,120}), (?P<at>[^(),]{1,40})\)$")


@dataclass(frozen=True)
class Replay:
    """What importing decisions would do; nothing is done yet.

    Attributes:
        dataset: The data set they are for.
        verdicts: Row number to what would be decided, in this order: one decision for each check that the
            file has a standing one under.
        effect: `keep`, `drop` and `relabel` to images per class, by what holds of the file's decisions and by
            the class that the images have now; only classes with such images.
        unchanged: Images that are decided so already.
        unknown: Ids of images that the data set does not hold; their decisions do not apply.
    """

    dataset: Dataset
    verdicts: dict[int, tuple[Verdict, ...]]
    effect: dict[str, dict[str, int]]
    unchanged: int
    unknown: tuple[str, ...]


def origin(line: Decision) -> tuple[str, str]:
    """Who made a decision and when: where it was imported, the person and time of the original."""
    imported = _ORIGIN.search(line.reason)
    return (imported["who"], imported["at"]) if imported else (line.who, line.at)


def _reason(entry: Entry) -> str:
    """The original's reason, with who decided and when, once."""
    if not entry.who or _ORIGIN.search(entry.reason):
        return entry.reason
    # A comma or bracket would end the time early when it is read back.
    when = re.sub(r"[(),]", " ", entry.at)[:40].strip() or "at an unknown time"
    return f"{entry.reason} (decided by {' '.join(entry.who.split())[:120]}, {when})".strip()


def _standing(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """By image id what stands under each check and no later line undoes, oldest first."""
    undone = {entry.undoes for entry in entries if entry.action == "undo"}
    made: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.action != "undo" and entry.id not in undone:
            made[entry.image_id].append(entry)
    return {image_id: list(held_by_check(lines).values()) for image_id, lines in made.items()}


def _rows_of(
    entries: Sequence[Entry], image_ids: Sequence[str], classes: Sequence[str]
) -> tuple[dict[int, Entry], list[str]]:
    """The row that each decision is about, and the ids of those that are about none."""
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    unknown = [entry.image_id for entry in entries if entry.image_id not in row_of]
    wanted: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.image_id in row_of:
            wanted[entry.image_id.partition("-")[0]].append(entry)
    copies: dict[str, list[int]] = defaultdict(list)
    for row, image_id in enumerate(image_ids):
        if (pixels := image_id.partition("-")[0]) in wanted:
            copies[pixels].append(row)
    found: dict[int, Entry] = {}
    for pixels, decided in wanted.items():
        found |= _among_copies(decided, copies[pixels], row_of, classes)
    return found, unknown


def _among_copies(
    entries: Sequence[Entry], rows: Sequence[int], row_of: Mapping[str, int], classes: Sequence[str]
) -> dict[int, Entry]:
    """Give each decision one of the rows with the same pixels; there are no fewer rows than decisions.

    Copies are numbered in row order, which another import may change: a decision goes to the copy of its own
    number where the class fits, else to another that was imported with the same class, else to any.
    """
    free, found = dict.fromkeys(rows), dict[int, Entry]()
    moved, strange = list[Entry](), list[Entry]()

    def give(entry: Entry, row: int) -> None:
        found[row] = entry
        del free[row]

    for entry in entries:
        own = row_of[entry.image_id]
        if entry.was in ("", classes[own]):
            give(entry, own)
        else:
            moved.append(entry)
    by_class: dict[str, list[int]] = defaultdict(list)
    for row in reversed(free):
        by_class[classes[row]].append(row)
    for entry in moved:
        if by_class[entry.was]:
            give(entry, by_class[entry.was].pop())
        else:
            strange.append(entry)
    for entry in strange:
        own = row_of[entry.image_id]
        give(entry, own if own in free else next(iter(free)))
    return found


def _says_already(lines: Sequence[Decision], verdicts: Sequence[Verdict]) -> bool:
    """Whether verdicts change neither what holds for an image nor what is settled under their checks."""
    made_then: list[Decision | Verdict] = [*lines, *verdicts]
    now, then = outcome(lines), outcome(made_then)
    if now is None or then is None or _said(now) != _said(then):
        return False
    held = held_by_check(lines)
    return all(
        # Keeping settles the findings of one check only.
        (made.action != "keep" and _said(made) == _said(now))
        or (made.check in held and _said(held[made.check]) == _said(made))
        for made in verdicts
    )


def _said(made: Decision | Verdict) -> tuple[str, int | None]:
    return made.action, made.label


def plan_replay(workspace: Workspace, dataset_id: str, path: Path, name: str | None = None) -> Replay:
    """Read a CSV file of decisions and find what it would change in a data set, without changing anything.

    Pictures are found by the hash of their pixels (the column image_id), so that rows may have moved.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        path: The file.
        name: What to call the file in messages; its own name by default.

    Raises:
        WbcError: No such data set, the file cannot be used (see `read_decisions`), it names a class that the
            data set does not have, or none of its images is in the data set.
    """
    dataset = read_dataset(workspace, dataset_id)
    file = name or path.name
    entries = read_decisions(path, file)
    problems = Problems(file)
    for entry in entries:
        if entry.label and entry.action == "relabel" and entry.label not in dataset.class_names:
            known = ", ".join(dataset.class_names[:20])
            problems.add(entry.line, f"there is no class {entry.label[:60]!r} (there are {known})")
    problems.raise_any()
    table = load_table(workspace, dataset.id)
    labels = table["label"].to_numpy(dtype=np.int64, copy=True)
    classes = [dataset.class_names[label] for label in labels]
    standing = _standing(entries)
    found, unknown = _rows_of([lines[-1] for lines in standing.values()], table["image_id"].tolist(), classes)
    if standing and not found:
        raise WbcError(
            f"None of the {len(standing):,} images of {file} is in the data set {dataset.name}.",
            expected="image ids (hashes of pixels) of this data set",
            got=", ".join(unknown[:3]),
            fix="Check that it is the right data set, imported at the same size.",
        )
    verdicts = {row: _verdicts(standing[entry.image_id], dataset) for row, entry in sorted(found.items())}
    held = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    new = {row: made for row, made in verdicts.items() if not _says_already(held.stacks.get(row, ()), made)}
    for row, decision in held.effective.items():
        if decision.label is not None:
            labels[row] = decision.label
    holds = {row: outcome(made) for row, made in new.items()}
    effect = {}
    for action in ACTIONS:
        counts = Counter(int(labels[row]) for row, made in holds.items() if made and made.action == action)
        effect[action] = {dataset.class_names[label]: count for label, count in sorted(counts.items())}
    return Replay(dataset, new, effect, len(verdicts) - len(new), tuple(unknown))


def _verdicts(entries: Sequence[Entry], dataset: Dataset) -> tuple[Verdict, ...]:
    # Without its check a keep or relabel could override the others: what is gone has nothing to settle.
    holds = outcome(entries)
    known = [
        entry
        for entry in entries
        if entry is holds or entry.action == "drop" or entry.check in ("", *CHECKS.names())
    ]
    return tuple(_verdict(entry, dataset) for entry in known or entries[-1:])


def _verdict(entry: Entry, dataset: Dataset) -> Verdict:
    return Verdict(
        action=entry.action,
        label=dataset.class_names.index(entry.label) if entry.action == "relabel" else None,
        reason=_reason(entry),
        # A check of another version of the lab may be gone: the decision stands without it.
        check=entry.check if entry.check in CHECKS else None,
        threshold=entry.threshold if entry.check in CHECKS else None,
    )


def apply_replay(workspace: Workspace, replay: Replay, *, who: str) -> int:
    """Make the decisions of a replay, as one step.

    Args:
        workspace: The lab.
        replay: Of `plan_replay`.
        who: Name of the person who imports; who decided first stands in the reason.

    Returns:
        Number of images decided.

    Raises:
        WbcError: No name.
    """
    if replay.verdicts:
        each = [(row, made) for row, verdicts in replay.verdicts.items() for made in verdicts]
        decide_each(workspace, replay.dataset.id, each, who=who)
    return len(replay.verdicts)
