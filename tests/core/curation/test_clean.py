"""The clean set is what the decisions leave, and its id depends on nothing else."""

from tests.core.curation.conftest import Store, noise_images
from wbc_core.curation.clean import clean_counts, clean_set
from wbc_core.curation.review import decide, undo
from wbc_core.workspace import Workspace


def test_drops_and_relabels_are_applied(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(6)).id
    decide(workspace, dataset, {0: ("drop", None), 2: ("relabel", 1), 3: ("keep", None)}, who="Ada")
    clean = clean_set(workspace, dataset)
    assert clean.rows.tolist() == [1, 2, 3, 4, 5]
    assert clean.labels.tolist() == [1, 1, 1, 0, 1]
    assert (clean.dropped, clean.head) == (1, 3)
    assert clean_counts(clean) == {"class 0": 1, "class 1": 4}


def test_the_id_comes_back_with_the_content(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(6)).id
    first = clean_set(workspace, dataset)
    decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
    dropped = clean_set(workspace, dataset)
    undo(workspace, dataset, who="Ada")
    undone = clean_set(workspace, dataset)
    decide(workspace, dataset, {1: ("keep", None), 2: ("relabel", 0)}, who="Ada")
    assert dropped.id != first.id
    assert undone.id == first.id
    assert undone.head > first.head
    assert clean_set(workspace, dataset).id == first.id
