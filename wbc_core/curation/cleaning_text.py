"""The cleaning report in words: the paragraph for a paper's methods section, its references, short texts."""

import datetime
from collections.abc import Sequence

from wbc_core.curation.cleaning_report import CheckFacts, CleaningFacts
from wbc_core.curation.scan import network_name
from wbc_core.wording import counted

_REFERENCES = {
    "foreign": "Rousseeuw PJ, Van Driessen K. A fast algorithm for the minimum covariance determinant "
    "estimator. Technometrics 41, 212-223 (1999).",
    "near_duplicates": "Evangelidis GD, Psarakis EZ. Parametric image alignment using enhanced correlation "
    "coefficient maximization. IEEE Trans. Pattern Anal. Mach. Intell. 30, 1858-1865 (2008).",
    "blur": "Pech-Pacheco JL et al. Diatom autofocusing in brightfield microscopy: a comparative study. "
    "Proc. 15th Int. Conf. Pattern Recognition 3, 314-317 (2000).",
    "noise": "Immerkaer J. Fast noise variance estimation. Comput. Vis. Image Underst. 64, 300-302 (1996).",
    "label_errors": "Northcutt CG, Jiang L, Chuang IL. Confident learning: estimating uncertainty in dataset "
    "labels. J. Artif. Intell. Res. 70, 1373-1411 (2021).",
}
_KAPPA = "Cohen J. A coefficient of agreement for nominal scales. Educ. Psychol. Meas. 20, 37-46 (1960)."


def short(text: str, length: int = 40) -> str:
    """A user's text on one line, without invisible characters, cut where it is long.

    Example:
        >>> short("a\\n  b\\u202e"), short("x" * 9, 5)
        ('a b', 'xxxx…')
    """
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= length else plain[: length - 1].rstrip() + "…"


def share(part: int, whole: int) -> str:
    """A share in per cent, to three significant digits; a dash where there is no whole."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.3g} %" if percent < 99.95 else f"{percent:.4g} %"


def period(facts: CleaningFacts) -> str:
    """When was decided: `on 25 November 2026`, or `from .. to ..`; empty where nothing was."""
    if facts.period is None:
        return ""
    first, last = (_day(day) for day in facts.period)
    return f"on {first}" if first == last else f"from {first} to {last}"


def _day(iso: str) -> str:
    try:
        day = datetime.date.fromisoformat(iso)
    except ValueError:  # of an imported decision, as its file says
        return short(iso, 20)
    return f"{day.day} {day:%B} {day.year}"


def listed(parts: Sequence[str]) -> str:
    """Parts joined by commas and `and`.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"])
        ('a, b and c', 'a')
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def methods_text(facts: CleaningFacts) -> tuple[str, tuple[str, ...]]:
    """The paragraph for the methods section and its references, `[1]` being the first."""
    references: list[str] = []

    def cite(reference: str | None) -> str:
        if reference is None:
            return ""
        if reference not in references:
            references.append(reference)
        return f" [{references.index(reference) + 1}]"

    dataset = facts.dataset
    height, width, _ = dataset.image_shape
    sentences = [
        f"The data set {short(dataset.name)} ({counted(dataset.images, 'image')} of {width} × {height} "
        f"pixels, {counted(len(dataset.class_names), 'class', 'classes')}) was cleaned with WBC Lab "
        f"{facts.software.get('WBC Lab', '')}."
    ]
    looked = [check for check in facts.checks if check.scope != "set"]
    if looked:
        count = counted(len(looked), "automatic check")
        acted = [check for check in looked if check.found or check.beside]
        flagged = [_flagged(check, cite(_REFERENCES.get(check.name))) for check in acted]
        silent = [
            check.title.lower() + cite(_REFERENCES.get(check.name)) for check in looked if check not in acted
        ]
        found = f": {'; '.join(flagged)}." if flagged else "."
        nothing = f" Nothing was flagged for {listed(silent)}." if silent else ""
        sentences.append(f"All images passed through {count}{found}{nothing}")
    sentences.append(_decided(facts))
    for review in facts.second_reviews:
        if review.kappa is not None and review.interval is not None:
            low, high = review.interval
            sentences.append(
                f"A second reviewer, blind to the first decisions, judged "
                f"{counted(review.images, 'image')}; Cohen's kappa was {review.kappa:.2f} "
                f"(95 % interval {low:.2f} to {high:.2f}){cite(_KAPPA)}."
            )
    sentences.append(f"The clean set ({facts.clean_id}) holds {counted(facts.kept, 'image')}.")
    return " ".join(sentences), tuple(references)


def _flagged(check: CheckFacts, citation: str) -> str:
    groups = f" in {counted(check.findings, 'group')}" if check.scope == "group" else ""
    network = f", by the features of {short(network_name(check.embedding))}" if check.embedding else ""
    beside = f", and {counted(check.beside, 'image')} beside them decided on by hand" if check.beside else ""
    how = f"{threshold(check)}{network}"
    return f"{check.title.lower()}{citation} ({how}) flagged {counted(check.found, 'image')}{groups}{beside}"


def threshold(check: CheckFacts) -> str:
    """From which score a check flags, with its unit."""
    return f"at least {check.threshold:g} {check.unit}"


def _decided(facts: CleaningFacts) -> str:
    if not facts.reviewers:
        return "No image was dropped or relabelled."
    people = counted(len(facts.reviewers), "reviewer")
    judged = sum(reviewer.images for reviewer in facts.reviewers)
    return (
        f"The checks only suggest; {people} decided on {counted(judged, 'image')} {period(facts)}. "
        f"{counted(facts.dropped, 'image')} ({share(facts.dropped, facts.dataset.images)}) "
        f"{'was' if facts.dropped == 1 else 'were'} dropped and {facts.relabelled:,} relabelled."
    )
