"""The log of a job: its last lines, those with a word in them, and the file."""

import streamlit as st

from app import state
from app.formatting import thousands
from wbc_core.jobs.logs import search_log
from wbc_core.wording import counted

_SHOWN = 200


def job_log(job_id: str) -> None:
    """Draw the log of a job in an expander, with a field that filters its lines.

    Args:
        job_id: Id of the job.
    """
    with st.expander("Log", icon=":material/notes:"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            wanted = st.text_input(
                "Show lines with",
                key=f"log-search-{job_id}",
                placeholder="any text",
                icon=":material/search:",
                width=320,
            )
            path = state.workspace().job_log(job_id)
            st.download_button(
                "Download the log",
                path.read_bytes if path.exists() else "",
                file_name=path.name,
                mime="text/plain",
                icon=":material/download:",
                disabled=not path.exists(),
                on_click="ignore",
                key=f"log-file-{job_id}",
            )
        log = search_log(state.workspace(), job_id, wanted, keep=_SHOWN)
        st.caption(_counted(log.found, log.lines, bool(wanted)))
        st.code("\n".join(log.last) or "Nothing here yet.", language=None, height=240)


def _counted(found: int, lines: int, searched: bool) -> str:
    every = counted(lines, "line")
    told = f"{thousands(found)} of {every}" if searched else every
    return f"{told}, the last {_SHOWN} shown" if found > _SHOWN else told
