"""Splits made from another one: with its parts after further decisions, or with its train part uncleaned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.clean import CleanSet, clean_set
from wbc_core.curation.scan import duplicate_groups
from wbc_core.datasets.store import load_table
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.records import Record, Split
from wbc_core.splitting import PARTS, kept_groups, load_split, record_split, split_table
from wbc_core.wording import counted
from wbc_core.workspace import Workspace


@dataclass(frozen=True)
class Changes(Record):
    """What decisions have changed in the parts of a split since it was made.

    Attributes:
        dropped: Images that are dropped now, by part.
        relabelled: Images that have another label now, by part.
        copies: Images that leave, by part, since a (near) duplicate was found in a later one.
        returned: Images that are kept now and were dropped then; they are in no part.
    """

    dropped: dict[str, int]
    relabelled: dict[str, int]
    copies: dict[str, int]
    returned: int

    @property
    def images(self) -> int:
        """Images of the split that leave or are relabelled."""
        return sum(sum(counts.values()) for counts in (self.dropped, self.relabelled, self.copies))

    @property
    def learnt(self) -> int:
        """Those of them that are learnt from."""
        return sum(counts.get("train", 0) for counts in (self.dropped, self.relabelled, self.copies))

    @property
    def held_out(self) -> int:
        """Those of them that are held out."""
        return self.images - self.learnt

    def words(self) -> str:
        """The changes in a sentence or two.

        Example:
            >>> Changes({"train": 3, "test": 1}, {"train": 0, "test": 0}, {}, 0).words()
            '4 images dropped (3 of train, 1 of test).'
        """
        told = [_told(self.dropped, "dropped"), _told(self.relabelled, "relabelled")]
        told.append(_told(self.copies, "left out as copies of later parts' images"))
        words = "; ".join(part for part in told if part)
        sentences = [words[:1].upper() + words[1:] if words else "No image of the split was changed"]
        if self.returned:
            sentences.append(
                f"{counted(self.returned, 'image')} kept again stay out, since they were in no part"
            )
        return ". ".join(sentences) + "."


def _told(counts: Mapping[str, int], done: str) -> str:
    parts = ", ".join(f"{count:,} of {part}" for part, count in counts.items() if count)
    return f"{counted(sum(counts.values()), 'image')} {done} ({parts})" if parts else ""


def changes_since(workspace: Workspace, split_id: str, *, until: int | None = None) -> Changes:
    """Compare a split with the clean set.

    Args:
        workspace: The lab.
        split_id: Id of the split.
        until: Only decisions up to this line of the log.

    Raises:
        WbcError: There is no such split.
    """
    split, table = load_split(workspace, split_id), split_table(workspace, split_id)
    clean = clean_set(workspace, split.dataset, until=until)
    labels = _labels_now(table, clean)
    dropped, relabelled = labels < 0, (labels >= 0) & (labels != table["label"].to_numpy())
    copies = _leaking(table, ~dropped, duplicate_groups(workspace, split.dataset))
    parts = table["part"].to_numpy()

    def by_part(which: NDArray[np.bool_]) -> dict[str, int]:
        return {part: int((which & (parts == part)).sum()) for part in split.parts}

    kept_then = clean_set(workspace, split.dataset, until=split.decisions_head).rows
    return Changes(
        dropped=by_part(dropped),
        relabelled=by_part(relabelled & ~copies),
        copies=by_part(copies),
        returned=len(np.setdiff1d(clean.rows, np.union1d(kept_then, table["row"]))),
    )


def keep_parts(
    workspace: Workspace, split_id: str, *, until: int | None = None, progress: Progress = silent
) -> Split:
    """Bring a split up to the clean set without moving an image from one part to another.

    Images that are dropped now leave, relabelled ones stay where they are under their new label, and images
    that were in no part stay out, so that whatever was trained on the split has seen no held-out image of
    the new one. Where a later scan found one picture in several parts, it stays in the last of them alone.

    Args:
        workspace: The lab.
        split_id: Id of the split.
        until: Only decisions up to this line of the log.
        progress: Told the fraction done.

    Returns:
        The new split, or the old one where nothing has changed.

    Raises:
        WbcError: There is no such split, or a class would be missing from a part.
    """
    split, table = load_split(workspace, split_id), split_table(workspace, split_id)
    clean = clean_set(workspace, split.dataset, until=until)
    progress(0.1, "Collecting the duplicates")
    groups = duplicate_groups(workspace, split.dataset)
    labels = _labels_now(table, clean)
    stays = (labels >= 0) & ~_leaking(table, labels >= 0, groups)
    if stays.all() and (labels == table["label"].to_numpy()).all():
        return split
    part_of_row = _part_numbers(table)[stays]
    own = replace(clean, rows=table["row"].to_numpy(np.int64)[stays], labels=labels[stays])
    _refuse_missing_classes(own, part_of_row, split)
    return record_split(
        workspace,
        own,
        kept_groups(own, groups),
        part_of_row,
        split.fractions,
        split.seed,
        split.folds,
        split.id,
    )


def _labels_now(table: pd.DataFrame, clean: CleanSet) -> NDArray[np.int64]:
    """Label of each image of a split in the clean set, -1 where it is dropped, int64 (n,)."""
    now = np.full(clean.dataset.images, -1, dtype=np.int64)
    now[clean.rows] = clean.labels
    labels: NDArray[np.int64] = now[table["row"].to_numpy()]
    return labels


def _part_numbers(table: pd.DataFrame) -> NDArray[np.int64]:
    """Place in `PARTS` of each image's part, int64 (n,)."""
    return table["part"].map(PARTS.index).to_numpy(np.int64)


def _leaking(
    table: pd.DataFrame, kept: NDArray[np.bool_], groups: Sequence[Sequence[int]]
) -> NDArray[np.bool_]:
    """Which images of a split have a (near) duplicate among the `kept` of a later part, bool (n,)."""
    part_of_row = _part_numbers(table)
    place = {int(row): position for position, row in enumerate(table["row"]) if kept[position]}
    leaking = np.zeros(len(table), dtype=bool)
    for group in groups:
        members = [place[row] for row in group if row in place]
        if members:
            leaking[members] = part_of_row[members] < part_of_row[members].max()
    return leaking


def _refuse_missing_classes(clean: CleanSet, part_of_row: NDArray[np.int64], split: Split) -> None:
    for part, counts in split.parts.items():
        now = np.bincount(clean.labels[part_of_row == PARTS.index(part)], minlength=len(counts))
        for name, before, after in zip(clean.dataset.class_names, counts, now, strict=True):
            if before and not after:
                raise WbcError(
                    f"The {part} part would have no image of the class {name} left.",
                    expected="at least one image of every class in each part",
                    fix="Take back a decision, or make a new split.",
                )


@dataclass(frozen=True, eq=False)
class RawTrain:
    """The train part of a split about as it would be had nobody cleaned.

    Attributes:
        rows: Row numbers in the data set, rising, int64 (n,).
        labels: Their labels as imported, int64 (n,).
        dropped: Images among them that cleaning dropped: the share that a split teaches from.
        relabelled: Images among them whose label cleaning changed.
        left_out: Dropped images that stay out all the same, since they show a held-out picture.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    dropped: int
    relabelled: int
    left_out: int

    @property
    def restored(self) -> int:
        """Images on which raw and clean differ."""
        return self.dropped + self.relabelled

    def words(self) -> str:
        """The difference to the clean train part in a few sentences."""
        told = f"Raw: {counted(self.dropped, 'image')} that cleaning dropped, back in the train part"
        told += f", and {self.relabelled:,} under the old label." if self.relabelled else "."
        if self.left_out:
            told += f" {counted(self.left_out, 'image')} dropped as copies of held-out ones stay out of both."
        return told


def raw_train(workspace: Workspace, split_id: str) -> RawTrain:
    """The train part of a split with what cleaning dropped and the labels that it changed put back.

    No held-out image is in it, nor a (near) duplicate of one, whatever its label. Of the other dropped images
    as large a share is drawn, by the split's seed, as the split teaches from, since a split of the raw set
    would hold the rest of them out.

    Args:
        workspace: The lab.
        split_id: Id of the split. What was decided after it is not heeded.

    Raises:
        WbcError: There is no such split.
    """
    split, table = load_split(workspace, split_id), split_table(workspace, split_id)
    clean = clean_set(workspace, split.dataset, until=split.decisions_head)
    labels = load_table(workspace, split.dataset)["label"].to_numpy(np.int64)
    everything = np.arange(clean.dataset.images)
    learnt = table["part"].to_numpy() == "train"
    held_out = set(table["row"].to_numpy()[~learnt].tolist())
    shown = {
        row
        for group in duplicate_groups(workspace, split.dataset)
        if not held_out.isdisjoint(group)
        for row in group
    }
    dropped = np.setdiff1d(everything, clean.rows)
    banned = np.array(sorted(held_out | shown), dtype=np.int64)
    kept = table[learnt & ~np.isin(table["row"], banned)]
    eligible = np.setdiff1d(dropped, banned)
    share = round(split.fractions[0] * len(eligible))
    back = np.random.default_rng(split.seed).choice(eligible, share, replace=False)
    rows = np.union1d(kept["row"].to_numpy(np.int64), back)
    return RawTrain(
        rows=rows,
        labels=labels[rows],
        dropped=len(back),
        relabelled=int((kept["label"].to_numpy() != labels[kept["row"].to_numpy()]).sum()),
        left_out=len(dropped) - len(eligible),
    )


def raw_counterpart(workspace: Workspace, split_id: str) -> Split:
    """A split with the same held-out images and labels as another, whose train part was never cleaned.

    It serves to say what cleaning bought; no list of splits shows it.

    Args:
        workspace: The lab.
        split_id: Id of the split.

    Raises:
        WbcError: There is no such split.
    """
    split, table = load_split(workspace, split_id), split_table(workspace, split_id)
    raw, held_out = raw_train(workspace, split_id), table[table["part"] != "train"]
    rows = np.concatenate([raw.rows, held_out["row"].to_numpy(np.int64)])
    labels = np.concatenate([raw.labels, held_out["label"].to_numpy(np.int64)])
    parts = np.concatenate([np.zeros(len(raw.rows), dtype=np.int64), held_out["part"].map(PARTS.index)])
    order = np.argsort(rows)
    clean = clean_set(workspace, split.dataset, until=split.decisions_head)
    own = replace(clean, rows=rows[order], labels=labels[order])
    groups = kept_groups(own, duplicate_groups(workspace, split.dataset))
    return record_split(
        workspace,
        own,
        groups,
        parts[order].astype(np.int64),
        split.fractions,
        split.seed,
        keeps=split.id,
        raw=True,
    )
