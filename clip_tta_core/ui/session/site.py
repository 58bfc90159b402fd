"""What all visitors of a page share: the catalog, the recorded run, everybody's runs and uploads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from clip_tta_core import hosting
from clip_tta_core.bench.pace import Pace
from clip_tta_core.records import Catalog, RunConfig, RunLog
from clip_tta_core.ui.session.albums import Albums
from clip_tta_core.ui.session.lessons import BY_NAME, FIRST, Lesson
from clip_tta_core.ui.session.listeners import Absence, Listeners
from clip_tta_core.ui.session.runs import Run, Runs
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.session.turns import Turn, Turns
from clip_tta_core.ui.words.stream import stream

CLOSING = 5.0  # seconds that runs have to end when the page closes


class Site:
    """One page and its visitors; a visitor is known by the session's name."""

    def __init__(
        self,
        catalog: Catalog,
        recorded: RunLog,
        run: Any = hosting.run,
        recordings: Mapping[str, RunLog] | None = None,
        ends: Mapping[str, RunLog] | None = None,
    ) -> None:
        self.catalog = catalog
        self.recorded = recorded  # shown before anybody presses anything
        first = {FIRST.name: recorded} if len(recorded) else {}
        self._recordings = recordings or {}  # by lesson; one may be read only when it is asked for
        self._shown = dict(first)  # those that have been asked for
        # Of all of them, logs with the ends of their curves at least.
        self.ends = {**(self._recordings if ends is None else ends), **first}
        self.engine = run
        self.runs = Runs()
        self.turns = Turns()
        self.listeners = Listeners()
        self.albums = Albums()
        self.pace = Pace()
        if len(recorded):
            self._name_stream(FIRST, recorded)

    def configure(self, settings: Mapping[str, Any], session: str) -> RunConfig:
        """The settings as a run takes them, with the visitor's own pictures where they ask for those."""
        config, own = to_config(settings), {}
        if config.source == "upload":
            own["pictures"] = self.albums.pictures(session, "pictures", config.class_names)
        if config.unknown_source == "upload":
            own["unknown_pictures"] = self.albums.pictures(session, "unknowns")
        return dataclasses.replace(config, **own)

    def recording(self, name: str) -> RunLog | None:
        """The recorded run of a lesson; None where there is none, ValueError where it cannot be read."""
        if name not in self._shown and name in self._recordings:
            found = self._recordings[name]
            self._name_stream(BY_NAME[name], found)
            self._shown[name] = found
        return self._shown.get(name)

    def is_recording(self, log: RunLog) -> bool:
        """Whether a run was recorded before the page was opened."""
        return any(log is one for one in (self.recorded, *self._shown.values()))

    def _name_stream(self, lesson: Lesson, log: RunLog) -> None:
        log.settings["stream"] = stream(to_config(lesson.settings()), self.catalog)

    def log(self, session: str) -> RunLog:
        """The visitor's latest run or the recording of the lesson chosen since, else the first one."""
        return self.runs.log(session) or self.recorded

    def absence(self, session: str) -> Absence:
        """For whoever works for a visitor and is to notice when nobody listens any more."""
        return Absence(self.listeners, session)

    def begin(self, turn: Turn, run: Run) -> None:
        """Begin a run whose turn it is; what was stopped on the way here ends before it reports anything."""
        self.runs.register(turn.session, run)  # where Stop finds it from now on
        if turn.dropped:
            run.control.stop()
        run.start()

    def stop(self, session: str, press: int = 0) -> bool:
        """End what the visitor runs or waits for.

        Args:
            session: the visitor's.
            press: the number of the press that began it, 0 where nobody counts.

        Returns:
            whether that press has come, and so has the last word itself. Where it has not, it never will.
        """
        came = self.turns.drop(session, press)
        if run := self.runs.current(session):
            run.control.stop()
        return came

    def abandon(self, session: str) -> None:
        """End what the visitor runs or waits for, of which no more is to be shown."""
        self.turns.leave_all(session)
        self.runs.leave(session)

    def leave(self, session: str) -> None:
        """The visitor has closed the page."""
        self.abandon(session)
        self.albums.leave(session)

    def close(self) -> None:
        """The page closes: every run ends where it can, so that no thread is torn off in mid-step."""
        self.runs.stop_all(CLOSING)
