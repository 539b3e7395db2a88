"""Files that leave the workspace: whole or not there at all, and harmless in a spreadsheet."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wbc_core.errors import WbcError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_safe(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula: an apostrophe goes before = + - @, tab or return.

    See OWASP, "CSV injection".

    Example:
        >>> spreadsheet_safe("=HYPERLINK(1)"), spreadsheet_safe("cell.png")
        ("'=HYPERLINK(1)", 'cell.png')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def without_escape(text: str) -> str:
    """Undo `spreadsheet_safe`.

    Example:
        >>> without_escape(spreadsheet_safe("-1.png"))
        '-1.png'
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it appears at `path` when the block ends well.

    Raises:
        WbcError: `path` is a file, or a folder with something in it.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise WbcError(
            f"{path} is there already and is not empty.",
            expected="a new or an empty folder",
            fix="Name another folder, or empty this one yourself.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise WbcError(f"{path.parent} is no folder.", fix="Name another folder.") from None
    scratch = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}")
    scratch.mkdir()
    try:
        yield scratch
        scratch.replace(path)
    finally:
        if scratch.exists():
            shutil.rmtree(scratch)
