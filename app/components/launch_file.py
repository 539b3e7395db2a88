"""Runs out of a YAML file instead of the form, and into one."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.components.launch_cost import differing, title_of
from app.components.launch_form import fill_from, forget_origin
from app.components.page import plain
from wbc_core.errors import WbcError
from wbc_core.training.presets import with_published_weights
from wbc_core.training.spec import RunSpec
from wbc_core.training.spec_file import read_specs, write_specs
from wbc_core.wording import counted

_RUNS = "launch-file-runs"


def _read() -> None:
    st.session_state.pop("launch-file-error", None)
    text = st.session_state.get("launch-file-text", "")
    if not text.strip():
        return
    try:
        found = read_specs(text, "")
    except WbcError as error:
        st.session_state["launch-file-error"] = str(error)
        return
    if len(found) == 1:
        fill_from(found[0], "the YAML file")
        leave()
    else:
        forget_origin()
        st.session_state[_RUNS] = write_specs(found)


def leave() -> None:
    """Go back to the form."""
    st.session_state.pop(_RUNS, None)


def runs_of_file(prepared: str) -> list[RunSpec]:
    """The runs of the file that is in use, on a prepared set; none where the form is."""
    text = st.session_state.get(_RUNS)
    return [with_published_weights(spec) for spec in read_specs(text, prepared)] if text else []


def file_in() -> None:
    """Draw the runs of the file that is in use, or the field for one."""
    if _RUNS in st.session_state:
        specs = read_specs(st.session_state[_RUNS], "")
        varied = differing(specs)
        rows = [
            {"Run": title_of(spec, specs), **{name: str(getattr(spec, name)) for name in varied}}
            for spec in specs
        ]
        st.markdown(
            f"**{counted(len(specs), 'run')} from the file**"
            + ("; what differs between them:" if varied else "")
        )
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        st.button("Back to the form", icon=":material/undo:", key="launch-file-leave", on_click=leave)
        return
    with st.expander("From a YAML file", icon=":material/upload_file:"):
        st.text_area(
            "Runs as YAML",
            key="launch-file-text",
            height=160,
            placeholder="- backbone: cnn\n  epochs: 20\n- backbone: wbcnet\n  learning_rate: 1e-3",
            help="One run fills the form; several are launched as they are. *Save as YAML* writes one.",
        )
        st.button("Use these runs", icon=":material/input:", key="launch-file-use", on_click=_read)
        if "launch-file-error" in st.session_state:
            st.error(plain(st.session_state["launch-file-error"]))


def file_out(specs: Sequence[RunSpec], prepared: str) -> None:
    """Draw the button that saves the runs as YAML."""
    st.download_button(
        "Save as YAML",
        write_specs(specs),
        file_name=f"runs-{prepared}.yaml",
        mime="application/yaml",
        icon=":material/download:",
        disabled=not specs,
        on_click="ignore",
    )
