"""What the Review page does: writes presses, accepts suggestions, shows the log."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from itertools import groupby, islice

import pandas as pd
import streamlit as st

from app import cache, state
from app.components.gallery import Press
from app.components.review_cuts import Cut
from wbc_core.curation import agreement, review
from wbc_core.curation.accepting import accepted_reason, conflicts_left, effect_by_class
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.scan import threshold_of_scan
from wbc_core.curation.suggestions import Action, Open, open_suggestions
from wbc_core.datasets import store
from wbc_core.records import Dataset, Decision
from wbc_core.wording import counted

_LOG_LINES = 200


def context(
    dataset: Dataset,
    check: str | None = None,
    *,
    threshold: float | None = None,
    settles: str = "",
    second: bool = False,
) -> str:
    """What a press made on this view must carry to be understood later.

    Args:
        dataset: The data set.
        check: The check that is looked at.
        threshold: That of the check where the person has set it, None where it is the scan's.
        settles: Name of the second reviewer whose disagreements are being settled.
        second: Whether the press is a second reviewer's verdict.
    """
    about = {"dataset": dataset.id, "check": check, "settles": settles, "second": second}
    given = {name: value for name, value in about.items() if value}
    return json.dumps(given if threshold is None else {**given, "threshold": threshold})


def write(press: Press) -> None:
    """Enter a press into the log that it belongs to, or take the person's last step there back.

    Raises:
        WbcError: The core refuses it.
    """
    about, who = json.loads(press["context"]), state.person()
    dataset, check, second = about["dataset"], about.get("check"), about.get("second")
    if press["action"] == "undo":
        if second:
            agreement.take_back_opinion(state.workspace(), dataset, who=who)
        else:
            review.undo(state.workspace(), dataset, who=who, only_by=who)
        return
    accepted = press["action"] == "accept"
    actions: dict[int, Action] = (
        {int(row): (str(action), label) for row, action, label in press["verdicts"]}
        if accepted
        else {int(row): (press["action"], press["label"]) for row in press["rows"]}
    )
    if accepted and not second and not about.get("settles"):
        _follow(dataset, check, about.get("threshold"), actions)
    elif second:
        agreement.give_opinion(state.workspace(), dataset, actions, who=who, check=check)
    elif about.get("settles"):
        agreement.settle(state.workspace(), dataset, actions, who=who, second=about["settles"])
    else:
        review.decide(state.workspace(), dataset, actions, who=who, check=check)


def _follow(
    dataset_id: str, check: str | None, threshold: float | None, actions: Mapping[int, Action]
) -> None:
    """Follow suggestions as they were drawn, but for images that somebody has decided on since."""
    settled = cache.standing(store.read_dataset(state.workspace(), dataset_id)).settled(check)
    still = {
        row: action for row, action in actions.items() if row not in range(len(settled)) or not settled[row]
    }
    if still or not actions:
        _accepted(dataset_id, check, threshold, still)
    _tell_left(len(actions) - len(still))


def _accepted(
    dataset_id: str, check: str | None, threshold: float | None, actions: Mapping[int, Action]
) -> None:
    """Log suggestions that are followed, with the score from which; the scan's where none was set."""
    if check and threshold is None:
        threshold = threshold_of_scan(state.workspace(), dataset_id, check)
    review.decide(
        state.workspace(),
        dataset_id,
        actions,
        who=state.person(),
        reason=accepted_reason(check) if check else "",
        check=check,
        threshold=threshold,
    )


def _tell_left(images: int) -> None:
    if images:
        stay = "stays as it is" if images == 1 else "stay as they are"
        st.toast(f"{counted(images, 'image')} decided in the meantime {stay}.")


def verb(actions: Mapping[int, Action]) -> str:
    """What accepting would do, as a button says it ("Drop 214 images")."""
    counts = {name: sum(action == name for action, _ in actions.values()) for name in ("drop", "relabel")}
    parts = [f"{name} {counted(count, 'image')}" for name, count in counts.items() if count]
    return " and ".join(parts).capitalize()


def _accept(dataset: Dataset, shown: Cut, offered: Mapping[int, Action]) -> None:
    # Somebody may have decided since the dialog was drawn: what is settled now stays as it is.
    still = open_suggestions(shown.suggested, cache.standing(dataset)).actions
    actions = {row: action for row, action in offered.items() if still.get(row) == action}
    if actions:
        _accepted(dataset.id, shown.check, shown.made_by[0], actions)
    _tell_left(len(offered) - len(actions))


def conflict_words(shown: Cut, opened: Open) -> str:
    """What to tell of the groups that are left out, and where those are that this check does not show."""
    words = conflicts_left(len(opened.conflicts))
    if opened.conflicts <= {found.rows for found in shown.suggested.findings}:
        return words
    titles = " and ".join(CHECKS.get(one.check).title for one in shown.suggested.beside)
    return f"{words} Look under {titles}."


@st.dialog("Accept the suggestions", icon=":material/rule:")
def accept_dialog(dataset: Dataset, shown: Cut) -> None:
    """Show what would go per class, and do it as one step."""
    opened = open_suggestions(shown.suggested, cache.standing(dataset))
    conflicts = f" {conflict_words(shown, opened)}" if opened.conflicts else ""
    st.markdown(
        "Images that are dropped, or that someone has decided on under this check, stay as they are."
        f"{conflicts} This is one step: **Undo** takes it all back."
    )
    effect = effect_by_class(dataset.class_names, cache.labels(dataset.id), opened.actions)
    table = pd.DataFrame(map(astuple, effect), columns=["Class", "Images", "Drop", "Relabel", "Arrive"])
    if not table["Relabel"].any():
        table = table.drop(columns=["Relabel", "Arrive"])
    counts = {name: st.column_config.NumberColumn(format="localized") for name in table.columns[1:]}
    st.dataframe(table, hide_index=True, height=38 + 35 * len(table), column_config=counts)
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Cancel"):
            st.rerun()
        if st.button(
            verb(opened.actions),
            type="primary",
            key="accept-now",
            on_click=_accept,
            args=(dataset, shown, opened.actions),
        ):
            st.rerun()


def undo_button(dataset: Dataset) -> None:
    """Draw the button that takes back the person's last step, however many images it touched."""
    if st.button("Undo last step", icon=":material/undo:", key="undo-step"):
        count = review.undo(state.workspace(), dataset.id, who=state.person(), only_by=state.person())
        st.toast(
            f"{counted(count, 'image is', 'images are')} as before."
            if count
            else "There is nothing of yours to undo."
        )
        st.rerun()


def _by_step(entries: Iterable[Decision]) -> Iterator[tuple[Decision, int]]:
    """What one step did alike to many images as one line: its first entry, and how many there are."""
    alike = groupby(entries, key=lambda line: (line.step, line.action, line.label, line.check, line.reason))
    for _, lines in alike:
        first = next(lines)
        yield first, 1 + sum(1 for _ in lines)


def _checked(entry: Decision) -> str:
    """The check that was looked at, and from which score its suggestions were followed."""
    from_ = "" if entry.threshold is None else f" ≥ {entry.threshold:g}"
    title = CHECKS.get(entry.check).title if entry.check in CHECKS else entry.check or ""
    return f"{title}{from_}"


def log(dataset: Dataset) -> None:
    """Draw the last lines of the decision log."""
    newest_first = reversed(review.decision_log(state.workspace(), dataset.id))
    entries = list(islice(_by_step(newest_first), _LOG_LINES))
    if not entries:
        st.markdown(":gray[Nothing has been decided yet.]")
        return
    names = dataset.class_names
    table = pd.DataFrame(
        [
            (
                entry.at[:19].replace("T", " "),
                entry.who,
                f"row {entry.row}" if images == 1 else counted(images, "image"),
                entry.action,
                "" if entry.label is None else names[entry.label],
                _checked(entry),
                entry.reason,
            )
            for entry, images in entries
        ],
        columns=["When (UTC)", "Who", "Images", "Action", "New class", "Check", "Reason"],
    )
    st.dataframe(table, hide_index=True, height=300)
