"""The Review page under AppTest, and the findings that its tests are about."""

from streamlit.testing.v1 import AppTest

from app import cache
from app.components import review_actions, review_cuts
from app.components.gallery import Press
from tests.app.opening import page_at
from wbc_core.curation.scan import load_findings
from wbc_core.records import Dataset, Finding
from wbc_core.workspace import Workspace


def open_review(**parameters: str) -> AppTest:
    return page_at("review", **parameters).run()


def flagged(dataset: Dataset, check: str) -> list[Finding]:
    return [finding for finding in load_findings(Workspace.default(), dataset.id, check) if finding.flagged]


def button(page: AppTest, label: str):
    return next(entry for entry in page.button if entry.label.startswith(label))


def shown_text(page: AppTest) -> str:
    return "\n".join(
        entry.value for kind in (page.markdown, page.info, page.success, page.caption) for entry in kind
    )


def finding(rows: tuple[int, ...], score: float = 1.0, **suggested: str) -> Finding:
    return Finding("blur", rows, tuple(map(str, rows)), score, True, suggested, "evidence")


def conflicts_of(shown: review_cuts.Cut) -> list[Finding]:
    """The groups whose labels conflict."""
    labels = cache.labels(cache.datasets()[0].id)
    return [found for found in shown.findings if len(set(labels[list(found.rows)])) > 1]


def agreeing(shown: review_cuts.Cut) -> Finding:
    """The first group whose labels do not conflict."""
    return next(found for found in shown.findings if found not in conflicts_of(shown))


def press(dataset: Dataset, action: str, rows: list[int], label: int | None = None) -> Press:
    context = review_actions.context(dataset, "blur")
    return Press(client="tab", seq=1, context=context, action=action, label=label, rows=rows)
