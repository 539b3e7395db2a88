"""Split a clean set into parts that share no picture, each class in its exact share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.clean import CleanSet, clean_set
from wbc_core.curation.review import Verdict, decide_each
from wbc_core.curation.scan import DUPLICATE_CHECKS, duplicate_groups
from wbc_core.curation.standing import brought_up_to_date, nothing_decided
from wbc_core.curation.suggestions import open_suggestions, suggestions_of_scan
from wbc_core.datasets.apportionment import largest_remainder
from wbc_core.datasets.store import load_table, read_dataset
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.records import Split, content_id
from wbc_core.wording import counted
from wbc_core.workspace import Workspace, now

PARTS = ("train", "validation", "test")
MOST_FOLDS = 20
"""Folds of one cross-validation at most."""


def make_split(
    workspace: Workspace,
    dataset_id: str,
    *,
    fractions: Sequence[float] = (0.7, 0.3),
    seed: int = 0,
    progress: Progress = silent,
) -> Split:
    """Split the clean set of a data set into train, validation and, with three fractions, test.

    Each class is divided by the largest remainder method, so that 0.7 and 0.3 of 2,330 images are exactly
    1,631 and 699. Exact and near duplicates stay in one part; only where a group holds images of several
    classes can a class miss its exact share, by at most that group's images.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        fractions: Two or three positive shares that add up to 1.
        seed: Seed of the shuffle, from 0; the same seed on the same clean set gives the same split.
        progress: Told the fraction done.

    Returns:
        The split; the images of its parts are read with `split_table`.

    Raises:
        WbcError: No such data set, unusable fractions or seed, or a class too small for the parts.
    """
    shares = _validated(fractions)
    _refuse_seed(seed)
    progress(0.0, "collecting the duplicates")
    clean = clean_set(workspace, dataset_id)
    group_of = kept_groups(clean, duplicate_groups(workspace, clean.dataset.id))
    progress(0.6, "drawing the parts")
    part_of_row = _assign(clean, group_of, shares, seed)
    split = record_split(workspace, clean, group_of, part_of_row, shares, seed)
    progress(1.0, "split")
    return split


def make_folds(
    workspace: Workspace, dataset_id: str, folds: int, *, seed: int = 0, progress: Progress = silent
) -> list[Split]:
    """Divide the clean set of a data set into folds, each held out once: stratified group k-fold.

    The images are divided as by `make_split`: every class evenly, exact and near duplicates in one fold.
    (Kohavi 1995, A study of cross-validation and bootstrap for accuracy estimation and model selection.)

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        folds: Number of folds, 2 to `MOST_FOLDS`.
        seed: Seed of the shuffle, from 0.
        progress: Told the fraction done.

    Returns:
        One split a fold: the fold is its validation part, all others its train part.

    Raises:
        WbcError: No such data set, an unusable number or seed, or a class too small for so many folds.
    """
    if not 2 <= folds <= MOST_FOLDS:
        raise WbcError("The number of folds cannot be used.", expected=f"2 to {MOST_FOLDS}", got=folds)
    _refuse_seed(seed)
    progress(0.0, "collecting the duplicates")
    clean = clean_set(workspace, dataset_id)
    group_of = kept_groups(clean, duplicate_groups(workspace, clean.dataset.id))
    names = tuple(f"fold {fold + 1}" for fold in range(folds))
    fold_of_row = _assign(clean, group_of, (1 / folds,) * folds, seed, names)
    shares = ((folds - 1) / folds, 1 / folds)
    splits = []
    for fold in range(folds):
        part_of_row = (fold_of_row == fold).astype(np.int64)
        splits.append(record_split(workspace, clean, group_of, part_of_row, shares, seed, folds))
        progress((fold + 1) / folds, f"{names[fold]} of {folds}")
    return splits


def record_split(
    workspace: Workspace,
    clean: CleanSet,
    group_of: NDArray[np.int64],
    part_of_row: NDArray[np.int64],
    shares: tuple[float, ...],
    seed: int,
    folds: int = 0,
    keeps: str = "",
    raw: bool = False,
) -> Split:
    """Write a split, and read it back: an older equal one stays.

    Args:
        workspace: The lab.
        clean: The images and their labels.
        group_of: Number of the duplicate group of each image, -1 where it has none, int64 (n,).
        part_of_row: Position in `PARTS` of each image's part, int64 (n,).
        shares: Share of each part.
        seed: Seed of the shuffle that the parts came of.
        folds: As `Split.folds`.
        keeps: As `Split.keeps`.
        raw: As `Split.raw`.
    """
    counts = _counts(clean, part_of_row, len(shares))
    payload = {
        "dataset": clean.dataset.id,
        "clean": clean.id,
        "fractions": shares,
        "seed": seed,
        "parts": part_of_row.tolist(),
        **({"folds": folds} if folds else {}),
        **({"keeps": keeps, "rows": clean.rows.tolist()} if keeps else {}),
        **({"raw": True} if raw else {}),
    }
    split = Split(
        id=content_id("sp", payload),
        dataset=clean.dataset.id,
        clean=clean.id,
        decisions_head=clean.head,
        fractions=shares,
        seed=seed,
        parts={PARTS[part]: counts[part].tolist() for part in range(len(shares))},
        grouped=int((np.bincount(group_of[group_of >= 0], minlength=1) > 1).sum()),
        created=now(),
        folds=folds,
        keeps=keeps,
        raw=raw,
    )
    _write(workspace, split, clean, part_of_row, group_of)
    return load_split(workspace, split.id)


def _refuse_seed(seed: int) -> None:
    if seed < 0:
        raise WbcError("The seed cannot be used.", expected="a whole number from 0", got=seed)


def _validated(fractions: Sequence[float]) -> tuple[float, ...]:
    shares = tuple(float(fraction) for fraction in fractions)
    if len(shares) not in (2, 3) or not all(np.isfinite(shares)) or min(shares) <= 0:
        raise WbcError(
            "The fractions cannot be used.",
            expected="two or three positive numbers: train, validation and perhaps test",
            got=", ".join(map(str, shares)) or "none",
            fix="Use 0.7,0.3 or 0.7,0.15,0.15.",
        )
    if abs(sum(shares) - 1.0) > 1e-9:
        raise WbcError(
            "The fractions do not add up.",
            expected="a sum of 1",
            got=round(sum(shares), 12),
            fix="Use 0.7,0.3.",
        )
    return shares


def kept_groups(clean: CleanSet, duplicates: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Number of the duplicate group of each kept image, -1 where it has no kept twin."""
    position = np.full(clean.dataset.images, -1, dtype=np.int64)
    position[clean.rows] = np.arange(len(clean.rows))
    group_of = np.full(len(clean.rows), -1, dtype=np.int64)
    number = 0
    for rows in duplicates:
        kept = position[list(rows)]
        kept = kept[kept >= 0]
        if len(kept) > 1:
            group_of[kept] = number
            number += 1
    return group_of


def _assign(
    clean: CleanSet,
    group_of: NDArray[np.int64],
    shares: tuple[float, ...],
    seed: int,
    names: tuple[str, ...] = PARTS,
) -> NDArray[np.int64]:
    """Part of each kept image: groups first, largest first, then single images up to the exact share."""
    generator = np.random.default_rng(seed)
    classes = len(clean.dataset.class_names)
    totals = np.bincount(clean.labels, minlength=classes)
    _refuse_small_classes(clean, totals, len(shares))
    left = np.stack([largest_remainder(int(total), shares) for total in totals])
    part_of_row = np.full(len(clean.rows), -1, dtype=np.int64)
    members = _members(group_of)
    for number in sorted(generator.permutation(len(members)), key=lambda index: -len(members[index])):
        content = np.bincount(clean.labels[members[number]], minlength=classes)
        part = _draw_part(left, content, generator)
        part_of_row[members[number]] = part
        left[:, part] -= content
    for label in range(classes):
        singles = generator.permutation(np.flatnonzero((clean.labels == label) & (group_of < 0)))
        wanted = np.maximum(left[label], 0)
        # Groups that did not fit leave fewer single images than room: the last part goes without.
        bounds = np.minimum(np.cumsum(wanted), len(singles))
        for part, (start, stop) in enumerate(zip(np.r_[0, bounds[:-1]], bounds, strict=True)):
            part_of_row[singles[start:stop]] = part
    _refuse_empty_parts(clean, _counts(clean, part_of_row, len(shares)), totals, names)
    return part_of_row


def _draw_part(left: NDArray[np.int64], content: NDArray[np.int64], generator: np.random.Generator) -> int:
    """A part for a group of `content` (classes,), in proportion to the room `left` (classes, parts)."""
    room = left[content > 0] - content[content > 0, None]
    fits = room.min(axis=0) >= 0
    if not fits.any():
        return int(room.min(axis=0).argmax())
    weight = np.where(fits, content @ left, 0).astype(np.float64)
    return int(generator.choice(left.shape[1], p=weight / weight.sum()))


def _members(group_of: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(group_of, kind="stable")
    order = order[group_of[order] >= 0]
    if not len(order):
        return []
    return np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1)


def _counts(clean: CleanSet, part_of_row: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Images per part and class, int64 (parts, classes)."""
    classes = len(clean.dataset.class_names)
    return np.bincount(part_of_row * classes + clean.labels, minlength=parts * classes).reshape(
        parts, classes
    )


def _refuse_small_classes(clean: CleanSet, totals: NDArray[np.int64], parts: int) -> None:
    small = [
        f"{name} ({total:,})"
        for name, total in zip(clean.dataset.class_names, totals, strict=True)
        if total < parts
    ]
    if small:
        raise WbcError(
            f"Too few images are kept to split into {parts} parts: {', '.join(small)}.",
            expected=f"at least {parts} images of every class",
            fix="Take back decisions, import more images, or leave the class out.",
        )


def _refuse_empty_parts(
    clean: CleanSet, counts: NDArray[np.int64], totals: NDArray[np.int64], names: tuple[str, ...]
) -> None:
    for part, label in np.argwhere(counts == 0):
        raise WbcError(
            f"The class {clean.dataset.class_names[label]} is too small: of "
            f"{counted(totals[label], 'image')} none would be in the {names[part]} part.",
            expected="at least one image of every class in each part",
            fix="Use fractions that are nearer to each other, or import more images of it.",
        )


def _write(
    workspace: Workspace,
    split: Split,
    clean: CleanSet,
    part_of_row: NDArray[np.int64],
    group_of: NDArray[np.int64],
) -> None:
    """Write the table, then the record: a split whose record is there is whole. An older equal one stays."""
    record = workspace.split_path(split.id)
    if record.exists():
        return
    image_ids = load_table(workspace, split.dataset)["image_id"].to_numpy()
    table = pd.DataFrame(
        {
            "row": clean.rows,
            "image_id": image_ids[clean.rows],
            "label": clean.labels,
            "part": np.array(PARTS, dtype=object)[part_of_row],
            "group": group_of,
        }
    )
    with workspace.atomic_path(workspace.split_path(split.id, ".parquet")) as scratch:
        table.to_parquet(scratch, index=False)
    workspace.write_json(record, split.to_json())


def load_split(workspace: Workspace, split_id: str) -> Split:
    """Read the record of a split.

    Raises:
        WbcError: There is no such split.
    """
    return Split.from_json(workspace.read_json(workspace.split_path(split_id), f"split {split_id}"))


def split_table(workspace: Workspace, split_id: str) -> pd.DataFrame:
    """Read the images of a split, in row order.

    Returns:
        Columns row (row number in the data set), image_id, label (the effective one), part (`train`,
        `validation` or `test`) and group (number of its duplicate group, -1 where it has none).

    Raises:
        WbcError: There is no such split.
    """
    load_split(workspace, split_id)
    return pd.read_parquet(workspace.split_path(split_id, ".parquet"))


def list_splits(workspace: Workspace, dataset_id: str | None = None) -> list[Split]:
    """Every split, or those of one data set, newest first; without folds and what studies made."""
    paths = sorted(
        (workspace.home / "splits").glob("sp-*.json"),
        key=lambda path: (path.stat().st_mtime_ns, path.name),
        reverse=True,
    )
    splits = [load_split(workspace, path.stem) for path in paths]
    return [
        split for split in splits if dataset_id in (None, split.dataset) and not (split.folds or split.raw)
    ]


def is_stale(workspace: Workspace, split: Split) -> bool:
    """Whether the decisions have changed the clean set since the split was made."""
    return clean_set(workspace, split.dataset).id != split.clean


def leaks(workspace: Workspace, split: Split) -> list[list[int]]:
    """Groups of (near) duplicates with images in more than one part: the same picture learnt and asked for.

    A new split has none. One made before a later scan, which found more, may.

    Args:
        workspace: The lab.
        split: The split.

    Returns:
        Rows of each group that are in the split, rising; the largest group first.
    """
    table = split_table(workspace, split.id)
    part_of = dict(zip(table["row"].tolist(), table["part"].tolist(), strict=True))
    found = []
    for group in duplicate_groups(workspace, split.dataset):
        rows = [row for row in group if row in part_of]
        if len({part_of[row] for row in rows}) > 1:
            found.append(rows)
    return sorted(found, key=len, reverse=True)


def drop_copies(workspace: Workspace, split: Split, *, who: str) -> int:
    """Drop what the checks hold for the worse copies in the groups that leak, as one step of the log.

    Args:
        workspace: The lab.
        split: The split whose groups are meant; it is stale then.
        who: Name of the person who decides.

    Returns:
        Images dropped. What a person has decided stays, and so do copies whose labels conflict: which of them
        is right is for a person to say.

    Raises:
        WbcError: No name.
    """
    leaking = {row for group in leaks(workspace, split) for row in group}
    dataset = read_dataset(workspace, split.dataset)
    standing = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    labels = load_table(workspace, dataset.id)["label"].to_numpy(dtype=np.int64)
    verdicts: dict[int, Verdict] = {}
    for check in DUPLICATE_CHECKS:
        made = suggestions_of_scan(workspace, dataset, check, labels)
        for row in sorted(leaking.intersection(open_suggestions(made, standing).actions)):
            verdicts[row] = Verdict("drop", reason="copy in another part of a split", check=check)
    if verdicts:
        decide_each(workspace, split.dataset, verdicts.items(), who=who)
    return len(verdicts)
