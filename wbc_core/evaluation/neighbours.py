"""What a run thinks an image is like: the train images nearest to it in the run's own embedding."""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.near_duplicates import NEAR_DUPLICATES
from wbc_core.curation.copies import compare
from wbc_core.curation.scan import DUPLICATE_CHECKS, load_findings, scanned_checks
from wbc_core.curation.similarity import may_show
from wbc_core.datasets.store import open_images
from wbc_core.evaluation.embedding import embed
from wbc_core.progress import Progress, silent
from wbc_core.records import Json
from wbc_core.splitting import split_table
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace

NEIGHBOURS = 8

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Neighbour:
    """A train image near an image that is explained.

    Attributes:
        row: Row in the data set.
        label: Its class, as a number.
        distance: Cosine distance of the embeddings, 0 (same direction) to 2.
        duplicate: In words, how it shows the very picture that is explained; None where it is another one. A
            run has then seen what it is judged on.
    """

    row: int
    label: int
    distance: float
    duplicate: str | None

    def to_json(self) -> Json:
        """As plain values."""
        return asdict(self)


def copies_in_words(image: NDArray[np.uint8], others: NDArray[np.uint8]) -> list[str | None]:
    """Say how some images are copies of one, judged by the pixels as the scan for near duplicates does.

    Args:
        image: uint8 (H, W, 3).
        others: uint8 (n, H, W, 3).

    Returns:
        One entry for each of `others`; None where it shows another picture.

    Example:
        >>> images = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
        >>> copies_in_words(images[0], np.stack([images[0], images[1], images[0, ::-1]]))
        ['the same pixels', None, 'the same picture mirrored top to bottom, 100 % alike']
    """
    words = ["the same pixels" if np.array_equal(image, other) else None for other in others]
    together = np.concatenate([image[None], others])
    likely = may_show(image, others)
    for place, symmetry in zip(likely.second.tolist(), likely.symmetry.tolist(), strict=True):
        if words[place - 1] is None:
            comparison, _ = compare(together, 0, place, symmetry)
            if comparison.score >= NEAR_DUPLICATES.threshold:
                words[place - 1] = f"the same picture {comparison.words()}, {comparison.score:.3g} % alike"
    return words


class TrainImages:
    """The real train images of a run, as the run sees them.

    Args:
        workspace: The lab.
        run: The run; what its network makes of the data set is kept on disk, by the model's checksum.
        progress: Told the fraction done.
    """

    def __init__(self, workspace: Workspace, run: Run, progress: Progress = silent) -> None:
        self._workspace, self._run = workspace, run
        table = split_table(workspace, run.split)
        train = table[table["part"] == "train"]
        self._rows = train["row"].to_numpy(np.int64)
        self._labels = train["label"].to_numpy(np.int64)
        vectors = embed(workspace, run.dataset, run.id, progress).vectors[self._rows]
        self._directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        self._images = open_images(workspace, run.dataset)

    @cached_property
    def _groups(self) -> dict[int, set[int]]:
        """What the scan, where there was one, takes for copies of a row."""
        groups: dict[int, set[int]] = {}
        dataset = self._run.dataset
        for check in set(DUPLICATE_CHECKS).intersection(scanned_checks(self._workspace, dataset)):
            for finding in load_findings(self._workspace, dataset, check):
                for row in finding.rows if finding.flagged else ():
                    groups.setdefault(row, set()).update(finding.rows)
        return groups

    def nearest(
        self, image: NDArray[np.uint8], embedding: FloatArray, row: int | None = None
    ) -> list[Neighbour]:
        """The nearest train images, the nearest first.

        Args:
            image: uint8 (H, W, 3).
            embedding: What the run makes of it, float32 (dimensions,).
            row: Its row where it is of the data set: it is no neighbour of its own.
        """
        direction = embedding / max(float(np.linalg.norm(embedding)), 1e-12)
        distances = 1.0 - self._directions @ direction
        if row is not None:
            distances[self._rows == row] = np.inf
        order = np.lexsort((self._rows, distances))[: NEIGHBOURS + 1]
        order = order[np.isfinite(distances[order])][:NEIGHBOURS]
        rows = self._rows[order]
        words = copies_in_words(image, np.stack([self._images[other] for other in rows.tolist()]))
        scanned = self._groups.get(row, set()) if row is not None else set()
        return [
            Neighbour(
                row=other,
                label=int(self._labels[place]),
                distance=max(0.0, float(distances[place])),
                duplicate=told or ("a copy by the scan for duplicates" if other in scanned else None),
            )
            for place, other, told in zip(order.tolist(), rows.tolist(), words, strict=True)
        ]
