"""Predict: name the class of pictures that nobody has labelled."""

import streamlit as st

from app.components import predict_count, predict_maps, predict_marks, predict_panels
from app.components.job_panel import current_job, job_panel
from app.components.page import begin
from app.components.run_choice import choose_run

begin("Predict", "Name the class of new pictures, and count how often each class occurs.")

run = choose_run("With one, new pictures can be named here.")
job = current_job()
if job is not None and job.kind != "predict":
    job = None
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
