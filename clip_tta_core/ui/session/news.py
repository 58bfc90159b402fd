"""What one event tells the page."""

from __future__ import annotations

import itertools
import time
from typing import Any

from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.wire.parts import Message

View = dict[str, Any]


class News:
    """A view for every part that has changed, and a number for each telling: the value of the board.

    An answer repeats all that the event has told before. So only what is new travels, one output carries it,
    and the browser sees by the numbers what it has not drawn yet, even where it skips an answer, and what has
    been overtaken. They begin with the clock, so that a page outlives the server that it came from.
    """

    _serial = itertools.count(time.time_ns() // 1_000_000)

    def __init__(self) -> None:
        self._told: View = {"serials": {}}

    def tell(self, **views: Any) -> View:
        """The answer, after `views` have changed: records by the name of the part."""
        serials = self._told["serials"] | {name: next(self._serial) for name in views}
        self._told = self._told | plain(views) | {"serials": serials}
        return self._told


def told(view: Any) -> View:
    """The answer to a part that is told without the board. Its number makes two equal answers two: a browser
    passes over what it has already, and what it has drawn since, ahead of the server, would stay."""
    return plain(view) | {"serial": next(News._serial)}


def say(sentence: str) -> View:
    """An answer that changes the message only."""
    return News().tell(message=Message(sentence))
