"""Texts from users' files in CSV files: harmless in a spreadsheet, and the same again when read back."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def spreadsheet_safe(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula: an apostrophe goes before = + - @, tab or return.

    Apostrophes in front of these are doubled, so that `without_escape` gives back every text as it was.
    See OWASP, "CSV injection".

    Example:
        >>> spreadsheet_safe("=HYPERLINK(1)"), spreadsheet_safe("cell.png")
        ("'=HYPERLINK(1)", 'cell.png')
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def without_escape(text: str) -> str:
    """Undo `spreadsheet_safe`.

    Example:
        >>> [without_escape(spreadsheet_safe(text)) for text in ("-1.png", "'=1", "'s")]
        ['-1.png', "'=1", "'s"]
    """
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text
