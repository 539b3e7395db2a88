"""The Dataset page: the demo, importing by path and by upload, and what is shown of a data set."""

import io
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from wbc_core.datasets.store import list_datasets
from wbc_core.jobs import queue
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.records import Dataset, Job
from wbc_core.workspace import Workspace


def open_page() -> AppTest:
    return page_at().run()


def cells() -> bytes:
    generator = np.random.default_rng(0)
    buffer = io.BytesIO()
    images = generator.integers(0, 255, (12, 32, 32, 3), dtype=np.uint8)
    np.savez(buffer, images=images, labels=np.arange(12) % 3)
    return buffer.getvalue()


def run_job(workspace: Workspace, job: Job) -> None:
    """Do a job here, as a worker would."""
    claimed = queue.claim_next(workspace, [job.kind], "cpu", only=job.id)
    assert claimed is not None
    result = TASKS.get(job.kind)(workspace, job.id, job.spec, silent)
    queue.finish(workspace, job.id, claimed[1], "succeeded", result=result)


def texts(page: AppTest) -> str:
    parts = [*page.markdown, *page.success, *page.caption, *page.error, *page.subheader]
    return "\n".join(str(part.value) for part in parts)


def test_an_empty_lab_offers_the_demo(empty_lab: Workspace) -> None:
    page = open_page()
    next(button for button in page.button if button.label == "Build the demo").click().run()
    assert not page.exception
    assert [job.kind for job in queue.list_jobs(empty_lab)] == ["demo"]
    assert "Building the demo" in texts(page)
    assert "Build the demo" not in [button.label for button in page.button]


def test_a_path_becomes_an_import_job_and_its_data_set_is_opened(
    empty_lab: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "cells.npz").write_bytes(cells())
    page = open_page()
    next(field for field in page.text_input if field.label == "Path").set_value(str(tmp_path / "cells.npz"))
    next(field for field in page.text_input if field.label == "Class names").set_value("a, b ,c")
    next(button for button in page.button if button.label == "Import images").click().run()
    assert not page.exception
    job = queue.list_jobs(empty_lab)[0]
    assert (job.kind, job.spec["classes"], job.spec["size"]) == ("import", ["a", "b", "c"], None)
    run_job(empty_lab, job)
    page.run()
    assert not page.exception
    assert page.query_params["dataset"] == list_datasets(empty_lab)[0].id
    assert "12 images in 3 classes came in" in texts(page)
    assert "Images per class" in texts(page)


def test_an_upload_is_kept_on_disk_in_a_folder_of_its_own(empty_lab: Workspace) -> None:
    page = open_page()
    page.button_group(key="import-way").set_value("On this computer").run()
    page.file_uploader[0].set_value(("../../evil name.npz", cells(), "application/zip"))
    next(button for button in page.button if button.label == "Import images").click().run()
    assert not page.exception
    job = queue.list_jobs(empty_lab)[0]
    source = Path(job.spec["source"])
    assert source.parent.parent == empty_lab.uploads_dir
    assert source.name == "evil name.npz"
    run_job(empty_lab, job)
    assert not list(empty_lab.uploads_dir.iterdir())
    page.run()
    assert "came in from evil name" in texts(page)
    assert list_datasets(empty_lab)[0].images == 12


def test_an_import_without_a_source_says_what_to_do(empty_lab: Workspace) -> None:
    page = open_page()
    next(button for button in page.button if button.label == "Import images").click().run()
    assert "Give a path or choose a file first." in texts(page)
    assert queue.list_jobs(empty_lab) == []


def test_files_that_were_left_out_are_listed_with_the_reason(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    job = queue.submit(workspace, "import", {"source": "/data/cells.zip"})
    claimed = queue.claim_next(workspace, ["import"], "cpu")
    assert claimed is not None
    result = {
        "dataset": demo_dataset.id,
        "images": 160,
        "classes": {"a": 160},
        "rejected": [{"source": "a/broken.png", "why": "cut off"}],
    }
    queue.finish(workspace, job.id, claimed[1], "succeeded", result=result)
    page = page_at(job=job.id).run()
    assert not page.exception
    assert page.dataframe[0].value.to_numpy().tolist() == [["a/broken.png", "cut off"]]


def test_a_data_set_is_summed_up(demo_dataset: Dataset) -> None:
    page = open_page()
    assert not page.exception
    metrics = {metric.label: metric.value for metric in page.metric}
    assert (metrics["Images"], metrics["Classes"], metrics["Size"]) == ("160", "8", "96 × 96 px")
    assert "All originals are 96 × 96 pixels." in texts(page)
