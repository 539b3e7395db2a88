"""Samplers of imbalanced-learn as balance plans: which images they keep, and what they make from which two.

They work on float32 copies of the train part, or on its projection; what they make is written down as parents
and factor while they run, so that the pixels are computed from uint8 like all others.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from wbc_core.balance.neighbours import Images, Rows, VectorSpace, gather
from wbc_core.balance.smote import SmoteDraw
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent

Parents = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64], NDArray[np.float32]]
Telling = Callable[[type], type]
Make = Callable[[dict[int, int], int, int, Telling], Any]
"""(class to images after, neighbours, seed, what makes a sampler tell the parents) -> an unfitted sampler."""

_LARGEST_SHARE = 0.8
# What the samplers hold at once: the input, its copy by class, the new rows, and all of them stacked.
_COPIES = 3


def svm_smote(targets: dict[int, int], k: int, seed: int, telling: Telling) -> Any:
    """SVM-SMOTE (Nguyen et al. 2011): new images along the support vectors of a class."""
    from imblearn.over_sampling import SVMSMOTE

    return telling(SVMSMOTE)(sampling_strategy=targets, k_neighbors=k, random_state=seed)


def kmeans_smote(targets: dict[int, int], k: int, seed: int, telling: Telling) -> Any:
    """k-means SMOTE (Last et al. 2017): SMOTE inside clusters where a class is at home."""
    from imblearn.over_sampling import KMeansSMOTE
    from sklearn.cluster import KMeans

    clusters = KMeans(n_clusters=8, n_init=1, random_state=seed)
    return telling(KMeansSMOTE)(
        sampling_strategy=targets, k_neighbors=min(2, k), random_state=seed, kmeans_estimator=clusters
    )


def smote_enn(targets: dict[int, int], k: int, seed: int, telling: Telling) -> Any:
    """SMOTE, then edited nearest neighbours (Batista et al. 2004)."""
    from imblearn.combine import SMOTEENN
    from imblearn.over_sampling import SMOTE

    inner = telling(SMOTE)(sampling_strategy=targets, k_neighbors=k, random_state=seed)
    return SMOTEENN(smote=inner, random_state=seed)


def smote_tomek(targets: dict[int, int], k: int, seed: int, telling: Telling) -> Any:
    """SMOTE, then no Tomek links (Batista et al. 2003)."""
    from imblearn.combine import SMOTETomek
    from imblearn.over_sampling import SMOTE

    inner = telling(SMOTE)(sampling_strategy=targets, k_neighbors=k, random_state=seed)
    return SMOTETomek(smote=inner, random_state=seed)


def edited_nearest_neighbours(targets: dict[int, int], k: int, seed: int, telling: Telling) -> Any:
    """Edited nearest neighbours (Wilson 1972): without images that most of their 3 neighbours contradict."""
    from imblearn.under_sampling import EditedNearestNeighbours

    return EditedNearestNeighbours(sampling_strategy="all", kind_sel="mode")


def tomek_links(targets: dict[int, int], k: int, seed: int, telling: Telling) -> Any:
    """Tomek links (Tomek 1976): without either of two images of two classes, each nearest to the other."""
    from imblearn.under_sampling import TomekLinks

    return TomekLinks(sampling_strategy="all")


def check_memory(images: int, numbers: int) -> None:
    """Refuse a sampler that this machine has no memory for.

    Args:
        images: Images before and after, together.
        numbers: Numbers an image: its pixels, or its projection's.

    Raises:
        WbcError: It would take more than 80 % of the memory that is free now.
    """
    needed, free = 4 * numbers * images * _COPIES, psutil.virtual_memory().available
    if needed > _LARGEST_SHARE * free:
        raise WbcError(
            "This balance plan needs more memory than is free: imbalanced-learn holds all pixels as float32.",
            expected=f"about {needed / 1e9:,.1f} GB free",
            got=f"{free / 1e9:,.1f} GB",
            fix="Set the balance parameter neighbours to features, or choose smote, which needs 0.5 GB.",
        )


class _Ledger:
    """What every row of the samplers' matrices was, by its bytes."""

    def __init__(self, points: NDArray[np.float32], labels: NDArray[np.int64], rows: Rows) -> None:
        self.real = {
            _key(label, point): int(row) for label, point, row in zip(labels, points, rows, strict=True)
        }
        self.made: dict[bytes, tuple[int, int, float]] = {}

    def telling(self, kind: type) -> type:
        """The same sampler, which also tells this ledger from which two it makes a row, and how."""
        ledger = self

        class Telling(kind):  # type: ignore[misc]  # imbalanced-learn carries no types
            def _generate_samples(
                self, X: Any, nn_data: Any, nn_num: Any, rows: Any, cols: Any, steps: Any, y_type: Any, y: Any
            ) -> Any:
                made = super()._generate_samples(X, nn_data, nn_num, rows, cols, steps, y_type, y)
                label = int(y_type)
                for new, base, neighbour, step in zip(made, rows, nn_num[rows, cols], steps, strict=True):
                    parents = (_key(label, X[base]), _key(label, nn_data[neighbour]))
                    ledger.made[_key(label, new)] = (
                        ledger.real[parents[0]],
                        ledger.real[parents[1]],
                        float(np.ravel(step)[0]),
                    )
                return made

        return Telling

    def draw_of(self, label: int, points: NDArray[np.float32]) -> SmoteDraw:
        """The draw of one class after sampling: real images by row, then new ones in the sampler's order."""
        keys = [_key(label, point) for point in points]
        kept = np.sort(np.array([self.real[key] for key in keys if key in self.real], dtype=np.int64))
        made = [self.made[key] for key in keys if key not in self.real]
        further = SmoteDraw(
            np.array([base for base, _, _ in made], dtype=np.int64),
            np.array([neighbour for _, neighbour, _ in made], dtype=np.int64),
            np.array([factor for _, _, factor in made], dtype=np.float64),
        )
        return SmoteDraw.join([SmoteDraw.copies(kept), further])


def _key(label: int, point: NDArray[np.float32]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(point).data, digest_size=16, salt=bytes([label])).digest()


def draw_whole(
    make: Make,
    images: Images,
    rows: Sequence[Rows],
    targets: Sequence[int],
    seed: int,
    features: VectorSpace | None,
    progress: Progress = silent,
) -> list[SmoteDraw]:
    """Let a sampler of imbalanced-learn draw the whole train part.

    Args:
        make: One of the functions above.
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Train rows of every class, in class order.
        targets: Images of every class that over-sampling shall reach.
        seed: Seed of the sampler.
        features: Where it takes distances; the pixels where None.
        progress: Told when it begins; the samplers themselves tell nothing.

    Returns:
        One draw a class, real images first.

    Raises:
        WbcError: There is too little memory, or the sampler refuses; the message says why.
    """
    everything = np.concatenate(rows).astype(np.int64)
    labels = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    numbers = int(np.prod(images.shape[1:])) if features is None else features.vectors.shape[1]
    check_memory(len(everything) + int(sum(targets)), numbers)
    progress(0.0, "imbalanced-learn is sampling, and says nothing until it is done")
    points = gather(images, everything) if features is None else features.vectors[everything]
    points = points.astype(np.float32)
    ledger = _Ledger(points, labels, everything)
    wanted = {label: target for label, target in enumerate(targets) if target > len(rows[label])}
    smallest = min((len(rows[label]) for label in wanted), default=0)
    sampler = make(wanted, max(1, min(5, smallest - 1)), seed, ledger.telling)
    try:
        sampled, sampled_labels = sampler.fit_resample(points, labels)
        draws = [ledger.draw_of(label, sampled[sampled_labels == label]) for label in range(len(rows))]
    except (ValueError, RuntimeError) as error:
        raise WbcError("imbalanced-learn refuses to sample.", got=error, fix="Choose smote.") from None
    except KeyError:
        raise WbcError(
            "This version of imbalanced-learn does not tell what it makes new images from.",
            expected="version 0.14",
            fix="Install it, or choose smote.",
        ) from None
    return draws
