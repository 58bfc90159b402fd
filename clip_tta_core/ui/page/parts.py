"""The parts of the page that are drawn in the browser: a fixed template, a script, and plain data in between.

Templates hold no placeholder, so what a script draws stays; visitors' words reach the page as data only.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from clip_tta_core.ui.page.theme import script
from clip_tta_core.ui.session.workshop import Busy, Workshop
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.wire.parts import PARTS, Nothing, UploadProps

NOW: dict[str, Any] = {"queue": False, "show_progress": "hidden"}  # events that are answered at once
OWN_LINE: dict[str, Any] = {
    "concurrency_limit": None
}  # events that wait in session.turns rather than in Gradio's queue
# The same from a button. A run is over with its last word, and whoever presses again is heard then, while
# Gradio still closes the event before. Stop cancels no event, for it might meet the next one.
PRESSED: dict[str, Any] = {**OWN_LINE, "trigger_mode": "multiple"}
FILE_MARK = FileData(path="").meta["_type"]
PRIVATE: dict[str, Any] = {"api_visibility": "private"}  # events that are the page's own business
# Events that clients can call, but that answer with what the page draws: for scripts there are others.
UNDOCUMENTED: dict[str, Any] = {"api_visibility": "undocumented"}


class Part(gr.HTML):
    """A part of the page: `name` is its script's, its entry's in wire.parts.PARTS, and its class's in CSS.

    Parts that trigger events list them as EVENTS, as every component of Gradio does.
    """

    name: str
    template: str
    describe: str  # what its value is, for the page's API

    def __init__(self, value: Any = None, props: Any = None, **kwargs: Any) -> None:
        super().__init__(
            value=plain(value),
            html_template=self.template,
            js_on_load=script(self.name),
            apply_default_css=False,
            elem_id=kwargs.pop("elem_id", f"ct-{self.name}"),
            elem_classes=["ct", f"ct-{self.name}"],
            given=json.dumps(plain(props or Nothing()), separators=(",", ":")),
            **kwargs,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": self.describe}


def session_of(request: gr.Request) -> str:
    """The name of the visitor's session; that of a caller who has none is empty."""
    return request.session_hash or ""


def served(
    method: Callable[..., Any], workshop: Workshop, busy: Callable[[str], Any] = lambda sentence: None
) -> Callable[..., Any]:
    """A bound method as Gradio serves it: it marks the function, and a bound method does not bear a mark.

    Args:
        method: does the work, in the threads of `workshop`.
        workshop: where.
        busy: the answer where too much is waiting there, from the sentence that says so.
    """

    @functools.wraps(method)
    async def call(*values: Any) -> Any:
        try:
            return plain(await workshop.do(method, *values))
        except Busy as problem:
            return plain(busy(str(problem)))

    return call


def sent(event: gr.EventData, name: str) -> Any:
    """What came with an event under that name; None where nothing of the kind did."""
    try:
        return getattr(event, name, None)
    except TypeError:  # something else than names and values came
        return None


def press_of(event: gr.EventData) -> int:
    """The number of the press that an event is of; 0 where it has none."""
    number = sent(event, "press")
    return number if type(number) is int and number > 0 else 0


class Board(Part):
    """Where the server tells what is new; every other part takes its own from here, so one output does."""

    name = "board"
    describe = "Views by the name of the part that shows them, and {serials: {part: number}}."
    template = "<i></i>"


def _chart(title: str, extra: str = "", height: int = 10, help: str = "&nbsp;") -> str:
    return f"""<figure><figcaption><h3>{title}</h3>{extra}</figcaption>
<svg role="img" aria-label="{title}: nothing yet." style="height:{height}px"></svg>
<p class="help">{help}</p></figure>"""


class Curves(Part):
    """Curves over the stream, one per method."""

    name = "curves"
    describe = "Curves per method."
    template = _chart("Over the stream", '<select aria-label="What the curves show"></select>', 330)


class Classes(Part):
    """Histograms of predicted classes beside the true one, with a gauge of how many are in use."""

    name = "classes"
    describe = "Class counts per method."
    template = _chart("Predicted classes", height=366)


class Scores(Part):
    """Scores of known and unknown pictures; takes no room while there are no unknown ones."""

    name = "scores"
    describe = "Scores per method."
    template = _chart(
        "Known or unknown?",
        help="Scores of known images upwards, of unknown ones downwards; a line at the threshold, and ticks "
        "where it was before.",
    )


class Gallery(Part):
    """The pictures of a batch with their predictions before and after."""

    name = "gallery"
    EVENTS = list(PARTS["gallery"].events)
    describe = "The latest batch as one sheet."
    template = """<figure hidden><figcaption><h3>The batch</h3><div class="choose" role="group"
aria-label="Method"></div><div class="filter" role="group" aria-label="Which pictures"></div></figcaption>
<ul aria-label="Pictures of the batch"></ul><p class="help"></p></figure>"""


class Closer(Part):
    """One picture of the batch, looked at closely."""

    name = "closer"
    describe = "A picture with its probabilities, pulls and neighbours; or nothing."
    template = """<dialog aria-labelledby="ct-closer-title"><div class="head"><h3 id="ct-closer-title"></h3>
<button type="button" class="close" aria-label="Close">✕</button></div><div class="body"></div></dialog>"""


class Steps(Part):
    """The batch under way, optimization step by step."""

    name = "steps"
    describe = "A method's numbers on the batch, one a step; or nothing."
    template = """<figure hidden><figcaption><h3>Inside the batch</h3><span class="turns"></span></figcaption>
<div class="inside"><div class="moving"></div><div class="bars"></div></div><p class="help"></p></figure>"""


class Results(Part):
    """The table of results."""

    name = "results"
    describe = "Measures per method."
    template = """<figure><figcaption><h3>In numbers</h3></figcaption><div class="scroll" tabindex="0"
role="region" aria-label="Results"><table><thead></thead><tbody></tbody></table></div>
<p class="help">In bold: the best number of a column. Whether the pictures tell it from the others is what
the sentence above says.</p></figure>"""


class Sentence(Part):
    """What the numbers say, in one or two sentences."""

    name = "sentence"
    describe = "One sentence per batch, and notes."
    template = """<p class="said"></p><p class="help stream"></p>
<p class="unseen" aria-live="polite"></p><ul></ul>"""


class Status(Part):
    """What the run is doing, how fast, and a timeline to look back on."""

    name = "status"
    describe = "State of the run."
    template = """<div class="status">
<div class="line"><b class="what">Ready</b><span class="figures"></span></div>
<div class="timeline"><button type="button" aria-label="Play this run again" title="Play this run again">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2.5v11l9-5.5z"/></svg></button>
<input type="range" min="1" max="16" value="1" step="1" aria-label="Batch to look at"></div></div>"""


_ICONS = {
    "run": ("Run", "M4 2v12l10-6z"),
    "pause": ("Pause", "M4 2h3v12H4zM9 2h3v12H9z"),
    "step": ("Step", "M3 2v12l7-6zM11 2h2.5v12H11z"),
    "stop": ("Stop", "M3 3h10v10H3z"),
    "reset": (
        "Reset",
        "M8 2.5a5.5 5.5 0 1 0 5.2 7.3l-1.9-.6A3.5 3.5 0 1 1 8 4.5c.9 0 1.8.4 2.4 1"
        "L8.5 7.5H14V2l-2 2A5.5 5.5 0 0 0 8 2.5z",
    ),
}


def _buttons() -> str:
    return "".join(
        f'<button type="button" data-do="{name}" aria-label="{word}">'
        f'<svg viewBox="0 0 16 16" aria-hidden="true"><path d="{path}"/></svg>'
        f"<span>{word}</span></button>"
        for name, (word, path) in _ICONS.items()
    )


class Transport(Part):
    """The buttons of a run."""

    name = "transport"
    EVENTS = list(PARTS["transport"].events)
    describe = "Buttons."
    template = f"""<div class="transport" role="group" aria-label="The run">{_buttons()}</div>
<p class="lent help" hidden>A GPU is lent for the whole run with this model: Stop ends it after a batch, but
it cannot be paused or stepped; a run with mini-CLIP can.</p>"""


class Lessons(Part):
    """The lessons of the course, and the one that is chosen."""

    name = "lessons"
    EVENTS = list(PARTS["lessons"].events)
    describe = "Lessons."
    template = """<div class="cards" role="radiogroup" aria-label="Lessons"></div>
<h2 class="title"></h2><div class="lesson"><details class="about" open><summary>What to look for</summary>
<p class="look-for" aria-live="polite"></p><p class="protocol help"></p>
<p class="needs help" hidden><span></span> <button type="button" data-do="twin"></button></p></details>
<div class="go" role="group" aria-label="This lesson">
<button type="button" data-do="previous" aria-label="Previous lesson" title="Previous lesson">‹</button>
<span class="place"></span>
<button type="button" data-do="next" aria-label="Next lesson" title="Next lesson">›</button>
<button type="button" data-do="present" title="Full screen; arrow keys go on, Escape ends it">Present</button>
<button type="button" data-do="print" title="A handout of one page">Print</button>
<button type="button" data-do="address" title="The address of this lesson">Copy link</button>
<button type="button" data-do="frame" title="For a page of one’s own, as an iframe">Embed</button>
<input type="text" class="copied" readonly hidden aria-label="To be copied">
<a class="whole" target="_blank" rel="noopener">Open in CLIPTTA Playground</a></div></div>
<section class="question" hidden></section>
<section class="handout above"></section><section class="handout below"></section>"""


class Form(Part):
    """Every setting of a run, built from tables."""

    name = "form"
    describe = "Settings of a run: {field: value, methods: {method: {knob: value}}}."
    template = '<div class="sections"></div>'


class Message(Part):
    """One sentence when something cannot be done."""

    name = "message"
    describe = "A sentence, or nothing."
    template = '<p class="message" role="alert" hidden></p>'


class Expense(Part):
    """What the run that is set up will cost, where that is much, and what would cost less."""

    name = "expense"
    describe = "A sentence, and settings that cost less."
    template = '<p class="says" role="status" hidden></p><div class="cheaper" hidden></div>'


class Exports(Part):
    """Downloads of a run and a link to its settings."""

    name = "exports"
    EVENTS = list(PARTS["exports"].events)
    describe = "A file or a link."
    template = """<div class="exports" role="group" aria-label="Keep this run">
<button type="button" data-do="csv">Numbers (CSV)</button>
<button type="button" data-do="settings">Settings (JSON)</button>
<button type="button" data-do="json">Whole run (JSON)</button>
<button type="button" data-do="pictures">Every answer (CSV)</button>
<span class="figure"><select aria-label="What the figure shows"><option value="">All charts</option>
<option value="curves">The curve shown</option><option value="classes">Predicted classes</option>
<option value="scores">Known or unknown</option></select>
<button type="button" data-do="png">PNG</button><button type="button" data-do="svg">SVG</button></span>
<button type="button" data-do="link">Copy link</button>
<label class="tick"><input type="checkbox"><span>that starts the run</span></label>
<input type="text" readonly hidden aria-label="Link to these settings">
<button type="button" data-do="open" title="Or drop the file anywhere on the page">Open a saved run</button>
<input type="file" accept=".json,application/json" hidden>
<button type="button" data-do="script">Use it from a script</button></div>
<figure class="script" hidden><figcaption><h3>The same run from Python</h3></figcaption>
<pre tabindex="0" aria-label="A script for these settings"></pre>
<p class="help">What every setting may be, and a second endpoint that compares methods in turns:
<a href="gradio_api/info" target="_blank">the description of the API</a> (JSON). In Python, on your own
machine, it is <code>clip_tta_core.engine.run</code>.</p></figure>"""


class Standings(Part):
    """Downloads of a comparison, and a link to it."""

    name = "standings"
    EVENTS = list(PARTS["standings"].events)
    describe = "A file or a link."
    template = """<div class="exports" role="group" aria-label="Keep this comparison">
<button type="button" data-do="csv">Numbers (CSV)</button>
<button type="button" data-do="png">Figure (PNG)</button>
<button type="button" data-do="svg">Figure (SVG)</button>
<button type="button" data-do="markdown">Table (Markdown)</button>
<button type="button" data-do="latex">Table (LaTeX)</button>
<button type="button" data-do="link">Copy link</button>
<input type="text" readonly hidden aria-label="Link to this comparison's settings"></div>
<p class="message" role="alert" hidden></p>"""


class Upload(Part):
    """The visitor's own pictures for one purpose."""

    name = "upload"
    EVENTS = list(PARTS["upload"].events)
    describe = "Files to read: {files: [file, ...]}; what was read of them comes back."

    def __init__(self, props: UploadProps, title: str, help: str, **kwargs: Any) -> None:
        self.template = f"""<details class="section"><summary>{title}</summary><p class="help">{help}</p>
<div class="drop"><button type="button" data-do="files">Files …</button>
<button type="button" data-do="folder">Folder …</button>
<button type="button" data-do="camera">Camera …</button>
<button type="button" data-do="examples">Examples</button><span>or drop them here</span></div>
<input type="file" class="files" multiple hidden><input type="file" class="folder" webkitdirectory hidden>
<div class="camera" hidden><video muted playsinline></video><button type="button" data-do="shoot"></button>
<button type="button" data-do="close">Close the camera</button></div>
<p class="read" role="status"></p><progress max="1" aria-label="Progress" hidden></progress>
<img class="thumbnails" alt="" hidden>
<figure class="seen" hidden><img alt=""><figcaption class="help"></figcaption></figure>
<p class="offer" hidden><span></span> <button type="button" data-do="offer">Use photo-CLIP</button></p>
<label class="level" hidden>Classes are the folders <select></select></label><ul class="notes" hidden></ul>
<ul class="counts" tabindex="0" aria-label="Pictures of each class" hidden></ul>
<details class="skipped" hidden><summary></summary><ul tabindex="0" aria-label="Skipped files"></ul></details>
<div class="actions"><button type="button" data-do="folders" hidden></button>
<button type="button" data-do="clear" hidden>Remove these pictures</button></div>
<p class="help limits"></p></details>"""
        super().__init__(props=props, elem_id=f"ct-upload-{props.purpose}", **kwargs)

    def preprocess(self, payload: Any) -> list[str]:
        """The paths of uploaded files. Gradio has checked those of file objects, of nothing else."""
        files = payload.get("files") if isinstance(payload, dict) else None
        return [file["path"] for file in (files if isinstance(files, list) else ()) if _is_file(file)]


def _is_file(value: Any) -> bool:
    """Whether a value carries the mark of Gradio's file objects, and so a path that Gradio has checked."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("path"), str)
        and isinstance(value.get("meta"), dict)
        and value["meta"].get("_type") == FILE_MARK
    )
