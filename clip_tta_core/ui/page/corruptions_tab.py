"""The Corruptions tab: one picture under all nineteen, and one of them at all five severities."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from clip_tta_core.corruptions import SEVERITIES
from clip_tta_core.sources import rendered
from clip_tta_core.ui.page.parts import NOW, PRIVATE, Part, served, session_of
from clip_tta_core.ui.session.corruptions import START, Corruptions, families
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.workshop import Busy, Workshop
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.wire.parts import PARTS, CorruptionsProps, Subject, SubjectProps

LEAD = (
    "Nineteen ways in which a picture can go wrong, as strong as in ImageNet-C. Choose one to see it grow. "
    "Papers report the mean over fifteen; the four marked as extra are kept for tuning."
)


class SubjectBar(Part):
    """Which picture, how severe, and the sheet as a file; its value is a visitor's own picture, if any."""

    name = "subject"
    describe = "A visitor's own picture: {key, title}, or {problem}."
    template = """<div class="subject"><img alt="" width="112" height="112" hidden><i class="blank"></i>
<div class="ask"><p class="title">The picture</p><div class="which"></div><p class="own" hidden></p></div>
<div class="ask"><p class="title" id="ct-severe">Severity</p><div class="severe"></div></div>
<div class="ask keep"><button type="button" class="quiet">Download the sheet (PNG)</button></div></div>
<p class="message" role="alert" hidden></p>"""


class CorruptionSheet(Part):
    """Nineteen tiles by family, each of which opens into its five severities."""

    name = "corruptions"
    EVENTS = list(PARTS["corruptions"].events)
    describe = "Nothing: pictures are asked for one sheet at a time."
    template = f"""<p class="lead">{LEAD}</p><div class="sheet"></div>
<p class="unseen" aria-live="polite"></p>"""


class OwnPicture(gr.File):
    """A file from a visitor's disk; its value is where it lies.

    Gradio's own puts an empty file beside it, which nobody deletes, and goes by the name's ending.
    """

    def get_block_name(self) -> str:
        return "file"

    def preprocess(self, payload: Any) -> str | None:
        return payload.path if isinstance(payload, FileData) else None


def corruptions_tab(site: Site, page: gr.Blocks, tabs: gr.Tabs) -> None:
    """What stands in the tab; nothing is corrupted before a visitor opens it."""
    room = Corruptions()
    drawing = Workshop("sheets", at_once=1, waiting=40)
    decoding = Workshop("own picture", at_once=2, waiting=20)

    async def read(path: str | None, request: gr.Request) -> dict[str, Any]:
        with site.albums.files([path] if path else []):  # which goes when it was read
            try:
                return plain(await decoding.do(room.read, path, session_of(request)))
            except Busy as problem:
                return plain(Subject(problem=str(problem)))

    def leave(request: gr.Request) -> None:
        room.leave(session_of(request))

    def busy(sentence: str) -> dict[str, str]:
        return {"problem": sentence}

    with gr.Row(elem_classes=["ct-bar"]):
        props = SubjectProps(tuple(sorted(rendered.OBJECTS)), tuple(SEVERITIES), START)
        bar = SubjectBar(props=props, server_functions=[served(room.keep, drawing, busy)])
        own = OwnPicture(
            label="Or a picture of yours", file_types=["image"], height=142, elem_id="ct-own", scale=0
        )
    tiles = CorruptionSheet(
        props=CorruptionsProps(families()),
        server_functions=[served(room.sheet, drawing, busy), served(room.ladder, drawing, busy)],
    )
    own.change(read, [own], [bar], **NOW, **PRIVATE)
    page.unload(leave)
    # The browser has put the corruption into the form by then; and there it can be looked at.
    show = """() => {
        const part = document.querySelector("#ct-form [data-section=shift]");
        part.open = true;
        const menu = part.querySelector("[data-field=corruption] select");
        requestAnimationFrame(() => {
            menu.focus({ preventScroll: true });
            scrollTo(0, 0);
            if (menu.getBoundingClientRect().bottom > innerHeight) part.scrollIntoView({ block: "center" });
        });
    }"""
    taken = tiles.take(lambda: gr.Tabs(selected="play"), None, [tabs], **NOW, **PRIVATE)
    taken.then(None, js=show, **NOW, **PRIVATE)
