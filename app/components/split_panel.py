"""Making a split: fractions, seed, and what is known of the duplicates that must stay together."""

import streamlit as st

from app import cache, state
from app.components import pictures
from app.components.job_panel import job_button, job_panel
from app.components.page import link, percent, plain, thousands
from wbc_core import splitting
from wbc_core.curation.scan import DUPLICATE_CHECKS
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Split
from wbc_core.wording import counted

_GROUPS_SHOWN = 12
_MESSAGE = "split_message"
_TWO, _THREE = "Two parts", "Three parts"
_PARTS = ("Train", "validation", "test")


def _fractions() -> tuple[float, ...]:
    """The shares in the form. They are whole per cent, so that they add up exactly."""
    if st.session_state["split_parts"] == _TWO:
        train = st.session_state["split_train"]
        return (train / 100, (100 - train) / 100)
    train, rest = st.session_state["split_cuts"]
    return (train / 100, (rest - train) / 100, (100 - rest) / 100)


def _shares() -> None:
    """Draw the settings of the parts."""
    parts = st.segmented_control("Parts", [_TWO, _THREE], default=_TWO, required=True, key="split_parts")
    if parts == _TWO:
        st.slider("Train share (%)", 40, 90, 70, 5, key="split_train")
    else:
        st.slider(
            "Train up to, validation up to (%)",
            5,
            95,
            (70, 85),
            5,
            key="split_cuts",
            help="The first mark ends the train part, the second the validation part; the rest is the test.",
        )
    st.caption(
        ", ".join(f"{part} {percent(share, 0)}" for part, share in zip(_PARTS, _fractions(), strict=False))
    )


def make(dataset_id: str, fractions: tuple[float, ...], seed: int) -> None:
    """Split the clean set and open the split; what is wrong is said under the form."""
    try:
        split = splitting.make_split(state.workspace(), dataset_id, fractions=fractions, seed=seed)
    except WbcError as error:
        st.session_state[_MESSAGE] = str(error)
        return
    state.select("split", split.id)


def _make_from_form(dataset_id: str) -> None:
    # Read when the button is pressed: a value typed just before it is already in the state, not on the page.
    make(dataset_id, _fractions(), int(st.session_state["split_seed"]))


def draw_settings(dataset: Dataset) -> None:
    """Draw the settings of a new split, and the button that makes it.

    Args:
        dataset: The data set.
    """
    outdated = cache.outdated_checks(dataset.id)
    known = [name for name in cache.scanned_checks(dataset.id) if name not in outdated]
    missing = [name for name in DUPLICATE_CHECKS if name not in known]
    if missing:
        st.markdown(
            "Copies of one cell in two parts make every score too good, so duplicates are looked for first."
        )
        job = state.current("job")
        submitted = job_button(
            "Look for duplicates",
            "scan",
            {"dataset": dataset.id, "checks": missing},
            type="primary",
            icon=":material/search:",
        )
        if submitted or job:
            job_panel(submitted or job, title="Looking for duplicates")
        return
    _shares()
    st.caption(
        "Each class keeps its share in every part. Exact and near duplicates, as the scan found them, go "
        "together into one part."
    )
    st.number_input("Seed", 0, 2**32 - 1, 0, key="split_seed", width=150)
    st.button(
        "Make split",
        type="primary",
        icon=":material/call_split:",
        on_click=_make_from_form,
        args=(dataset.id,),
    )
    message = st.session_state.pop(_MESSAGE, None)
    if message:
        st.error(plain(message))


def _choose() -> None:
    state.select("split", st.session_state["split_picker"])


def draw_choice(splits: list[Split], split: Split) -> None:
    """Draw the choice between the splits there are, and whether the chosen one is out of date.

    Args:
        splits: Every split of the data set, newest first.
        split: The one that the page shows.
    """
    names = {
        entry.id: f"{'/'.join(f'{fraction * 100:.3g}' for fraction in entry.fractions)}, seed {entry.seed}, "
        f"{entry.created[:16].replace('T', ' ')} · {entry.id}"
        for entry in splits
    }
    state.tell_widget("split_picker", split.id)
    st.selectbox("Split", list(names), format_func=names.get, key="split_picker", on_change=_choose)
    if splitting.is_stale(state.workspace(), split):
        with st.container(border=True):
            st.markdown(
                ":red-badge[:material/history: stale] Decisions have changed since this split was made. "
                "What is trained on it still holds for the older clean set."
            )
            st.button(
                "Split the clean set again",
                icon=":material/refresh:",
                on_click=make,
                args=(split.dataset, split.fractions, split.seed),
            )


def draw_groups(split: Split, groups: list[list[int]], parts: dict[int, str]) -> None:
    """Draw the groups of (near) duplicates that were kept in one part.

    Args:
        split: The split.
        groups: Rows of each group, largest first.
        parts: Row to the part that it is in.
    """
    if not groups:
        st.caption("No group of duplicates is left in the clean set, so every image was dealt on its own.")
        return
    count = counted(len(groups), "group")
    with st.expander(f"{count} of duplicates kept together"):
        for group in groups[:_GROUPS_SHOWN]:
            sources = cache.thumbnails(split.dataset, tuple(group[:8]))
            st.caption(f"{len(group)} images in {parts[group[0]]}")
            pictures.strip(
                [
                    pictures.Picture(source, f"row {row}")
                    for source, row in zip(sources, group[:8], strict=True)
                ],
                size=72,
            )
        if len(groups) > _GROUPS_SHOWN:
            st.caption(f"and {thousands(len(groups) - _GROUPS_SHOWN)} more")
        link("review", "Review duplicates")
