"""Specs of runs as a YAML file: to keep them, to edit them by hand, to launch them elsewhere."""

from collections.abc import Sequence
from typing import Any

import yaml

from wbc_core.errors import WbcError
from wbc_core.training.settings import SETTINGS, read_settings
from wbc_core.training.spec import RunSpec

_LARGEST = 200_000
"""Characters of a file that is read."""
_MOST_RUNS = 200
_FORM = "a list of runs, each with backbone: NAME and any settings"


def write_specs(specs: Sequence[RunSpec]) -> str:
    """Write runs as YAML, every setting of each; the prepared set is left out, so that the file fits any.

    Example:
        >>> text = write_specs([RunSpec("pr-0123456789ab", "cnn", epochs=3)])
        >>> read_specs(text, "pr-0123456789ab")[0].epochs
        3
    """
    runs = [{"backbone": spec.backbone, **{name: getattr(spec, name) for name in SETTINGS}} for spec in specs]
    text: str = yaml.safe_dump(runs, sort_keys=False, allow_unicode=True)
    return text


def _refused(got: object) -> WbcError:
    return WbcError("The file does not describe runs.", expected=_FORM, got=got, fix="Correct the file.")


def read_specs(text: str, prepared: str) -> list[RunSpec]:
    """Read runs from YAML.

    Args:
        text: A list of runs, or one run; numbers may be written as 1e-3.
        prepared: Id of the prepared set that they learn from.

    Raises:
        WbcError: No YAML, another form, an unknown setting, or a value out of range.
    """
    if len(text) > _LARGEST:
        raise _refused(f"{len(text):,} characters")
    try:
        # Every value a word, as on the command line: YAML would take 1e-3 for one, and yes for true.
        loaded: Any = yaml.load(text, yaml.BaseLoader)  # noqa: S506  # builds texts, lists and mappings only
    except (yaml.YAMLError, RecursionError) as error:
        raise _refused(" ".join(str(error).split())[:200]) from None
    runs = [loaded] if isinstance(loaded, dict) else loaded
    if not isinstance(runs, list) or not 1 <= len(runs) <= _MOST_RUNS:
        raise _refused(f"{len(runs)} runs" if isinstance(runs, list) else type(loaded).__name__)
    specs = []
    for number, run in enumerate(runs, start=1):
        if not isinstance(run, dict) or not isinstance(run.get("backbone"), str):
            raise _refused(f"run {number} without a backbone")
        settings = {name: value for name, value in run.items() if name not in ("backbone", "prepared")}
        for name, value in settings.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise _refused(f"a {type(value).__name__} as a value in run {number}")
        values: dict[str, Any] = dict(read_settings(settings))
        specs.append(RunSpec(prepared=prepared, backbone=run["backbone"], **values).checked())
    return specs
