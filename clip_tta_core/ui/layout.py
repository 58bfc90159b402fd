"""Where things stand on the page, and which press calls which handler."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from clip_tta_core import engine, export, hosting
from clip_tta_core.records import RunLog
from clip_tta_core.ui import controls, pictures
from clip_tta_core.ui.compare_tab import Comparer, compare_tab
from clip_tta_core.ui.compare_tab import read_recorded as read_comparison
from clip_tta_core.ui.corruptions_tab import corruptions_tab
from clip_tta_core.ui.handlers import Handlers
from clip_tta_core.ui.lessons import FIRST, LESSONS
from clip_tta_core.ui.theme import ASSETS

TITLE = "CLIPTTA Playground"
LEAD = "Watch CLIP adapt itself, live, to pictures it was not trained for."
RECORDED = ASSETS / "recorded_run.json"
AT_ONCE = 2  # runs; more visitors wait in line
READ_AT_ONCE = 4  # uploads


def build(handlers: Handlers | None = None) -> gr.Blocks:
    """The whole page."""
    handlers = handlers or Handlers(engine.catalog(), read_recorded(RECORDED))
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.HTML(
            f"<header><h1>{TITLE}</h1><p>{LEAD}</p></header>", elem_classes=["ct", "ct-header"], padding=False
        )
        with gr.Tabs() as tabs:
            with gr.Tab("Play", id="play"):
                form = play_tab(page, handlers)
            with gr.Tab("Compare", id="compare"):
                comparer = Comparer(handlers, read_comparison(handlers.catalog))
                compare_tab(tabs, comparer, form, controls.cards(handlers.catalog))
            with gr.Tab("Corruptions", id="corruptions"):
                corruptions_tab(tabs)
    return page


def play_tab(page: gr.Blocks, handlers: Handlers) -> gr.Component:
    """Lessons and the run across the top, settings on the left, pictures on the right. -> the form"""
    board = pictures.Board(handlers.first_paint())
    pictures.Lessons(lessons=lesson_cards(handlers))
    transport, status = run_panel(handlers)
    pictures.Message()
    with gr.Row(elem_classes=["ct-columns"]):
        with gr.Column(elem_classes=["ct-left"], min_width=300):
            form, uploads = settings_panel(handlers)
        with gr.Column(elem_classes=["ct-right"], min_width=320):
            results_panel()
            exports = pictures.Exports()
    wire_run(handlers, transport, form, board, status)
    wire_uploads(handlers, uploads, form)
    wire_rest(handlers, transport, form, uploads, exports, board)
    private = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    page.load(handlers.restore, None, [form, board], **private)
    page.unload(handlers.leave)
    return form


def settings_panel(handlers: Handlers) -> tuple[gr.Component, dict[str, gr.Component]]:
    """Every control, and the visitor's own pictures."""

    def preview(
        settings: dict,
    ) -> list[str] | None:  # Gradio marks the function, which a bound method does not bear
        return handlers.preview(settings)

    def costs(settings: dict) -> dict[str, float]:
        return controls.costs(settings)

    form = pictures.Form(
        FIRST.settings(),
        sections=controls.sections(handlers.catalog),
        methods=controls.cards(handlers.catalog),
        server_functions=[preview, costs],
        most=engine.LIMITS["contenders"][1],
    )
    uploads = {
        "pictures": pictures.Upload(
            purpose="pictures",
            title="Your own pictures",
            help="Photographs, or folders and archives of them; names of folders can be the classes.",
        ),
        "unknowns": pictures.Upload(
            purpose="unknowns",
            title="Your own unknown objects",
            help="Pictures of things outside the class list, to be mixed in with the known ones.",
        ),
    }
    return form, uploads


def run_panel(handlers: Handlers) -> tuple[gr.Component, gr.Component]:
    """Buttons, and the status line with its timeline."""
    controls = {model.name: hosting.has_controls(model.name) for model in handlers.catalog.models}
    with gr.Row(elem_classes=["ct-run"]):
        transport = pictures.Transport(controls=controls, others=hosting.has_controls("another"))
        return transport, pictures.Status()


def results_panel() -> None:
    """What the run shows."""
    pictures.Sentence()
    with gr.Row(elem_classes=["ct-pair"]):
        pictures.Curves()
        pictures.Classes()
    pictures.Scores()
    pictures.Gallery()
    pictures.Results()


def wire_run(
    handlers: Handlers,
    transport: gr.Component,
    form: gr.Component,
    board: gr.Component,
    status: gr.Component,
) -> None:
    """Run goes through the queue; Pause, Step and Stop reach the run at once."""
    event = transport.run(
        handlers.run,
        [form],
        [board],
        api_name="run",
        concurrency_limit=AT_ONCE,
        concurrency_id="device",
        trigger_mode="once",
        show_progress="minimal",
        show_progress_on=[status],
    )
    now = {"queue": False, "show_progress": "hidden"}
    transport.pause(handlers.pause, None, None, api_name="pause", **now)
    transport.step(handlers.step, None, None, api_name="step", **now)
    stop = transport.stop(handlers.stop, None, None, api_name="stop", **now)
    # A run that is still in line has no thread to stop: take it out of the line.
    stop.then(handlers.stopped_in_line, None, [board], cancels=[event], api_visibility="private", **now)


def wire_uploads(handlers: Handlers, uploads: dict[str, gr.Component], form: gr.Component) -> None:
    """What was picked is read at once, beside the runs, and kept for the visitor."""
    now = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    for purpose, upload in uploads.items():
        upload.read(
            handlers.reader(purpose),
            [upload, form],
            [upload, form],
            api_name=f"upload_{purpose}",
            concurrency_limit=READ_AT_ONCE,
            concurrency_id="reading",
            show_progress="hidden",
        )
        upload.clear(handlers.remover(purpose), [form], [upload, form], **now)
    uploads["pictures"].recount(handlers.recount, [form], uploads["pictures"], **now)


def wire_rest(
    handlers: Handlers,
    transport: gr.Component,
    form: gr.Component,
    uploads: dict[str, gr.Component],
    exports: gr.Component,
    board: gr.Component,
) -> None:
    """Reset, downloads and the link."""
    now = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    transport.reset(handlers.reset, None, [form, *uploads.values(), board], **now)
    for kind in ("csv", "json", "png"):
        getattr(exports, kind)(handlers.keeper(kind), None, [exports, board], **now)
    exports.link(handlers.link, [form], [exports, board], **now)


def lesson_cards(handlers: Handlers) -> list[dict]:
    """Every lesson with a picture of its stream."""
    cards = []
    for lesson in LESSONS:
        settings = lesson.settings()
        shown = handlers.preview(settings)
        cards.append(
            {
                "name": lesson.name,
                "title": lesson.title,
                "look_for": lesson.look_for,
                "settings": settings,
                "picture": shown[1] if shown else None,
            }
        )
    return cards


def read_recorded(path: Path) -> RunLog:
    """The run shown before anybody presses anything; empty where none has been recorded."""
    return export.from_json(path.read_text("utf-8")) if path.is_file() else RunLog()
