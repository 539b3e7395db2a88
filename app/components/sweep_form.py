"""What a new sweep asks for: set, backbone, what varies, how it is searched and repeated, and its cost."""

from collections.abc import Callable, Sequence

import streamlit as st

from app import state
from app.components import leaky
from app.components.launch_form import validation_warning
from app.components.page import plain, thousands
from app.components.priority_field import priority_field
from app.components.sweep_panel import SWEEP, VIEW
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.jobs import sweep
from wbc_core.jobs.launching import training_device
from wbc_core.records import Dataset, PreparedSet
from wbc_core.splitting import MOST_FOLDS, load_split
from wbc_core.training.estimate import about
from wbc_core.training.setting import Setting
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import RunSpec
from wbc_core.wording import counted

_SEARCHES = {"grid": "Grid", "random": "Random", "tpe": "TPE with pruning"}
_HOW = {
    "grid": "Every combination of the values, as the source report did.",
    "random": "Combinations drawn at random: better than a grid where only some of the settings matter.",
    "tpe": "Each trial is drawn where the trials before did well (tree-structured Parzen estimator). One "
    "whose validation accuracy falls below the median of the others at the same epoch is ended early.",
}
_MOST_VARIED = 4
_MOST_SEEDS = 10
_AT_FIRST = ("learning_rate", "weight_decay")


def _described(entry: PreparedSet) -> str:
    made = entry.created.replace("T", " ")[:16]
    return f"{entry.recipe.name}, {thousands(entry.images)} images, made {made} ({entry.id})"


def _title(name: str) -> str:
    return SETTINGS[name].title


def _around(setting: Setting, search: str) -> str:
    """Values around a setting's default, in words: a list for a grid, a range else."""
    default = getattr(RunSpec("", ""), setting.name)
    if setting.kind not in ("int", "float") or not default:
        return str(default)
    whole = setting.kind == "int"
    factor = 2 if whole else 3 if search == "grid" else 10
    ends = (max(setting.low, default / factor), min(setting.high, default * factor))
    low, high = (f"{max(1, round(end)) if whole else float(f'{end:.1g}'):g}" for end in ends)
    return f"{low}, {default:g}, {high}" if search == "grid" else f"{low}..{high}"


def _values(name: str, search: str) -> list[str]:
    """Draw the field for the values of a setting that varies."""
    setting = SETTINGS[name]
    if setting.kind == "choice":
        return st.multiselect(
            setting.title, setting.choices, default=list(setting.choices[:2]), key=f"sweep-vary-{name}"
        )
    numeric = setting.kind in ("int", "float")
    ranged = ", or a range such as 1e-5..1e-2" if numeric and search != "grid" else ""
    text = st.text_input(
        setting.title,
        _around(setting, search),
        key=f"sweep-vary-{name}-{'list' if search == 'grid' else 'range'}",
        help=f"{setting.help} {setting.allowed.capitalize()}. Values separated by commas{ranged}.",
    )
    return [part.strip() for part in text.split(",") if part.strip()]


def _shared(varied: Sequence[str]) -> dict[str, str]:
    """Draw the settings that all runs share; what is not named keeps its default."""
    names = [name for name in SETTINGS if name not in varied]
    chosen = st.multiselect(
        "Set for all runs",
        names,
        default=[name for name in ("epochs",) if name in names],
        format_func=_title,
        help="Settings that are not named here keep their defaults.",
    )
    settings = {}
    for name in chosen:
        default = "10" if name == "epochs" else str(getattr(RunSpec("", ""), name))
        settings[name] = st.text_input(
            _title(name), default, key=f"sweep-set-{name}", help=SETTINGS[name].allowed.capitalize()
        )
    return settings


def draw(dataset: Dataset, sets: Sequence[PreparedSet]) -> None:
    """Draw the form of a new sweep and the button that starts it.

    Args:
        dataset: The data set.
        sets: Prepared sets of the data set, newest first.
    """
    form, cost = st.columns([0.6, 0.4], gap="large")
    with form:
        by_id = {entry.id: entry for entry in sets}
        current = state.current("prepared")
        prepared = st.selectbox(
            "Prepared set",
            list(by_id),
            index=list(by_id).index(current) if current in by_id else 0,
            format_func=lambda name: _described(by_id[name]),
        )
        state.select("split", by_id[prepared].split)
        state.select("prepared", prepared)
        leaky.mark(by_id[prepared].leaky)
        backbone = st.selectbox(
            "Backbone", BACKBONES.names(), format_func=lambda name: BACKBONES.get(name).title
        )
        search = st.segmented_control(
            "Search",
            list(_SEARCHES),
            format_func=_SEARCHES.get,
            default="grid",
            required=True,
            key="sweep-search",
        )
        st.caption(_HOW[search])
        varied = st.multiselect(
            "Settings to vary",
            list(SETTINGS),
            default=[name for name in _AT_FIRST if name in SETTINGS],
            format_func=_title,
            max_selections=_MOST_VARIED,
            key="sweep-varied",
        )
        grid = {name: _values(name, search) for name in varied}
        settings = _shared(varied)
    with cost:
        st.subheader("Size and cost", anchor=False)
        trials, seeds, folds, priority = _repeats(search)

    def plan() -> sweep.SweepPlan:
        return sweep.plan_sweep(
            prepared,
            backbone,
            grid,
            settings=settings,
            search=search,
            trials=trials,
            seeds=tuple(range(seeds)) if seeds > 1 else (),
            folds=folds,
        )

    with cost:
        problem = validation_warning(load_split(state.workspace(), by_id[prepared].split), dataset)
        if problem:
            st.warning(plain(str(problem)), icon=":material/warning:")
        _cost_and_launch(plan, priority)


def _repeats(search: str) -> tuple[int | None, int, int, str]:
    """Draw how many trials there are, how each is repeated, and when: trials, seeds, folds, priority."""
    with st.container(horizontal=True):
        trials = None
        if search != "grid":
            trials = st.number_input(
                "Trials", 1, sweep.MAXIMUM_TRIALS, sweep.TRIALS, key="sweep-trials", width=104
            )
        seeds = st.number_input(
            "Seeds",
            1,
            _MOST_SEEDS,
            1,
            key="sweep-seeds",
            width=104,
            help="Runs of each trial. A single run can be lucky; three give a mean and a spread.",
        )
        folds = st.number_input(
            "Folds",
            0,
            MOST_FOLDS,
            0,
            key="sweep-folds",
            width=104,
            help="0: the split as it is. From 2: stratified k-fold cross-validation of the clean set; copies "
            "of an image stay in one fold, and each fold is prepared by the recipe of the chosen set.",
        )
        priority = priority_field("sweep", width=104)
    return trials, int(seeds), int(folds), priority


def _cost_and_launch(plan: Callable[[], sweep.SweepPlan], priority: str) -> None:
    workspace = state.workspace()
    try:
        asked = plan()
        sweep.check_plan(workspace, asked)
        seconds = sweep.seconds_needed(workspace, asked)
        if asked.description["folds"]:
            sweep.cross_validation_spec(workspace, asked)  # whether the disk has room
    except WbcError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    for name in asked.description["space"]:
        if not any(SETTINGS[name].applies(spec) for spec in asked.specs):
            st.warning(
                f"{_title(name)} has no effect beside the other settings: its values train the same network.",
                icon=":material/warning:",
            )
    trials = asked.description["trials"]
    repeats = asked.runs // trials
    st.metric("All together, at most", f"{about(seconds)} on 2 CPU cores")
    st.caption(
        counted(trials, "trial")
        + (f", each {repeats} times" if repeats > 1 else "")
        + f": {counted(asked.runs, 'run')}, one at a time on each device, if none ends early."
        + (
            " They will train on a GPU, which is many times faster."
            if training_device(workspace) == "gpu"
            else ""
        )
    )
    st.button(
        f"Train {counted(asked.runs, 'network')}",
        type="primary",
        icon=":material/play_arrow:",
        key="sweep-start",
        on_click=_start,
        args=(asked, priority),
    )


def _start(plan: sweep.SweepPlan, priority: str) -> None:
    st.session_state[SWEEP], _ = sweep.queue_plan(state.workspace(), plan, priority=priority)
    st.session_state[VIEW] = "results"
