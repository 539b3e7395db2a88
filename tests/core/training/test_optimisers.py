"""Optimisers follow their settings: layer-wise rates, accumulation, averages, what never decays."""

import numpy as np
import pytest

from wbc_core.backbones.pooling import LEARNT_POWER
from wbc_core.training.checkpoint import averaged_weights
from wbc_core.training.device import device_summary
from wbc_core.training.network import build_network, compile_network, data_of_run
from wbc_core.training.optimisers import OPTIMISERS, make_optimiser, set_rates
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

GENERATOR = np.random.default_rng(0)
INPUTS, TARGETS = GENERATOR.normal(size=(8, 3)).astype(np.float32), GENERATOR.normal(size=(8, 1))


def two_layers() -> object:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((3,)), keras.layers.Dense(4, name="first"), keras.layers.Dense(1, name="second")]
    return keras.Sequential(layers)


def step(model: object, rates: dict[str, float] | None = None, **settings: object) -> object:
    spec = RunSpec("pr-0123456789ab", "cnn", **{"optimiser": "sgd", "momentum": 0.0, **settings}).checked()
    model.compile(make_optimiser(spec, 0.01, rates), "mse", run_eagerly=True)
    model.train_on_batch(INPUTS, TARGETS)
    return model


def moved(model: object, before: list[np.ndarray]) -> list[np.ndarray]:
    return [after - first for after, first in zip(model.get_weights(), before, strict=True)]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_each_moves_every_weight(optimiser: str) -> None:
    model = two_layers()
    before = model.get_weights()
    assert all(np.abs(change).max() > 0 for change in moved(step(model, optimiser=optimiser), before))


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_rate_of_a_weight_scales_its_step(optimiser: str) -> None:
    plain, scaled = two_layers(), two_layers()
    before = plain.get_weights()
    rates = {weight.path: 0.25 for weight in scaled.layers[0].weights}
    whole = moved(step(plain, optimiser=optimiser, weight_decay=0.5), before)
    parts = moved(step(scaled, rates, optimiser=optimiser, weight_decay=0.5), before)
    for full, part, rate in zip(whole, parts, (0.25, 0.25, 1, 1), strict=True):
        np.testing.assert_allclose(part, rate * full, atol=1e-6)


def test_weights_decay_and_biases_do_not() -> None:
    import keras

    model = two_layers()
    spec = RunSpec("pr-0123456789ab", "cnn", weight_decay=0.5)
    optimiser = make_optimiser(spec, 0.1)
    for weight in model.weights:
        weight.assign(keras.ops.ones(weight.shape))
    optimiser.apply([keras.ops.zeros(weight.shape) for weight in model.weights], model.trainable_variables)
    kept = [float(np.mean(values)) for values in model.get_weights()]
    np.testing.assert_allclose(kept, [0.95, 1, 0.95, 1], atol=1e-6)


def test_clipping_limits_the_norm_of_all_gradients() -> None:
    model = two_layers()
    before = model.get_weights()
    changes = moved(step(model, gradient_clipping=0.001, weight_decay=0.0), before)
    norm = np.sqrt(sum((change**2).sum() for change in changes))
    assert norm == pytest.approx(0.01 * 0.001, rel=1e-3)


def test_two_accumulated_halves_are_one_step() -> None:
    whole, halves = two_layers(), two_layers()
    step(whole, weight_decay=0.0)
    spec = RunSpec("pr-0123456789ab", "cnn", optimiser="sgd", momentum=0.0, weight_decay=0.0, accumulation=2)
    halves.compile(make_optimiser(spec, 0.01), "mse", run_eagerly=True)
    for part in (slice(0, 4), slice(4, 8)):
        halves.train_on_batch(INPUTS[part], TARGETS[part])
    for left, right in zip(whole.get_weights(), halves.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_the_average_of_the_weights_is_lent_and_taken_back() -> None:
    model = two_layers()
    before = model.get_weights()
    step(model, ema=0.75)
    after = model.get_weights()
    model.train_on_batch(INPUTS, TARGETS)
    last = model.get_weights()
    with averaged_weights(model.optimizer):
        inside = model.get_weights()
    # Keras's average begins with the weights after the first step.
    for average, second, third in zip(inside, after, last, strict=True):
        np.testing.assert_allclose(average, 0.75 * second + 0.25 * third, atol=1e-6)
    for left, right in zip(model.get_weights(), last, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.allclose(before[0], last[0])


def test_xla_is_for_a_gpu_alone(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    spec = RunSpec(prepared, "cnn")
    data = data_of_run(workspace, spec)
    model = build_network(spec, data, workspace)
    compile_network(model, spec, data, 1e-3, {})
    assert model.jit_compile == (device_summary()["device"] != "cpu")


@pytest.mark.parametrize("rates", [{}, {"conv2d/kernel": 0.5}])
def test_the_power_of_the_learnt_mean_does_not_decay(
    training_workspace: tuple[Workspace, str], rates: dict[str, float]
) -> None:
    import keras

    workspace, prepared = training_workspace
    spec = RunSpec(prepared, "wbcnet", pooling="gem_learnt", weight_decay=0.5)
    data = data_of_run(workspace, spec)
    model = build_network(spec, data, workspace)
    compile_network(model, spec, data, 0.1, rates)
    before = {weight.path: np.array(weight) for weight in model.trainable_variables}
    model.optimizer.apply([keras.ops.zeros(weight.shape) for weight in model.trainable_variables])
    kept = {
        weight.path: np.array_equal(np.array(weight), before[weight.path])
        for weight in model.weights
        if weight.path in before and weight.path.endswith("kernel")
    }
    assert [path for path, same in kept.items() if same] == [f"{LEARNT_POWER}/kernel"]


@pytest.mark.parametrize("settings", [{}, {"accumulation": 3}, {"layer_decay": 0.5}])
def test_steps_of_one_call_have_the_rates_of_steps_by_themselves(settings: dict[str, float]) -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("other backends take one step a call, see steps_a_call")
    spec = RunSpec("pr-0123456789ab", "cnn", weight_decay=0.5, **settings)
    kept = []
    for steps in (1, 4):
        model = two_layers()
        rates = {weight.path: spec.layer_decay for weight in model.layers[0].weights}
        model.compile(make_optimiser(spec, 0.1, rates if spec.layer_decay < 1 else {}, steps=steps), "mse")
        model.optimizer.build(model.trainable_variables)
        # Ten steps in calls of four, and ten more, whose calls begin in another place of the ring.
        planned = [0.01 * (1 + step) for step in range(10)]
        for step in (*range(10), *range(10)):
            if step % steps == 0:
                set_rates(model.optimizer, planned[step : step + steps])
            model.train_on_batch(INPUTS, TARGETS)
        kept.append([*model.get_weights(), *map(np.asarray, model.optimizer.variables[3:])])
    for alone, together in zip(*kept, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-7)
