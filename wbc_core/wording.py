"""How counts are written, the same on every page, in every message and in every report."""


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """A count with its noun.

    Args:
        number: The count.
        noun: Of one.
        plural: Of several; the noun with an s where None.

    Example:
        >>> counted(13759, "image"), counted(1, "image"), counted(2, "copy", "copies")
        ('13,759 images', '1 image', '2 copies')
    """
    return f"{number:,.0f} {noun if number == 1 else plural or f'{noun}s'}"
