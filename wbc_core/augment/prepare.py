"""Prepared sets: the train part of a split, balanced and augmented, streamed to disk as uint8."""

import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from wbc_core.augment.applying import CHANCE, applied_to, check_classes
from wbc_core.augment.keras_cv_engine import BATCH, keras_cv_transforms
from wbc_core.augment.operations import OPERATIONS, Drawn
from wbc_core.augment.preview import apply_operation, draw_operation, part_of_draw
from wbc_core.augment.recipe import check_recipe
from wbc_core.balance import check_parameters, draw_plan, target_counts
from wbc_core.balance.leaky import draw_leaky, leaky_counts
from wbc_core.balance.neighbours import Images, Rows
from wbc_core.balance.smote import SmoteDraw, interpolate
from wbc_core.datasets.store import find_dataset, open_images, release_pages
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Dataset, PreparedSet, Recipe, Split, content_id
from wbc_core.splitting import PARTS, list_splits, load_split, split_table
from wbc_core.workspace import Workspace, now

CHUNK_BYTES = 8 * 2**20
"""Pixels of the originals worked on at a time, in bytes."""

_ROW_BYTES = 64
_HELD_OUT = "held_out.parquet"
# Left free beside a prepared set, so that the lab's database and logs can still be written.
_SPARE_BYTES = 256 * 2**20


def balanced_counts(split: Split, recipe: Recipe, class_names: Sequence[str]) -> list[int]:
    """Train images per class after balancing alone, in class order, before anything is computed.

    Args:
        split: The split.
        recipe: The recipe. Where its plan is `about`, so are the counts.
        class_names: Names of the classes of the split's data set.

    Raises:
        WbcError: There is no such balance plan, or it does not fit the classes or the leaky order.
    """
    plan, parameters = recipe.balance, check_parameters(recipe.balance, recipe.balance_parameters)
    if recipe.leaky:
        parts = {part: split.parts[part] for part in _parts(split)}
        return leaky_counts(plan, parts, split.fractions, parameters, class_names)["train"]
    return target_counts(plan, split.parts["train"], parameters, class_names)


def _parts(split: Split) -> list[str]:
    """The parts of a split in the order of its fractions."""
    return [part for part in PARTS if part in split.parts]


def counts_after(split: Split, recipe: Recipe, class_names: Sequence[str]) -> list[int]:
    """Train images per class after a recipe: the balanced ones, and a copy of each under every operation."""
    copies = 1 + len(recipe.operations)
    return [copies * count for count in balanced_counts(split, recipe, class_names)]


def images_after(split: Split, recipe: Recipe, class_names: Sequence[str]) -> int:
    """Train images after a recipe, before anything is computed."""
    return sum(counts_after(split, recipe, class_names))


def bytes_after(split: Split, recipe: Recipe, dataset: Dataset) -> int:
    """Bytes that a prepared set takes on disk: pixels, labels and provenance.

    Args:
        split: The split.
        recipe: The recipe.
        dataset: Its data set.
    """
    pixels = int(np.prod(dataset.image_shape))
    return images_after(split, recipe, dataset.class_names) * (pixels + _ROW_BYTES)


def prepared_id(split_id: str, recipe: Recipe) -> str:
    """The id of a prepared set, `pr-...`, known before it is made."""
    return content_id("pr", {"split": split_id, "recipe": check_recipe(recipe).to_json()})


def train_rows(workspace: Workspace, split_id: str, classes: int, part: str = "train") -> list[Rows]:
    """Rows of a part of each class, rising; of the train part, the only ones that preparing ever reads.

    A recipe that asks for the leaky order is the one exception: it reads all parts.
    """
    table = split_table(workspace, split_id)
    chosen = table[table["part"] == part].sort_values("row")
    rows, labels = chosen["row"].to_numpy(np.int64), chosen["label"].to_numpy(np.int64)
    return [rows[labels == label] for label in range(classes)]


def prepare(workspace: Workspace, split_id: str, recipe: Recipe, progress: Progress = silent) -> PreparedSet:
    """Balance and augment the train part of a split, and write it to the workspace.

    On disk come first all balanced originals, class by class, real images before further ones; then one
    block an operation with a copy of each, in the same order. The same split and recipe give the same bytes.

    Args:
        workspace: The workspace.
        split_id: Id of the split.
        recipe: The recipe.
        progress: Told how far it is; may raise `Cancelled`, and then nothing is left behind.

    Returns:
        The new prepared set, or the one that was there already.

    Raises:
        WbcError: No such split, a recipe that is not valid, a class too small for SMOTE, or a disk too full.
    """
    started = time.monotonic()
    recipe = check_recipe(recipe)
    split = load_split(workspace, split_id)
    identifier = prepared_id(split.id, recipe)
    final = workspace.prepared_dir(identifier)
    if (final / "prepared.json").exists():
        return load_prepared(workspace, identifier)
    dataset = find_dataset(workspace, split.dataset)
    if not images_after(split, recipe, dataset.class_names):
        raise WbcError("The split has no train images.", fix="Keep more images, then split again.")
    check_room(workspace, bytes_after(split, recipe, dataset))
    for operation in (*recipe.operations, *recipe.online):
        check_classes(operation, dataset.class_names)
    images = open_images(workspace, dataset.id)
    draws, held_out = draw_balanced(workspace, split, recipe, dataset, images, part_of(progress, 0.0, 0.4))
    labels = np.repeat(np.arange(len(draws)), [len(draw) for draw in draws])
    blocks = 1 + len(recipe.operations)
    with workspace.atomic_path(final) as scratch:
        scratch.mkdir(parents=True)
        balanced = SmoteDraw.join(draws)
        drawn = [
            draw_operation(operation, index, recipe.seed, len(labels), dataset.image_shape)
            for index, operation in enumerate(recipe.operations)
        ]
        writing = part_of(progress, 0.4, 0.98)
        _write_images(scratch / "images.npy", images, balanced, labels, recipe, drawn, dataset, writing)
        np.save(scratch / "labels.npy", np.tile(labels, blocks))
        _provenance(balanced, labels, recipe, drawn, dataset.class_names).to_parquet(
            scratch / "provenance.parquet", index=False
        )
        if recipe.leaky:
            held_out.to_parquet(scratch / _HELD_OUT, index=False)
        prepared = PreparedSet(
            id=identifier,
            split=split.id,
            dataset=dataset.id,
            recipe=recipe,
            images=len(labels) * blocks,
            classes=tuple(blocks * len(draw) for draw in draws),
            seconds=round(time.monotonic() - started, 3),
            peak_mb=round(peak_megabytes(), 1),
            created=now(),
        )
        workspace.write_json(scratch / "prepared.json", prepared.to_json())
    progress(1.0, f"prepared {prepared.images:,} images")
    return load_prepared(workspace, identifier)


def draw_balanced(
    workspace: Workspace,
    split: Split,
    recipe: Recipe,
    dataset: Dataset,
    images: Images,
    progress: Progress = silent,
) -> tuple[list[SmoteDraw], pd.DataFrame]:
    """Draw the balanced train part, one draw a class; and, in the leaky order, the new images held out."""
    plan, parameters, names = recipe.balance, recipe.balance_parameters, dataset.class_names
    rows = {part: train_rows(workspace, split.id, len(names), part) for part in _parts(split)}
    if not recipe.leaky:
        train = draw_plan(plan, images, rows["train"], recipe.seed, names, progress, parameters)
        return train, pd.DataFrame()
    parts = draw_leaky(plan, images, rows, split.fractions, recipe.seed, names, progress, parameters)
    tables = [
        pd.DataFrame(
            {
                "part": part,
                "row": draw.base[len(real) :],
                "neighbour_row": draw.neighbour[len(real) :],
                "factor": draw.factor[len(real) :],
                "label": label,
            }
        )
        for part, there in parts.items()
        if part != "train"
        for label, (draw, real) in enumerate(zip(there, rows[part], strict=True))
    ]
    return parts["train"], pd.concat(tables, ignore_index=True)


def check_room(workspace: Workspace, needed: int) -> None:
    """Refuse a prepared set that the disk has no room for.

    Args:
        workspace: The workspace.
        needed: Bytes that it will take.

    Raises:
        WbcError: The disk has less, or would be left too full for the lab to work.
    """
    folder = workspace.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise WbcError(
            f"The disk of {workspace.home} has no room for this prepared set.",
            expected=f"{(needed + _SPARE_BYTES) / 1e6:,.0f} MB free",
            got=f"{free / 1e6:,.0f} MB",
            fix="Free some space, or use fewer operations or a smaller balance plan.",
        )


def _write_images(
    path: Path,
    images: Images,
    balanced: SmoteDraw,
    labels: NDArray[np.int64],
    recipe: Recipe,
    drawn: list[Drawn],
    dataset: Dataset,
    progress: Progress,
) -> None:
    """Write every block in one pass over the originals: a chunk is read once and lands in each block."""
    count, shape = len(balanced), dataset.image_shape
    image_bytes = int(np.prod(shape))
    chunk = max(BATCH, CHUNK_BYTES // image_bytes // BATCH * BATCH)
    applies = _applies(recipe, shape)
    total = count * (1 + len(drawn))
    started = time.monotonic()
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (total, *shape)}
        npy_format.write_array_header_1_0(file, header)
        offset = file.tell()
        for start in range(0, count, chunk):
            stop = min(count, start + chunk)
            part = slice(start, stop)
            originals = interpolate(images, balanced, start, stop)
            release_pages(images)
            copies = (
                apply_operation(
                    originals, operation, part_of_draw(values, part), labels[part], dataset.class_names, apply
                )
                for operation, values, apply in zip(recipe.operations, drawn, applies, strict=True)
            )
            for block, changed in enumerate([originals, *copies]):
                file.seek(offset + (block * count + start) * image_bytes)
                _write(file, changed)
            done = stop * (1 + len(drawn))
            pace = done / max(time.monotonic() - started, 1e-3)
            progress(stop / count, f"wrote {done:,} of {total:,} images, {pace:,.0f} images/s")


def _applies(recipe: Recipe, shape: tuple[int, int, int]) -> list[Callable[[Images, Drawn], Images]]:
    """What changes the images, an operation each, by the recipe's engine."""
    if recipe.engine == "keras_cv":
        return keras_cv_transforms(recipe.operations, recipe.seed, shape)
    return [OPERATIONS.get(operation.name).apply for operation in recipe.operations]


def _write(file: BinaryIO, images: Images) -> None:
    file.write(np.ascontiguousarray(images).data)


def _provenance(
    balanced: SmoteDraw,
    labels: NDArray[np.int64],
    recipe: Recipe,
    drawn: list[Drawn],
    class_names: Sequence[str],
) -> pd.DataFrame:
    synthetic = balanced.neighbour >= 0
    blocks, count = 1 + len(recipe.operations), len(balanced)
    kind = np.full((blocks, count), "original", dtype=object)
    kind[:, synthetic] = recipe.balance
    for block, (operation, values) in enumerate(zip(recipe.operations, drawn, strict=True), start=1):
        kind[block, applied_to(operation, values[CHANCE], labels, class_names)] = operation.name
    neighbour = pd.array(balanced.neighbour, dtype="Int64")
    neighbour[~synthetic] = pd.NA
    factor = np.where(synthetic, balanced.factor, np.nan)
    return pd.DataFrame(
        {
            "position": np.arange(blocks * count),
            "row": np.tile(balanced.base, blocks),
            "operation": kind.ravel(),
            "neighbour_row": pd.concat([pd.Series(neighbour)] * blocks, ignore_index=True),
            "factor": np.tile(factor, blocks),
            "label": np.tile(labels, blocks),
        }
    )


def peak_megabytes() -> float:
    """Largest resident memory of this process so far, in MB; memory-mapped files count."""
    with suppress(OSError), Path("/proc/self/status").open() as status:
        # What `getrusage` says includes the process that started this one.
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def load_prepared(workspace: Workspace, prepared: str) -> PreparedSet:
    """Read the record of a prepared set.

    Raises:
        WbcError: There is none with this id, or its record is damaged.
    """
    path = workspace.prepared_dir(prepared) / "prepared.json"
    return PreparedSet.from_json(workspace.read_json(path, f"prepared set {prepared}"))


def list_prepared(workspace: Workspace, split_id: str | None = None) -> list[PreparedSet]:
    """Every prepared set, newest first, but for those of folds; those of one split where its id is given."""
    paths = sorted(
        (workspace.home / "prepared").glob("pr-*/prepared.json"),
        key=lambda path: (path.stat().st_mtime_ns, path.parent.name),
        reverse=True,
    )
    sets = [load_prepared(workspace, path.parent.name) for path in paths]
    asked = {split_id} if split_id else {split.id for split in list_splits(workspace)}
    return [entry for entry in sets if entry.split in asked]


def open_prepared(workspace: Workspace, prepared: str) -> tuple[Images, NDArray[np.int64]]:
    """Map the images of a prepared set into memory, and read its labels.

    Returns:
        Images, uint8 (N, H, W, 3), memory-mapped, read only; labels, int64 (N,).

    Raises:
        WbcError: There is none with this id.
    """
    load_prepared(workspace, prepared)
    folder = workspace.prepared_dir(prepared)
    images: Images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    labels: NDArray[np.int64] = np.load(folder / "labels.npy", allow_pickle=False)
    return images, labels


def held_out_draw(workspace: Workspace, prepared: str, part: str) -> tuple[SmoteDraw, NDArray[np.int64]]:
    """The new images that the leaky order puts into a held-out part, beside its real ones.

    Args:
        workspace: The workspace.
        prepared: Id of a prepared set.
        part: `validation` or `test`.

    Returns:
        Their draw, without pixels, and their labels, int64 (m,); none where the order is not leaky.

    Raises:
        WbcError: There is no such prepared set.
    """
    if not load_prepared(workspace, prepared).recipe.leaky:
        return SmoteDraw.copies(np.empty(0, dtype=np.int64)), np.empty(0, dtype=np.int64)
    table = pd.read_parquet(workspace.prepared_dir(prepared) / _HELD_OUT)
    table = table[table["part"] == part]
    base, neighbour = (table[name].to_numpy(np.int64) for name in ("row", "neighbour_row"))
    draw = SmoteDraw(base, neighbour, table["factor"].to_numpy(np.float64))
    return draw, table["label"].to_numpy(np.int64)


def provenance(workspace: Workspace, prepared: str) -> pd.DataFrame:
    """Where every image of a prepared set comes from.

    Returns:
        One line an image: position, row (of the data set), operation ("original", "smote" or the
        operation's name), neighbour_row and factor (missing unless made by SMOTE), label.

    Raises:
        WbcError: There is none with this id.
    """
    load_prepared(workspace, prepared)
    return pd.read_parquet(workspace.prepared_dir(prepared) / "provenance.parquet")
