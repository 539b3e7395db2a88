"""Specs go into YAML and come back; whatever else is in a file is refused in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wbc_core.errors import WbcError
from wbc_core.training.presets import PRESETS
from wbc_core.training.settings import read_settings
from wbc_core.training.spec import RunSpec
from wbc_core.training.spec_file import read_specs, write_specs

PREPARED = "pr-0123456789ab"


@pytest.mark.parametrize("name", PRESETS.names())
def test_every_preset_is_valid_and_survives_the_file(name: str) -> None:
    preset = PRESETS.get(name)
    specs = [
        RunSpec(PREPARED, backbone, **{**preset.values(), **variant}).checked()
        for backbone in preset.backbones
        for variant in preset.variants
    ]
    assert read_specs(write_specs(specs), PREPARED) == specs


def test_a_file_written_by_hand_is_read() -> None:
    text = "backbone: cnn\nlearning_rate: 1e-3\nhidden_layers: 256+128\nepochs: 7\n"
    (spec,) = read_specs(text, PREPARED)
    assert (spec.learning_rate, spec.hidden_layers, spec.epochs) == (0.001, "256+128", 7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got NoneType"),
        ("[]", "got 0 runs"),
        ("- epochs: 3", "run 1 without a backbone"),
        ("backbone: resnet", "no backbone named 'resnet'"),
        ("backbone: cnn\nepoch: 3", "Did you mean epochs"),
        ("backbone: cnn\nepochs: yes", "epochs cannot be 'yes'"),
        ("backbone: cnn\nepochs: 0", "epochs cannot be 0"),
        ("backbone: [cnn", "does not describe runs"),
        ("!!python/object/apply:os.system ['true']", "run 1 without a backbone"),
        ("backbone: cnn\nepochs: [1]", "a list as a value in run 1"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nbackbone: cnn\nepochs: *b", "a list as a value in run 1"),
        ("backbone: cnn\nepochs: !!int ''", "epochs cannot be ''"),
        ("backbone: cnn\n<<: {epochs: 3}", "a dict as a value"),
        ("backbone: cnn\nepochs: 0x" + "f" * 5000, "epochs cannot be"),
        ("? [a]\n: b", "does not describe runs"),
        ("a" * 300_000, "300,000 characters"),
        ("[" * 50_000, "does not describe runs"),
    ],
)
def test_another_file_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(WbcError, match=words):
        read_specs(text, PREPARED)


@given(st.text(max_size=80))
def test_no_text_is_a_fault_of_the_lab(text: str) -> None:
    try:
        read_specs(text, PREPARED)
    except WbcError:
        return
    assert read_settings({}) == {}
