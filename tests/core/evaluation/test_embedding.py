"""Embeddings of networks for the scan: computed once, kept, and told apart by network and weights."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.core.curation.conftest import write_dataset
from tests.results_lab import RUN, add_run, build_dataset, build_split, pictures
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.measure import Measurements
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.measures.base import Chunk, Measure
from wbc_core.curation.scan import FEATURES, OWN_FEATURES, Embedding, load_findings, network_of, scan
from wbc_core.errors import Cancelled, WbcError
from wbc_core.evaluation import embedding as embedding_module
from wbc_core.evaluation.embedding import embed
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.records import Finding
from wbc_core.workspace import Workspace

LITE0 = "efficientnet_lite0"


def _refuse_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr(embedding_module._Network, "_model", property(refuse))


def test_imagenet_features_of_each_distinct_picture_computed_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pictures([0, 1, 2] * 30)
    images[5] = images[80]
    dataset = write_dataset(workspace, images)
    seen: list[tuple[float, str]] = []
    made = embed(workspace, dataset.id, LITE0, lambda *step: seen.append(step))
    assert (made.vectors.shape, made.vectors.dtype) == ((90, 1280), np.float32)
    assert np.isfinite(made.vectors).all()
    np.testing.assert_array_equal(made.vectors[5], made.vectors[80])
    assert len(np.unique(made.vectors, axis=0)) == 89
    assert seen[0] == (0.0, "loading efficientnet_lite0")
    assert seen[-1] == (1.0, "looking at the images with efficientnet_lite0")

    _refuse_to_load(monkeypatch)
    again = embed(workspace, dataset.id, LITE0)
    assert again.id == made.id == "efficientnet_lite0-579344248a93e230"
    np.testing.assert_array_equal(again.vectors, made.vectors)
    # Pixels known from another data set are not computed again either, whatever their order.
    other = embed(workspace, write_dataset(workspace, images[::-2]).id, LITE0)
    np.testing.assert_array_equal(other.vectors, made.vectors[::-2])

    kept = next(workspace.findings_dir(dataset.id).glob("measures/embedding-*"))
    kept.write_bytes(kept.read_bytes()[:-999])
    for more in workspace.home.glob("findings/*/measures/embedding-*"):
        if more != kept:
            more.unlink()
    with pytest.raises(AssertionError, match="loaded again"):
        embed(workspace, dataset.id, LITE0)


def test_a_run_gives_what_its_classifier_reads(workspace: Workspace) -> None:
    from wbc_core.training.predict import load_model

    dataset = build_dataset(workspace)
    _, prepared = build_split(workspace, dataset)
    add_run(workspace, prepared, RUN, model=True)
    made = embed(workspace, dataset.id, RUN)
    assert made.id.startswith(f"{RUN}-")
    assert made.vectors.dtype == np.float32
    model = load_model(workspace, RUN)
    kernel, bias = model.layers[-1].get_weights()
    logits = made.vectors @ kernel + bias
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    found = model.predict(pictures(np.repeat([0, 1, 2], (30, 20, 10))), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)

    # Other weights under the same id are another network.
    layer = model.layers[-2]
    model.layers[1].set_weights([array + 1 for array in model.layers[1].get_weights()])
    assert layer.name
    model.save(workspace.run_dir(RUN) / "best.keras")
    assert embed(workspace, dataset.id, RUN).id != made.id


def test_a_network_that_diverged_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverged(network: object, chunk: Chunk) -> dict[str, NDArray[np.float32]]:
        return {"features": np.full((len(chunk), 4), np.nan, dtype=np.float32)}

    dataset = build_dataset(workspace)
    _, prepared = build_split(workspace, dataset)
    add_run(workspace, prepared, RUN, model=True)
    monkeypatch.setattr(embedding_module._Network, "compute", diverged)
    with pytest.raises(WbcError, match="not finite"):
        embed(workspace, dataset.id, RUN)


def test_what_cannot_be_embedded_is_said(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    _, prepared = build_split(workspace, dataset)
    add_run(workspace, prepared, RUN)
    with pytest.raises(WbcError, match="has no model yet"):
        embed(workspace, dataset.id, RUN)
    smaller = write_dataset(workspace, np.zeros((3, 16, 16, 3), np.uint8))
    with pytest.raises(WbcError, match=r"another size. Expected 32 x 32 pixels; got 16 x 16 pixels"):
        embed(workspace, smaller.id, RUN)
    with pytest.raises(WbcError, match="too small for EfficientNet-Lite0"):
        embed(workspace, smaller.id, LITE0)
    with pytest.raises(WbcError, match=r"no network 'resnet'. Expected the id of a run, or one of .*lite0"):
        embed(workspace, dataset.id, "resnet")
    with pytest.raises(WbcError, match="no run job-000000"):
        embed(workspace, dataset.id, "job-000000")
    with pytest.raises(WbcError, match="no published ImageNet weights"):
        embed(workspace, dataset.id, "cnn")


def test_it_can_be_cancelled(workspace: Workspace) -> None:
    def cancel(fraction: float, message: str) -> None:
        if fraction > 0:
            raise Cancelled

    dataset = write_dataset(workspace, pictures([0] * 10))
    with pytest.raises(Cancelled):
        embed(workspace, dataset.id, LITE0, cancel)
    assert not list(workspace.home.glob("findings/*/measures/*"))
    assert not list(workspace.scratch_dir.glob("*"))


def _plain_features(chunk: Chunk) -> dict[str, Any]:
    return {FEATURES: chunk.images.mean(axis=(1, 2), dtype=np.float32)}


def _by_dimensions(
    measurements: Measurements, images: object, threshold: float, lowest: float
) -> list[Finding]:
    dimensions = measurements[FEATURES].shape[1]
    return findings_of_pictures(
        "dimensions",
        measurements,
        np.full(len(measurements.unique_rows), float(dimensions)),
        threshold,
        lowest,
        suggest=lambda position: None,
        explain=lambda position: f"{dimensions} dimensions.",
    )


@pytest.fixture
def reading_check(monkeypatch: pytest.MonkeyPatch) -> str:
    """A check that tells how many features an image has."""
    check = Check("dimensions", "Dimensions", "Counts.", 1.0, (0.0, 2.0), "", _by_dimensions, (FEATURES,))
    monkeypatch.setitem(CHECKS._entries, check.name, check)
    monkeypatch.setitem(MEASURES._entries, FEATURES, Measure(FEATURES, (FEATURES,), _plain_features))
    return check.name


def test_a_deep_scan_and_back(workspace: Workspace, reading_check: str) -> None:
    dataset = write_dataset(workspace, pictures([0, 1, 2] * 4)).id
    spec = {"dataset": dataset, "checks": [reading_check], "embedding": LITE0}
    jobs = {
        "plain": {"dataset": dataset, "checks": [reading_check]},
        "deep": spec,
        "plain again": {**spec, "embedding": None},
        "own": {**spec, "embedding": OWN_FEATURES},
    }
    found, told, by = {}, {}, {}
    for name, job in jobs.items():
        told[name] = TASKS.get("scan")(workspace, "", job, silent)["checks"][reading_check]
        found[name] = load_findings(workspace, dataset, reading_check)[0].evidence
        by[name] = network_of(workspace, dataset, reading_check)
    assert list(found.values()) == ["3 dimensions.", "1280 dimensions.", "1280 dimensions.", "3 dimensions."]
    assert list(by.values()) == [None, LITE0, LITE0, None]
    assert told["deep"]["embedding"] == told["plain again"]["embedding"] == told["own"]["replaces"]
    assert not {"embedding", "replaces"} & told["plain"].keys()


def test_a_check_that_has_changed_says_that_it_no_longer_goes_by_the_network(
    workspace: Workspace, reading_check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_dataset(workspace, pictures([0, 1, 2] * 4)).id
    vectors = np.zeros((12, 5), np.float32)
    scan(workspace, dataset, [reading_check], embedding=Embedding("told-1", vectors))
    newer = replace(CHECKS.get(reading_check), version=2)
    monkeypatch.setitem(CHECKS._entries, reading_check, newer)
    told = scan(workspace, dataset, [reading_check])["checks"][reading_check]
    assert (told["replaces"], "embedding" in told) == ("told-1", False)


def test_an_embedding_that_no_check_reads_is_refused(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, pictures([0] * 3)).id
    with pytest.raises(WbcError, match="None of these checks looks at features"):
        TASKS.get("scan")(workspace, "", {"dataset": dataset, "checks": ["blur"], "embedding": LITE0}, silent)


def test_a_missing_package_is_one_line_at_the_command_line(workspace: Workspace, tmp_path: Path) -> None:
    dataset = write_dataset(workspace, pictures([0] * 3)).id
    program = tmp_path / "without.py"
    program.write_text(
        "import wbc_core.backbones.weights as weights, wbc_core.curation.scan as scan\n"
        "def nothing(name): raise weights.PackageNotFoundError(name)\n"
        "weights.distribution = nothing\n"
        "scan.refuse_without_features = lambda checks: None\n"
        "from wbc_core.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, program, "scan", dataset, "--deep", "--json", "--home", workspace.home]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "pip install 'wbc-lab[weights]'" in done.stderr
