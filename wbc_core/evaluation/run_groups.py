"""Which runs differ in their seed alone, in which settings the others differ, and what they are called."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wbc_core.augment.prepare import load_prepared
from wbc_core.records import Json
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace

_MARKS = 2
_UNTOLD = ("prepared", "members")
_UNGROUPED = ("seed",)


def run_settings(workspace: Workspace, runs: Sequence[Run]) -> dict[str, Json]:
    """Every setting of each run by its id: its spec, and the name of the recipe that it learnt from."""
    prepared = {run.prepared for run in runs}
    recipes = {identifier: load_prepared(workspace, identifier).recipe.name for identifier in prepared}
    # What an ensemble learnt from is its members' to say.
    return {run.id: run.settings | ({} if run.members else {"recipe": recipes[run.prepared]}) for run in runs}


def differing_settings(settings: Mapping[str, Json]) -> dict[str, dict[str, object]]:
    """The settings that are not the same everywhere.

    Args:
        settings: Name of a run or a group to its settings.

    Returns:
        Setting to its value by name, where the setting is one of its own: an ensemble has no learning rate.

    Example:
        >>> differing_settings({"a": {"seed": 0, "epochs": 3}, "b": {"seed": 1, "epochs": 3}})
        {'seed': {'a': 0, 'b': 1}}
    """
    names = dict.fromkeys(name for values in settings.values() for name in values)
    columns = {
        name: {key: values[name] for key, values in settings.items() if name in values} for name in names
    }
    return {
        name: column
        for name, column in columns.items()
        if any(value != next(iter(column.values())) for value in column.values())
    }


@dataclass(frozen=True)
class RunGroup:
    """Runs of one backbone and one spec, which differ in their seed alone.

    Attributes:
        name: Its backbone, with the settings in which it differs from the other groups of that backbone.
        runs: In the order of their seeds.
        settings: What they share.
    """

    name: str
    runs: tuple[Run, ...]
    settings: Json

    @property
    def seeds(self) -> list[int]:
        """The runs' seeds."""
        return [run.spec.seed for run in self.runs]


def run_names(runs: Sequence[Run], settings: Mapping[str, Json]) -> dict[str, str]:
    """A name a run, no two alike.

    Args:
        runs: Runs that are shown together.
        settings: As `run_settings` gives them.
    """
    return _names({run.id: run for run in runs}, settings)


def group_runs(runs: Sequence[Run], settings: Mapping[str, Json]) -> list[RunGroup]:
    """Put runs together that differ in their seed alone, groups in the order of their first runs.

    Args:
        runs: Runs that are shown together.
        settings: As `run_settings` gives them.
    """
    together: dict[str, list[Run]] = {}
    for run in runs:
        together.setdefault(repr(_shared(settings[run.id])), []).append(run)
    ordered = [sorted(own, key=lambda run: (run.spec.seed, run.id)) for own in together.values()]
    shared = {own[0].id: _shared(settings[own[0].id]) for own in ordered}
    names = _names({own[0].id: own[0] for own in ordered}, shared)
    return [RunGroup(names[own[0].id], tuple(own), shared[own[0].id]) for own in ordered]


def _shared(settings: Json) -> Json:
    return {name: value for name, value in settings.items() if name not in _UNGROUPED}


def _names(runs: Mapping[str, Run], settings: Mapping[str, Json]) -> dict[str, str]:
    """The backbone; with up to two differing settings, or the id, where several share that."""
    names: dict[str, str] = {}
    for key, run in runs.items():
        same = {other: settings[other] for other, its in runs.items() if its.backbone == run.backbone}
        marks = [
            f"{setting.replace('_', ' ')} {values[key]}"
            for setting, values in differing_settings(same).items()
            if key in values and setting not in _UNTOLD
        ]
        told = len(same) > 1 and 0 < len(marks) <= _MARKS
        names[key] = f"{run.backbone} ({', '.join(marks)})" if told else run.backbone
    shared_by = Counter(names.values())
    for key, run in runs.items():
        if shared_by[names[key]] > 1:
            names[key] = f"{run.backbone} {key}"
        if run.leaky:
            names[key] += " (leaky order)"
    return names
