"""What stands on the page of the cleaning report, in words and tables; HTML and PDF only draw it."""

from dataclasses import dataclass

from wbc_core.curation.cleaning_examples import Example
from wbc_core.curation.cleaning_report import ClassFacts, CleaningFacts, Reviewer, SecondReview
from wbc_core.curation.cleaning_text import listed, methods_text, share, short, threshold
from wbc_core.wording import counted

_CLASSES = 12
_REVIEWERS = 6
_NAME = 36


@dataclass(frozen=True)
class Table:
    """A table: heads, lines of as many cells, the last of which may be a total, and a note below.

    Attributes:
        head: One text a column; the first column is text, the others are numbers.
        rows: The lines.
        total: The last line; empty for none.
        note: One or two sentences below.
        wordy: Positions of further columns that hold text.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()
    note: str = ""
    wordy: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A key figure: the number, what it counts, and its mood (`plain`, `gone` or `now`)."""

    value: str
    label: str
    mood: str = "plain"


@dataclass(frozen=True)
class Page:
    """The whole page, top to bottom.

    Attributes:
        title: Name of the data set.
        about: One line below it.
        figures: The key figures.
        classes: Images per class.
        examples: Typical pictures.
        checks: What the checks found.
        text: Paragraph for a methods section.
        references: What its numbers in brackets mean.
        details: Term and value of what identifies the set, the decisions and the software.
    """

    title: str
    about: str
    figures: tuple[Figure, ...]
    classes: Table
    examples: tuple[Example, ...]
    checks: Table
    text: str
    references: tuple[str, ...]
    details: tuple[tuple[str, str], ...]


def page_of(facts: CleaningFacts) -> Page:
    """Lay the facts out."""
    height, width, _ = facts.dataset.image_shape
    text, references = methods_text(facts)
    classes = counted(len(facts.dataset.class_names), "class", "classes")
    return Page(
        title=short(facts.dataset.name, 60),
        about=f"{facts.dataset.id}, {width} × {height} pixels, {classes}",
        figures=_figures(facts),
        classes=_class_table(facts),
        examples=facts.examples,
        checks=_check_table(facts),
        text=text,
        references=references,
        details=_details(facts),
    )


def _figures(facts: CleaningFacts) -> tuple[Figure, ...]:
    reviewers = len(facts.reviewers)
    judged = sum(reviewer.images for reviewer in facts.reviewers)
    return (
        Figure(f"{facts.dataset.images:,}", "images imported"),
        Figure(f"{facts.dropped:,}", f"dropped, {share(facts.dropped, facts.dataset.images)}", "gone"),
        Figure(f"{facts.relabelled:,}", f"relabelled, {share(facts.relabelled, facts.dataset.images)}"),
        Figure(f"{facts.kept:,}", "images in the clean set", "now"),
        Figure(f"{judged:,}", f"decided on by {counted(reviewers, 'reviewer')}"),
    )


def _class_table(facts: CleaningFacts) -> Table:
    def line(name: str, entries: list[ClassFacts]) -> tuple[str, ...]:
        columns = zip(
            *(
                (one.before, one.dropped, one.relabelled_away, one.relabelled_here, one.after)
                for one in entries
            ),
            strict=True,
        )
        return (name, *(f"{sum(column):,}" for column in columns))

    every = list(facts.classes)
    # Where there are many classes, those that changed most are named, in the lab's order.
    most = sorted(every, key=lambda one: -(one.dropped + one.relabelled_away + one.relabelled_here))
    named = [one for one in every if len(every) <= _CLASSES or one in most[: _CLASSES - 1]]
    others = [one for one in every if one not in named]
    rows = [line(short(one.name, _NAME), [one]) for one in named]
    rows += [line(f"{len(others):,} other classes", others)] if others else []
    head = ("Class", "Imported", "Dropped", "Relabelled out", "Relabelled in", "Clean")
    return Table(head, tuple(rows), line("All", every))


def _check_table(facts: CleaningFacts) -> Table:
    rows = []
    for check in facts.checks:
        about_set = check.scope == "set"
        found = f"{check.findings:,}" if about_set else f"{check.found:,}"
        numbers = [check.beside, check.dropped, check.relabelled, check.kept, check.open]
        cells = ["–"] * 5 if about_set else [f"{number:,}" for number in numbers]
        rows.append((check.title, threshold(check), found, *cells))
    rows.append(("By eye", "without a check", "–", "–", *(f"{number:,}" for number in facts.by_eye), "–"))
    note = (
        "A decision counts under the check whose finding was looked at; an image found by several checks "
        "counts as found in each; one beside was decided on without being flagged. The last copy of a group "
        "is not open."
    )
    head = ("Check", "Flags", "Found", "Beside", "Dropped", "Relabelled", "Kept", "Not decided")
    return Table(head, tuple(rows), note=note, wordy=(1,))


def _reviewer(reviewer: Reviewer) -> str:
    parts = (("dropped", reviewer.dropped), ("relabelled", reviewer.relabelled), ("kept", reviewer.kept))
    done = listed([f"{number:,} {what}" for what, number in parts if number])
    return f"{short(reviewer.name, _NAME)} ({done})"


def _second(review: SecondReview) -> str:
    kappa = "kappa is undefined"
    if review.kappa is not None and review.interval is not None:
        low, high = review.interval
        kappa = f"Cohen's kappa {review.kappa:.2f} (95 % interval {low:.2f} to {high:.2f})"
    judged = f"{counted(review.images, 'image')} judged by both, {review.agreed:,} alike"
    return f"{short(review.name, _NAME)}: {judged}, {kappa}"


def _details(facts: CleaningFacts) -> tuple[tuple[str, str], ...]:
    named = [_reviewer(reviewer) for reviewer in facts.reviewers[:_REVIEWERS]]
    others = len(facts.reviewers) - len(named)
    named += [counted(others, "other")] if others else []
    versions = [
        f"{check.title} {check.version}" + (f" ({short(check.embedding)})" if check.embedding else "")
        for check in facts.checks
    ]
    details = [
        ("Reviewers", "; ".join(named) or "nobody has decided yet"),
        *(("Second review", _second(review)) for review in facts.second_reviews[:2]),
        ("Clean set", facts.clean_id),
        ("Decision log", f"{counted(facts.log_lines, 'line')}; SHA-256 of its CSV file {facts.log_sha256}"),
        ("Versions of the checks", ", ".join(versions) or "no check was run"),
        ("Software", ", ".join(f"{name} {version}" for name, version in facts.software.items())),
    ]
    return tuple(details)
