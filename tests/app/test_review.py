"""The Review page: the choice of check and its counts, the threshold, and what is remembered."""

import json
import os
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from app import cache
from app.components import review_cuts, review_data
from tests.app.review_page import conflicts_of, finding, flagged, open_review, shown_text
from wbc_core.curation.accepting import accept
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.scan import load_findings
from wbc_core.curation.standing import nothing_decided, standing_after
from wbc_core.jobs import queue
from wbc_core.records import Dataset, Decision, Finding
from wbc_core.workspace import Workspace


def test_every_check_stands_under_its_heading_with_its_counts(demo_dataset: Dataset) -> None:
    cuts = review_data.cuts_of(demo_dataset.id, cache.scanned_checks(demo_dataset.id))
    families = review_data.families(cuts, cache.standing(demo_dataset))
    entries = {entry["name"]: entry for family in families for entry in family["checks"]}
    assert set(entries) == set(cuts)
    images = len({row for found in flagged(demo_dataset, "exact_duplicates") for row in found.rows})
    assert (entries["exact_duplicates"]["flagged"], entries["exact_duplicates"]["left"]) == (images, images)
    assert [family["title"] for family in families if entries["blur"] in family["checks"]] == ["Quality"]
    accept(Workspace.default(), demo_dataset.id, ["exact_duplicates"], who="anna")
    after = review_data.families(cuts, cache.standing(demo_dataset))
    left = {entry["name"]: entry["left"] for family in after for entry in family["checks"]}
    in_conflict = conflicts_of(cuts["exact_duplicates"])
    assert left["exact_duplicates"] == sum(len(found.rows) for found in in_conflict) < images


def test_what_is_shown_is_found_once_and_again_after_a_new_scan(demo_dataset: Dataset) -> None:
    checks = dict.fromkeys(cache.scanned_checks(demo_dataset.id))
    before = review_cuts.cuts_at(demo_dataset.id, checks)
    assert review_cuts.cuts_at(demo_dataset.id, checks) is before
    moved = review_cuts.cuts_at(demo_dataset.id, {**checks, "blur": CHECKS.get("blur").threshold_range[0]})
    assert moved["blur"].images > before["blur"].images
    assert moved["noise"] is before["noise"]
    path = Workspace.default().findings_dir(demo_dataset.id) / "noise.parquet"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    after = review_cuts.cuts_at(demo_dataset.id, checks)
    assert after["noise"] is not before["noise"]
    assert after["blur"] is before["blur"]


def decision(row: int, check: str) -> Decision:
    return Decision(1 + row, "ds", row, str(row), "keep", None, "", "anna", "now", check, "step", None)


def test_a_review_begins_with_what_is_no_cell(demo_dataset: Dataset) -> None:
    flagged_rows = {"exact_duplicates": (0, 1, 2), "blur": (3,), "foreign": (0, 1)}
    cuts = {
        name: review_cuts.cut_of(name, [finding((row,)) for row in rows], [], np.zeros(4, int))
        for name, rows in flagged_rows.items()
    }
    standing = nothing_decided(demo_dataset)
    assert review_data.to_begin_with(cuts, standing) == "foreign"
    standing = standing_after(standing, [decision(row, "foreign") for row in (0, 1)])
    assert review_data.to_begin_with(cuts, standing) == "exact_duplicates"
    every = [decision(row, check) for check, rows in flagged_rows.items() for row in rows]
    assert review_data.to_begin_with(cuts, standing_after(standing, every)) == "exact_duplicates"


def test_the_url_chooses_the_check_and_a_change_of_page_keeps_it(demo_dataset: Dataset) -> None:
    page = open_review(check="exact_duplicates")
    assert not page.exception
    assert CHECKS.get("exact_duplicates").description in shown_text(page)
    page.switch_page("views/split_balance.py").run()
    page.query_params.pop("check", None)
    page.switch_page("views/review.py").run()
    assert page.query_params["check"] == "exact_duplicates"
    strange = open_review(check="no_such_check")
    assert not strange.exception
    assert strange.query_params["check"] in cache.scanned_checks(demo_dataset.id)


def test_the_threshold_moves_the_count_without_a_scan_and_stays_in_the_url(demo_dataset: Dataset) -> None:
    page = open_review(check="blur")
    entry = CHECKS.get("blur")
    stored = load_findings(Workspace.default(), demo_dataset.id, "blur")
    low = entry.threshold_range[0]
    slider = page.slider(key="slider-blur")
    before = len({row for found in stored if found.flagged for row in found.rows})
    assert slider.label == f"Threshold · {before} flagged"
    slider.set_value(low).run()
    assert not page.exception
    count = sum(len(finding.rows) for finding in stored if finding.score >= low)
    assert count > before
    assert page.slider(key="slider-blur").label == f"Threshold · {count} flagged"
    assert f"of {count} reviewed" in page.get("progress")[0].proto.text
    assert float(page.query_params["threshold-blur"]) == low
    assert queue.list_jobs(Workspace.default()) == []
    page.slider(key="slider-blur").set_value(entry.threshold).run()
    assert "threshold-blur" not in page.query_params


def test_the_threshold_of_near_duplicates_moves_and_that_of_exact_ones_does_not(
    demo_dataset: Dataset,
) -> None:
    stored = load_findings(Workspace.default(), demo_dataset.id, "near_duplicates")
    highest = f"{stored[0].score:g}"
    page = open_review(check="near_duplicates", **{"threshold-near_duplicates": highest})
    assert not page.exception
    count = len({row for found in stored if found.score >= float(highest) for row in found.rows})
    assert 0 < count < len({row for found in stored for row in found.rows})
    assert page.slider(key="slider-near_duplicates").label == f"Threshold · {count} flagged"
    assert not list(open_review(check="exact_duplicates").slider)


def test_findings_of_a_lab_that_kept_fewer_are_counted_as_at_least(demo_dataset: Dataset) -> None:
    path = Workspace.default().findings_dir(demo_dataset.id) / "blur.parquet"
    table = pq.read_table(path)
    made_by = json.loads(table.schema.metadata[b"check"])
    del made_by["lowest"]
    pq.write_table(table.slice(0, 3).replace_schema_metadata({"check": json.dumps(made_by)}), path)
    page = open_review(check="blur", **{"threshold-blur": f"{CHECKS.get('blur').threshold_range[0]:g}"})
    slider = page.slider(key="slider-blur")
    assert slider.label == "Threshold · at least 3 flagged"
    assert "scan again" in slider.help
    assert "Scan for blur" in [entry.label for entry in page.button]


def test_a_check_that_flags_nothing_has_no_progress(demo_dataset: Dataset) -> None:
    cuts = {name: review_cuts.cut(demo_dataset.id, name) for name in cache.scanned_checks(demo_dataset.id)}
    check = next(name for name, shown in cuts.items() if not shown.images and CHECKS.get(name).scope != "set")
    page = open_review(check=check)
    assert [told.value for told in page.success] == [f"{CHECKS.get(check).title}: nothing found."]
    assert not page.get("progress")
    assert not [button for button in page.button if button.key == "accept-all"]


@pytest.mark.parametrize(("asked", "taken"), [("1", True), ("nan", False), ("9e99", False), ("x", False)])
def test_a_link_carries_a_threshold(demo_dataset: Dataset, asked: str, taken: bool) -> None:
    entry = CHECKS.get("blur")
    low, high = entry.threshold_range
    wanted = f"{(low + high) / 2:g}" if taken else asked
    page = open_review(check="blur", **{"threshold-blur": wanted})
    assert not page.exception
    assert page.slider(key="slider-blur").value == (float(wanted) if taken else entry.threshold)


def test_a_finding_about_the_whole_set_is_a_statement(
    demo_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(CHECKS.get("blur"), scope="set")
    monkeypatch.setitem(CHECKS._entries, "blur", entry)
    said = Finding("blur", (), (), 1.0, True, {}, "Class 3 has *few* images.")
    monkeypatch.setattr(cache, "findings", lambda *_: [said])
    page = open_review(check="blur")
    assert not page.exception
    assert [info.value for info in page.info] == [r"Class 3 has \*few\* images\."]
    assert not page.get("progress")
