"""The pages of the lab by section: the one list that the navigation and every link read."""

from dataclasses import dataclass
from pathlib import Path

APP = Path(__file__).parent


@dataclass(frozen=True)
class PageEntry:
    """One page: its script `views/VIEW.py`, its title and its Material symbol."""

    view: str
    title: str
    icon: str

    @property
    def script(self) -> str:
        """The path that `st.Page`, `st.page_link` and `st.switch_page` take."""
        return f"views/{self.view}.py"


SECTIONS: dict[str, tuple[PageEntry, ...]] = {
    "Data": (
        PageEntry("dataset", "Dataset", ":material/database:"),
        PageEntry("review", "Review", ":material/rule:"),
    ),
    "Prepare": (
        PageEntry("split_balance", "Split & balance", ":material/call_split:"),
        PageEntry("augment", "Augment", ":material/auto_fix_high:"),
    ),
    "Train": (
        PageEntry("launch", "Launch", ":material/play_circle:"),
        PageEntry("sweep", "Sweep", ":material/tune:"),
        PageEntry("jobs", "Jobs", ":material/list_alt:"),
    ),
    "Results": (
        PageEntry("report", "Report", ":material/grid_on:"),
        PageEntry("compare", "Compare", ":material/compare_arrows:"),
        PageEntry("predict", "Predict", ":material/image_search:"),
    ),
}

PAGES: dict[str, PageEntry] = {entry.view: entry for entries in SECTIONS.values() for entry in entries}
