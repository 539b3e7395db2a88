"""The part Why of the Predict page: maps come from a job of their own beside the prediction's."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import NAMES, RUN, SIDE, write_pictures
from wbc_core.database import jobs, transaction
from wbc_core.evaluation.explain import picture_id
from wbc_core.evaluation.explanations import Explanation, save_explanation
from wbc_core.evaluation.neighbours import Neighbour
from wbc_core.evaluation.pictures import read_named
from wbc_core.evaluation.report import sha256_of
from wbc_core.jobs import queue
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path) -> AppTest:
    """The page with a finished prediction of two pictures."""
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    (workspace.run_dir(RUN) / "best.keras").write_bytes(b"a model")
    write_pictures(tmp_path / "smear", [0, 1])
    out = tmp_path / "out.csv"
    lines = ["cell-0.png,basophil,0.9,0.06,0.04", "cell-1.png,lymphocyte,0.2,0.5,0.3"]
    out.write_text("\n".join([f"file,predicted,{','.join(NAMES)}", *lines, ""]))
    spec = {"run": RUN, "source": str(tmp_path / "smear"), "out": str(out), "tta": False}
    job = queue.submit(workspace, "predict", spec)
    with transaction(workspace) as connection:
        done = {"state": "succeeded", "progress": 1.0, "result": {"images": 2, "rejected": []}}
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(**done))
    return page_at("predict", job=job.id)


def test_the_maps_of_a_picture_are_a_job_beside_the_prediction(
    workspace: Workspace, page: AppTest, tmp_path: Path
) -> None:
    page.run()
    assert not page.exception
    assert "This picture was not explained yet" in shown(page)
    assert page.selectbox(key="why-picture").value == "cell-1.png"
    predicted = page.query_params["job"]
    page.button(key="explain-one").click().run()
    assert not page.exception
    job = queue.list_jobs(workspace)[0]
    assert job.kind == "explain"
    assert job.spec == {"run": RUN, "source": str(tmp_path / "smear"), "names": ["cell-1.png"]}
    assert page.query_params["job"] == predicted
    assert page.query_params["maps"] == job.id
    assert "Explaining pictures" in shown(page)
    page.button(key="explain-all").click().run()
    assert queue.list_jobs(workspace)[0].spec["names"] == ["cell-1.png", "cell-0.png"]


def test_what_is_known_is_drawn(workspace: Workspace, page: AppTest, tmp_path: Path) -> None:
    image = read_named(tmp_path / "smear", {"cell-0.png"}, (SIDE, SIDE, 3))["cell-0.png"]
    generator = np.random.default_rng(0)
    made = Explanation(
        image_id=picture_id(image),
        image=image,
        row=None,
        label=None,
        part=None,
        probabilities=np.array([0.9, 0.06, 0.04], np.float32),
        grad_cam=generator.random((3, 4, 4), dtype=np.float32),
        drops=generator.uniform(-0.25, 0.5, (3, 15, 15)).astype(np.float32),
        patch=5,
        stride=2,
        neighbours=(Neighbour(2, 0, 0.0, "the same pixels"),),
    )
    save_explanation(workspace, RUN, sha256_of(workspace.run_dir(RUN) / "best.keras"), made)
    page.query_params["picture"] = "cell-0.png"
    page.query_params["maps"] = "job-gone"
    page.run()
    assert not page.exception
    assert page.selectbox(key="why-picture").value == "cell-0.png"
    said = shown(page).replace("\\", "")
    assert "Train image 2 shows this picture: the same pixels. The run has learnt from it" in said
    html = "\n".join(element.proto.body for element in page.get("html"))
    assert "Network: basophil (90.0 %)" in html
    assert "Grad-CAM for basophil (predicted)" in html
    assert "(true)" not in html
    assert "Explain this picture" not in [button.label for button in page.button]
    assert [button.label for button in page.button if button.key == "explain-all"] == ["Explain 1 picture"]


def test_pictures_that_are_gone_are_not_explained(page: AppTest, tmp_path: Path) -> None:
    for path in (tmp_path / "smear").iterdir():
        path.unlink()
    page.run()
    assert not page.exception
    assert "why-picture" not in [box.key for box in page.selectbox]
