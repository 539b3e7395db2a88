"""The map of all images: components as others compute them, and what lies in a shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from tests.core.curation.conftest import Store, noise_images
from wbc_core.curation import map as image_maps
from wbc_core.curation.map import image_map, inside, principal_components
from wbc_core.curation.measure import EMBEDDING, measure_arrays
from wbc_core.curation.measures.base import Measure
from wbc_core.curation.scan import FEATURES, Embedding, scan
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace


def test_the_components_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(500, 4)) @ generator.normal(size=(4, 12))).astype(np.float32)
    points, explained = principal_components(vectors)
    theirs = PCA(2).fit((vectors - vectors.mean(axis=0)) / vectors.std(axis=0))
    expected = theirs.transform((vectors - vectors.mean(axis=0)) / vectors.std(axis=0))
    expected *= np.sign((expected * points).sum(axis=0)) / expected[:, 0].std()
    np.testing.assert_allclose(points, expected, atol=2e-4)
    np.testing.assert_allclose(explained, theirs.explained_variance_ratio_, atol=1e-5)
    monkeypatch.setattr(image_maps, "_PART", 64)
    np.testing.assert_allclose(principal_components(vectors)[0], points, atol=1e-5)


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((5, 3)),
        np.ones((1, 4)),
        np.array([[np.nan, 1.0], [np.inf, 2.0], [0.0, 3.0]]),
        np.arange(6.0).reshape(6, 1),
        np.full((4, 2), np.nan),
    ],
)
def test_odd_vectors_give_finite_points(vectors: np.ndarray) -> None:
    points, explained = principal_components(vectors)
    assert points.shape == (len(vectors), 2)
    assert np.isfinite(points).all()
    assert all(0 <= share <= 1 for share in explained)


def test_nothing_is_measured_for_the_map(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(30))
    assert image_map(workspace, dataset.id) is None
    scan(workspace, dataset.id)
    found = image_map(workspace, dataset.id)
    assert found.points.shape == (30, 2)
    assert found.drawn.tolist() == list(range(30))
    np.testing.assert_array_equal(found.points, image_map(workspace, dataset.id).points)


def test_the_map_shows_the_embedding_that_the_findings_were_made_with(
    workspace: Workspace, store: Store
) -> None:
    dataset = store(noise_images(30))
    scan(workspace, dataset.id)
    own = image_map(workspace, dataset.id)
    assert own.embedding is None
    vectors = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    one = Measure(EMBEDDING.format("run-1-abc"), (FEATURES,), lambda chunk: {FEATURES: vectors[: len(chunk)]})
    measure_arrays(workspace, dataset, [one])
    assert image_map(workspace, dataset.id).embedding is None
    scan(workspace, dataset.id, embedding=Embedding("run-1-abc", vectors))
    deep = image_map(workspace, dataset.id)
    assert (deep.measure, deep.embedding) == (FEATURES, "run-1-abc")
    np.testing.assert_array_equal(deep.points, principal_components(vectors)[0])
    scan(workspace, dataset.id)
    assert image_map(workspace, dataset.id).embedding == "run-1-abc"
    scan(workspace, dataset.id, own_features=True)
    np.testing.assert_array_equal(image_map(workspace, dataset.id).points, own.points)


def test_a_large_set_is_sampled_by_seed(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = store(noise_images(30))
    scan(workspace, dataset.id)
    monkeypatch.setattr(image_maps, "DRAWN", 10)
    drawn = image_map(workspace, dataset.id, seed=1).drawn
    assert len(set(drawn.tolist())) == 10
    assert drawn.tolist() == sorted(drawn) == image_map(workspace, dataset.id, seed=1).drawn.tolist()
    assert drawn.tolist() != image_map(workspace, dataset.id, seed=2).drawn.tolist()


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), max_size=30))
def test_a_circle_holds_what_is_near_its_centre(places: list[tuple[float, float]]) -> None:
    points = np.array(places).reshape(-1, 2)
    turns = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    distance = np.hypot(points[:, 0], points[:, 1])
    clear = np.abs(distance - 1) > 0.01
    np.testing.assert_array_equal(inside(points, circle)[clear], (distance < 1)[clear])


def test_a_concave_outline_leaves_its_notch_out() -> None:
    outline = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]])
    assert inside(np.array([[2.0, 3.0], [0.5, 2.0], [3.5, 2.0], [9, 9]]), outline).tolist() == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("outline", [np.zeros((2, 2)), np.zeros((4, 3)), np.full((3, 2), np.nan)])
def test_no_shape_is_refused(outline: np.ndarray) -> None:
    with pytest.raises(WbcError, match="3 corners"):
        inside(np.zeros((1, 2)), outline)
