"""The section Why: what was explained is drawn from the cache, what was not is offered as a job."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import NAMES, RUN, SIDE, add_report
from wbc_core.evaluation.browsing import cell_images, commonest_mix_ups, confident_errors
from wbc_core.evaluation.explanations import Explanation, MixUp, save_explanation, save_mix_up
from wbc_core.evaluation.neighbours import Neighbour
from wbc_core.evaluation.report import sha256_of
from wbc_core.evaluation.reports import load_predictions
from wbc_core.jobs import queue
from wbc_core.training.runs import Run, write_run
from wbc_core.workspace import Workspace

PATCH, STRIDE = 5, 2
COPY = "the same picture mirrored left to right, 99.1 % alike"


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, run: Run) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    add_report(workspace, run, right=0.6)
    # The page reads no more of a model than its checksum.
    (workspace.run_dir(RUN) / "best.keras").write_bytes(b"a model")
    return page_at("report", section="why")


def explained(row: int, image_id: str, label: int, duplicate: str | None) -> Explanation:
    generator = np.random.default_rng(0)
    return Explanation(
        image_id=image_id,
        image=generator.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8),
        row=row,
        label=label,
        part="validation",
        probabilities=np.eye(3, dtype=np.float32)[(label + 1) % 3],
        grad_cam=generator.random((3, 4, 4), dtype=np.float32),
        drops=generator.uniform(-0.25, 0.5, (3, 15, 15)).astype(np.float32),
        patch=PATCH,
        stride=STRIDE,
        neighbours=(
            Neighbour(0, 0, 0.0123, duplicate),
            Neighbour(1, 0, 0.1, None),
            Neighbour(40, 1, 0.2, None),
        ),
    )


def test_nothing_explained_yet_is_offered_as_a_job(workspace: Workspace, page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "This image was not explained yet" in shown(page)
    predictions = load_predictions(workspace, RUN)
    errors = confident_errors(predictions, 12)["row"].tolist()
    assert page.selectbox(key="why-image").value == errors[0]
    mix_ups = [[cell.true, cell.predicted] for cell in commonest_mix_ups(predictions, 3)]
    page.button(key="explain-all").click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert job.kind == "explain"
    assert job.spec == {"run": RUN, "report": "validation", "rows": errors, "mix_ups": mix_ups}
    assert "Explaining images" in shown(page)
    page.button(key="explain-one").click().run()
    assert queue.list_jobs(workspace)[0].spec["rows"] == errors[:1]


def test_a_link_opens_the_maps_of_its_image(workspace: Workspace, page: AppTest) -> None:
    predictions = load_predictions(workspace, RUN)
    right = predictions[predictions["label"] == predictions["predicted"]].iloc[0]
    checksum = sha256_of(workspace.run_dir(RUN) / "best.keras")
    made = explained(int(right["row"]), right["image_id"], int(right["label"]), COPY)
    save_explanation(workspace, RUN, checksum, made)
    cell = commonest_mix_ups(predictions, 1)[0]
    mean = MixUp(cell.true, cell.predicted, len(cell.image_ids), made.image, made.grad_cam)
    save_mix_up(workspace, RUN, checksum, cell.image_ids, mean)
    page.query_params["image"] = str(right["row"])
    page.run()
    assert not page.exception
    assert page.selectbox(key="why-image").value == right["row"]
    said = shown(page).replace("\\", "")
    assert "not explained yet" not in said
    assert f"Train image 0 shows this picture: {COPY}. The run has seen what it is judged on" in said
    assert "2 basophil, 1 lymphocyte among the nearest train images" in said
    html = "\n".join(element.proto.body for element in page.get("html"))
    label, predicted = NAMES[made.label or 0], NAMES[made.predicted]
    for caption in (
        f"Network: {predicted} (100.0 %), labelled {label} (0.0 %)",
        f"Grad-CAM for {predicted} (predicted)",
        f"Grad-CAM for {label} (true)",
        f"Occlusion for {predicted} (predicted)",
        "basophil 0.0123 · copy",
        "Grad-CAM: nats of the logit, on 4 x 4 places",
        "Occlusion: probability lost, 5 x 5 px covered",
        f"Mean of {len(cell.image_ids)} images",
    ):
        assert caption in html
    # What is known is not offered again.
    assert not [button for button in page.button if button.label == "Explain this image"]


def test_the_images_of_the_chosen_cell_can_be_chosen(workspace: Workspace, page: AppTest) -> None:
    page.query_params["cell"] = "1-1"
    page.query_params["image"] = "9" * 5000
    page.run()
    assert not page.exception
    predictions = load_predictions(workspace, RUN)
    row = int(predictions.loc[(predictions[["label", "predicted"]] == 1).all(axis=1), "row"].iloc[0])
    page.selectbox(key="why-image").select(row).run()
    assert not page.exception
    assert page.query_params["image"] == str(row)
    assert page.selectbox(key="why-image").value == row


def test_from_a_cell_of_the_matrix_to_its_images(workspace: Workspace, page: AppTest) -> None:
    page.query_params["section"] = "confusions"
    last = commonest_mix_ups(load_predictions(workspace, RUN), 9)[-1]
    page.query_params["cell"] = f"{last.true}-{last.predicted}"
    page.run()
    page.button(key="open-why").click().run()
    assert not page.exception
    assert page.query_params["section"] == "why"
    chosen = cell_images(load_predictions(workspace, RUN), last.true, last.predicted)["row"].iloc[0]
    assert page.selectbox(key="why-image").value == chosen
    words = f"{NAMES[last.true]} taken for {NAMES[last.predicted]}".capitalize()
    assert next(text.value for text in page.markdown if "taken for" in text.value) == f"**{words}**"


def test_without_errors_the_least_certain_images_are_listed(
    workspace: Workspace, page: AppTest, run: Run
) -> None:
    add_report(workspace, run, right=1.1)
    page.run()
    assert not page.exception
    assert "Every image was named right" in shown(page)
    assert len(page.selectbox(key="why-image").options) == 12


def test_a_run_whose_model_is_gone_says_so(workspace: Workspace, page: AppTest) -> None:
    (workspace.run_dir(RUN) / "best.keras").unlink()
    page.run()
    assert not page.exception
    assert "The model of this run is gone" in shown(page)


def test_an_ensemble_names_its_members(workspace: Workspace, page: AppTest, run: Run) -> None:
    write_run(workspace, replace(run, members=("job-one", "job-two")))
    page.run()
    assert not page.exception
    assert "open one of its members, job-one, job-two" in shown(page).replace("\\", "")
