"""A visitor's run: all that is seen of it passes through `Play.run`."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from clip_tta_core import engine
from clip_tta_core.logs import open_log
from clip_tta_core.records import Glimpse, RunConfig, RunLog
from clip_tta_core.ui.session import keep, status, views
from clip_tta_core.ui.session.closer import closer, find
from clip_tta_core.ui.session.course import Course
from clip_tta_core.ui.session.follow import Moment, follow
from clip_tta_core.ui.session.news import News, View, say
from clip_tta_core.ui.session.runs import Run
from clip_tta_core.ui.session.settings import Settings, defaults
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Full
from clip_tta_core.ui.wire.parts import Message, Status
from clip_tta_core.ui.words.stream import stream

BETWEEN_BATCHES = 0.4  # seconds between two batches in the gallery, which weigh more than all else
NOTHING_INSIDE: dict[str, Any] = {"steps": None, "closer": None}
SLOW = 2.0  # seconds of work after which a batch is drawn while it adapts; a held one is at once


class Play:
    """Run, Pause, Step and Stop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._courses: WeakKeyDictionary[RunLog, Course] = WeakKeyDictionary()  # as long as somebody has it
        self._choosing = threading.Lock()

    def run(self, settings: Mapping[str, Any], session: str, press: int = 0) -> Iterator[View]:
        """Adapt the chosen methods to the chosen stream and show every batch as it comes.

        Args:
            settings: the visitor's.
            session: the visitor's.
            press: the number of the press of Run, by which Stop finds it.
        """
        log, news = RunLog(), News()
        yield news.tell(status=status.status("loading", log), message=Message(""), **NOTHING_INSIDE)
        try:
            config = self.site.configure(settings, session)
            engine.check(config)
        except ValueError as problem:
            yield news.tell(status=self._as_before(session), message=Message(str(problem)))
            return
        try:
            turn = self.site.turns.join(session, press=press)
        except Full as problem:
            yield news.tell(status=self._as_before(session), message=Message(str(problem)))
            return
        try:
            for place in self.site.turns.wait(turn, self.site.absence(session)):
                yield news.tell(status=dataclasses.replace(status.status("waiting", log), doing=place))
            if not self.site.turns.has(turn):  # Stop, or nobody there
                if not turn.told and not turn.gone:
                    yield news.tell(status=self._stopped(session))
                return
            log = self._open_log(settings, config)
            run = Run(self.site.engine, config)
            run.look_inside()
            run.control.inside = True
            self.site.begin(turn, run)
            try:
                yield from self._show(run, log, news, session)
            finally:  # the end, Stop, a closed tab, an error
                self.site.runs.end(session, run)
        finally:
            self.site.turns.leave(turn)

    def _show(self, run: Run, log: RunLog, news: News, session: str) -> Iterator[View]:
        def take(report: Any, active: float) -> None:
            log.append(report, active)
            if frozen := report.outcomes.get(engine.ZERO_SHOT):
                self.site.pace.note(model, report.device, frozen.seconds, len(report.batch))
            self.site.runs.keep(session, run, log)

        model = str(log.settings.get("model", ""))
        pictures_shown, inside = 0.0, Inside(log)
        self._courses[log] = inside.course
        run.log = log
        for moment in follow(run, take, self.site.absence(session)):
            for glimpse in run.glimpses():
                inside.course.take(glimpse)
            if run.abandoned:  # something else is shown by now
                continue
            if moment.last:  # a run that has shown nothing leaves the earlier results where they are
                line = self._ended(moment, log, session)
                yield news.tell(status=line, message=Message(run.problem), **shown(log))
                continue
            now = time.monotonic()
            with_pictures = moment.fresh and now - pictures_shown >= BETWEEN_BATCHES
            pictures_shown = now if with_pictures else pictures_shown
            line = status.status(moment.state, log, run.control.progress, moment.active)
            drawn = shown(log, with_pictures) if moment.fresh else {}
            yield news.tell(status=line, **(drawn | inside.views(moment)))

    def _ended(self, moment: Moment, log: RunLog, session: str) -> Status:
        """The status of a run that is over; of one that has shown nothing, of what is still shown."""
        if len(log):
            return status.status(moment.state, log, active=moment.active)
        return self._as_before(session) if moment.state == "failed" else self._stopped(session)

    def _as_before(self, session: str) -> Status:
        """The status of what is still shown after a run that was refused."""
        log = self.site.log(session)
        line = status.recorded(log)
        return line if self.site.is_recording(log) else dataclasses.replace(line, state="idle")

    def _open_log(self, settings: Mapping[str, Any], config: RunConfig) -> RunLog:
        kept = {key: settings[key] for key in defaults() if key in settings and key != "lesson"}
        return open_log(config, kept | {"stream": stream(config, self.site.catalog)})

    def pause(self, session: str) -> None:
        """Hold the visitor's run, or let it go on."""
        if run := self.site.runs.current(session):
            run.control.resume() if run.control.paused else run.control.pause()

    def step(self, session: str) -> None:
        """One optimization step, then hold."""
        if run := self.site.runs.current(session):
            run.control.step()

    def stop(self, session: str, press: int = 0) -> View | None:
        """End the run that a press began, or keep one from beginning that is on its way still.

        Returns:
            the answer to the latter, else None: what has begun says itself how it ended.
        """
        came = self.site.stop(session, press)
        return None if came else News().tell(status=self._stopped(session))

    def _stopped(self, session: str) -> Status:
        """The status after Stop where nothing had begun."""
        return dataclasses.replace(status.recorded(self.site.log(session)), state="stopped")

    def open_saved(self, text: str, session: str) -> tuple[Settings | None, View]:
        """Show a run from a file in place of the visitor's latest. -> settings of the form, the answer"""
        try:
            log = keep.opened(text)
            views_of_it = shown(log)
        except ValueError as problem:
            return None, say(str(problem))
        except (KeyError, IndexError, TypeError, AttributeError):
            return None, say("Run file: its numbers do not fit together; open it as the page saved it.")
        self.site.abandon(session)
        self.site.runs.keep(session, Run(self.site.engine, RunConfig()), log)
        return keep.settings_of(log), News().tell(
            status=status.recorded(log), message=Message(""), **NOTHING_INSIDE, **views_of_it
        )

    def first_paint(self, problem: str = "", run: bool = False, recorded: RunLog | None = None) -> View:
        """What every part shows before anybody presses anything: a recorded run.

        Args:
            problem: what is wrong with the link that the page was opened with.
            run: whether that link asks for a run.
            recorded: the recording of the lesson it names; None for the first lesson's.
        """
        return _told(recorded or self.site.recorded, Message(problem, run=run or None))

    def open(self, batch: Any, index: Any, session: str) -> View:
        """A picture of the batch that is looked at, closely; a sentence where its numbers are not kept."""
        if not isinstance(batch, int) or not isinstance(index, int):
            return say("Picture: a batch and a picture must be whole numbers; click one of the pictures.")
        run = self.site.runs.current(session)
        log = run.log if run and run.log else self.site.log(session)
        course = self._courses.get(log)
        looked = find(log, course, batch)
        if looked is None:
            return say("Picture: probabilities are kept of the newest batch only; look at that one.")
        card = closer(log, looked, index, course.memories if course else None)
        return News().tell(closer=card, message=Message(""))

    def choose(self, name: str, number: object, session: str) -> View | None:
        """The recorded run of a lesson; None where there is none, or where the visitor's own run goes on.

        Args:
            name: the lesson's.
            number: of the choice, which grows from one to the next: None, too, for one that was overtaken.
            session: the visitor's.
        """
        try:
            with self._choosing:  # whoever is taken later is told later, however long the drawing takes
                log = self.lesson(name, session, number if isinstance(number, int) else 0)
                return None if log is None else _told(log, Message(""))
        except ValueError as problem:
            return say(str(problem))

    def lesson(self, name: str, session: str, number: int = 0) -> RunLog | None:
        """The recording of a lesson, which is from now on what the visitor looks at.

        Raises:
            ValueError: it is damaged; one sentence.
        """
        if self.site.runs.current(session) or (log := self.site.recording(name)) is None:
            return None
        return log if self.site.runs.look_at(session, log, number) else None

    def look(self, step: object, session: str) -> View | None:
        """The gallery of an earlier batch (0 for the first) of what the visitor looks at, or None."""
        if not isinstance(step, int):
            return None
        found = views.gallery_at(self.site.log(session), step)
        return News().tell(gallery=found) if found else None


class Inside:
    """Whether, and how, the batch that is under way is drawn."""

    def __init__(self, log: RunLog) -> None:
        self.course = Course()
        self._log = log
        self._told: Glimpse | None = None

    def views(self, moment: Moment) -> dict[str, Any]:
        """What to draw of it now: of a quick run nothing, unless it is held."""
        glimpse, log = self.course.latest, self._log
        if glimpse is None or glimpse is self._told:
            return {}
        reported = log.last is not None and log.last.batch_number >= glimpse.batch_number
        since = moment.active - (log.elapsed[-1] if log.elapsed else 0.0)
        wanted = moment.state == "paused" or (not reported and since >= SLOW)
        begun = self._told is not None and self._told.batch_number == glimpse.batch_number
        if not wanted and not begun:
            return {}
        self._told = glimpse
        found: dict[str, Any] = {"steps": views.steps(log, self.course)}
        return found if reported else found | {"gallery": views.gallery_under_way(log, self.course)}


def _told(recorded: RunLog, message: Message) -> View:
    return News().tell(status=status.recorded(recorded), message=message, **NOTHING_INSIDE, **shown(recorded))


def shown(log: RunLog, with_pictures: bool = True) -> dict[str, Any]:
    """A view for every part that draws the run; nothing of a run that has nothing to draw."""
    if not len(log):
        return {}
    names = ("curves", "classes", "scores", "results", "sentence", *(["gallery"] if with_pictures else []))
    return {name: getattr(views, name)(log) for name in names}
