"""Growing histories as strings, made for small differences on the wire, and records as plain data.

A history is one string that grows at its end only: a new batch travels as what it adds, and neither the
server nor the browser looks through a thousand batches to find that out. Numbers have a space behind them,
undefined ones are a dash ("0.61 - 0.58 "); what is more than a number has a line a batch. The scripts'
counterpart is assets/js/lib/decode.js.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NewType
from weakref import WeakKeyDictionary

from PIL import Image

Numbers = NewType("Numbers", str)  # "0.61 - 0.58 ", one a batch
Lines = NewType("Lines", str)  # a line a batch, each ended
Counts = NewType("Counts", str)  # lines of "class:count" for the classes that occur
Indices = NewType("Indices", str)  # "3 0 17": whole numbers, one a picture
DataUrl = NewType("DataUrl", str)


def number(value: float) -> str:
    """One entry of a history of numbers."""
    return f"{value:.6g} " if math.isfinite(value) else "- "


def line(values: Iterable[float]) -> str:
    """One entry of a history of many numbers a batch."""
    return joined(values) + "\n"


def joined(values: Iterable[float]) -> Indices:
    """Numbers of one batch."""
    return Indices(" ".join(f"{value:g}" for value in values))


def sparse(counts: Sequence[int]) -> str:
    """One entry of a history of counts: a batch fills few of a thousand classes."""
    return " ".join(f"{index}:{count}" for index, count in enumerate(counts) if count) + "\n"


class Histories:
    """Histories of things that grow, as text; what was written for an earlier view is not written again."""

    def __init__(self) -> None:
        self._written: WeakKeyDictionary[Any, dict[tuple[str, ...], tuple[int, str]]] = WeakKeyDictionary()

    def grown(
        self, owner: Any, key: tuple[str, ...], steps: Sequence[Any], write: Callable[[Any], str]
    ) -> str:
        """The text of `steps`, which are those of the last call with this key and perhaps some more.

        Args:
            owner: whose history it is; forgotten with it.
            key: which of its histories.
            steps: one entry a batch.
            write: an entry as text.
        """
        kept = self._written.setdefault(owner, {})
        count, text = kept.get(key, (0, ""))
        text += "".join(map(write, steps[count:]))
        kept[key] = len(steps), text
        return text


def data_url(image: Image.Image, quality: int = 82) -> DataUrl:
    """A picture as a JPEG in a data URL."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return jpeg_url(buffer.getvalue())


def jpeg_url(content: bytes) -> DataUrl:
    """A JPEG file as a data URL."""
    return DataUrl("data:image/jpeg;base64," + base64.b64encode(content).decode())


def svg_url(drawing: str) -> DataUrl:
    """An SVG drawing as a data URL."""
    return DataUrl("data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode())


def plain(value: Any) -> Any:
    """Records as JSON holds them: dictionaries and lists. Fields that are None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = ((item.name, getattr(value, item.name)) for item in dataclasses.fields(value))
        return {name: plain(own) for name, own in found if own is not None}
    if isinstance(value, Mapping):
        return {name: plain(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [plain(own) for own in value]
    return value
