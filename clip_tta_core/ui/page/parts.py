"""The parts of the page that are drawn in the browser: a fixed template, a script, and plain data in between.

Templates hold no placeholder, so what a script draws stays; visitors' words reach the page as data only.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta

from clip_tta_core.sources.limits import LIMITS
from clip_tta_core.ui.page.theme import script
from clip_tta_core.ui.words import CURVES

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2")  # sent as they are; all else is packed in one


class Picture(gr.HTML):
    """A part of the page whose script is assets/js/<name>.js and whose value is plain data."""

    def __init__(self, value: Any = None, *, name: str, template: str, describe: str, **kwargs: Any) -> None:
        self.describe = describe
        super().__init__(
            value=value,
            html_template=template,
            js_on_load=script(name),
            apply_default_css=False,
            elem_id=kwargs.pop("elem_id", f"ct-{name}"),
            elem_classes=["ct", f"ct-{name}"],
            **kwargs,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": self.describe}


class Board(Picture):
    """Where the server pins what is new; every other part takes its own from here, so one output does."""

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(
            value,
            name="board",
            template="<i></i>",
            describe="Views by the name of the part that shows them, and {serials: {part: number}}.",
            **kwargs,
        )


_CHART = """<figure><figcaption><h3>{title}</h3>{extra}</figcaption>
<svg role="img" aria-label="{title}: nothing yet." style="height:{height}px"></svg>
<p class="help">{help}</p></figure>"""


class Curves(Picture):
    """Curves over the stream, one per method."""

    def __init__(self, **kwargs: Any) -> None:
        menu = '<select aria-label="What the curves show"></select>'
        template = _CHART.format(title="Over the stream", extra=menu, height=330, help="&nbsp;")
        options = [dataclasses.asdict(measure) for measure in CURVES]
        super().__init__(
            name="curves", template=template, describe="Curves per method.", options=options, **kwargs
        )


class Classes(Picture):
    """Histograms of predicted classes beside the true one, with a gauge of how many are in use."""

    def __init__(self, **kwargs: Any) -> None:
        template = _CHART.format(title="Which classes it answers", extra="", height=366, help="&nbsp;")
        super().__init__(name="classes", template=template, describe="Class counts per method.", **kwargs)


class Scores(Picture):
    """Scores of known and unknown pictures; takes no room while there are no unknown ones."""

    def __init__(self, **kwargs: Any) -> None:
        help = (
            "How familiar pictures look: known ones upwards, unknown ones downwards, a line at the threshold "
            "and ticks where it was before."
        )
        template = _CHART.format(title="Known or unknown?", extra="", height=10, help=help)
        super().__init__(name="scores", template=template, describe="Scores per method.", **kwargs)


class Gallery(Picture):
    """The pictures of a batch with their answers before and after."""

    def __init__(self, **kwargs: Any) -> None:
        template = """<figure hidden><figcaption><h3>The batch</h3><div class="choose" role="group"
aria-label="Method"></div><div class="filter" role="group" aria-label="Which pictures"></div></figcaption>
<ul tabindex="0" aria-label="Pictures of the batch"></ul><p class="help"></p></figure>"""
        super().__init__(
            name="gallery", template=template, describe="The latest batch as one sheet.", **kwargs
        )


class Results(Picture):
    """The table of results."""

    def __init__(self, **kwargs: Any) -> None:
        template = """<figure><figcaption><h3>In numbers</h3></figcaption><div class="scroll" tabindex="0"
role="region" aria-label="Results"><table><thead></thead><tbody></tbody></table></div></figure>"""
        super().__init__(name="results", template=template, describe="Measures per method.", **kwargs)


class Sentence(Picture):
    """What the numbers say, in one or two sentences."""

    def __init__(self, **kwargs: Any) -> None:
        template = """<p class="said"></p><p class="help stream"></p>
<p class="unseen" aria-live="polite"></p><ul></ul>"""
        super().__init__(
            name="sentence", template=template, describe="One sentence per batch, and notes.", **kwargs
        )


class Status(Picture):
    """What the run is doing, how fast, and a timeline to look back on."""

    def __init__(self, **kwargs: Any) -> None:
        template = """<div class="status">
<div class="line"><b class="what">Ready</b><span class="figures"></span></div>
<div class="timeline"><button type="button" aria-label="Play this run again" title="Play this run again">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2.5v11l9-5.5z"/></svg></button>
<input type="range" min="1" max="16" value="1" step="1" aria-label="Batch to look at"></div></div>"""
        super().__init__(name="status", template=template, describe="State of the run.", **kwargs)


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


class Transport(Picture):
    """The buttons of a run; its events are run, pause, step, stop and reset.

    `controls` says for which models a run can be paused and stepped here, `others` for all it does not name.
    """

    def __init__(
        self, value: Any = None, *, controls: dict | None = None, others: bool = True, **kwargs: Any
    ) -> None:
        buttons = "".join(
            f'<button type="button" data-do="{name}" aria-label="{word}">'
            f'<svg viewBox="0 0 16 16" aria-hidden="true"><path d="{path}"/></svg>'
            f"<span>{word}</span></button>"
            for name, (word, path) in _ICONS.items()
        )
        template = f'<div class="transport" role="group" aria-label="The run">{buttons}</div>'
        super().__init__(
            value,
            name="transport",
            template=template,
            describe="Buttons.",
            controls=controls or {},
            others=others,
            **kwargs,
        )


class Lessons(Picture):
    """The scenario menu."""

    def __init__(self, value: Any = None, *, lessons: list | None = None, **kwargs: Any) -> None:
        template = """<div class="cards" role="radiogroup" aria-label="Lessons"></div>
<p class="look-for" aria-live="polite"></p>"""
        super().__init__(
            value, name="lessons", template=template, describe="Lessons.", lessons=lessons or [], **kwargs
        )


class Form(Picture):
    """Every setting of a run, built from tables; its value is {field: value}."""

    def __init__(
        self, value: Any = None, *, sections: list | None = None, methods: list | None = None, **kwargs: Any
    ) -> None:
        template = '<div class="sections"></div>'
        super().__init__(
            value,
            name="form",
            template=template,
            describe="Settings of a run: {field: value, methods: {method: {knob: value}}}.",
            sections=sections or [],
            methods=methods or [],
            **kwargs,
        )


class Message(Picture):
    """One sentence when something cannot be done."""

    def __init__(self, **kwargs: Any) -> None:
        template = '<p class="message" role="alert" hidden></p>'
        super().__init__(name="message", template=template, describe="A sentence, or nothing.", **kwargs)


class Exports(Picture):
    """Downloads of a run and a link to its settings; its events are csv, json, png and link."""

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        names = {
            "csv": "Numbers (CSV)",
            "json": "Whole run (JSON)",
            "png": "Picture (PNG)",
            "link": "Copy link",
        }
        buttons = "".join(
            f'<button type="button" data-do="{key}">{word}</button>' for key, word in names.items()
        )
        template = f"""<div class="exports" role="group" aria-label="Keep this run">{buttons}
<input type="text" readonly hidden aria-label="Link to these settings"></div>"""
        super().__init__(value, name="exports", template=template, describe="A file or a link.", **kwargs)


class Upload(Picture):
    """The visitor's own pictures for one purpose; its events are read, recount and clear."""

    def __init__(self, value: Any = None, *, purpose: str, title: str, help: str, **kwargs: Any) -> None:
        template = f"""<details class="section"><summary>{title}</summary><p class="help">{help}</p>
<div class="drop"><button type="button" data-do="files">Files …</button>
<button type="button" data-do="folder">Folder …</button><span>or drop them here</span></div>
<input type="file" class="files" multiple hidden><input type="file" class="folder" webkitdirectory hidden>
<p class="read" role="status"></p><progress max="1" aria-label="Progress" hidden></progress>
<img class="thumbnails" alt="" hidden>
<ul class="counts" tabindex="0" aria-label="Pictures of each class" hidden></ul>
<details class="skipped" hidden><summary></summary><ul tabindex="0" aria-label="Skipped files"></ul></details>
<div class="actions"><button type="button" data-do="folders" hidden></button>
<button type="button" data-do="clear" hidden>Remove these pictures</button></div>
<p class="help limits"></p></details>"""
        super().__init__(
            value,
            name="upload",
            template=template,
            describe="Files to read: {files: [file, ...]}; what was read of them comes back.",
            elem_id=f"ct-upload-{purpose}",
            purpose=purpose,
            limits={
                "said": LIMITS.sentence(),
                "bytes": LIMITS.total_bytes,
                "entries": LIMITS.entries,
                "archives": list(ARCHIVES),
            },
            **kwargs,
        )

    def preprocess(self, payload: Any) -> list[str]:
        """The paths of uploaded files. Gradio has checked those of file objects, of nothing else."""
        files = payload.get("files") if isinstance(payload, dict) else None
        return [file["path"] for file in files or () if is_file_obj_with_meta(file)]
