"""Settings are read with their types and ranges, and errors name what is valid."""

import pytest

from wbc_core.errors import WbcError
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import RunSpec

PREPARED = "pr-0123456789ab"


def test_every_setting_is_a_field_with_a_valid_default() -> None:
    spec = RunSpec(PREPARED, "cnn").checked()
    assert {*SETTINGS, "prepared", "backbone"} == set(spec.to_json())


def test_settings_are_read_with_their_types() -> None:
    spec = RunSpec.parse(
        PREPARED,
        "cnn",
        {"epochs": " 3", "learning_rate": "1e-2", "class_weight": "balanced", "weights": "random"},
    )
    assert (spec.epochs, spec.learning_rate, spec.class_weight) == (3, 0.01, "balanced")
    assert RunSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epoch": "3"}, r"'epoch'.*Expected one of weights, .*Did you mean epochs\?"),
        ({"zzzz": "3"}, "no setting named 'zzzz'.*Check the spelling"),
        ({"epochs": "1e3"}, "epochs cannot be '1e3'.*a whole number from 1 to 1000"),
        ({"epochs": "0"}, "epochs cannot be 0"),
        ({"learning_rate": "nan"}, "learning_rate cannot be nan"),
        ({"epochs": "1" * 400}, "epochs cannot be 111"),
        ({"learning_rate": "inf"}, "learning_rate cannot be inf"),
        ({"weights": "file:"}, "'file:' cannot be read.*file:PATH"),
        ({"weights": "random:cells"}, "'random:cells' cannot be read"),
        ({"freeze": "type:convolution+blocks:6"}, "6 blocks of Plain CNN.*at most 5 blocks"),
        ({"dropout": "1"}, "a number from 0 to 0.95"),
        ({"class_weight": "yes"}, "one of recipe, none, balanced"),
        ({"weights": "imagnet"}, "no source of weights named 'imagnet'.*random, imagenet, file"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings: dict[str, str], words: str) -> None:
    with pytest.raises(WbcError, match=words):
        RunSpec.parse(PREPARED, "cnn", settings)


def test_an_unknown_backbone_lists_those_there_are() -> None:
    with pytest.raises(WbcError, match=r"no backbone named 'resnet'.*cnn, .*mobilenet_v3_small"):
        RunSpec.parse(PREPARED, "resnet", {})


def test_a_spec_from_elsewhere_is_checked_too() -> None:
    plain = {**RunSpec(PREPARED, "cnn").to_json(), "epochs": "many"}
    with pytest.raises(WbcError, match="epochs cannot be 'many'"):
        RunSpec.from_json(plain).checked()
