"""What happens when something is pressed. All a visitor sees of a run passes through `Handlers.run`."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from clip_tta_core import engine, export, hosting, plots
from clip_tta_core.clip.loading import MINI
from clip_tta_core.logs import open_log
from clip_tta_core.records import Catalog, RunConfig, RunLog
from clip_tta_core.ui import albums, links, status, views, words
from clip_tta_core.ui.albums import Albums, Reading
from clip_tta_core.ui.lessons import FIRST
from clip_tta_core.ui.runs import Run, Runs
from clip_tta_core.ui.settings import USUAL, defaults, split_names, to_config

BETWEEN = 0.09  # seconds between two updates of the page: ten a second, with the time that one takes
BETWEEN_BATCHES = 0.4  # and between two batches in the gallery, which weigh more
# And where only the step inside a batch has changed: whatever an update says, the server and a browser on the
# same machine take 10 ms for it from the run.
BETWEEN_STEPS = 1.0
# Seconds between two looks at a run that reports nothing new; a report is taken at once. Every look takes the
# interpreter from the run: 20 a second cost it 6 %.
POLL = 0.25
MIME = {"csv": "text/csv", "json": "application/json", "png": "image/png"}
NOTHING_YET = "There is nothing to keep yet; press Run first."
UNREADABLE = "The upload ended with an error that was not foreseen; the server's log has the details."
# Set for a preview, which depends on none of these.
ONE_PICTURE = {"model": MINI, "device": "auto", "templates": USUAL, "unknown_source": "none", "batches": 1}
# What a new upload changes of the settings, by its purpose.
WITH = {
    "pictures": {"source": "upload", "corruption": "none", "style": "none", "lesson": ""},
    "unknowns": {"unknown_source": "upload", "lesson": ""},
}
WITHOUT = {"pictures": ("source", "rendered"), "unknowns": ("unknown_source", "none")}  # once it is removed


class News:
    """What one event tells the page: a view for every part that has changed, and a number for each telling.

    An answer repeats all that the event has told before. So only what is new travels, one output carries it,
    and the browser sees by the numbers what it has not drawn yet, even where it skips an answer.
    """

    _serial = itertools.count(1)

    def __init__(self) -> None:
        self._told: dict[str, Any] = {"serials": {}}

    def tell(self, **views: Any) -> dict[str, Any]:
        """The answer, after `views` have changed: parts of the page by name."""
        serials = self._told["serials"] | {name: next(self._serial) for name in views}
        self._told = self._told | views | {"serials": serials}
        return self._told


class Handlers:
    """The page's events, with what they share: the catalog, everybody's runs, the recorded one."""

    def __init__(self, catalog: Catalog, recorded: RunLog, run: Any = hosting.run) -> None:
        self.catalog = catalog
        self.recorded = recorded
        if len(recorded):
            recorded.settings["stream"] = words.stream(to_config(FIRST.settings()), catalog)
        self.runs = Runs()
        self.albums = Albums()
        self.engine = run
        self._serial = itertools.count(1)

    # ---- the run ----

    def run(self, settings: dict, request: gr.Request) -> Iterator[dict[str, Any]]:
        """Adapt the chosen methods to the chosen stream and show every batch as it comes."""
        log, news = RunLog(), News()
        yield news.tell(status=status.status("loading", log), message={"text": ""})
        try:
            config = self.configure(settings, request)
            engine.check(config)
        except ValueError as problem:
            yield news.tell(**self._refusal(str(problem), request))
            return
        log = self._open_log(settings, config)
        run = Run(self.engine, config)
        self.runs.begin(request.session_hash, run)
        try:
            yield from self._follow(run, log, news, request.session_hash)
        finally:  # the end, Stop, a closed tab, an error
            self.runs.end(request.session_hash, run)

    def _follow(self, run: Run, log: RunLog, news: News, session: str) -> Iterator[dict[str, Any]]:
        clock, shown, pictures_shown, seen, fresh = status.Clock(), 0.0, 0.0, (0, None, ""), False
        while not (run.ended.is_set() and run.empty()):
            reports = run.drain(BETWEEN if fresh else POLL)
            active = clock.tick(run.control.paused)
            for report in reports:
                log.append(report, active)
            if reports:
                self.runs.keep(session, run, log)
            now, state = time.monotonic(), _state(run, log)
            here = (len(log), run.control.progress, state)
            fresh = seen[0] != len(log)
            quiet = not fresh and state == seen[2] == "running"
            if here == seen or now - shown < (BETWEEN_STEPS if quiet else BETWEEN):
                continue
            with_pictures = fresh and now - pictures_shown >= BETWEEN_BATCHES
            pictures_shown = now if with_pictures else pictures_shown
            line = status.status(state, log, run.control.progress, active)
            yield news.tell(status=line, **(_views(log, with_pictures) if fresh else {}))
            shown, seen, fresh = now, here, False
        yield news.tell(**self._last(run, log, clock.tick(run.control.paused)))

    def _last(self, run: Run, log: RunLog, active: float) -> dict[str, Any]:
        """The end of a run. One that has shown nothing leaves the earlier results where they are."""
        state = "failed" if run.problem else "stopped" if run.control.stopped else "done"
        line = status.status(state, log, active=active if len(log) else 0.0)
        return {"status": line, "message": {"text": run.problem}} | _views(log, True)

    def _refusal(self, sentence: str, request: gr.Request) -> dict[str, Any]:
        """Say what is wrong and leave the last results as they are."""
        log = self._log(request)
        line = status.recorded(log) | ({} if log is self.recorded else {"state": "idle"})
        return {"status": line, "message": {"text": sentence}}

    def _open_log(self, settings: Mapping[str, Any], config: RunConfig) -> RunLog:
        kept = {key: value for key, value in settings.items() if key != "lesson"}
        return open_log(config, kept | {"stream": words.stream(config, self.catalog)})

    def configure(self, settings: Mapping[str, Any], request: gr.Request | None) -> RunConfig:
        """The settings as a run takes them, with the visitor's own pictures where they ask for those."""
        config = to_config(settings)
        if request is None:
            return config
        session, own = request.session_hash, {}
        if config.source == "upload":
            own["pictures"] = self.albums.pictures(session, "pictures", config.class_names)
        if config.unknown_source == "upload":
            own["unknown_pictures"] = self.albums.pictures(session, "unknowns")
        return dataclasses.replace(config, **own)

    def pause(self, request: gr.Request) -> None:
        """Hold the visitor's run, or let it go on."""
        if run := self.runs.current(request.session_hash):
            run.control.resume() if run.control.paused else run.control.pause()

    def step(self, request: gr.Request) -> None:
        """One optimization step, then hold."""
        if run := self.runs.current(request.session_hash):
            run.control.step()

    def stop(self, request: gr.Request) -> None:
        """End the visitor's run; waits a moment so that the run's own last words come first."""
        if run := self.runs.current(request.session_hash):
            run.control.stop()
            run.ended.wait(2.0)

    def stopped_in_line(self, request: gr.Request) -> dict[str, Any]:
        """After a run that was still waiting for its place has been taken out of the line."""
        if self.runs.current(request.session_hash):
            return gr.skip()
        return News().tell(status=status.recorded(self._log(request)) | {"state": "stopped"})

    def leave(self, request: gr.Request) -> None:
        """The visitor has closed the page."""
        self.runs.leave(request.session_hash)
        self.albums.leave(request.session_hash)

    # ---- the visitor's own pictures ----

    def reader(self, purpose: str) -> Callable[[list[str], dict, gr.Request], Iterator[list[Any]]]:
        """What an upload for a purpose, "pictures" or "unknowns", calls."""

        def read(paths: list[str], settings: dict, request: gr.Request) -> Iterator[list[Any]]:
            yield from self.read(purpose, paths, settings, request)

        return read

    def read(
        self, purpose: str, paths: list[str], settings: dict, request: gr.Request
    ) -> Iterator[list[Any]]:
        """Read an upload and say what came of it; take it as the source of known or of unknown pictures."""
        session, reading = request.session_hash, Reading(self.albums, paths)
        self.albums.drop(session, purpose)
        reading.start()
        try:
            while not reading.ended.wait(BETWEEN):
                yield [albums.reading_view(reading.share, reading.name), gr.skip()]
            upload = reading.upload
            if upload is None:
                yield [{"said": reading.problem or UNREADABLE}, gr.skip()]
                return
            if not len(upload):
                yield [albums.view(upload, purpose), gr.skip()]
                return
            self.albums.keep(session, purpose, upload)
            news = dict(WITH[purpose])
            if purpose == "pictures" and not _typed(settings):
                news["class_names"] = "\n".join(albums.own_classes(upload))
            yield [albums.view(upload, purpose, _typed(settings | news)), news]
        except GeneratorExit:  # gone while it was read: nobody else would forget it
            self.albums.drop(session, purpose)
            raise
        finally:
            reading.abandon()

    def recount(self, settings: dict, request: gr.Request) -> Any:
        """How the pictures fit the class list, which has changed."""
        upload = self.albums.get(request.session_hash, "pictures")
        return gr.skip() if upload is None else albums.view(upload, "pictures", _typed(settings))

    def remover(self, purpose: str) -> Callable[[dict, gr.Request], list[Any]]:
        """What the button that removes an upload calls."""

        def remove(settings: dict, request: gr.Request) -> list[Any]:
            self.albums.drop(request.session_hash, purpose)
            name, other = WITHOUT[purpose]
            return [{}, {name: other} if settings.get(name) == "upload" else gr.skip()]

        return remove

    # ---- around the run ----

    def first_paint(self) -> dict[str, Any]:
        """What every part shows before anybody presses anything: the recorded run."""
        return News().tell(
            status=status.recorded(self.recorded), message={"text": ""}, **_views(self.recorded, True)
        )

    def reset(self, request: gr.Request) -> list[Any]:
        """Everything as it was when the page was opened."""
        self.leave(request)
        return [FIRST.settings(), {}, {}, self.first_paint()]

    def restore(self, request: gr.Request) -> list[Any]:
        """Settings from the link the page was opened with."""
        params = {key: value for key, value in dict(request.query_params).items() if not key.startswith("__")}
        if not params:
            return [gr.skip(), gr.skip()]
        settings, problem = links.from_query(params, start())
        return [settings, _say(problem)]

    def preview(self, settings: dict) -> list[str] | None:
        """One picture as drawn and as the stream would show it; None when there is nothing to show."""
        try:
            config = to_config(settings | ONE_PICTURE)
            if config.source != "rendered":
                return None
            plain = dataclasses.replace(config, corruption="none", style="none")
            return [_thumbnail(engine.preview(one)) for one in (plain, config)]
        except (ValueError, OSError):
            return None  # the same sentence comes when Run is pressed

    def keeper(self, kind: str) -> Callable[[gr.Request], list[Any]]:
        """What the download button of a kind of file calls."""

        def keep(request: gr.Request) -> list[Any]:
            return self.keep(kind, request)

        return keep

    def keep(self, kind: str, request: gr.Request) -> list[Any]:
        """A file of the latest run: its numbers, all of it, or a picture."""
        log = self._log(request)
        if not len(log):
            return [gr.skip(), _say(NOTHING_YET)]
        content = {"csv": export.to_csv, "json": export.to_json, "png": plots.to_png}[kind](log)
        data = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
        name = f"{export.file_stem(log)}.{kind}"
        return [{"id": next(self._serial), "name": name, "kind": MIME[kind], "data": data}, _say("")]

    def link(self, settings: dict) -> list[Any]:
        """A query string that restores the settings."""
        try:
            return [{"id": next(self._serial), "query": links.to_query(settings, start())}, _say("")]
        except ValueError as problem:
            return [gr.skip(), _say(str(problem))]

    def _log(self, request: gr.Request) -> RunLog:
        return self.runs.log(request.session_hash) or self.recorded


def start() -> dict[str, Any]:
    """What a link is compared with: the defaults and the knobs the first lesson uses."""
    return defaults() | {"methods": FIRST.settings()["methods"]}


def _typed(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The class list of the settings; empty where it cannot be read, which Run will say."""
    try:
        return split_names(settings.get("class_names", ""))
    except ValueError:
        return ()


def _state(run: Run, log: RunLog) -> str:
    if run.control.stopped:
        return "stopping"
    if run.control.paused:
        return "paused"
    return "running" if run.control.progress.batch else "loading"


def _views(log: RunLog, with_pictures: bool) -> dict[str, Any]:
    """A view for every part that draws the run; nothing of a run that has nothing to draw."""
    if not len(log):
        return {}
    names = ("curves", "classes", "scores", "results", *(["gallery"] if with_pictures else []))
    return {"sentence": views.sentences(log)} | {name: getattr(views, name)(log) for name in names}


def _say(sentence: str) -> dict[str, Any]:
    return News().tell(message={"text": sentence})


def _thumbnail(image: np.ndarray, side: int = 96) -> str:
    return views.data_address(
        Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST), quality=90
    )
