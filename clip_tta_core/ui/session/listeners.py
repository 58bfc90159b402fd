"""Who listens: which visitors have a connection open over which they hear of what they asked for."""

from __future__ import annotations

import threading
import time
from collections import Counter

LONG = 20.0  # seconds without a connection; one that breaks off is made anew within less


class Listeners:
    """Open connections by session. Whoever serves the page counts them; where nobody does, all listen."""

    def __init__(self) -> None:
        self.counted = False
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def come(self, session: str) -> None:
        """A connection has been opened."""
        with self._lock:
            self._open[session] += 1

    def go(self, session: str) -> None:
        """It has been closed."""
        with self._lock:
            self._open[session] -= 1
            if self._open[session] <= 0:
                del self._open[session]

    def hears(self, session: str) -> bool:
        """Whether somebody listens."""
        return not self.counted or session in self._open


class Absence:
    """How long a visitor has not listened, for whoever looks now and then."""

    def __init__(self, listeners: Listeners, session: str) -> None:
        self._listeners, self._session = listeners, session
        self._heard = time.monotonic()

    def is_long(self) -> bool:
        """Whether it is time to go on without the visitor."""
        now = time.monotonic()
        if self._listeners.hears(self._session):
            self._heard = now
        return now - self._heard > LONG
