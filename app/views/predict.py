"""Predict: name the class of pictures that nobody has labelled."""

import streamlit as st

from app import state
from app.components import predict_count, predict_maps, predict_marks, predict_panels
from app.components.job_panel import job_panel
from app.components.page import begin
from app.components.run_choice import choose_run
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.records import Job

begin("Predict", "Name the class of new pictures, and count how often each class occurs.")


def current_job() -> Job | None:
    """The prediction that the URL names, if it is one."""
    if not state.current("job"):
        return None
    try:
        job = queue.get_job(state.workspace(), state.current("job"))
    except WbcError:
        state.select("job", None)
        return None
    return job if job.kind == "predict" else None


run = choose_run("With one, new pictures can be named here.")
job = current_job()
done = job is not None and job.state == "succeeded"
with st.expander("Choose pictures", icon=":material/add_photo_alternate:", expanded=not done):
    predict_panels.source_form(run)
    predict_marks.device_note()
st.caption("For research only, not a medical device. The model names one of its classes for any picture.")
if job is None:
    st.stop()
if not done:
    job_panel(job.id, title="Naming the classes")
    st.stop()

table = predict_panels.predicted(job)
if table is None:
    st.warning("The predictions of this job are gone. Predict again.", icon=":material/error:")
    st.stop()
st.subheader(predict_panels.told(job, table), anchor=False)
predict_panels.left_out(job)
predict_marks.foreign_warning(table)
predict_marks.probabilities_note(job.result or {})
table = predict_marks.by_least_cost(run, predict_marks.for_a_person(job, table))
pictures, count = st.columns([5, 4], gap="large")
with pictures:
    st.subheader("Pictures", anchor=False)
    predict_panels.pictures(job, table, run)
with count:
    st.subheader("Differential count", anchor=False)
    predict_count.count(job, table)
predict_panels.download(table)
predict_maps.draw(job, table)
