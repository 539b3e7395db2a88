"""What the camera on a chart saves: PNG or SVG, drawn by the browser itself."""

import streamlit as st

FORMATS = {"png": "PNG", "svg": "SVG"}
_KEY = "figure_format"


def choose() -> None:
    """Draw the choice of what the camera on every chart of the page saves."""
    st.segmented_control(
        "The camera on a chart saves",
        list(FORMATS),
        format_func=FORMATS.get,
        default="png",
        required=True,
        key=_KEY,
        bind="query-params",
    )


def options(name: str) -> dict[str, object]:
    """Plotly's options of the picture of a chart.

    Args:
        name: Of the file, without suffix.
    """
    chosen = st.session_state.get(_KEY, "png")
    # Three pixels a point, so that print is sharp; an SVG has no pixels.
    return {"format": chosen, "filename": name, "scale": 3 if chosen == "png" else 1}
