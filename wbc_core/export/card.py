"""The model card of a run, as Markdown and as HTML."""

from collections.abc import Sequence
from pathlib import Path

from wbc_core.export.card_blocks import Card
from wbc_core.export.card_content import card_of
from wbc_core.export.card_facts import card_facts
from wbc_core.export.card_html import as_html
from wbc_core.export.card_markdown import as_markdown
from wbc_core.records import Json
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


def model_card(workspace: Workspace, run: Run, exports: Sequence[Json] = ()) -> Card:
    """Fill the model card of a run from its records.

    Args:
        workspace: The lab.
        run: A run that has a report.
        exports: Passports of the models that the card goes with.

    Raises:
        WbcError: The run has no report yet, or a record is missing.
    """
    return card_of(card_facts(workspace, run, exports))


def write_card(workspace: Workspace, run: Run, folder: Path, exports: Sequence[Json] = ()) -> None:
    """Write `model_card.md` and `model_card.html`; see `model_card`."""
    card = model_card(workspace, run, exports)
    (folder / "model_card.md").write_text(as_markdown(card), encoding="utf-8")
    (folder / "model_card.html").write_text(as_html(card), encoding="utf-8")
