"""A mapping from names to things, with errors that suggest the right name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)
MOST_LISTED = 10  # names in a sentence


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist: what arrived, the nearest, what is known.

    A short list is given whole, in its order; of a long one the ten closest.
    """
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=MOST_LISTED, cutoff=0.0)
    near = difflib.get_close_matches(str(name), close, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    if len(known) <= MOST_LISTED:
        return f"Unknown {kind} '{name}'.{hint} Known: {', '.join(known)}."
    return f"Unknown {kind} '{name}'.{hint} Known: {', '.join(close)} and {len(known) - len(close)} more."


class Registry(Mapping[str, T]):
    """Things by name, in the order in which they were registered."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, item: T) -> T:
        """Add `item` under `item.name`; usable as a class decorator."""
        if item.name in self._items:
            raise ValueError(f"{self.kind} '{item.name}' is already registered; names must be unique.")
        self._items[item.name] = item
        return item

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise ValueError(unknown_name(self.kind, name, self._items))
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
