"""WBC Lab: page configuration, navigation by section, the sidebar frame."""

import streamlit as st
from streamlit.runtime.scriptrunner import StopException

from app import state
from app.components import sidebar
from app.pages import APP, SECTIONS

ASSETS = APP.parent / "assets"
st.set_page_config(
    page_title="WBC Lab",
    page_icon=str(ASSETS / "logo.svg"),
    layout="wide",
    initial_sidebar_state="auto",
)
st.logo(str(ASSETS / "wordmark.svg"), icon_image=str(ASSETS / "logo.svg"), size="large")
page_is_drawn = state.page_begins()
state.keep_in_url()
page = st.navigation(
    {
        section: [
            st.Page(entry.script, title=entry.title, icon=entry.icon, default=entry.view == "dataset")
            for entry in entries
        ]
        for section, entries in SECTIONS.items()
    }
)
sidebar.draw()
try:
    page.run()
except StopException:
    page_is_drawn()
    raise
page_is_drawn()
