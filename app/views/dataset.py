"""Dataset: bring images in, and see what they are."""

import streamlit as st

from app import cache, state
from app.components import demo_panel, import_panel, overview
from app.components.job_panel import current_job, job_panel
from app.components.page import begin, link

begin("Dataset", "Bring images in, and see what they are before anything is decided.")

dataset = cache.open_dataset(state.current("dataset") or "")
job = current_job()
if job is not None and job.kind == "import":
    if job.state == "succeeded":
        if state.first_time(f"opened-{job.id}"):
            state.select("dataset", job.result["dataset"])
            st.rerun()
        import_panel.imported_line(job)
        import_panel.rejected_files(job)
    else:
        job_panel(job.id, title="Importing images")

if dataset is None:
    demo, own = st.columns(2, gap="large")
    with demo, st.container(border=True):
        st.subheader("See the lab at work", anchor=False)
        demo_panel.demo_panel()
    with own, st.container(border=True):
        st.subheader("Bring your own images", anchor=False)
        import_panel.import_form()
    st.stop()

demo_panel.demo_progress()
overview.headline(dataset)
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    scanned = bool(cache.scanned_checks(dataset.id))
    link("review", "Review the findings" if scanned else "Scan for bad images")
    # A new key for a new job: the popover closes, so that what became of the import is not hidden behind it.
    key = f"import-{state.current('job')}"
    with st.popover("Import more images", icon=":material/add_photo_alternate:", key=key):
        import_panel.import_form()

st.subheader("A sample of each class", anchor=False)
overview.samples(dataset)
st.subheader("Images per class", anchor=False)
overview.class_chart(dataset)
st.subheader("The average image", anchor=False)
overview.mean_images(dataset)
st.subheader("Size and colour", anchor=False)
overview.spread(dataset)
