"""The link to a run's page in MLflow is there when the run is."""

import pytest

from tests.app.opening import page_drawn_by
from wbc_core.tracking.state import MirrorState, save_state
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


def _draw_link(run_id: str) -> None:
    from app.components.mlflow_link import mlflow_link

    mlflow_link(run_id)


def test_a_page_links_to_a_mirrored_run(
    workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    page = page_drawn_by(_draw_link, run.id).run()
    assert not page.exception
    assert not page.get("link_button")
    save_state(workspace, run.id, MirrorState("http://127.0.0.1:9", experiment="1", run="abc"))
    (link,) = page.run().get("link_button")
    assert link.proto.url == "http://127.0.0.1:9/#/experiments/1/runs/abc"
