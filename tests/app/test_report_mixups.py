"""The report's section on costs of mix-ups: presets, what is kept, what is refused."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import NAMES, RUN, add_report
from wbc_core.evaluation.cost_decisions import report_costs
from wbc_core.evaluation.mixup_costs import costs_as_csv, load_costs, missing_costs
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    add_report(workspace, run, right=0.7)
    return page_at("report", section="mixups").run()


def button(page: AppTest, label: str) -> object:
    return next(entry for entry in page.button if entry.label == label)


def test_a_preset_is_shown_at_once_and_kept_when_asked(workspace: Workspace, page: AppTest) -> None:
    assert not page.exception
    assert "names every image as before" in shown(page)
    assert button(page, "Keep these costs").disabled
    page.selectbox(key=next(s.key for s in page.selectbox if s.label == "Class not to miss")).select(NAMES[2])
    button(page, "Set for this class").click().run()
    assert not page.exception
    assert load_costs(workspace, NAMES) is None
    costs = missing_costs(3, 2, 10)
    figures = report_costs(workspace, RUN, costs=costs)
    metric = next(entry for entry in page.metric if entry.label == "Most probable class")
    assert float(metric.value) == pytest.approx(figures["most_probable"], rel=5e-3)
    dearest = page.dataframe[-1].value.iloc[0]
    assert (dearest["True"], dearest["Taken for"]) == (
        figures["mixups"][0]["true"],
        figures["mixups"][0]["predicted"],
    )
    button(page, "Keep these costs").click().run()
    assert not page.exception
    assert load_costs(workspace, NAMES).tolist() == costs.tolist()
    assert button(page, "Keep these costs").disabled


def test_a_file_fills_the_table_and_a_wrong_one_is_refused(workspace: Workspace, page: AppTest) -> None:
    text = costs_as_csv(missing_costs(3, 0, 7), NAMES)
    page.file_uploader[0].upload("costs.csv", text.encode(), "text/csv").run()
    assert not page.exception
    button(page, "Keep these costs").click().run()
    assert load_costs(workspace, NAMES)[0].tolist() == [0, 7, 7]
    page.file_uploader[0].upload("other.csv", b"a,b\n1,2\n", "text/csv").run()
    assert not page.exception
    assert "no table of costs" in page.error[0].value
    assert load_costs(workspace, NAMES)[0].tolist() == [0, 7, 7]
