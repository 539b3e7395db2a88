"""What a page under AppTest says."""

from streamlit.testing.v1 import AppTest


def shown(page: AppTest) -> str:
    """The text of a page's Markdown, warnings, headings and captions."""
    kinds = (page.markdown, page.warning, page.subheader, page.caption)
    return "\n".join(str(element.value) for kind in kinds for element in kind)
