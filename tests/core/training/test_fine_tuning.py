"""Phases: which weights move when, features computed once, and a kill at any of them."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wbc_core.augment.prepare import load_prepared, prepare
from wbc_core.backbones.efficientnet_lite import EFFICIENTNET_LITE0, LITE0_WEIGHTS
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.torch_file import read_arrays
from wbc_core.errors import Cancelled, WbcError
from wbc_core.records import Operation, Recipe
from wbc_core.training import features, loop
from wbc_core.training.checkpoint import load_checkpoint
from wbc_core.training.device import memory_explained
from wbc_core.training.loop import train
from wbc_core.training.phases import phases
from wbc_core.training.predict import load_model
from wbc_core.training.runs import history, load_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

RUN, OTHER = "job-000000000011", "job-000000000012"
MEASURED = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]


def short_spec(prepared: str, **settings: object) -> RunSpec:
    return RunSpec(prepared, "cnn", **{"epochs": 3, "batch_size": 16, "learning_rate": 3e-3, **settings})


def first_weights(spec: RunSpec) -> dict[str, np.ndarray]:
    """What the backbone begins with: the seed decides it."""
    import keras

    from wbc_core.backbones.model import build_model

    keras.utils.set_random_seed(spec.seed)
    model = build_model(spec.backbone, (32, 32, 3), 3, dropout=spec.dropout)
    return {weight.path: np.asarray(weight) for weight in model.weights}


def moved(workspace: Workspace, spec: RunSpec) -> set[str]:
    """Names of the layers whose weights differ from the first ones."""
    before = first_weights(spec)
    after = {weight.path: np.asarray(weight) for weight in load_model(workspace, RUN).weights}
    assert before.keys() == after.keys()
    return {path.split("/")[-2] for path, values in before.items() if not np.array_equal(values, after[path])}


def test_a_frozen_backbone_keeps_its_weights(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    spec = short_spec(prepared, freeze="all", epochs=1)
    train(workspace, RUN, spec)
    assert moved(workspace, spec) == {"probabilities"}


def test_the_first_blocks_stay_and_the_others_learn(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    spec = short_spec(prepared, freeze="blocks:2", epochs=1, schedule="constant")
    train(workspace, RUN, spec)
    assert moved(workspace, spec) == {"block3", "block4", "features", "probabilities"}


def test_blocks_open_from_the_last_one_on() -> None:
    spec = RunSpec("pr-0123456789ab", "cnn", epochs=6, head_epochs=1, unfreeze_every=1, freeze="blocks:1")
    assert [phase.open_blocks for phase in phases(spec, 4)] == [0, 1, 2, 3, None]
    assert [(phase.first, phase.end) for phase in phases(spec, 4)][-1] == (4, 6)
    everything = phases(RunSpec("pr-0123456789ab", "cnn", epochs=6, freeze="all", head_epochs=9), 4)
    assert [(phase.first, phase.end, phase.open_blocks) for phase in everything] == [(0, 6, 0)]


def test_the_head_alone_for_all_epochs_is_refused(training_workspace: tuple[Workspace, str]) -> None:
    with pytest.raises(WbcError, match="The backbone would never train"):
        short_spec(training_workspace[1], head_epochs=3).checked()


def test_lite0_is_fine_tuned_from_its_imagenet_weights(training_workspace: tuple[Workspace, str]) -> None:
    if EFFICIENTNET_LITE0.imagenet.missing():
        pytest.skip(f"the package {LITE0_WEIGHTS.package} of the extra weights is not installed")
    workspace, prepared = training_workspace
    settings = {"weights": "imagenet", "epochs": 2, "head_epochs": 1, "batch_size": 32, "freeze": "blocks:8"}
    spec = replace(short_spec(prepared, **settings), backbone=EFFICIENTNET_LITE0.name)
    train(workspace, RUN, spec)
    weights = load_model(workspace, RUN).weights
    # The last epoch's: the best one may be that of the head alone.
    last = {
        tuple(weight.path.split("/")[-2:]): values
        for weight, values in zip(weights, load_checkpoint(workspace, RUN).weights, strict=False)
    }
    published = read_arrays(LITE0_WEIGHTS.locate(), LITE0_WEIGHTS.sha256)
    stem = published["_conv_stem.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(last["conv_stem", "kernel"], stem)
    first = EFFICIENTNET_LITE0.build((32, 32, 3), "imagenet")
    changed = [
        {
            layer.name
            for layer in block
            for weight in layer.weights
            if not np.array_equal(weight, last[layer.name, weight.name])
        }
        for block in EFFICIENTNET_LITE0.blocks(first)
    ]
    assert changed == [set()] * 8 + [{"conv_head", "bn1"}]


def dropping(input_shape: tuple[int, int, int], weights: str | None) -> Any:
    """A network that drops channels while it trains, as those with drop-connect do, and normalises them."""
    import keras

    inputs = keras.Input(input_shape)
    features = keras.layers.Rescaling(1 / 255)(inputs)
    features = keras.layers.Conv2D(8, 3, 4, activation="relu", name="first")(features)
    features = keras.layers.BatchNormalization()(features)
    features = keras.layers.Dropout(0.5, noise_shape=(None, 1, 1, 8))(features)
    return keras.Model(inputs, keras.layers.Conv2D(8, 3, 4, activation="relu", name="last")(features))


def test_features_computed_once_give_what_looking_every_epoch_gives(
    training_workspace: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, prepared = training_workspace
    backbone = replace(BACKBONES.get("cnn"), name="dropping", architecture=dropping, block_ends=("first",))
    monkeypatch.setitem(BACKBONES._entries, "dropping", backbone)
    # A rate that changes by step, over calls of four steps and of the two that are left of six.
    spec = short_spec(prepared, freeze="all", hidden_layers="8", schedule="cosine", warmup_epochs=1)
    spec = replace(spec, backbone="dropping", pooling="gem_learnt")
    monkeypatch.setattr(features, "_STEPS", 4)
    # Operations that are never applied: an online stage, and the same pixels.
    split = load_prepared(workspace, prepared).split
    slow = prepare(workspace, split, Recipe("slow", online=(Operation("flip", probability=0.0),))).id
    computed = []
    whole = loop.on_features
    monkeypatch.setattr(loop, "on_features", lambda *given: computed.append(given) or whole(*given))
    hundreds = count(0, 100)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(hundreds)))

    def stop(fraction: float, message: str) -> None:
        if message.startswith("epoch 2/3"):
            raise Cancelled

    with pytest.raises(Cancelled):
        train(workspace, RUN, spec, stop)
    train(workspace, RUN, spec)
    assert len(computed) == 2  # it began twice
    # What the features took counts in the epoch that was the first on them.
    counted = history(workspace, RUN)["seconds"] >= 100
    assert counted[0]
    assert counted.sum() == 2
    train(workspace, OTHER, replace(spec, prepared=slow))
    assert len(computed) == 2
    pd.testing.assert_frame_equal(
        history(workspace, RUN)[MEASURED], history(workspace, OTHER)[MEASURED], rtol=1e-4, atol=1e-5
    )
    assert not list(workspace.scratch_dir.iterdir())


def test_a_kill_in_any_phase_changes_nothing(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    spec = short_spec(
        prepared,
        epochs=4,
        head_epochs=1,
        unfreeze_every=1,
        layer_decay=0.7,
        ema=0.8,
        schedule="cosine",
        loss="focal",
        label_smoothing=0.1,
    )
    train(workspace, RUN, spec)
    for epoch in range(1, 5):

        def stop(fraction: float, message: str, epoch: int = epoch) -> None:
            # The message at the end of an epoch names it with all of its steps.
            if message.startswith(f"epoch {epoch}/4 - step 6/6"):
                raise Cancelled

        with pytest.raises(Cancelled):
            train(workspace, OTHER, spec, stop)
    train(workspace, OTHER, spec)
    pd.testing.assert_frame_equal(
        history(workspace, RUN)[MEASURED], history(workspace, OTHER)[MEASURED], rtol=0, atol=1e-6
    )


def test_a_watch_ends_a_run_with_its_reason(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    seen = []

    def watch(row: dict[str, float]) -> str | None:
        seen.append(row["epoch"])
        return "pruned: below the median" if row["epoch"] == 2 else None

    summary = train(workspace, RUN, short_spec(prepared), watch=watch)
    assert seen == [1, 2]
    assert summary["epochs"] == 2
    assert load_run(workspace, RUN).ended == "pruned: below the median"
    assert train(workspace, RUN, short_spec(prepared))["epochs"] == 2


def test_half_precision_trains_and_its_probabilities_are_whole(
    training_workspace: tuple[Workspace, str], tmp_path: Path
) -> None:
    import keras

    workspace, prepared = training_workspace
    train(workspace, RUN, short_spec(prepared, epochs=1, precision="bfloat16"))
    model = load_model(workspace, RUN)
    assert model.layers[1].layers[2].compute_dtype == "bfloat16"
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    assert model.layers[-1].compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(WbcError, match=r"CPU does not compute in float16.*a GPU"):
        train(workspace, OTHER, short_spec(prepared, precision="float16"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("INTERNAL: failed to load module: CUDA_ERROR_OUT_OF_MEMORY"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("Could not create cudnn handle: CUDNN_STATUS_ALLOC_FAILED"),
        ValueError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 7516192768 bytes."),
        RuntimeError("Dst tensor is not initialized."),
    ],
)
def test_too_little_memory_says_what_to_change(error: Exception) -> None:
    spec = RunSpec("pr-0123456789ab", "cnn", batch_size=32)
    with (
        pytest.raises(WbcError, match=r"out of memory with 32 .*batch_size=16 accumulation=2"),
        memory_explained(spec),
    ):
        raise error


def test_another_fault_keeps_its_own_words() -> None:
    with (
        pytest.raises(ValueError, match="shapes do not fit"),
        memory_explained(RunSpec("pr-0123456789ab", "cnn")),
    ):
        raise ValueError("shapes do not fit")
