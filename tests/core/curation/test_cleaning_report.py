"""The cleaning report counts what was done, is one page in both formats, and the same bytes each time."""

import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.core.curation.conftest import noise_images, write_dataset
from wbc_core.curation import agreement, review
from wbc_core.curation.cleaning_examples import DROPPED, KEPT, OUTCOMES
from wbc_core.curation.cleaning_page import page_of
from wbc_core.curation.cleaning_report import (
    CheckFacts,
    ClassFacts,
    CleaningFacts,
    Reviewer,
    SecondReview,
    cleaning_facts,
    report_bytes,
    write_report,
)
from wbc_core.curation.cleaning_report_html import as_html
from wbc_core.curation.cleaning_report_pdf import as_pdf
from wbc_core.curation.cleaning_text import methods_text
from wbc_core.curation.decision_csv import export_decisions_csv
from wbc_core.curation.replay import apply_replay, plan_replay
from wbc_core.curation.scan import Embedding, load_findings, scan, threshold_of_scan
from wbc_core.datasets.store import DatasetWriter
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

CHECKS = ["exact_duplicates", "exposure"]
HOSTILE = '</style><script>alert("x")</script><img src=http://evil/x.png>'


@pytest.fixture
def dataset(workspace: Workspace) -> Dataset:
    """40 images in two classes; 30 and 31 repeat row 0, row 32 is dark; some of it decided."""
    pictures = noise_images(40)
    pictures[[30, 31]] = pictures[0]
    pictures[32] = pictures[32] // 6
    dataset = write_dataset(workspace, pictures, np.arange(40) % 2)
    scan(workspace, dataset.id, CHECKS)
    review.decide(workspace, dataset.id, {30: ("drop", None)}, who="Ada", check="exact_duplicates")
    review.decide(workspace, dataset.id, {31: ("drop", None)}, who="Ben", check="exact_duplicates")
    review.decide(workspace, dataset.id, {1: ("relabel", 0), 2: ("relabel", 0), 3: ("keep", None)}, who="Ada")
    return dataset


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def test_every_decision_counts_once(workspace: Workspace, dataset: Dataset) -> None:
    facts = cleaning_facts(workspace, dataset.id)
    assert (facts.kept, facts.dropped, facts.relabelled) == (38, 2, 1)
    assert facts.classes == (ClassFacts("class 0", 20, 1, 0, 1, 20), ClassFacts("class 1", 20, 1, 1, 0, 18))
    duplicates, exposure = facts.checks
    assert (duplicates.findings, duplicates.found, duplicates.dropped) == (1, 3, 2)
    assert duplicates.open == 0  # one copy is left, and stays
    assert (exposure.found, exposure.dropped, exposure.open) == (1, 0, 1)
    assert facts.by_eye == (0, 1, 2)
    assert sum(check.dropped for check in facts.checks) + facts.by_eye[0] == facts.dropped
    assert facts.reviewers == (Reviewer("Ada", 1, 1, 2), Reviewer("Ben", 1, 0, 0))
    assert facts.period is not None


def test_the_report_counts_from_the_threshold_that_was_followed(
    workspace: Workspace, dataset: Dataset
) -> None:
    stored = load_findings(workspace, dataset.id, "exposure")
    low = stored[-2].score
    followed = {row: ("drop", None) for found in stored if found.score >= low for row in found.rows}
    assert len(followed) > sum(found.flagged for found in stored)
    by_hand = next(found.rows[0] for found in stored if found.score < low)
    review.decide(workspace, dataset.id, followed, who="Ada", check="exposure", threshold=low)
    review.decide(workspace, dataset.id, {by_hand: ("drop", None)}, who="Ada", check="exposure")
    facts = cleaning_facts(workspace, dataset.id)
    exposure = facts.checks[1]
    assert (exposure.threshold, exposure.found, exposure.beside) == (low, len(followed), 1)
    assert exposure.dropped == exposure.found + exposure.beside
    said = f"at least {low:g} {exposure.unit}) flagged {len(followed)} images, and 1 image beside"
    assert said in methods_text(facts)[0]
    assert page_of(facts).checks.rows[1][2:5] == (str(len(followed)), "1", str(len(followed) + 1))
    review.undo(workspace, dataset.id, 2, who="Ada")
    assert cleaning_facts(workspace, dataset.id).checks[1].threshold == threshold_of_scan(
        workspace, dataset.id, "exposure"
    )


def test_a_log_of_an_older_lab_counts_from_the_threshold_of_the_scan(
    workspace: Workspace, dataset: Dataset
) -> None:
    low = load_findings(workspace, dataset.id, "exposure")[-1].rows[0]
    review.decide(
        workspace, dataset.id, {low: ("drop", None), 32: ("drop", None)}, who="Ada", check="exposure"
    )
    exposure = cleaning_facts(workspace, dataset.id).checks[1]
    scanned = threshold_of_scan(workspace, dataset.id, "exposure")
    assert (exposure.threshold, exposure.found, exposure.beside, exposure.dropped) == (scanned, 1, 1, 2)


def test_a_keep_counts_for_its_check_unless_another_one_dropped_the_image(
    workspace: Workspace, dataset: Dataset
) -> None:
    review.decide(workspace, dataset.id, {32: ("keep", None)}, who="Ada", check="exposure")
    review.decide(workspace, dataset.id, {30: ("keep", None)}, who="Ada", check="exposure")
    review.decide(workspace, dataset.id, {32: ("keep", None)}, who="Ada", check="exact_duplicates")
    facts = cleaning_facts(workspace, dataset.id)
    duplicates, exposure = facts.checks
    assert (facts.dropped, duplicates.dropped, duplicates.kept) == (2, 2, 1)
    assert (exposure.dropped, exposure.kept, exposure.open) == (0, 1, 0)


@pytest.mark.parametrize(("label", "left"), [(3, 0), (1, 1)])
def test_what_was_relabelled_as_suggested_is_decided_whatever_for(
    workspace: Workspace, label: int, left: int
) -> None:
    kinds = np.arange(400) % 4
    dataset = write_dataset(workspace, noise_images(400), np.where(np.arange(400) == 7, 0, kinds), classes=4)
    vectors = np.eye(4)[kinds] + np.random.default_rng(0).normal(0, 0.1, (400, 4))
    scan(workspace, dataset.id, ["label_errors"], embedding=Embedding("told", vectors.astype(np.float32)))
    assert [one.rows for one in load_findings(workspace, dataset.id) if one.flagged] == [(7,)]
    review.decide(workspace, dataset.id, {7: ("relabel", label)}, who="Ada", check="class_outliers")
    (errors,) = cleaning_facts(workspace, dataset.id).checks
    assert (errors.found, errors.open) == (1, left)


def test_who_gave_no_name_is_one_reviewer(workspace: Workspace, dataset: Dataset) -> None:
    for row, who in ((4, "reviewer 0a1b"), (5, "reviewer"), (6, "reviewer 22ff")):
        review.decide(workspace, dataset.id, {row: ("drop", None)}, who=who)
    assert Reviewer("reviewer", 3, 0, 0) in cleaning_facts(workspace, dataset.id).reviewers


def test_the_hash_is_that_of_the_exported_log(workspace: Workspace, dataset: Dataset, tmp_path: Path) -> None:
    export_decisions_csv(workspace, dataset.id, tmp_path / "log.csv")
    found = hashlib.sha256((tmp_path / "log.csv").read_bytes()).hexdigest()
    facts = cleaning_facts(workspace, dataset.id)
    assert facts.log_sha256 == found
    assert facts.log_lines == 5


def test_imported_decisions_count_for_who_made_them(
    workspace: Workspace, dataset: Dataset, tmp_path: Path
) -> None:
    export_decisions_csv(workspace, dataset.id, tmp_path / "log.csv")
    review.undo(workspace, dataset.id, 9, who="Cyd")
    assert cleaning_facts(workspace, dataset.id).reviewers == ()
    apply_replay(workspace, plan_replay(workspace, dataset.id, tmp_path / "log.csv"), who="Cyd")
    assert [person.name for person in cleaning_facts(workspace, dataset.id).reviewers] == ["Ada", "Ben"]


def test_a_second_review_shows_with_its_kappa(workspace: Workspace, dataset: Dataset) -> None:
    agreement.give_opinion(workspace, dataset.id, {30: ("drop", None), 3: ("drop", None)}, who="Eve")
    facts = cleaning_facts(workspace, dataset.id)
    assert [(found.name, found.images, found.agreed) for found in facts.second_reviews] == [("Eve", 2, 1)]
    assert "Second review" in dict(page_of(facts).details)


def test_examples_are_what_was_acted_on(workspace: Workspace, dataset: Dataset) -> None:
    examples = cleaning_facts(workspace, dataset.id).examples
    assert [(example.title, example.outcome) for example in examples] == [
        ("Exact duplicates", "stays"),
        ("Exact duplicates", OUTCOMES[DROPPED]),
        ("Exposure", "stays"),
    ]
    assert OUTCOMES[KEPT] == "kept"
    assert all(example.jpeg.startswith(b"\xff\xd8") for example in examples)


def test_a_set_that_nobody_looked_at_has_a_report(workspace: Workspace) -> None:
    facts = cleaning_facts(workspace, write_dataset(workspace, noise_images(4)).id)
    text, references = methods_text(facts)
    assert "No image was dropped or relabelled." in text
    assert "check" not in text
    assert references == ()
    assert pages_of(as_pdf(facts)) == 1
    assert "<h1>small</h1>" in as_html(facts)


@pytest.mark.parametrize("ending", [".html", ".pdf"])
def test_the_same_decisions_are_the_same_bytes(
    workspace: Workspace, dataset: Dataset, tmp_path: Path, ending: str
) -> None:
    write_report(workspace, dataset.id, tmp_path / f"report{ending}")
    written = (tmp_path / f"report{ending}").read_bytes()
    as_pdf(cleaning_facts(workspace, write_dataset(workspace, noise_images(4)).id))
    assert report_bytes(workspace, dataset.id, ending) == written


class Tags(HTMLParser):
    """Collects the tags of a page and where they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "style")]


def test_the_pdf_brings_its_typefaces(workspace: Workspace, dataset: Dataset) -> None:
    # In those of the reader's machine the lines would run over the edge of the page.
    pdf = as_pdf(cleaning_facts(workspace, dataset.id))
    assert len(re.findall(rb"/BaseFont", pdf)) == len(re.findall(rb"/FontFile2", pdf)) == 2


def test_names_stay_text_and_nothing_is_fetched(workspace: Workspace) -> None:
    with DatasetWriter(workspace, HOSTILE, [HOSTILE, "b\u202e\x00"], (16, 16, 3)) as writer:
        writer.append(noise_images(8), np.arange(8) % 2, [HOSTILE] * 8, np.full((8, 2), 16))
        odd = writer.finish("a test")
    review.decide(workspace, odd.id, {0: ("drop", None)}, who=HOSTILE)
    facts = cleaning_facts(workspace, odd.id)
    html = as_html(facts)
    page = Tags()
    page.feed(html)
    assert not page.tags & {"script", "link", "iframe", "object", "form"}
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "\u202e" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert pages_of(as_pdf(facts)) == 1


def crowded(facts: CleaningFacts) -> CleaningFacts:
    """A report with as much on it as there can be."""
    long = "A rather long name of a class, of a check or of a person, as they come"
    check = CheckFacts(
        "label_errors",
        long[:24],
        3,
        "em-1",
        12.3456,
        long[:46],
        1234,
        "image",
        123_456,
        1234,
        99_999,
        12_345,
        23,
        45,
    )
    return dataclasses.replace(
        facts,
        classes=tuple(ClassFacts(f"{n} {long}", 123_456, 1234, 123, 321, 122_222) for n in range(40)),
        checks=(check,) * 16,
        examples=(facts.examples[0],) * 12,
        reviewers=tuple(Reviewer(f"{n} {long}", 1, 2, 3) for n in range(30)),
        second_reviews=(SecondReview(long, 123, 120, 0.871, (0.82, 0.93)),) * 4,
        period=("2026-11-24", "2026-12-01"),
    )


def test_a_crowded_report_is_still_one_page(workspace: Workspace, dataset: Dataset) -> None:
    facts = crowded(cleaning_facts(workspace, dataset.id))
    assert pages_of(as_pdf(facts)) == 1
    text, references = methods_text(facts)
    assert "from 24 November 2026 to 1 December 2026" in text
    assert "kappa was 0.87 (95 % interval 0.82 to 0.93) [2]" in text
    assert len(references) == 2
    assert ", by the features of em) flagged" in text
    rows = page_of(facts).classes.rows
    assert len(rows) == 12
    assert rows[-1][:2] == ("29 other classes", f"{29 * 123_456:,}")


def test_another_ending_is_named(workspace: Workspace, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(WbcError, match=r"\.html or \.pdf"):
        write_report(workspace, dataset.id, tmp_path / "report.doc")
    assert not list(tmp_path.glob("report*"))
