"""Balance plans: how many images each class shall have, and where the additional ones come from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wbc_core.balance import relatives, samplers, smote
from wbc_core.balance.neighbours import Rows, Space
from wbc_core.balance.smote import SmoteDraw
from wbc_core.progress import Progress
from wbc_core.registry import Registry

Target = Callable[[Sequence[int]], list[int]]
"""Images per class before -> images per class after; both in class order."""

More = Callable[[Space, Sequence[Rows], int, int, np.random.Generator, Progress], SmoteDraw]
"""(space, train rows of every class, class, how many, generator, progress) -> draw of the further images."""


@dataclass(frozen=True)
class BalancePlan:
    """One way to even out the classes of the train part.

    Attributes:
        title: What the page calls it.
        description: What it does to the images, in one sentence.
        source: Paper or rule it follows.
        target: Counts after, from counts before.
        more: Where images beyond the real ones come from.
        parameters: Parameters it knows beside `cap` and `targets`; see `wbc_core.balance.parameters`.
        weighting: How the loss weighs the classes, one of `weights.WEIGHTINGS`.
        whole: The sampler of imbalanced-learn that draws the whole train part instead.
        about: Whether the counts foreseen are only about right: it leaves images out that only sampling
            finds, or makes as many new ones as suit it.
    """

    title: str
    description: str
    source: str
    target: Target
    more: More
    parameters: tuple[str, ...] = ()
    weighting: str = "none"
    whole: samplers.Make | None = None
    about: bool = False


def _copies(
    space: Space,
    rows: Sequence[Rows],
    label: int,
    count: int,
    generator: np.random.Generator,
    progress: Progress,
) -> SmoteDraw:
    """Further copies, dealt out in whole rounds, so that no image is copied twice before each is once."""
    own = rows[label]
    rounds = -(-count // len(own))
    return SmoteDraw.copies(np.concatenate([generator.permutation(own) for _ in range(rounds)])[:count])


def _smote(
    space: Space,
    rows: Sequence[Rows],
    label: int,
    count: int,
    generator: np.random.Generator,
    progress: Progress,
) -> SmoteDraw:
    return smote.draw(space, rows[label], count, generator, progress=progress)


def _as_they_are(counts: Sequence[int]) -> list[int]:
    return list(counts)


def _to_smallest(counts: Sequence[int]) -> list[int]:
    smallest = min((count for count in counts if count), default=0)
    return [min(count, smallest) for count in counts]


def _to_largest(counts: Sequence[int]) -> list[int]:
    largest = max(counts, default=0)
    return [largest if count else 0 for count in counts]


_SPACE = ("neighbours",)
PLANS: Registry[BalancePlan] = Registry("balance plan")
PLANS.add(
    "none",
    BalancePlan("As they are", "Every train image once.", "no change", _as_they_are, _copies),
)
PLANS.add(
    "random_under",
    BalancePlan(
        "Random under-sampling",
        "Draws as many images of each class as the smallest class has; the rest is left out.",
        "He and Garcia 2009, Learning from imbalanced data, section 3.1.1",
        _to_smallest,
        _copies,
    ),
)
PLANS.add(
    "random_over",
    BalancePlan(
        "Random over-sampling",
        "Repeats images of the smaller classes until each has as many as the largest.",
        "He and Garcia 2009, Learning from imbalanced data, section 3.1.1",
        _to_largest,
        _copies,
    ),
)
PLANS.add(
    "smote",
    BalancePlan(
        "SMOTE",
        "Makes new images between an image and one of its 5 nearest neighbours of the same class.",
        "Chawla et al. 2002, SMOTE, JAIR 16:321-357",
        _to_largest,
        _smote,
        _SPACE,
    ),
)
PLANS.add(
    "borderline_smote",
    BalancePlan(
        "Borderline-SMOTE",
        "SMOTE that starts only from images of which at least half of the 10 nearest are of other classes.",
        "Han et al. 2005, Borderline-SMOTE, ICIC, LNCS 3644:878-887",
        _to_largest,
        relatives.draw_borderline,
        _SPACE,
    ),
)
PLANS.add(
    "adasyn",
    BalancePlan(
        "ADASYN",
        "SMOTE that makes more new images where more of the 5 nearest are of other classes.",
        "He et al. 2008, ADASYN, IJCNN, 1322-1328",
        _to_largest,
        relatives.draw_adasyn,
        _SPACE,
    ),
)
PLANS.add(
    "class_weights",
    BalancePlan(
        "Class weights",
        "Every train image once; in training, a class counts in inverse proportion to its images.",
        "King and Zeng 2001, Logistic regression in rare events data",
        _as_they_are,
        _copies,
        weighting="balanced",
    ),
)
PLANS.add(
    "effective_number",
    BalancePlan(
        "Class weights by effective number",
        "Every train image once; in training, a class counts less the more images it has, up to a limit.",
        "Cui et al. 2019, Class-balanced loss based on effective number of samples, CVPR, eq. 1",
        _as_they_are,
        _copies,
        ("beta",),
        weighting="effective_number",
    ),
)
PLANS.add(
    "svm_smote",
    BalancePlan(
        "SVM-SMOTE (imbalanced-learn)",
        "SMOTE along the support vectors of each class, beyond them where the class is among itself.",
        "Nguyen et al. 2011, Borderline over-sampling, IJKESDP 3:4-21",
        _to_largest,
        _smote,
        _SPACE,
        whole=samplers.svm_smote,
        about=True,
    ),
)
PLANS.add(
    "kmeans_smote",
    BalancePlan(
        "k-means SMOTE (imbalanced-learn)",
        "SMOTE inside the clusters where a class is at home.",
        "Last et al. 2017, Oversampling for imbalanced learning based on k-means and SMOTE, arXiv 1711.00837",
        _to_largest,
        _smote,
        _SPACE,
        whole=samplers.kmeans_smote,
        about=True,
    ),
)
PLANS.add(
    "smote_enn",
    BalancePlan(
        "SMOTE and edited nearest neighbours (imbalanced-learn)",
        "SMOTE, then leaves out every image that one of its 3 nearest contradicts.",
        "Batista et al. 2004, SIGKDD Explorations 6:20-29",
        _to_largest,
        _smote,
        _SPACE,
        whole=samplers.smote_enn,
        about=True,
    ),
)
PLANS.add(
    "smote_tomek",
    BalancePlan(
        "SMOTE without Tomek links (imbalanced-learn)",
        "SMOTE, then leaves out images of two classes that are nearest to each other.",
        "Batista et al. 2003, Balancing training data for automated annotation of keywords, WOB, 10-18",
        _to_largest,
        _smote,
        _SPACE,
        whole=samplers.smote_tomek,
        about=True,
    ),
)
PLANS.add(
    "edited_nearest_neighbours",
    BalancePlan(
        "Edited nearest neighbours (imbalanced-learn)",
        "Leaves out every image that most of its 3 nearest contradict.",
        "Wilson 1972, Asymptotic properties of nearest neighbor rules, IEEE Trans. SMC 2:408-421",
        _as_they_are,
        _copies,
        _SPACE,
        whole=samplers.edited_nearest_neighbours,
        about=True,
    ),
)
PLANS.add(
    "tomek_links",
    BalancePlan(
        "Without Tomek links (imbalanced-learn)",
        "Leaves out images of two classes that are nearest to each other.",
        "Tomek 1976, Two modifications of CNN, IEEE Trans. SMC 6:769-772",
        _as_they_are,
        _copies,
        _SPACE,
        whole=samplers.tomek_links,
        about=True,
    ),
)
