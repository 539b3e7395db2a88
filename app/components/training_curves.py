"""The curves of a training run, drawn from its history while it grows."""

import streamlit as st

from app import state
from app.components import charts
from app.formatting import percent, seconds
from wbc_core.jobs import queue
from wbc_core.records import TERMINAL_STATES
from wbc_core.training import runs

REFRESH_SECONDS = 2.0


def _draw(run_id: str) -> None:
    # Drawn before there is anything in it too, so that nothing on the page moves when the first epoch ends.
    history = runs.history(state.workspace(), run_id)
    known = not history.empty
    best = history.loc[history["val_accuracy"].idxmax()] if known else None
    last = history.iloc[-1] if known else None
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Best validation accuracy",
            percent(float(best["val_accuracy"]) if known else None),
            width="content",
        )
        st.metric("At epoch", f"{int(best['epoch'])} of {len(history)}" if known else "–", width="content")
        an_epoch = float(history["seconds"].median()) if known else None
        st.metric("An epoch takes", seconds(an_epoch), width="content")
        speed = f"{last['images_per_second']:,.0f} images/s" if known else "–"
        st.metric("Speed", speed, width="content")
    epochs = history["epoch"].tolist()
    for column, (title, names, unit) in zip(st.columns(2), CURVES, strict=True):
        curves = {name: (epochs, history[measured].tolist()) for name, measured in names.items()}
        with column:
            charts.draw(charts.lines(curves, x_title="epoch", y_title=unit), key=f"{title}-{run_id}")
    st.caption("" if known else "The curves begin with the first finished epoch.")


CURVES = (
    ("accuracy", {"train": "accuracy", "validation": "val_accuracy"}, "accuracy"),
    ("loss", {"train": "loss", "validation": "val_loss"}, "loss, nats"),
)


def training_curves(run_id: str) -> None:
    """Draw accuracy and loss over the epochs; drawn again every two seconds while the run trains.

    Args:
        run_id: Id of the run, which is its job's.
    """
    active = queue.get_job(state.workspace(), run_id).state not in TERMINAL_STATES
    st.fragment(_draw, run_every=REFRESH_SECONDS if active else None)(run_id)
