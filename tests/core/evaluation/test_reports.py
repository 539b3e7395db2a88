"""Reports on disk and the lists of images behind their figures."""

import numpy as np
import pandas as pd
import pytest

from wbc_core.errors import WbcError
from wbc_core.evaluation import browsing, reports
from wbc_core.evaluation.scoring import score
from wbc_core.workspace import Workspace

NAMES = ("basophil", "lymphocyte", "platelet")
RUN = "job-0123456789ab"


@pytest.fixture
def predictions() -> pd.DataFrame:
    labels = np.array([0, 0, 1, 1, 2])
    table = np.array(
        [[0.9, 0.1, 0], [0.3, 0.7, 0], [0.6, 0.4, 0], [0.95, 0.04, 0.01], [0, 0.2, 0.8]], dtype=np.float32
    )
    return reports.predictions_table(np.array([4, 7, 9, 12, 15]), list("abcde"), labels, table, NAMES)


def _report(predictions: pd.DataFrame, part: str, tta: bool = False) -> dict[str, object]:
    figures = score(predictions["label"], reports.probabilities_of(predictions), NAMES)
    return {"run": RUN, "part": part, "tta": tta, **figures}


def test_what_is_saved_is_read_back(workspace: Workspace, predictions: pd.DataFrame) -> None:
    report = _report(predictions, "validation")
    reports.save_report(workspace, report, predictions)
    reports.save_report(workspace, _report(predictions, "validation", tta=True), predictions)
    assert reports.list_reports(workspace, RUN) == ["validation", "validation-tta"]
    assert reports.load_report(workspace, RUN) == report
    assert reports.load_predictions(workspace, RUN).equals(predictions)
    reports.save_report(workspace, _report(predictions, "test"), predictions)
    assert reports.load_report(workspace, RUN)["part"] == "test"
    assert not list(workspace.scratch_dir.iterdir())


def test_an_older_report_is_completed_from_its_predictions(
    workspace: Workspace, predictions: pd.DataFrame
) -> None:
    today = _report(predictions, "validation") | {"classes": list(NAMES)}
    older = {name: value for name, value in today.items() if not name.startswith(("brier", "macro_auc"))}
    older["per_class"] = {name: {"support": 1, "undefined": {}} for name in NAMES}
    reports.save_report(workspace, older, predictions)
    assert "brier_score" not in reports.load_report(workspace, RUN)
    assert reports.complete_report(workspace, RUN) == today
    reports.save_report(workspace, today, predictions)
    (reports.reports_dir(workspace, RUN) / "validation.parquet").unlink()
    assert reports.complete_report(workspace, RUN, "validation") == today


def test_a_missing_report_names_the_command(workspace: Workspace, predictions: pd.DataFrame) -> None:
    with pytest.raises(WbcError, match=f"wbc evaluate {RUN}"):
        reports.load_report(workspace, RUN)
    reports.save_report(workspace, _report(predictions, "validation"), predictions)
    with pytest.raises(WbcError, match="one of validation"):
        reports.load_report(workspace, RUN, "../../secret")


def test_a_cell_lists_its_images_hardest_first(predictions: pd.DataFrame) -> None:
    cell = browsing.cell_images(predictions, true=1, predicted=0)
    assert cell["row"].tolist() == [12, 9]
    assert cell["confidence"].tolist() == pytest.approx([0.95, 0.6])
    assert browsing.cell_images(predictions, true=2, predicted=0).empty


def test_confident_errors_come_surest_first(predictions: pd.DataFrame) -> None:
    assert browsing.confident_errors(predictions)["row"].tolist() == [12, 7, 9]
    assert browsing.confident_errors(predictions, at_most=1)["row"].tolist() == [12]


def test_disagreements_list_what_runs_see_differently(predictions: pd.DataFrame) -> None:
    right = predictions.copy()
    right["predicted"] = right["label"]
    found = browsing.disagreements({"one": predictions, "two": right})
    assert found["row"].tolist() == [7, 9, 12]
    assert found["right"].tolist() == [1, 1, 1]
    assert found["predicted two"].tolist() == [0, 1, 1]


def test_intervals_become_columns_and_settings_too() -> None:
    table = browsing.flat_table([{"run": "a", "ece_ci": None}, {"run": "b", "ece_ci": [0.1, 0.2]}])
    assert list(table.columns) == ["run", "ece_low", "ece_high"]
    assert table["ece_low"].isna().tolist() == [True, False]


def test_scores_for_a_spreadsheet_have_numbers_alone_in_their_columns(predictions: pd.DataFrame) -> None:
    names = ("=basophil", "lymphocyte", "platelet")
    labels = np.zeros(5, dtype=int)
    figures = score(labels, reports.probabilities_of(predictions), names)
    table = browsing.class_table({"classes": names, **figures})
    assert table["class"].tolist() == ["'=basophil", "lymphocyte", "platelet"]
    assert table["support"].tolist() == [5, 0, 0]
    assert table["recall"].isna().tolist() == [False, True, True]
    assert (table["recall_low"] < table["recall"]).tolist() == [True, False, False]
    assert table["auc"].isna().all()
    assert table["undefined"][0] == "specificity: every image has this class; auc: every image has this class"


def test_predictions_for_people_name_their_classes(predictions: pd.DataFrame) -> None:
    table = browsing.named_predictions(predictions, ("=basophil", "lymphocyte", "platelet"))
    assert list(table.columns) == [
        "row",
        "image_id",
        "label",
        "predicted",
        "'=basophil",
        "lymphocyte",
        "platelet",
    ]
    assert table["label"].tolist() == ["'=basophil", "'=basophil", "lymphocyte", "lymphocyte", "platelet"]
