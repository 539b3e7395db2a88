"""How figures of a report are written: three digits, the interval beside it, undefined where it is."""

from collections.abc import Mapping, Sequence
from typing import Any

UNDEFINED = "undefined"
CHOSEN_ON_VALIDATION = (
    "The best epoch was chosen on these images, so the figures are a little hopeful; a split in three parts "
    "keeps a test part for an honest last word."
)


def _digits(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")


def share(value: float | None) -> str:
    """A share in per cent with three digits.

    Example:
        >>> share(0.97321), share(1.0), share(None)
        ('97.3 %', '100 %', 'undefined')
    """
    return UNDEFINED if value is None else f"{_digits(100 * value)} %"


def interval(ends: Sequence[float] | None) -> str:
    """The ends of a 95 % interval, in per cent.

    Example:
        >>> interval([0.9612, 0.98]), interval(None)
        ('96.1 to 98.0 %', '')
    """
    return "" if ends is None else f"{_digits(100 * ends[0])} to {_digits(100 * ends[1])} %"


def share_with_interval(value: float | None, ends: Sequence[float] | None) -> str:
    """A share with its 95 % interval in brackets.

    Example:
        >>> share_with_interval(0.973, [0.9612, 0.98])
        '97.3 % (96.1 to 98.0)'
    """
    return share(value) if ends is None else f"{share(value)} ({interval(ends).removesuffix(' %')})"


def spread(deviation: float | None, ends: Sequence[float] | None) -> str:
    """How far the seeds of one way of training lie apart, in percentage points and per cent.

    Example:
        >>> spread(0.0042, [0.967, 0.975]), spread(None, [0.967, 0.967])
        ('sd 0.420, 96.7 to 97.5 %', 'one seed')
    """
    if deviation is None or ends is None:
        return "one seed"
    return f"sd {_digits(100 * deviation)}, {interval(ends)}"


def megabytes(size: int) -> str:
    """A file size in MB with three digits.

    Example:
        >>> megabytes(7_500_000)
        '7.50 MB'
    """
    return f"{_digits(size / 1e6)} MB"


def millions(number: float | None) -> str:
    """A large count in millions with three digits.

    Example:
        >>> millions(128_904_112), millions(None)
        ('129 million', 'not counted')
    """
    return "not counted" if number is None else f"{_digits(number / 1e6)} million"


def milliseconds(timed: Mapping[str, float]) -> str:
    """The time of a call with its 95th percentile and what it makes a second.

    Example:
        >>> milliseconds({"median_ms": 12.34, "p95_ms": 20.1, "images_per_second": 2593.2})
        '12.3 ms (p95 20.1 ms), 2,593 images/s'
    """
    median, high = _digits(timed["median_ms"]), _digits(timed["p95_ms"])
    return f"{median} ms (p95 {high} ms), {timed['images_per_second']:,.0f} images/s"


def decimals(value: float | None, ends: Sequence[float] | None = None) -> str:
    """A score that is no share, with its 95 % interval; four decimals, since good ones all begin with 0.99.

    Example:
        >>> decimals(0.99874, [0.99712, 0.99961]), decimals(None)
        ('0.9987 (0.9971 to 0.9996)', 'undefined')
    """
    if value is None:
        return UNDEFINED
    return f"{value:.4f}" + (f" ({ends[0]:.4f} to {ends[1]:.4f})" if ends else "")


def number(value: float | None) -> str:
    """A figure of any size with three digits.

    Example:
        >>> number(12.345), number(1234.5), number(0.0), number(None)
        ('12.3', '1,234', '0', 'undefined')
    """
    if value is None:
        return UNDEFINED
    return f"{value:,.0f}" if abs(value) >= 1000 or value == 0 else _digits(value)


def number_range(ends: Sequence[float] | None) -> str:
    """The ends of an interval of such a figure.

    Example:
        >>> number_range([-0.5, 14.0]), number_range(None)
        ('-0.500 to 14.0', '')
    """
    return "" if ends is None else f"{number(ends[0])} to {number(ends[1])}"


RATES = {"precision": "Precision", "recall": "Recall", "specificity": "Specificity", "f1": "F1"}
RANKING = {"auc": "AUC", "average_precision": "Average precision"}


def class_scores(report: Mapping[str, Any], scores: Mapping[str, str]) -> list[dict[str, Any]]:
    """Per-class scores of a report as lines of a table, each with its interval.

    Args:
        report: A complete report.
        scores: Name to title of those wanted: `RATES` or `RANKING`.
    """
    lines = []
    for name in report["classes"]:
        entry = report["per_class"][name]
        written = {
            title: (share_with_interval if score in RATES else decimals)(entry[score], entry[f"{score}_ci"])
            for score, title in scores.items()
        }
        lines.append({"Class": name, "Images": entry["support"], **written})
    return lines


def undefined_scores(report: Mapping[str, Any], scores: Mapping[str, str]) -> list[str]:
    """Which scores of which classes are undefined, and why, one sentence for all classes of one reason."""
    classes: dict[tuple[str, str], list[str]] = {}
    for name in report["classes"]:
        for score, reason in report["per_class"][name]["undefined"].items():
            if score in scores:
                classes.setdefault((scores[score], reason), []).append(name)
    return [
        f"{title} of {', '.join(names)} is undefined: {reason}." for (title, reason), names in classes.items()
    ]
