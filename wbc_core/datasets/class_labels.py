"""From the classes that a source names to class names and labels."""

from collections.abc import Collection, Sequence

from wbc_core.errors import WbcError

MAX_CLASSES = 10_000


def name_numbered(count: int, given: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the labels 0..count-1: those given, else the numbers themselves.

    More names than labels are welcome: a part of a data set may lack the images of its last classes.

    Raises:
        WbcError: There are fewer names than labels.

    Example:
        >>> name_numbered(3, None)
        ('0', '1', '2')
    """
    if given is None:
        return tuple(str(number) for number in range(count))
    if len(given) < count:
        raise WbcError(
            "There are fewer class names than labels.",
            expected=f"at least {count} names, for the labels 0..{count - 1}",
            got=f"{len(given)}: {', '.join(given[:20])}",
            fix="Give one name a label, in the order of the labels.",
        )
    return tuple(given)


def _as_number(name: str) -> int | None:
    short = name.isascii() and name.isdecimal() and len(name) <= len(str(MAX_CLASSES))
    return int(name) if short and str(int(name)) == name and int(name) < MAX_CLASSES else None


def resolve_classes(
    found: Collection[str], given: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names in the order of their labels, and the label of each class that a source names.

    Texts are sorted. Numbers are the labels themselves where they are 0..K-1 or names are given for them.

    Args:
        found: The classes that have an image, as the source names them.
        given: The user's names for the labels 0..K-1, or the source's names in the order wanted.

    Raises:
        WbcError: The names given do not fit, or there are far too many classes.

    Example:
        >>> resolve_classes({"platelet", "monocyte"}, None)[0]
        ('monocyte', 'platelet')
        >>> resolve_classes({"1", "0"}, ["monocyte", "platelet"])[1] == {"0": 0, "1": 1}
        True
    """
    if len(found) > MAX_CLASSES:
        raise WbcError(
            "There are too many classes.", expected=f"at most {MAX_CLASSES:,}", got=f"{len(found):,}"
        )
    numbers = {name: number for name in found if (number := _as_number(name)) is not None}
    if numbers and len(numbers) == len(found):
        count = max(numbers.values()) + 1
        if given is not None or count == len(numbers):
            return name_numbered(count, given), numbers
    names = tuple(sorted(found, key=lambda name: (numbers.get(name, MAX_CLASSES), name)))
    if given is not None:
        if sorted(given) != sorted(names):
            raise WbcError(
                "The class names given are not those of the source.",
                expected=", ".join(names[:50]),
                got=", ".join(given[:50]),
                fix="Leave them out, or list the same names in the order you want.",
            )
        names = tuple(given)
    return names, {name: label for label, name in enumerate(names)}
