"""The Play tab: lessons and the run across the top, settings on the left, what the run shows on the right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from clip_tta_core import engine, hosting
from clip_tta_core.sources.limits import LIMITS
from clip_tta_core.ui.page import examples, parts
from clip_tta_core.ui.page.parts import (
    NOW,
    PRESSED,
    PRIVATE,
    UNDOCUMENTED,
    press_of,
    sent,
    served,
    session_of,
)
from clip_tta_core.ui.session import form, keep, links
from clip_tta_core.ui.session.desk import OWN_FOLDER, Desk
from clip_tta_core.ui.session.expense import expense
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.news import View, say
from clip_tta_core.ui.session.play import Play
from clip_tta_core.ui.session.preview import lesson_cards, preview
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.workshop import Busy, Workshop
from clip_tta_core.ui.wire import measures
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.wire.parts import (
    CurvesProps,
    Expense,
    FormProps,
    LessonsProps,
    Purpose,
    TransportProps,
    UploadLimits,
    UploadProps,
)

# Uploads, a few of them at once and beside the runs.
READING: dict[str, Any] = {"concurrency_limit": 4, "concurrency_id": "reading", "show_progress": "hidden"}
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2")  # sent as they are; all else is packed in one
UPLOADS: dict[Purpose, tuple[str, str]] = {  # title, help
    "pictures": (
        "Your own pictures",
        "Photographs, or folders and archives of them; names of folders can be the classes.",
    ),
    "unknowns": (
        "Your own unknown objects",
        "Pictures of things outside the class list, to be mixed in with the known ones.",
    ),
}


def play_tab(page: gr.Blocks, site: Site) -> parts.Form:
    """What stands in the tab. -> the form"""
    play = Play(site)
    board = parts.Board(play.first_paint())
    lessons = parts.Lessons(props=LessonsProps(lesson_cards(site.ends)))
    transport, status = run_panel(site)
    parts.Message()
    parts.Expense()
    with gr.Row(elem_classes=["ct-columns"]):
        with gr.Column(elem_classes=["ct-left"], min_width=300):
            settings, uploads = settings_panel(site)
        with gr.Column(elem_classes=["ct-right"], min_width=320):
            gallery = results_panel()
            exports = parts.Exports()
    wire_lessons(play, lessons, board)
    wire_gallery(play, gallery, board)
    wire_run(play, transport, settings, board, status)
    wire_uploads(Desk(site), uploads, settings)
    wire_exports(play, exports, settings, board)
    wire_visit(page, play, transport, settings, uploads, board)
    return settings


def settings_panel(site: Site) -> tuple[parts.Form, dict[Purpose, parts.Upload]]:
    """Every control, and the visitor's own pictures."""
    workshop = Workshop("form", at_once=2, waiting=100)

    def expense_here(settings: dict) -> Expense | None:
        return expense(settings, site.pace)

    expense_here.__name__ = "expense"
    props = FormProps(form.sections(site.catalog), form.cards(site.catalog), engine.LIMITS["contenders"][1])
    settings = parts.Form(
        FIRST.settings(),
        props,
        server_functions=[
            served(preview, workshop),
            served(form.costs, workshop, lambda sentence: {}),
            served(form.names, workshop),
            served(expense_here, Workshop("expense", at_once=1, waiting=100)),
        ],
    )
    limits = UploadLimits(LIMITS.sentence(), LIMITS.total_bytes, LIMITS.entries, ARCHIVES)
    uploads: dict[Purpose, parts.Upload] = {
        purpose: parts.Upload(UploadProps(purpose, limits, OWN_FOLDER), title, help)
        for purpose, (title, help) in UPLOADS.items()
    }
    return settings, uploads


def run_panel(site: Site) -> tuple[parts.Transport, parts.Status]:
    """Buttons, and the status line with its timeline."""
    controls = {model.name: hosting.has_controls(model.name) for model in site.catalog.models}
    with gr.Row(elem_classes=["ct-run"]):
        props = TransportProps(controls, others=hosting.has_controls("another"))
        return parts.Transport(props=props), parts.Status()


def results_panel() -> parts.Gallery:
    """What the run shows. -> the gallery, which asks for a picture closely and for an earlier batch"""
    parts.Sentence()
    with gr.Row(elem_classes=["ct-pair"]):
        parts.Curves(props=CurvesProps(measures.shown("curves")))
        parts.Classes()
    parts.Scores()
    parts.Steps()
    gallery = parts.Gallery()
    parts.Closer()
    parts.Results()
    return gallery


def wire_lessons(play: Play, lessons: parts.Lessons, board: parts.Board) -> None:
    """The recorded run of a lesson is shown as soon as the lesson is chosen."""

    def choose(event: gr.EventData, request: gr.Request) -> View:
        name, number = str(sent(event, "lesson")), sent(event, "number")
        return _or_skip(play.choose(name, number, session_of(request)))

    lessons.choose(choose, None, [board], trigger_mode="multiple", **NOW, **PRIVATE)


def wire_gallery(play: Play, gallery: parts.Gallery, board: parts.Board) -> None:
    """A picture that is clicked is shown closely; a batch that the browser lacks comes when it is wanted."""

    def open_picture(event: gr.EventData, request: gr.Request) -> View:
        batch, index = sent(event, "batch"), sent(event, "index")
        return play.open(batch, index, session_of(request))

    def look(event: gr.EventData, request: gr.Request) -> View:
        return _or_skip(play.look(sent(event, "step"), session_of(request)))

    gallery.open(open_picture, None, [board], **NOW, **PRIVATE)
    gallery.look(look, None, [board], trigger_mode="multiple", **NOW, **PRIVATE)


def wire_run(
    play: Play, transport: parts.Transport, settings: parts.Form, board: parts.Board, status: parts.Status
) -> None:
    """Run goes through the queue; Pause, Step and Stop reach the run at once."""

    def run(settings: dict, event: gr.EventData, request: gr.Request) -> Iterator[View]:
        yield from play.run(settings, session_of(request), press_of(event))

    def pause(request: gr.Request) -> None:
        play.pause(session_of(request))

    def step(request: gr.Request) -> None:
        play.step(session_of(request))

    def stop(event: gr.EventData, request: gr.Request) -> View:
        return _or_skip(play.stop(session_of(request), press_of(event)))

    transport.run(
        run,
        [settings],
        [board],
        api_name="run",
        **UNDOCUMENTED,
        **PRESSED,
        show_progress="minimal",
        show_progress_on=[status],
    )
    every = {**NOW, "trigger_mode": "multiple"}  # a press counts where the one before is on its way still
    transport.pause(pause, None, None, api_name="pause", **UNDOCUMENTED, **every)
    transport.step(step, None, None, api_name="step", **UNDOCUMENTED, **every)
    transport.stop(stop, None, [board], api_name="stop", **UNDOCUMENTED, **NOW)


def wire_uploads(desk: Desk, uploads: dict[Purpose, parts.Upload], settings: parts.Form) -> None:
    """What was picked is read at once, beside the runs, and kept for the visitor."""
    for purpose, upload in uploads.items():
        _wire_upload(desk, purpose, upload, settings)

    counting = Workshop("counting", at_once=2, waiting=100)  # a data folder may hold very many files

    async def recount(settings: dict, request: gr.Request) -> View:
        try:
            return plain(await counting.do(desk.recount, settings, session_of(request)))
        except Busy:
            return gr.skip()

    async def choose_level(settings: dict, event: gr.EventData, request: gr.Request) -> list[Any]:
        try:
            depth = sent(event, "depth")
            answer = await counting.do(desk.choose_level, depth, settings, session_of(request))
        except Busy:
            answer = None
        return list(map(_or_skip, answer or (None, None)))

    pictures = uploads["pictures"]
    pictures.recount(recount, [settings], pictures, **NOW, **PRIVATE)
    pictures.level(choose_level, [settings], [pictures, settings], **NOW, **PRIVATE)

    def take_examples(settings: dict, request: gr.Request) -> Iterator[list[Any]]:
        blank = {**(settings if isinstance(settings, dict) else {}), "class_names": ""}
        for answer in desk.read("pictures", [examples.archive()], blank, session_of(request)):
            yield list(map(_or_skip, answer))

    pictures.examples(take_examples, [settings], [pictures, settings], **READING, **PRIVATE)


def _wire_upload(desk: Desk, purpose: Purpose, upload: parts.Upload, settings: parts.Form) -> None:
    def read(paths: list[str], settings: dict, request: gr.Request) -> Iterator[list[Any]]:
        for answer in desk.read(purpose, paths, settings, session_of(request)):
            yield list(map(_or_skip, answer))

    def remove(settings: dict, request: gr.Request) -> list[Any]:
        return list(map(_or_skip, desk.remove(purpose, settings, session_of(request))))

    upload.read(
        read,
        [upload, settings],
        [upload, settings],
        api_name=f"upload_{purpose}",
        **UNDOCUMENTED,
        **READING,
    )
    upload.clear(remove, [settings], [upload, settings], **NOW, **PRIVATE)


def wire_exports(play: Play, exports: parts.Exports, settings: parts.Form, board: parts.Board) -> None:
    """Downloads and the link; what cannot be kept is said."""
    workshop = Workshop("keep", at_once=1, waiting=40)

    def keep_as(kind: str) -> Any:
        async def write(request: gr.Request) -> list[Any]:
            try:
                kept = await workshop.do(keep.keep, kind, play.site.log(session_of(request)))
                return [plain(kept), say("")]
            except ValueError as problem:
                return [gr.skip(), say(str(problem))]

        return write

    def draw_as(kind: str) -> Any:
        async def draw(event: gr.EventData, request: gr.Request) -> list[Any]:
            what = (str(sent(event, name) or "") for name in ("chart", "curve"))
            try:
                kept = await workshop.do(keep.keep_figure, kind, play.site.log(session_of(request)), *what)
                return [plain(kept), say("")]
            except ValueError as problem:
                return [gr.skip(), say(str(problem))]

        return draw

    def made_of(make: Callable[[Any], Any]) -> Any:
        def answer(settings: dict) -> list[Any]:
            try:
                return [plain(make(settings)), say("")]
            except ValueError as problem:
                return [gr.skip(), say(str(problem))]

        return answer

    for kind in keep.WRITERS:
        getattr(exports, kind)(keep_as(kind), None, [exports, board], **NOW, **PRIVATE)
    for kind in keep.FIGURES:
        getattr(exports, kind)(draw_as(kind), None, [exports, board], **NOW, **PRIVATE)
    for event, make in ((exports.link, keep.link), (exports.script, keep.script)):
        event(made_of(make), [settings], [exports, board], **NOW, **PRIVATE)

    def open_saved(event: gr.EventData, request: gr.Request) -> list[Any]:
        text = str(sent(event, "text") or "")
        return list(map(_or_skip, play.open_saved(text, session_of(request))))

    exports.open(open_saved, None, [settings, board], **NOW, **PRIVATE)


def wire_visit(
    page: gr.Blocks,
    play: Play,
    transport: parts.Transport,
    settings: parts.Form,
    uploads: dict[Purpose, parts.Upload],
    board: parts.Board,
) -> None:
    """A visit begins, perhaps with a link; begins anew with Reset; and ends."""

    def restore(request: gr.Request) -> list[Any]:
        found = links.from_query(dict(request.query_params))
        if found is None:
            return [gr.skip(), gr.skip()]
        wanted, problem = found
        run = request.query_params.get("run") == "1" and not problem
        # All of the first paint: this answer may come before the page has drawn the one it was built with.
        try:
            lesson = play.lesson(wanted["lesson"], session_of(request))
        except ValueError as damaged:
            lesson, problem = None, problem or str(damaged)
        return [wanted, play.first_paint(problem, run, lesson)]

    def reset(request: gr.Request) -> list[Any]:
        play.site.leave(session_of(request))
        return [FIRST.settings(), *({} for _ in uploads), play.first_paint()]

    def leave(request: gr.Request) -> None:
        play.site.leave(session_of(request))

    page.load(restore, None, [settings, board], **NOW, **PRIVATE)
    transport.reset(reset, None, [settings, *uploads.values(), board], **NOW, **PRIVATE)
    page.unload(leave)


def _or_skip(value: Any) -> Any:
    """What an output becomes; None leaves it as it is."""
    return gr.skip() if value is None else plain(value)
