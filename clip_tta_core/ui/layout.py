"""Where things stand on the page, and which press calls which handler."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from clip_tta_core import engine, export
from clip_tta_core.records import RunLog
from clip_tta_core.sources.uploads import LIMITS
from clip_tta_core.ui import controls, pictures
from clip_tta_core.ui.compare_tab import Comparer, compare_tab
from clip_tta_core.ui.compare_tab import read_recorded as read_comparison
from clip_tta_core.ui.corruptions_tab import corruptions_tab
from clip_tta_core.ui.handlers import PARTS, Handlers
from clip_tta_core.ui.lessons import FIRST, LESSONS
from clip_tta_core.ui.theme import ASSETS

TITLE = "CLIPTTA Playground"
LEAD = "Watch CLIP adapt itself, live, to pictures it was not trained for."
RECORDED = ASSETS / "recorded_run.json"
AT_ONCE = 2  # runs; more visitors wait in line
FILE_TYPES = ["image", ".zip", ".tar", ".gz", ".tgz", ".bz2"]


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
    paint = handlers.first_paint()
    parts = {}
    pictures.Lessons(lessons=lesson_cards(handlers))
    transport, parts["status"] = run_panel(paint)
    parts["message"] = pictures.Message()
    with gr.Row(elem_classes=["ct-columns"]):
        with gr.Column(elem_classes=["ct-left"], min_width=300):
            form, files, skipped = settings_panel(handlers)
        with gr.Column(elem_classes=["ct-right"], min_width=320):
            parts |= results_panel(paint)
            exports = pictures.Exports()
    outputs = [parts[name] for name in PARTS]
    wire_run(handlers, transport, form, files, outputs)
    wire_rest(handlers, transport, form, exports, parts["message"], outputs)
    private = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    files.change(handlers.read, [files, form], [skipped, form], **private)
    page.load(handlers.restore, None, [form, parts["message"]], **private)
    page.unload(handlers.leave)
    return form


def settings_panel(handlers: Handlers) -> tuple[gr.Component, gr.Component, gr.Component]:
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
        most=engine.LIMITS["methods"][1],
    )
    with gr.Accordion("Your own pictures", open=False, elem_classes=["ct-upload"]):
        files = gr.File(
            label="Photographs, or a zip or tar of them",
            file_count="multiple",
            file_types=FILE_TYPES,
            height=120,
            elem_id="ct-files",
        )
        skipped = pictures.Skipped({"said": LIMITS.sentence(), "skipped": []})
    return form, files, skipped


def run_panel(paint: dict) -> tuple[gr.Component, gr.Component]:
    """Buttons, and the status line with its timeline."""
    with gr.Row(elem_classes=["ct-run"]):
        return pictures.Transport(), pictures.Status(paint.get("status"))


def results_panel(paint: dict) -> dict[str, gr.Component]:
    """What the run shows."""
    parts: dict[str, gr.Component] = {"sentence": pictures.Sentence(paint.get("sentence"))}
    with gr.Row(elem_classes=["ct-pair"]):
        parts["curves"] = pictures.Curves(paint.get("curves"))
        parts["classes"] = pictures.Classes(paint.get("classes"))
    parts["scores"] = pictures.Scores(paint.get("scores"))
    parts["gallery"] = pictures.Gallery(paint.get("gallery"))
    parts["results"] = pictures.Results(paint.get("results"))
    return parts


def wire_run(
    handlers: Handlers, transport: gr.Component, form: gr.Component, files: gr.Component, outputs: list
) -> None:
    """Run goes through the queue; Pause, Step and Stop reach the run at once."""
    status = outputs[0]
    event = transport.run(
        handlers.run,
        [form, files],
        outputs,
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
    stop.then(handlers.stopped_in_line, None, outputs, cancels=[event], api_visibility="private", **now)


def wire_rest(
    handlers: Handlers,
    transport: gr.Component,
    form: gr.Component,
    exports: gr.Component,
    message: gr.Component,
    outputs: list,
) -> None:
    """Reset, downloads and the link."""
    now = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    transport.reset(handlers.reset, None, [form, *outputs], **now)
    for kind in ("csv", "json", "png"):
        getattr(exports, kind)(handlers.keeper(kind), None, [exports, message], **now)
    exports.link(handlers.link, [form], [exports, message], **now)


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
