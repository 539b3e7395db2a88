"""Whether two ways of training differ, each tried with several seeds on the same held-out images."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.intervals import DRAWS, Interval
from wbc_core.evaluation.resampling import resampled_scores
from wbc_core.evaluation.significance import mcnemar, p_in_words, sign_flip_p_values

Hits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RepeatedDifference:
    """Second way minus first, averaged over the seeds, with intervals over held-out images.

    Attributes:
        accuracy: Difference of the mean accuracies, as a share.
        accuracy_ci: Its 95 % percentile interval.
        macro_f1: Difference of the mean macro-F1.
        macro_f1_ci: Its interval, likewise; None where undefined.
        by_seed: Difference of accuracy of each seed, in their order.
        p: Two-sided p-value that both ways are right equally often.
    """

    accuracy: float
    accuracy_ci: Interval | None
    macro_f1: float
    macro_f1_ci: Interval | None
    by_seed: tuple[float, ...]
    p: float

    @property
    def seeds_ci(self) -> Interval | None:
        """95 % interval of the accuracy's mean difference over seeds, by Student's t on the pairs.

        None with one seed. The images are taken as they are, as `accuracy_ci` takes the seeds.

        Example:
            >>> found = RepeatedDifference(0.02, None, 0.02, None, (0.01, 0.02, 0.03), 0.01)
            >>> tuple(round(end, 4) for end in found.seeds_ci)
            (-0.0048, 0.0448)
        """
        from scipy.special import stdtrit

        count = len(self.by_seed)
        if count < 2:
            return None
        half = float(stdtrit(count - 1, 0.975) * np.std(self.by_seed, ddof=1) / np.sqrt(count))
        return self.accuracy - half, self.accuracy + half

    @property
    def beyond_seeds(self) -> bool:
        """Whether the interval over seeds leaves 0 out; with one seed nobody can tell, and it is true."""
        return self.seeds_ci is None or not self.seeds_ci[0] <= 0 <= self.seeds_ci[1]

    def words(
        self, second: str, first: str, *, significance: float, p: float | None = None, tests: int = 1
    ) -> str:
        """One sentence: which way is better by how much, or that none was shown to be.

        Args:
            second: What the second way is called, at the beginning of a sentence.
            first: What the first is called, within one.
            significance: A difference on these images is shown where p is below it.
            p: The p-value, where it was adjusted for several comparisons.
            tests: For how many.

        Example:
            >>> found = RepeatedDifference(0.013, (0.004, 0.022), 0.01, None, (0.013,), 0.004)
            >>> found.words("Cleaning", "no cleaning", significance=0.05)
            'Cleaning is better than no cleaning: accuracy +1.3 points, 95 % interval +0.4 to +2.2, p = .004'
        """
        p = self.p if p is None else p
        numbers = self._numbers(p, tests)
        if p >= significance:
            return f"{second}: no difference from {first} shown ({numbers})"
        better = "better" if self.accuracy > 0 else "worse"
        if not self.beyond_seeds:
            return f"{second}: {better} than {first} on these images, not shown for other seeds ({numbers})"
        return f"{second} is {better} than {first}: {numbers}"

    def _numbers(self, p: float, tests: int) -> str:
        low, high = (100 * end for end in self.accuracy_ci or (np.nan, np.nan))
        words = f"accuracy {100 * self.accuracy:+.1f} points, "
        words += f"95 % interval {low:+.1f} to {high:+.1f}, {p_in_words(p)}"
        if tests > 1:
            words += f" adjusted for {tests} plans"
        if self.seeds_ci:
            low, high = (100 * end for end in self.seeds_ci)
            words += f"; over {len(self.by_seed)} seeds {low:+.1f} to {high:+.1f}"
        return words


def repeated_difference(
    true: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    classes: int,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> RepeatedDifference:
    """Compare two ways of training by the predictions of several runs of each.

    Images are resampled within their true class, with all their predictions, whatever the seed (a cluster
    bootstrap; Davison & Hinkley 1997, Bootstrap methods, section 3.8). With one seed, p is McNemar's; with
    more, that of `significance.sign_flip_p_values`.

    Args:
        true: Labels, integers (n,) in 0..classes-1, n at least 1.
        first: Predictions of the first way, integers (seeds, n).
        second: Predictions of the second, from the same seeds in the same order.
        classes: Number of classes K.
        generator: Source of randomness; the same seed gives the same intervals.
        draws: Number of bootstrap draws.

    Example:
        >>> labels, wrong = np.zeros(40, dtype=int), np.ones((2, 40))
        >>> found = repeated_difference(labels, wrong, [labels, labels], 2, np.random.default_rng(0))
        >>> found.accuracy, found.accuracy_ci, found.by_seed, found.p < 0.001
        (1.0, (1.0, 1.0), (1.0, 1.0), True)
    """
    labels, one, two = (np.asarray(values, dtype=np.int64) for values in (true, first, second))
    right = [values == labels for values in (one, two)]
    scores = resampled_scores(labels, np.concatenate([one, two]), classes, generator, draws)
    seeds = range(len(one))
    found = scores.difference(seeds, [len(one) + seed for seed in seeds])
    return RepeatedDifference(
        accuracy=math.nan if found.accuracy is None else found.accuracy,
        accuracy_ci=found.accuracy_ci,
        macro_f1=math.nan if found.macro_f1 is None else found.macro_f1,
        macro_f1_ci=found.macro_f1_ci,
        by_seed=tuple(float(value) for value in right[1].mean(axis=1) - right[0].mean(axis=1)),
        p=_p(right[0], right[1], generator),
    )


def _p(first: Hits, second: Hits, generator: np.random.Generator) -> float:
    if len(first) == 1:
        return mcnemar(int((first & ~second).sum()), int((second & ~first).sum())).p
    change = second.mean(axis=0) - first.mean(axis=0)
    return sign_flip_p_values(change[None], generator)[0]
