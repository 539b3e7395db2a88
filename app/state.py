"""What a session remembers: ids, never objects, kept in the URL so that a link reopens the view."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import streamlit as st

from wbc_core.curation.review import UNNAMED
from wbc_core.workspace import Workspace

KINDS = ("dataset", "split", "prepared", "run", "job")
_PERSON, _PERSON_HERE = "person", "person_here"
_NAMED, _JUST_NAMED = "named", "just_named"
_LONGEST_NAME = 80
_UNNAMED_AS = "unnamed_as"
_CLONE = "clone"
_TOLD = "told"
# Choosing a record further up the chain makes those that were made from another one wrong.
_BELOW = {"dataset": ("split", "prepared", "run"), "split": ("prepared", "run"), "prepared": ("run",)}


def workspace() -> Workspace:
    """The workspace that `WBC_HOME` names, else `./workspace`."""
    return Workspace.default()


def _remembered(kind: str) -> str:
    return f"current_{kind}"


def current(kind: str) -> str | None:
    """The id of the record that the session works on, from the URL, else from earlier in the session.

    Args:
        kind: One of `KINDS`.
    """
    return st.query_params.get(kind) or st.session_state.get(_remembered(kind))


def select(kind: str, identifier: str | None, *, keep_below: bool = False) -> None:
    """Work on another record from now on; what was chosen further down the chain is forgotten.

    Args:
        kind: One of `KINDS`.
        identifier: The record's id; None forgets the choice.
        keep_below: Keep what is further down: it is known to be made from this record.
    """
    if identifier == current(kind):
        return
    for name in (kind, *(() if keep_below else _BELOW.get(kind, ()))):
        st.session_state.pop(_remembered(name), None)
        st.query_params.pop(name, None)
    if identifier:
        st.session_state[_remembered(kind)] = identifier
        st.query_params[kind] = identifier


def keep_in_url() -> None:
    """Write the session's ids back into the URL, which a change of page empties; take over a link's."""
    for kind in KINDS:
        identifier = current(kind)
        if identifier:
            st.session_state[_remembered(kind)] = identifier
            if st.query_params.get(kind) != identifier:
                st.query_params[kind] = identifier


def link_parameters() -> dict[str, str]:
    """The ids as query parameters, for links to other pages."""
    return {kind: identifier for kind in KINDS if (identifier := current(kind))}


def clone(spec: Mapping[str, Any], source: str) -> None:
    """Have the Launch page begin with the backbone and the settings of a run.

    Args:
        spec: JSON of a `RunSpec`.
        source: What they come from, in words, such as "run job-0123456789".
    """
    st.session_state[_CLONE] = {**spec, "source": source}


def take_clone() -> dict[str, Any] | None:
    """The spec that the Launch page is to begin with, once, and its `source`; None where there is none."""
    spec: dict[str, Any] | None = st.session_state.pop(_CLONE, None)
    return spec


def person() -> str:
    """Name of the person at the screen, under which decisions are logged.

    Who gives none is told from others without one by four digits, drawn for the session: nobody takes back
    what somebody else decided.
    """
    return given_name() or f"{UNNAMED} {st.session_state.setdefault(_UNNAMED_AS, secrets.token_hex(2))}"


def given_name() -> str:
    """The name that the person at the screen has given; empty where none was."""
    return str(st.session_state.get(_PERSON) or "").strip()


def take_name(name: str) -> None:
    """Give the name that the browser tab has kept over a reload, where none was given since.

    Only callbacks may: the field is drawn before the rest of a page.
    """
    if not given_name():
        st.session_state[_PERSON] = name[:_LONGEST_NAME]


def _name_given() -> None:
    st.session_state[_NAMED] = st.session_state[_JUST_NAMED] = True


def person_field_here(label: str) -> None:
    """Draw a field for a name that was not given yet, where it is needed: a phone hides the sidebar."""
    st.text_input(label, key=_PERSON_HERE, max_chars=_LONGEST_NAME, on_change=_name_given_here, width=320)


def _name_given_here() -> None:
    take_name(st.session_state[_PERSON_HERE])
    _name_given()


def has_given_name() -> bool:
    """Whether the person has given a name in this session, or emptied it."""
    return _NAMED in st.session_state


def just_named() -> bool:
    """Whether the person gave a name by which this run began; asked for once."""
    return bool(st.session_state.pop(_JUST_NAMED, False))


def person_field() -> None:
    """Draw the field for the person's name; it stays across pages."""
    st.text_input(
        "Your name",
        key=_PERSON,
        placeholder=UNNAMED,
        max_chars=_LONGEST_NAME,
        on_change=_name_given,
        persist_state="session",
        help="Decisions are logged under this name. Without one, Undo does not reach back beyond a reload.",
    )


def first_time(event: str) -> bool:
    """Whether the session meets an event for the first time, such as the end of a job."""
    seen: set[str] = st.session_state.setdefault("events_seen", set())
    if event in seen:
        return False
    seen.add(event)
    return True


def tell_widget(key: str, value: object) -> None:
    """Give the widget of a key its value before it is drawn; does nothing where it has it.

    Told the same again, the browser would take back a click that was made while the page was drawn. Yet what
    a run told that came to no end it may not have heard.
    """
    # None where a fragment is drawn alone, whose every tick would tell it again.
    told: dict[str, object] | None = st.session_state.get(_TOLD, {}).get(_TOLD)
    unheard = told is not None and key in told and told[key] == value
    if unheard or key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
        if told is not None:
            told[key] = value


def page_begins() -> Callable[[], None]:
    """Begin to note what the page tells the browser; of a run that came to no end the notes stay.

    Returns:
        To be called when the page came to its end, so that the browser has heard what it told.
    """
    notes: dict[str, dict[str, object]] = st.session_state.setdefault(_TOLD, {})
    notes.setdefault(_TOLD, {})
    # Itself in no need of the session, which stops whoever asks for it after `st.stop`.
    return notes.clear


def _written(name: str) -> str:
    return f"{name}_written"


def view_asked(name: str, titles: Iterable[str], *, default: str | None = None) -> str:
    """The view that `choose_view` will show, for what is drawn before it.

    Args:
        name: Of the query parameter, and of the widget's key.
        titles: Name of each view.
        default: Name of the view that is shown at first; the first one where None.
    """
    known, in_url = list(titles), st.query_params.get(name)
    # What the URL says since it was last written is a link's wish; else the last click counts.
    followed = in_url in known and in_url != st.session_state.get(_written(name))
    asked = in_url if followed else st.session_state.get(name) or in_url
    return asked if asked in known else default or known[0]


def choose_view(
    label: str,
    name: str,
    titles: Mapping[str, str],
    *,
    default: str | None = None,
    help: str | None = None,
) -> str:
    """Draw a choice of what a page or a part of it shows, kept in the URL under plain names.

    Args:
        label: What is chosen, for screen readers.
        name: Of the query parameter, and of the widget's key.
        titles: Name of each view to what the choice says.
        default: Name of the view that is shown at first; the first one where None.
        help: What there is to know about the views.
    """
    tell_widget(name, view_asked(name, titles, default=default))
    chosen = st.segmented_control(
        label,
        list(titles),
        format_func=titles.get,
        required=True,
        key=name,
        label_visibility="collapsed",
        help=help,
    )
    if chosen != st.query_params.get(name):
        st.query_params[name] = chosen
    st.session_state[_written(name)] = chosen
    return str(chosen)
