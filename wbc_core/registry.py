"""A registry: names to entries, duplicates refused, unknown names answered with the valid ones."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from wbc_core.errors import WbcError

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Named entries of one kind, in the order of their registration.

    Args:
        kind: What an entry is, in the singular, for messages ("backbone").

    Example:
        >>> colours = Registry[int]("colour")
        >>> colours.add("violet", 0x7B4FA3)
        8081315
        >>> "violet" in colours, colours.names()
        (True, ['violet'])
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> Entry:
        """Register an entry and return it.

        Raises:
            ValueError: The name is taken; two modules claim it.
        """
        if name in self._entries:
            raise ValueError(f"The {self.kind} {name!r} is registered twice.")
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Decorate a function or class to register it under a name."""
        return lambda entry: self.add(name, entry)

    def get(self, name: str) -> Entry:
        """Look an entry up.

        Raises:
            WbcError: No entry has this name; the message lists those there are.
        """
        if name not in self._entries:
            raise WbcError(
                f"There is no {self.kind} named {name!r}.",
                expected=f"one of {', '.join(self._entries)}",
                fix="Check the spelling.",
            )
        return self._entries[name]

    def names(self) -> list[str]:
        """Every name, in the order of registration."""
        return list(self._entries)

    def items(self) -> list[tuple[str, Entry]]:
        """Every name with its entry, in the order of registration."""
        return list(self._entries.items())

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
