"""The Look inside tab: features, flips, confusion, variance, memory and drift of one contender of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from clip_tta_core.ui.page.parts import NOW, PRIVATE, Part, sent, session_of
from clip_tta_core.ui.session.inside import Inside, asked
from clip_tta_core.ui.session.workshop import Busy, Workshop
from clip_tta_core.ui.wire import parts as wire
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.wire.parts import PARTS


def _pick(name: str, title: str, options: dict[str, str]) -> str:
    """Radio buttons side by side; the first is chosen."""
    labels = "".join(
        f'<label><input type="radio" name="ct-inside-{name}" value="{value}"{" checked" if not k else ""}>'
        f"<span>{word}</span></label>"
        for k, (value, word) in enumerate(options.items())
    )
    return f'<div class="pick" role="group" aria-label="{title}" data-pick="{name}">{labels}</div>'


_MAP = f"""<figure class="map"><figcaption><h3>Pictures and captions</h3>
{_pick("colour", "Colour by", {"truth": "Colour: truth", "answer": "Colour: answer"})}</figcaption>
<svg role="group" aria-label="The map" aria-describedby="ct-inside-map"></svg>
<p class="help" id="ct-inside-map"></p></figure>"""

_ONE = """<figure class="one"><figcaption><h3>The chosen picture</h3></figcaption>
<div class="card"><div class="pic"></div><dl></dl></div>
<p class="help">Choose a point of the map, or a picture below. With the map in focus, arrow keys go from
picture to picture.</p></figure>"""

_VARIANCE = """<figure class="variance"><figcaption><h3>Variance between classes</h3></figcaption>
<div class="gauges"></div><svg role="img" aria-label="Variance: nothing yet."></svg><p class="says"></p>
<p class="help">How far apart the mean features of the answered classes lie. The authors of Mint find that it
falls, from one corruption to the next, as accuracy does. The sentence compares batches of this one run; its
interval allows for neighbouring batches being alike.</p></figure>"""

_FLIPS = f"""<figure class="flips"><figcaption><h3>Flips</h3>
{_pick("span", "Flips of", {"batch": "This batch", "run": "The whole run"})}</figcaption>
<div class="both">
<section class="gained"><h4></h4><ul tabindex="0" aria-label="Wrong to right"></ul></section>
<section class="lost"><h4></h4><ul tabindex="0" aria-label="Right to wrong"></ul></section></div>
<p class="help"></p></figure>"""

_CONFUSION = """<figure class="confusion"><figcaption><h3>Confusion, over the whole run</h3></figcaption>
<div class="both"><section data-side="before"><h4></h4><svg role="img"></svg><p class="often"></p></section>
<section data-side="after"><h4></h4><svg role="img"></svg><p class="often"></p></section></div>
<p class="help"></p></figure>"""

_MEMORY = """<figure class="memory"><figcaption><h3>Memory</h3></figcaption>
<div class="wall" tabindex="0" role="region" aria-label="Pictures in the memory"></div>
<p class="help"></p></figure>"""

_DRIFT = """<figure class="drift"><figcaption><h3>Weight drift, layer by layer</h3></figcaption>
<div class="layers" tabindex="0" role="region" aria-label="Drift of each layer"></div>
<p class="help">Distance of each trained layer’s weights from where they started, over the batches: the norm
of the difference. All layers share one scale.</p></figure>"""


class LookInside(Part):
    """One contender of the latest run, or of the recording that is shown."""

    name = "inside"
    EVENTS = list(PARTS["inside"].events)
    describe = "One contender of a run, or pictures of it."
    template = f"""<div class="bar"><div class="choose" role="group" aria-label="Contender"></div>
<div class="player"><button type="button" data-do="play">Play</button>
<input type="range" min="1" max="1" value="1" step="1" aria-label="Batch"><output></output></div>
<p class="help stream"></p></div><p class="message" role="alert" hidden></p>
<div class="figures" hidden>{_MAP}<div class="beside">{_ONE}{_VARIANCE}</div>
{_FLIPS}{_CONFUSION}{_MEMORY}{_DRIFT}</div>"""


def inside_tab(inside: Inside) -> None:
    """What stands in the tab; nothing is worked out before a visitor opens it."""
    workshop = Workshop("inside", at_once=1, waiting=60)

    def answer(work: Callable[..., wire.Inside]) -> Callable[..., Any]:
        async def answered(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
            wanted = {name: sent(event, name) for name in ("asked", "method", "tiles")}
            try:
                return plain(await workshop.do(work, wanted, session_of(request)))
            except Busy as problem:
                return plain(wire.Inside(asked(wanted), message=str(problem)))

        return answered

    part = LookInside()
    # Whoever chooses again does not wait for the answer to the choice before.
    part.look(answer(inside.look), None, [part], trigger_mode="multiple", **NOW, **PRIVATE)
    part.fetch(answer(inside.fetch), None, [part], trigger_mode="multiple", **NOW, **PRIVATE)
