"""A line for work that is heavy: so many at once, so many in line, a sentence for whoever comes beyond."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Full(ValueError):
    """Too many are waiting already; the text is the sentence for the visitor."""


class Line:
    """Lets `at_once` in together and `waiting` more stand in front of the door."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once, self.waiting = at_once, waiting
        self.standing = 0  # inside and in front
        self._room = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, patient: bool = False) -> Iterator[None]:
        """One's turn, for as long as the block lasts.

        Args:
            patient: whether to stand in line however long it is, as threads may that nobody else needs.

        Raises:
            Full: where `waiting` others wait already and one is not patient.
        """
        with self._lock:
            if not patient and self.standing >= self.at_once + self.waiting:
                raise Full("This page is busy with other visitors' pictures; try again in a moment.")
            self.standing += 1
        try:
            with self._room:
                yield
        finally:
            with self._lock:
                self.standing -= 1
