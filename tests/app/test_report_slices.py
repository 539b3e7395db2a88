"""The Report page's section on slices: the job, the verdict in words, the images of the chosen slice."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import RUN, add_report
from wbc_core.evaluation.reports import load_predictions, load_report, save_report
from wbc_core.evaluation.slices import slice_report
from wbc_core.jobs import queue
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    add_report(workspace, run, right=0.7)
    return page_at("report", section="slices", run=RUN)


def test_slices_are_found_by_a_job(workspace: Workspace, page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "every slice is compared with the rest" in shown(page)
    page.button(key="slices-job").click().run()
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec) == ("slices", {"run": RUN, "report": "validation"})


def test_the_verdict_the_table_and_the_images_of_the_chosen_slice(
    workspace: Workspace, page: AppTest
) -> None:
    found = slice_report(workspace, RUN, minimum=5)
    page.run()
    assert not page.exception
    worse = sum(entry["worse"] for entry in found["slices"])
    told = shown(page)
    assert ("No slice is shown to be worse" if not worse else f"{worse} slice") in told
    assert "All images are alike in source" in told
    table = page.dataframe[0].value
    assert len(table) == len(found["slices"])
    first, last = found["slices"][0], found["slices"][-1]
    assert table["Images"].tolist()[0] == first["images"]
    page.selectbox(key=f"slice-{RUN}").select(f"{last['kind']}:{last['slice']}").run()
    assert not page.exception
    assert page.query_params["slice"] == f"{last['kind']}:{last['slice']}"
    assert f"{last['images']} images, the least probable true class first" in shown(page)


def test_too_few_images_for_any_slice(workspace: Workspace, page: AppTest) -> None:
    slice_report(workspace, RUN, minimum=100)
    page.run()
    assert not page.exception
    assert "left out, with fewer than 100 images" in shown(page)


def test_worse_slices_are_named_in_words(workspace: Workspace, page: AppTest, run: Run) -> None:
    slice_report(workspace, RUN, minimum=5)
    path = workspace.run_dir(RUN) / "slices" / "validation.json"
    found = workspace.read_json(path, "slices")
    found["slices"][0] |= {"worse": True, "difference": -0.3, "difference_ci": [-0.5, -0.1]}
    workspace.write_json(path, found)
    page.run()
    assert not page.exception
    assert "1 slice is significantly worse than the rest" in shown(page)
    assert "-30.00 (-50.00 to -10.00) points" in shown(page).replace("\\", "")
    report = load_report(workspace, RUN)
    save_report(workspace, report | {"created": "later"}, load_predictions(workspace, RUN))
    page.run()
    assert "every slice is compared with the rest" in shown(page)
