"""How names and numbers are written, the same on every page."""

import re


def plain(text: str) -> str:
    """Text from a user's file, safe to stand in Markdown: every character with a meaning is escaped."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~:$^=])", r"\\\1", " ".join(text.split()))


def file_name(text: str) -> str:
    """The last part of a name that a browser sent, safe and short enough to name one file.

    Example:
        >>> file_name("..\\\\smears/.cells 12.npz"), file_name("../..")
        ('cells 12.npz', 'file')
    """
    last = "".join(letter for letter in text.replace("\\", "/").split("/")[-1] if letter.isprintable())
    while len(last.encode()) > 200:
        last = last[1:]
    return last.lstrip(". ") or "file"


def thousands(number: float) -> str:
    """A count with its thousands separated.

    Example:
        >>> thousands(13759)
        '13,759'
    """
    return f"{number:,.0f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent; a dash where it is undefined.

    Example:
        >>> percent(0.9871), percent(None)
        ('98.7 %', '–')
    """
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def seconds(duration: float | None) -> str:
    """A duration in the unit that reads best; a dash where it is unknown.

    Example:
        >>> seconds(0.42), seconds(75), seconds(4000), seconds(None)
        ('0.42 s', '1 min 15 s', '1 h 6 min', '–')
    """
    if duration is None:
        return "–"
    if duration < 60:
        return f"{duration:.3g} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
