"""The chain bar: one line of links from data set to comparison that shows where the person stands."""

from dataclasses import dataclass

import streamlit as st

from app import cache, state
from app.formatting import plain
from app.pages import PAGES
from wbc_core import splitting
from wbc_core.augment import prepare
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, PreparedSet, Split
from wbc_core.training import runs
from wbc_core.training.runs import Run
from wbc_core.wording import counted


@dataclass(frozen=True)
class Link:
    """One step of the chain.

    Attributes:
        label: What it says, in Markdown.
        view: The page that it opens.
        there: Whether the record exists; if not, the step is greyed.
        stale: Whether it was made from an older clean set.
        help: What the mouse tells of it; None for nothing.
    """

    label: str
    view: str
    there: bool = True
    stale: bool = False
    help: str | None = None


def _current_run() -> Run | None:
    """The run that the session works on, where its link named neither split nor prepared set."""
    chosen = state.current("run")
    if not chosen:
        return None
    try:
        return runs.load_run(state.workspace(), chosen)
    except WbcError:
        return None


def current_split(dataset_id: str) -> Split | None:
    """The split that the session works on, else that of its run, else the newest of the data set."""
    splits = splitting.list_splits(state.workspace(), dataset_id)
    chosen = state.current("split")
    if chosen is None and (run := _current_run()):
        chosen = run.split
    return next((split for split in splits if split.id == chosen), splits[0] if splits else None)


def current_prepared(split_id: str) -> PreparedSet | None:
    """The prepared set that the session works on, else that of its run, else the newest of the split."""
    prepared = prepare.list_prepared(state.workspace(), split_id)
    chosen = state.current("prepared")
    if chosen is None and (run := _current_run()):
        chosen = run.prepared
    return next((entry for entry in prepared if entry.id == chosen), prepared[0] if prepared else None)


def _escaped(name: str) -> str:
    return plain(name if len(name) <= 28 else name[:27] + "…")


def _prepare_links(dataset: Dataset, blind: bool) -> list[Link]:
    split = current_split(dataset.id)
    if split is None:
        return [
            Link("split", "split_balance", there=False),
            Link("recipe", "augment", there=False),
            Link("runs", "launch", there=False),
            Link("compare", "compare", there=False),
        ]
    stale = not blind and cache.clean_set(dataset.id).id != split.clean
    prepared = current_prepared(split.id)
    here = [run for run in runs.list_runs(state.workspace()) if run.split == split.id]
    shares = "/".join(f"{fraction * 100:.3g}" for fraction in split.fractions)
    recipe = f"{_escaped(prepared.recipe.name)} recipe" if prepared else "recipe"
    if prepared is not None and not blind:
        recipe += f" {prepared.images:,}"
    if prepared is not None and prepared.leaky:
        recipe += " :red-badge[:material/water_damage: leaky order]"
    count = counted(len(here), "run")
    return [
        Link(f"split {shares}", "split_balance", stale=stale),
        Link(recipe, "augment", there=prepared is not None, stale=stale and prepared is not None),
        Link(count if here else "runs", "report" if here else "launch", there=bool(here)),
        Link("compare", "compare", there=len(here) > 1),
    ]


def links(dataset: Dataset | None, *, blind: bool = False) -> list[Link]:
    """The steps of the chain for the records that the session works on.

    Args:
        dataset: The data set; None where there is none yet.
        blind: Whether nothing is to tell how many images are left after the decisions.
    """
    if dataset is None:
        steps = (("data set", "dataset"), ("clean", "review"), ("split", "split_balance"))
        rest = (("recipe", "augment"), ("runs", "launch"), ("compare", "compare"))
        return [Link(label, view, there=False) for label, view in (*steps, *rest)]
    scanned = bool(cache.scanned_checks(dataset.id)) or cache.log_stamp(dataset.id)[1] > 0
    kept = f"clean {cache.standing(dataset).kept:,}" if scanned and not blind else "clean"
    unseen = "How many images are left is not shown while you judge unseen." if blind else None
    return [
        Link(f"{_escaped(dataset.name)} {dataset.images:,}", "dataset"),
        Link(kept, "review", there=scanned, help=unseen),
        *_prepare_links(dataset, blind),
    ]


def _text(step: Link) -> str:
    if not step.there:
        return f":gray[{step.label}]"
    return f"{step.label} :red-badge[:material/history: stale]" if step.stale else step.label


def draw(*, blind: bool = False) -> None:
    """Draw the chain bar for the session's ids; `blind` as for `links`."""
    identifier = state.current("dataset")
    dataset = cache.open_dataset(identifier) if identifier else None
    parameters = state.link_parameters()
    with st.container(
        key="chain-bar", horizontal=True, wrap=False, gap=None, vertical_alignment="center", width="stretch"
    ):
        for position, step in enumerate(links(dataset, blind=blind)):
            if position:
                st.markdown(":gray[:material/chevron_right:]", width="content")
            st.page_link(
                PAGES[step.view].script,
                label=_text(step),
                query_params=parameters,
                help="Made from an older clean set: make it again." if step.stale else step.help,
            )
