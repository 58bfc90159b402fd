"""The Benchmark tab: a table of many runs as a heat map that fills in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from clip_tta_core.ui.page.parts import (
    NOW,
    PRESSED,
    PRIVATE,
    UNDOCUMENTED,
    Part,
    press_of,
    sent,
    served,
    session_of,
)
from clip_tta_core.ui.session.benchmark import Benchmark
from clip_tta_core.ui.session.heat import props
from clip_tta_core.ui.session.news import told
from clip_tta_core.ui.session.workshop import Workshop
from clip_tta_core.ui.wire.parts import PARTS
from clip_tta_core.ui.wire.parts import Heat as View


class Heat(Part):
    """What to measure, the heat map, and the card of one of its cells."""

    name = "heat"
    EVENTS = list(PARTS["heat"].events)
    describe = "A table as far as it is measured."
    template = """<p class="lead">Many runs make a table: every method on every shift. What is measured
once is kept, so stop and go on as you like.</p>
<div class="bar"><div class="buttons"><button type="button" class="strong" data-do="start">Start</button>
<button type="button" class="quiet" data-do="stop" disabled>Stop</button></div>
<label class="which">Table <select data-of="table"></select></label>
<label class="which">Size <select data-of="size"></select></label>
<label class="which">Methods 
<input type="search" data-of="methods" list="ct-heat-methods" placeholder="all"></label>
<label class="which">Shifts 
<input type="search" data-of="shifts" list="ct-heat-shifts" placeholder="all"></label>
<datalist id="ct-heat-methods"></datalist><datalist id="ct-heat-shifts"></datalist>
<p class="help size"></p></div>
<p class="message" role="alert" hidden></p>
<div class="progress" role="progressbar" aria-label="Table" aria-valuemin="0" aria-valuemax="100" hidden>
<i></i></div><p class="doing help">&nbsp;</p>
<p class="unseen" aria-live="polite"></p>
<figure><figcaption><h3>Accuracy</h3><p class="key" aria-hidden="true"><span class="below">below</span>
<span class="above">above</span></p><div class="files" role="group" aria-label="Keep this table">
<button type="button" class="quiet" data-do="csv">CSV</button>
<button type="button" class="quiet" data-do="md">Markdown</button>
<button type="button" class="quiet" data-do="tex">LaTeX</button>
<button type="button" class="quiet" data-do="png">PNG</button>
<button type="button" class="quiet" data-do="svg">SVG</button></div></figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="Accuracy by method and shift"><table>
<thead></thead><tbody></tbody></table></div><p class="help compared"></p></figure>
<section class="advice" aria-labelledby="ct-heat-advice" hidden>
<h3 id="ct-heat-advice">Which method when</h3><ul></ul><p class="help">By the numbers above. Gains have 95 %
intervals over the seeds; a method that is ahead by less than its interval is not called better.</p></section>
<section class="card" aria-labelledby="ct-heat-card" hidden>
<div class="top"><h3 id="ct-heat-card" tabindex="-1"></h3>
<button type="button" class="quiet" data-do="close">Close</button></div><dl></dl><code tabindex="0"></code>
<button type="button" class="strong" data-do="play">Open in Play</button></section>"""


def benchmark_tab(tabs: gr.Tabs, benchmark: Benchmark) -> None:
    """What stands in the tab; nothing is measured before a visitor presses Start."""
    looking = Workshop("tables", at_once=1, waiting=40)

    def start(event: gr.EventData, request: gr.Request) -> Iterator[dict[str, Any]]:
        wanted = {name: str(sent(event, name) or "") for name in ("table", "size", "methods", "shifts")}
        for view in benchmark.start(wanted, session_of(request), press_of(event)):
            yield told(view)

    def stop(event: gr.EventData, request: gr.Request) -> Any:
        answer = benchmark.stop(session_of(request), press_of(event))
        return gr.skip() if answer is None else told(answer)

    heat = Heat(
        View("idle"),
        props(benchmark.folder, benchmark.recorded),
        server_functions=[
            served(benchmark.look, looking, lambda sentence: View("failed", message=sentence)),
            served(benchmark.card, looking),
            served(benchmark.keep, looking),
        ],
    )
    heat.start(
        start,
        None,
        [heat],
        api_name="benchmark",
        **UNDOCUMENTED,
        **PRESSED,
        show_progress="hidden",
    )
    heat.stop(stop, None, [heat], **NOW, **PRIVATE)
    heat.play(lambda: gr.Tabs(selected="play"), None, [tabs], **NOW, **PRIVATE)
