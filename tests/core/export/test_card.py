"""The model card: filled from the records, hostile names without power, limits that the figures show."""

from pathlib import Path

import numpy as np
import pytest

from tests.results_lab import NAMES, RUN, add_report, add_run, build_dataset, build_split
from wbc_core.curation.review import decide
from wbc_core.errors import WbcError
from wbc_core.evaluation.report import held_out
from wbc_core.evaluation.reports import predictions_table, save_report
from wbc_core.evaluation.scoring import score
from wbc_core.export.card import model_card, write_card
from wbc_core.export.card_blocks import Bullets, Card, Code, Paragraph, Section, Table
from wbc_core.export.card_html import as_html
from wbc_core.export.card_markdown import as_markdown
from wbc_core.export.writing import export_run
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace) -> Run:
    dataset = build_dataset(workspace)
    decide(workspace, dataset.id, {0: ("drop", None), 1: ("drop", None)}, who="Ada")
    decide(workspace, dataset.id, {2: ("relabel", 1)}, who="Ada")
    made = add_run(workspace, build_split(workspace, dataset, fractions=(0.5, 0.3, 0.2))[1], RUN)
    # A decision after the split is no part of what the run learnt from.
    decide(workspace, dataset.id, {5: ("drop", None)}, who="Ada")
    return made


def save_shifted(workspace: Workspace, run: Run, report: dict[str, object], strength: int) -> None:
    """A report of the same images, each named wrong, as on images shifted by so much."""
    held = held_out(workspace, run)
    labels = held.table["label"].to_numpy()
    wrong = np.eye(len(NAMES), dtype=np.float32)[(labels + 1) % len(NAMES)]
    rows, ids = held.table["row"].to_numpy(), held.table["image_id"].tolist()
    shifted = {**report, **score(labels, wrong, NAMES), "shift": "photometric", "strength": strength}
    save_report(workspace, shifted, predictions_table(rows, ids, labels, wrong, NAMES))


def test_the_card_is_filled_from_the_records(workspace: Workspace, run: Run, tmp_path: Path) -> None:
    with pytest.raises(WbcError, match="no report of its model yet"):
        export_run(workspace, RUN, "card", tmp_path / "early")
    report = add_report(workspace, run, right=1.1)
    save_shifted(workspace, run, report, 4)
    timed = {"median_ms": 12.5, "p95_ms": 20.0}
    workspace.write_json(
        workspace.run_dir(RUN) / "latency.json", {"macs": 6912, "batches": {"1": timed, "32": timed}}
    )
    export_run(workspace, RUN, "card", tmp_path / "card")
    text = (tmp_path / "card" / "model_card.md").read_text()
    for said in (
        "Research only, not a medical device",
        "2 images dropped (2 by eye), 1 given another class",
        "decision log up to line 3, SHA-256",
        "50 / 30 / 20 in train, validation, test",
        "the split's test part, never looked at while training",
        "12.5 ms (95th percentile 20.0 ms) for a batch of 1;",
        "| Photometric (test) | – | – | – | 0.0 (0.0 to ",
        "Not tested: geometric, occlusion, combined, randaugment.",
        "Few held-out images, hence wide intervals: basophil (",
        "Few real images to learn from: basophil (",
        "Photometric shifts (test): clearly worse from strength 4 on, 0.0 % at strength 4 against 100.0 %.",
    ):
        assert said in text, said
    for nothing in (" None", "nan ", "Leaky", "chosen on the same images"):
        assert nothing not in text
    sections = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert sections[:3] == ["Model details", "Intended use", "Factors"]
    html = (tmp_path / "card" / "model_card.html").read_text()
    assert all(f"<h2>{title}</h2>" in html for title in sections)
    with pytest.raises(WbcError, match="not empty"):
        export_run(workspace, RUN, "card", tmp_path / "card")


def test_a_report_of_an_earlier_epoch_is_left_out(workspace: Workspace, run: Run) -> None:
    add_report(workspace, run, right=0.8)
    (workspace.run_dir(RUN) / "best.keras").write_bytes(b"a later epoch")
    with pytest.raises(WbcError, match=f"wbc evaluate {RUN}"):
        model_card(workspace, run)


def test_the_leaky_order_is_said_where_its_figures_are(
    workspace: Workspace, run: Run, tmp_path: Path
) -> None:
    add_report(workspace, run, right=0.8)
    leaky = Run.from_json({**run.to_json(), "leaky": True})
    write_card(workspace, leaky, tmp_path)
    text = (tmp_path / "model_card.md").read_text()
    assert text.count("**Leaky order: held-out images helped make the training set") == 2
    assert "these figures are too good" in text


def test_names_of_users_have_no_power() -> None:
    evil = "<script>alert(1)</script> [a](javascript:x) ![i](http://x.test/y) | `c` $e$ :red[r] www.x.test"
    blocks = (
        Paragraph(evil),
        Bullets((evil,)),
        Table((evil, "b"), ((evil, "2"),), evil),
        Code(evil, "x < 1"),
    )
    card = Card(f"Model card: {evil}", (Section(evil, blocks),))
    html = as_html(card)
    assert "<script" not in html
    assert "default-src 'none'" in html
    assert "x &lt; 1" in html
    lines = as_markdown(card).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in table} == {3}
    for text in (line for line in lines if "alert" in line):
        for raw in ("<", "[", "]", "`", "$", "!"):
            assert text.count(raw) == text.count("\\" + raw)
        assert r"http\://x.test" in text
        assert r"www\.x.test" in text
