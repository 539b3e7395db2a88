"""Splits that keep their parts after further decisions: nothing moves, leaks or comes in."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.test_splitting import write
from wbc_core.curation.clean import clean_set
from wbc_core.curation.review import decide, head, undo
from wbc_core.curation.scan import duplicate_groups
from wbc_core.derived_splits import changes_since, keep_parts, raw_counterpart, raw_train
from wbc_core.errors import WbcError
from wbc_core.splitting import is_stale, leaks, list_splits, make_split, split_table
from wbc_core.workspace import Workspace

LABELS = np.arange(60) % 2
COPIES = {row: row - 1 for row in range(1, 24, 2)}


def test_every_image_keeps_its_part_under_its_new_label(workspace: Workspace) -> None:
    dataset = write(workspace, LABELS, COPIES)
    decide(workspace, dataset.id, {50: ("drop", None)}, who="Ada")
    split = make_split(workspace, dataset.id, fractions=(0.6, 0.2, 0.2), seed=2)
    before = split_table(workspace, split.id).set_index("row")
    assert keep_parts(workspace, split.id) == split
    learnt, held_out = (
        [row for row in before.index[before["part"] == part] if row >= 24] for part in ("train", "test")
    )
    undo(workspace, dataset.id, who="Ada")
    moved = {row: ("relabel", 1 - int(before.loc[row, "label"])) for row in (learnt[0], held_out[0])}
    decide(workspace, dataset.id, {learnt[1]: ("drop", None), **moved}, who="Ada")
    changes = changes_since(workspace, split.id)
    assert changes.dropped == {"train": 1, "validation": 0, "test": 0}
    assert changes.relabelled == {"train": 1, "validation": 0, "test": 1}
    assert (changes.returned, changes.images, changes.held_out) == (1, 3, 1)
    assert changes.words() == (
        "1 image dropped (1 of train); 2 images relabelled (1 of train, 1 of test). "
        "1 image kept again stay out, since they were in no part."
    )
    made = keep_parts(workspace, split.id)
    after = split_table(workspace, made.id).set_index("row")
    assert (after["part"] == before.loc[after.index, "part"]).all()
    assert set(before.index) - set(after.index) == {learnt[1]}
    assert 50 not in after.index
    assert after.loc[held_out[0], "label"] == 1 - before.loc[held_out[0], "label"]
    assert made.keeps == split.id
    assert not is_stale(workspace, made)
    assert {entry.id for entry in list_splits(workspace)} == {split.id, made.id}
    assert keep_parts(workspace, split.id) == made


def test_decisions_after_a_line_of_the_log_are_not_heeded(workspace: Workspace) -> None:
    dataset = write(workspace, LABELS)
    split = make_split(workspace, dataset.id)
    decide(workspace, dataset.id, {3: ("drop", None)}, who="Ada")
    seen = head(workspace, dataset.id)
    decide(workspace, dataset.id, {4: ("drop", None), 3: ("keep", None)}, who="Ada")
    assert changes_since(workspace, split.id, until=seen).images == 1
    rows = split_table(workspace, keep_parts(workspace, split.id, until=seen).id)["row"]
    assert (3 in set(rows), 4 in set(rows)) == (False, True)


def test_a_picture_that_a_later_scan_found_in_two_parts_stays_held_out(workspace: Workspace) -> None:
    dataset = write(workspace, LABELS, COPIES)
    split = make_split(workspace, dataset.id)
    path = workspace.split_path(split.id, ".parquet")
    table = split_table(workspace, split.id)
    # As it was before anyone had looked for copies: twins in different parts.
    table.loc[table["row"] == 0, "part"], table.loc[table["row"] == 1, "part"] = "train", "validation"
    table.to_parquet(path, index=False)
    assert leaks(workspace, split) == [[0, 1]]
    changes = changes_since(workspace, split.id)
    assert (changes.copies["train"], changes.images, changes.learnt, changes.held_out) == (1, 1, 1, 0)
    assert changes.words() == "1 image left out as copies of later parts' images (1 of train)."
    made = keep_parts(workspace, split.id)
    assert changes_since(workspace, made.id).words() == "No image of the split was changed."
    assert leaks(workspace, made) == []
    assert set(table["row"]) - set(split_table(workspace, made.id)["row"]) == {0}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    decided=st.dictionaries(st.integers(0, 59), st.sampled_from(["drop", 0, 1]), max_size=8),
    seed=st.integers(0, 5),
)
def test_nothing_held_out_was_ever_learnt(
    workspace: Workspace, decided: dict[int, str | int], seed: int
) -> None:
    dataset = write(workspace, LABELS, COPIES)
    split = make_split(workspace, dataset.id, seed=seed)
    parts = dict(split_table(workspace, split.id)[["row", "part"]].to_numpy())
    actions = {
        row: ("drop", None) if action == "drop" else ("relabel", action) for row, action in decided.items()
    }
    if actions:
        decide(workspace, dataset.id, actions, who="Ada")
    made = keep_parts(workspace, split.id)
    table = split_table(workspace, made.id)
    clean = clean_set(workspace, dataset.id)
    labels = dict(zip(clean.rows.tolist(), clean.labels.tolist(), strict=True))
    assert all(parts[row] == part for row, part in table[["row", "part"]].to_numpy())
    assert all(labels[row] == label for row, label in table[["row", "label"]].to_numpy())
    assert set(table["row"]) == set(parts) & set(labels)
    now = dict(table[["row", "part"]].to_numpy())
    for group in duplicate_groups(workspace, dataset.id):
        assert len({now[row] for row in group if row in now}) <= 1
    undo(workspace, dataset.id, 1000, who="Ada")


def test_a_class_that_would_leave_a_part_is_refused(workspace: Workspace) -> None:
    dataset = write(workspace, np.repeat([0, 1], [20, 3]))
    split = make_split(workspace, dataset.id)
    table = split_table(workspace, split.id)
    last = table[(table["label"] == 1) & (table["part"] == "validation")]["row"]
    decide(workspace, dataset.id, dict.fromkeys(last.tolist(), ("drop", None)), who="Ada")
    with pytest.raises(WbcError, match="validation part would have no image of the class class 1"):
        keep_parts(workspace, split.id)


def test_the_raw_counterpart_undoes_cleaning_in_the_train_part_alone(workspace: Workspace) -> None:
    # Rows 0 to 23 are twelve pairs of copies, of which cleaning keeps the first each.
    dataset = write(workspace, LABELS, COPIES)
    actions: dict[int, tuple[str, int | None]] = dict.fromkeys(COPIES, ("drop", None))
    actions |= {30: ("drop", None), 40: ("relabel", 1), 41: ("relabel", 0), 42: ("relabel", 1)}
    decide(workspace, dataset.id, actions, who="Ada")
    split = make_split(workspace, dataset.id, seed=4)
    # What comes later is not part of what is asked.
    decide(workspace, dataset.id, {50: ("drop", None)}, who="Ada")
    clean = split_table(workspace, split.id).set_index("row")
    raw, made = raw_train(workspace, split.id), raw_counterpart(workspace, split.id)
    table = split_table(workspace, made.id).set_index("row")
    held_out = clean[clean["part"] != "train"]
    assert table[table["part"] != "train"][["image_id", "label", "part"]].equals(
        held_out[["image_id", "label", "part"]]
    )
    learnt = table[table["part"] == "train"]
    assert (learnt["label"] == LABELS[learnt.index]).all()
    twins = {row for row, first in COPIES.items() if first in held_out.index}
    taught, eligible = set(clean.index[clean["part"] == "train"]), {30} | (set(COPIES) - twins)
    assert taught <= set(learnt.index) <= taught | eligible
    assert twins
    assert raw.rows.tolist() == sorted(learnt.index)
    # Of what cleaning dropped as large a share comes back as a split of the raw set would teach from.
    assert len(learnt) - len(taught) == raw.dropped == round(0.7 * len(eligible))
    assert (len(eligible), raw.left_out) == (13 - len(twins), len(twins))
    assert raw.relabelled == sum(clean.loc[row, "part"] == "train" for row in (40, 41, 42))
    assert leaks(workspace, made) == []
    assert sum(made.parts["train"]) == len(learnt)
    assert list_splits(workspace) == [split]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(dropped=st.sets(st.integers(0, 59), max_size=12), seed=st.integers(0, 5))
def test_raw_images_never_show_what_is_held_out(workspace: Workspace, dropped: set[int], seed: int) -> None:
    dataset = write(workspace, LABELS, COPIES)
    if dropped:
        decide(workspace, dataset.id, dict.fromkeys(dropped, ("drop", None)), who="Ada")
    split = make_split(workspace, dataset.id, seed=seed)
    table = split_table(workspace, split.id)
    held_out = set(table[table["part"] != "train"]["row"])
    learnt = set(raw_train(workspace, split.id).rows.tolist())
    assert learnt.isdisjoint(held_out)
    for group in duplicate_groups(workspace, dataset.id):
        assert learnt.isdisjoint(group) or held_out.isdisjoint(group)
    undo(workspace, dataset.id, 1000, who="Ada")
