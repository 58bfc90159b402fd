"""The line in front of the runs: so many at once, so many waiting, everybody told place and minutes.

A visitor has one place. Whoever asks anew keeps it: in line, or among those whose turn it is.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator

from clip_tta_core.ui.session.listeners import Absence

AT_ONCE = 2  # runs
WAITING = 40  # visitors in line: a class that presses Run in the same minute, and some more
LOOK = 0.5  # seconds between two looks at the line
REMEMBERED = 20  # turns whose length says how long the next will take
VISITORS = 1000  # whose presses are remembered
FULL = (
    "{count} visitors are waiting already, so nothing has begun. Your settings stay here, and Copy link "
    "keeps them for later: press {button} again in {when}."
)


class Full(ValueError):
    """Too many are waiting; the text is the sentence for the visitor."""


class Turn:
    """A visitor's place."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.since = math.nan  # when it began
        self.dropped = False  # while it was inside, perhaps before anything had begun that could be stopped
        self.told = False  # Stop came before it, and has told its visitor already
        self.gone = False  # its visitor has left or begun anew, and looks at something else


class Turns:
    """Who runs and who waits; all methods may be called from any thread."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self.at_once, self.waiting = at_once, waiting
        self._lock = threading.Lock()
        self._line: list[Turn] = []
        self._inside: list[Turn] = []
        self._lengths: deque[float] = deque(maxlen=REMEMBERED)
        # By visitor: the latest press of a button that has come, and the latest that was stopped.
        self._presses: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many wait."""
        with self._lock:
            return len(self._line)

    def join(self, session: str, button: str = "Run", press: int = 0) -> Turn:
        """Stand in line, unless Stop was faster.

        Args:
            session: the visitor's.
            button: what to press again where the line is full.
            press: the number of the press, which grows from one to the next; 0 where nobody counts.

        Raises:
            Full: where too many stand there, with the time to come back.
        """
        with self._lock:
            turn, mine = Turn(session), [one for one in self._line if one.session == session]
            turn.told = 0 < press <= self._note(session, came=press)[1]
            if turn.told:
                return turn
            if mine:
                self._line[self._line.index(mine[0])] = turn
            elif any(one.session == session for one in self._inside):
                self._line.insert(0, turn)
            elif len(self._line) >= self.waiting and len(self._inside) >= self.at_once:
                when = _minutes(self._expected(1)) or "a few minutes"
                raise Full(FULL.format(count=len(self._line), button=button, when=when))
            else:
                self._line.append(turn)
            self._admit()
            return turn

    def wait(self, turn: Turn, absence: Absence) -> Iterator[str]:
        """Until it is one's turn: one's place and the minutes, in words, now and then.

        Afterwards `has` tells whether the turn has come, or the visitor has stopped waiting for it.
        """
        while (place := self._place(turn)) > 0 and not absence.is_long():
            minutes = _minutes(self._expected(place))
            yield f"number {place} in line" + (f", about {minutes} to go" if minutes else "")
            time.sleep(LOOK)

    def has(self, turn: Turn) -> bool:
        """Whether it is its turn."""
        return self._place(turn) == 0

    def leave(self, turn: Turn) -> None:
        """Give the place back; it does no harm to do so twice."""
        with self._lock:
            if turn in self._inside:
                self._inside.remove(turn)
                self._lengths.append(time.monotonic() - turn.since)
            elif turn in self._line:
                self._line.remove(turn)
            self._admit()

    def drop(self, session: str, press: int = 0) -> bool:
        """Take a visitor out of the line; one who is inside already learns of it.

        Args:
            session: the visitor's.
            press: the number of the press that is to be stopped, which may be on its way still.

        Returns:
            whether that press has come, so that who stands here for it tells how it ended.
        """
        with self._lock:
            for turn in self._inside:
                turn.dropped |= turn.session == session
            self._line = [one for one in self._line if one.session != session]
            return press <= self._note(session, stopped=press)[0]

    def leave_all(self, session: str) -> None:
        """Drop a visitor who has left or begun anew, and is not to be told."""
        with self._lock:
            for turn in (*self._inside, *self._line):
                turn.gone |= turn.session == session
            self._presses.pop(session, None)
        self.drop(session)

    def _note(self, session: str, came: int = 0, stopped: int = 0) -> tuple[int, int]:
        """The latest presses of a visitor that have come and were stopped, this one among them."""
        before = self._presses.pop(session, (0, 0))
        now = (max(before[0], came), max(before[1], stopped))
        if any(now):
            self._presses[session] = now
        while len(self._presses) > VISITORS:
            self._presses.popitem(last=False)
        return now

    def _place(self, turn: Turn) -> int:
        """0 for one whose turn it is, 1 for the next; -1 for one who stands here no longer."""
        with self._lock:
            if turn in self._inside:
                return 0
            return self._line.index(turn) + 1 if turn in self._line else -1

    def _admit(self) -> None:
        while self._line and len(self._inside) < self.at_once:
            turn = self._line.pop(0)
            turn.since = time.monotonic()
            self._inside.append(turn)

    def _expected(self, place: int) -> float | None:
        """Seconds until it is the turn of whoever has this place; None before any turn has ended."""
        if not self._lengths:
            return None
        return sum(self._lengths) / len(self._lengths) * place / self.at_once


def _minutes(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes = math.ceil(seconds / 60)
    return "a minute" if minutes <= 1 else f"{minutes} minutes"
