"""A differential count corrected for what the run is known to mix up."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wbc_core.errors import WbcError
from wbc_core.evaluation.intervals import DRAWS, percentile_interval
from wbc_core.evaluation.metrics import Floats, Integers
from wbc_core.evaluation.reports import is_outdated, list_reports, load_report, report_name
from wbc_core.records import Json
from wbc_core.workspace import Workspace

_STEPS = 2000
_CLOSE = 1e-7
_LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class CorrectedShares:
    """Shares of the classes among pictures, corrected for known mix-ups.

    Attributes:
        shares: Floats (K,), summing to 1; None where they are undefined.
        intervals: Their 95 % intervals, floats (K, 2).
        undefined: Why there are none, else None.
    """

    shares: Floats | None
    intervals: Floats | None
    undefined: str | None = None


def _likeliest(counts: Floats, rates: Floats) -> Floats:
    """Shares (draws, K) under which the counts (draws, K) are likeliest, by rates (draws, K, K).

    With rates M[i, j] = P(predicted j | true i) the likelihood is that of a multinomial with probabilities
    pi M. Where the inverse, counts / n M^-1, has no negative share, it is the maximum; else the EM steps
    pi_i <- pi_i sum_j (n_j / n) M_ij / (pi M)_j climb to it, from halfway between there and equal shares: a
    share that starts at 0 would stay there.
    """
    observed = counts / counts.sum(axis=1, keepdims=True)
    start = (np.linalg.pinv(rates.transpose(0, 2, 1)) @ observed[:, :, None])[:, :, 0]
    done = (start >= 0).all(axis=1) & (np.abs(start.sum(axis=1) - 1) < _CLOSE)
    clipped = np.maximum(start, _LEAST_SHARE)
    clipped /= clipped.sum(axis=1, keepdims=True)
    shares = np.where(done[:, None], start, (clipped + 1 / start.shape[1]) / 2)
    shares /= shares.sum(axis=1, keepdims=True)
    open_draws = np.flatnonzero(~done)
    for _ in range(_STEPS):
        if not len(open_draws):
            break
        here, matrix = shares[open_draws], rates[open_draws]
        expected = (here[:, None, :] @ matrix)[:, 0]
        ratio = np.divide(observed[open_draws], expected, out=np.zeros_like(expected), where=expected > 0)
        better = here * (matrix @ ratio[:, :, None])[:, :, 0]
        better /= better.sum(axis=1, keepdims=True)
        shares[open_draws] = better
        open_draws = open_draws[np.abs(better - here).max(axis=1) > _CLOSE]
    return np.asarray(shares)


def corrected_shares(
    counts: npt.ArrayLike,
    confusion: npt.ArrayLike,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> CorrectedShares:
    """Correct how often each class was predicted for how often the run takes each class for each other.

    The confusion-matrix method (Saerens, Latinne & Decaestecker, "Adjusting the outputs of a classifier to
    new a priori probabilities", Neural Computation 14, 2002, section 2.2; Forman, "Quantifying counts and
    costs via classification", Data Mining and Knowledge Discovery 17, 2008), solved by maximum likelihood so
    that no share is negative. It holds where pictures of a class look as those of the confusion matrix do,
    and only how many there are of each class differs.

    The interval is a Bayesian bootstrap of both, the predicted shares and the rows of the confusion matrix
    (Dirichlet posteriors, Perks' prior of one image in all), widened to hold the share itself. Plain
    resampling would take a class that was not seen for one that cannot be there, and one without an error for
    one that never errs.

    Args:
        counts: How many pictures were predicted as each class, integers (K,).
        confusion: Held-out images, integers (K, K), [true][predicted].
        seed: Seed of the bootstrap.
        draws: Number of bootstrap draws.

    Returns:
        The corrected shares, undefined without pictures or where a class has no held-out image.

    Example:
        >>> corrected_shares([60, 40], [[90, 10], [20, 80]]).shares.round(3).tolist()
        [0.571, 0.429]
    """
    named, table = np.asarray(counts, dtype=np.int64), np.asarray(confusion, dtype=np.int64)
    if table.shape != (named.size, named.size):
        raise WbcError(
            "The counts do not fit the confusion matrix.",
            expected=f"{len(table)} classes",
            got=f"{named.size}",
        )
    if not named.sum():
        return CorrectedShares(None, None, "there are no pictures")
    if not table.sum(axis=1).all():
        return CorrectedShares(None, None, "a class has no held-out image, so its mix-ups are not known")
    once = _likeliest(named[None].astype(np.float64), (table / table.sum(axis=1, keepdims=True))[None])[0]
    generator = np.random.default_rng(seed)
    samples = generator.dirichlet(named + 1 / len(table), size=draws)
    rates = np.stack([generator.dirichlet(row + 1 / len(table), size=draws) for row in table], axis=1)
    drawn = _likeliest(samples, rates)
    ends = np.array([percentile_interval(drawn[:, place]) for place in range(named.size)], dtype=np.float64)
    ends = np.column_stack([np.minimum(ends[:, 0], once), np.maximum(ends[:, 1], once)])
    return CorrectedShares(once, ends)


def known_confusion(workspace: Workspace, run_id: str, *, tta: bool = False) -> tuple[str, Integers] | None:
    """The held-out confusion matrix of a run by which its counts are corrected.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        tta: Whether the counted predictions are averaged over views; a report of the same kind goes first.

    Returns:
        The name of the report and its matrix [true][predicted]; None where there is none of today's model.
    """
    there = list_reports(workspace, run_id)
    for views in (tta, not tta):
        for part in ("test", "validation"):
            name = report_name(part, tta=views)
            if name in there and not is_outdated(workspace, run_id, name):
                return name, np.array(load_report(workspace, run_id, name)["confusion"], dtype=np.int64)
    return None


def corrected_lines(classes: list[str], shares: CorrectedShares) -> list[Json]:
    """Corrected shares as lines of a table: class, share, low and high, None where undefined."""
    if shares.shares is None or shares.intervals is None:
        return [{"class": name, "share": None, "low": None, "high": None} for name in classes]
    return [
        {"class": name, "share": float(share), "low": float(low), "high": float(high)}
        for name, share, (low, high) in zip(classes, shares.shares, shares.intervals, strict=True)
    ]
