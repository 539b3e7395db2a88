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
    history = runs.history(state.workspace(), run_id)
    if history.empty:
        st.caption("The curves begin with the first finished epoch.")
        return
    best = history.loc[history["val_accuracy"].idxmax()]
    with st.container(horizontal=True, gap="medium"):
        st.metric("Best validation accuracy", percent(float(best["val_accuracy"])), width="content")
        st.metric("At epoch", f"{int(best['epoch'])} of {len(history)}", width="content")
        st.metric("An epoch takes", seconds(float(history["seconds"].median())), width="content")
        st.metric("Speed", f"{history['images_per_second'].iloc[-1]:,.0f} images/s", width="content")
    epochs = history["epoch"].tolist()
    accuracy, loss = st.columns(2)
    with accuracy:
        curves = {name: (epochs, history[column]) for name, column in _ACCURACY.items()}
        charts.draw(charts.lines(curves, x_title="epoch", y_title="accuracy"), key=f"accuracy-{run_id}")
    with loss:
        curves = {name: (epochs, history[column]) for name, column in _LOSS.items()}
        charts.draw(charts.lines(curves, x_title="epoch", y_title="loss, nats"), key=f"loss-{run_id}")


_ACCURACY = {"train": "accuracy", "validation": "val_accuracy"}
_LOSS = {"train": "loss", "validation": "val_loss"}


def training_curves(run_id: str) -> None:
    """Draw accuracy and loss over the epochs; drawn again every two seconds while the run trains.

    Args:
        run_id: Id of the run, which is its job's.
    """
    active = queue.get_job(state.workspace(), run_id).state not in TERMINAL_STATES
    st.fragment(_draw, run_every=REFRESH_SECONDS if active else None)(run_id)
