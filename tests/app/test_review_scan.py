"""The Review page offers scans: the first one, new checks, a network's features, and why one failed."""

import json

import pyarrow.parquet as pq
import pytest

from app.components import review_scan
from tests.app.review_page import button, open_review, shown_text
from wbc_core.curation.checks import CHECKS
from wbc_core.datasets.synthetic import build_demo_dataset
from wbc_core.jobs import queue
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


def test_a_data_set_that_was_not_scanned_offers_the_scan(empty_lab: Workspace) -> None:
    dataset = build_demo_dataset(empty_lab, images=80)
    page = open_review()
    button(page, "Scan for bad images").click().run()
    assert not page.exception
    assert [(job.kind, job.spec) for job in queue.list_jobs(empty_lab)] == [("scan", {"dataset": dataset.id})]
    assert "Scan for bad images" not in [entry.label for entry in page.button]


@pytest.mark.parametrize("older", [False, True])
def test_checks_that_were_not_scanned_or_changed_are_offered_in_one_click(
    demo_dataset: Dataset, older: bool
) -> None:
    path = Workspace.default().findings_dir(demo_dataset.id) / "blur.parquet"
    if older:
        table = pq.read_table(path).replace_schema_metadata({"check": '{"threshold": 10.0, "version": 1}'})
        pq.write_table(table, path)
    else:
        path.unlink()
    page = open_review()
    button(page, f"Scan for {CHECKS.get('blur').title.lower()}").click().run()
    assert not page.exception
    job = queue.list_jobs(Workspace.default())[0]
    assert job.spec == {"dataset": demo_dataset.id, "checks": ["blur"]}


def test_scanning_again_may_use_the_features_of_a_network(demo_dataset: Dataset) -> None:
    page = open_review()
    page.radio(key="scan-features").set_value(review_scan.IMAGENET).run()
    page.button(key="scan-again").click().run()
    assert not page.exception
    job = queue.list_jobs(Workspace.default())[0]
    assert job.spec == {"dataset": demo_dataset.id, "checks": None, "embedding": "efficientnet_lite0"}


def test_what_a_network_found_says_so_and_stays_until_something_else_is_asked_for(
    demo_dataset: Dataset,
) -> None:
    path = Workspace.default().findings_dir(demo_dataset.id) / "label_errors.parquet"
    table = pq.read_table(path)
    made_by = {**json.loads(table.schema.metadata[b"check"]), "embedding": "efficientnet_lite0-57934424"}
    pq.write_table(table.replace_schema_metadata({"check": json.dumps({**made_by, "version": 1})}), path)
    page = open_review(check="label_errors")
    assert "Labels judged by the features of EfficientNet-Lite0 (ImageNet)." in shown_text(page)
    assert page.radio(key="scan-features").value == review_scan.IMAGENET
    button(page, "Scan for label errors").click().run()
    spec = {"dataset": demo_dataset.id, "checks": ["label_errors"], "embedding": "efficientnet_lite0"}
    assert queue.list_jobs(Workspace.default())[0].spec == spec
    queue.cancel(Workspace.default(), queue.list_jobs(Workspace.default())[0].id)
    page = open_review(check="label_errors")
    page.radio(key="scan-features").set_value("own").run()
    assert any("Replaces what was found by EfficientNet" in entry.value for entry in page.warning)
    page.button(key="scan-again").click().run()
    assert not page.exception
    spec = {"dataset": demo_dataset.id, "checks": None, "embedding": "own"}
    assert queue.list_jobs(Workspace.default())[0].spec == spec


def test_a_failed_scan_says_why(demo_dataset: Dataset) -> None:
    queue.submit(Workspace.default(), "scan", {"dataset": demo_dataset.id})
    job, claim = queue.claim_next(Workspace.default(), ["scan"], "cpu")
    queue.finish(Workspace.default(), job.id, claim, "failed", error="The weights are missing.")
    page = open_review()
    assert not page.exception
    assert r"The weights are missing\." in [entry.value for entry in page.error]
