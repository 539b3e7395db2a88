"""The cost foreseen follows the images, the backbone and what of it trains."""

import pytest

from wbc_core.training.estimate import Rates, foreseen_cost
from wbc_core.training.spec import RunSpec


def spec_of(backbone: str = "cnn", **settings: object) -> RunSpec:
    return RunSpec("pr-0123456789ab", backbone, **{"epochs": 10, **settings})


def test_the_estimate_grows_with_images_epochs_and_pixels() -> None:
    cost = foreseen_cost(spec_of(), 1000, 0, online=False)
    assert foreseen_cost(spec_of(), 2000, 0, online=False).epoch_seconds == pytest.approx(
        2 * cost.epoch_seconds
    )
    assert foreseen_cost(spec_of(), 1000, 500, online=False).epoch_seconds > cost.epoch_seconds
    assert cost.seconds > 10 * cost.epoch_seconds
    larger = foreseen_cost(spec_of(input_size=192), 1000, 0, online=False)
    assert larger.epoch_seconds == pytest.approx(4 * cost.epoch_seconds)
    assert foreseen_cost(spec_of("mobilenet_v3_small"), 1000, 0, online=False).seconds > cost.seconds


def test_measured_rates_stand_in_for_those_of_the_table() -> None:
    cost = foreseen_cost(spec_of(), 1000, 100, online=False, rates=Rates(training=50, prediction=100))
    assert cost.epoch_seconds == pytest.approx(1000 / 50 + 100 / 100)


def test_a_frozen_backbone_looks_once_or_every_epoch() -> None:
    whole = foreseen_cost(spec_of("convnext_base"), 10_000, 1000, online=False).seconds
    frozen = foreseen_cost(spec_of("convnext_base", freeze="all"), 10_000, 1000, online=False).seconds
    online = foreseen_cost(spec_of("convnext_base", freeze="all"), 10_000, 1000, online=True).seconds
    assert frozen < whole / 10
    assert frozen < online < whole


def test_the_disk_holds_the_optimisers_memory_too() -> None:
    disk = {
        name: foreseen_cost(spec_of(optimiser=name), 10, 0, online=False).disk_mb for name in ("sgd", "adamw")
    }
    assert disk["sgd"] == pytest.approx(0.75 * disk["adamw"])
    frozen = foreseen_cost(spec_of(optimiser="adamw", freeze="all"), 10, 0, online=False).disk_mb
    assert frozen == pytest.approx(0.5 * disk["adamw"])


def memory(backbone: str, **settings: object) -> float:
    return foreseen_cost(spec_of(backbone, **settings), 10, 0, online=False).memory_mb


@pytest.mark.parametrize(
    ("backbone", "batch_size", "measured"),
    [
        ("cnn", 32, 1169),
        ("cnn", 128, 1495),
        ("wbcnet", 32, 1084),
        ("mobilenet_v3_small", 32, 1278),
        ("efficientnet_lite0", 32, 1553),
        ("efficientnet_lite0", 64, 1930),
    ],
)
def test_the_memory_foreseen_is_near_what_dry_runs_took(
    backbone: str, batch_size: int, measured: float
) -> None:
    assert memory(backbone, batch_size=batch_size) == pytest.approx(measured, rel=0.125)


@pytest.mark.parametrize(
    ("backbone", "settings", "measured"),
    [
        ("cnn", {}, 1749),
        ("mobilenet_v3_small", {}, 1997),
        ("efficientnet_lite0", {"weights": "imagenet"}, 2289),
        ("mobilenet_v3_small", {"freeze": "all"}, 1498),
        ("efficientnet_lite0", {"freeze": "all", "weights": "imagenet"}, 1776),
    ],
)
def test_the_memory_foreseen_is_near_what_whole_runs_took(
    backbone: str, settings: dict[str, str], measured: float
) -> None:
    spec = spec_of(backbone, batch_size=32, **settings)
    assert foreseen_cost(spec, 8366, 3586, online=False).memory_mb == pytest.approx(measured, rel=0.15)


def test_memory_grows_with_pixels_and_falls_with_a_backbone_that_only_looks() -> None:
    assert memory("densenet121", input_size=192) > 2 * memory("densenet121")
    frozen = memory("efficientnet_lite0", freeze="all", batch_size=32)
    assert frozen == pytest.approx(1082, rel=0.125)
    assert frozen < memory("efficientnet_lite0", batch_size=32)
