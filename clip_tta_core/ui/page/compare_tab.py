"""The Compare tab: every method in turn over the stream of the Play tab, and a ranking that fills in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import gradio as gr

from clip_tta_core.card.layout import three_ways
from clip_tta_core.engine import LIMITS
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.ui.page.parts import (
    NOW,
    PRESSED,
    PRIVATE,
    Form,
    Part,
    Standings,
    press_of,
    sent,
    served,
    session_of,
)
from clip_tta_core.ui.session import keep
from clip_tta_core.ui.session.compare import KNOBS, Compare
from clip_tta_core.ui.session.news import told
from clip_tta_core.ui.session.workshop import Workshop
from clip_tta_core.ui.wire import measures
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.wire.form import MethodCard
from clip_tta_core.ui.wire.parts import PARTS, RankingProps


class Ranking(Part):
    """The table, a picture of it, and its buttons."""

    name = "ranking"
    EVENTS = list(PARTS["ranking"].events)
    describe = "Standings of methods, best first."
    template = """<div class="bar">
<div class="buttons"><button type="button" class="strong" data-do="start">Compare</button>
<button type="button" class="quiet" data-do="stop" disabled>Stop</button></div>
<div class="how"></div><div class="about"><p class="stream"></p><p class="help"></p></div></div>
<p class="message" role="alert" hidden></p>
<div class="progress" role="progressbar" aria-label="Comparison" aria-valuemin="0" aria-valuemax="100" hidden>
<i></i></div><p class="doing help">&nbsp;</p><p class="said"></p><p class="unseen" aria-live="polite"></p>
<figure class="map"><figcaption><h3>Who collapses?</h3></figcaption>
<svg role="img" aria-label="Accuracy against classes in use: nothing yet." style="height:400px"></svg>
<p class="help">Each mark is a method: how many classes it still predicts, and its accuracy. The lines cross
at zero-shot CLIP; the scale of accuracies is fitted to the methods.</p></figure>
<figure class="table"><figcaption><h3>Ranking</h3></figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="Ranking"><table><thead></thead><tbody></tbody>
</table></div><p class="help">One stream and one seed. A place such as 2–5 means that its pictures do not tell
these methods apart. With another seed the pictures, their order and the methods’ random draws differ, and so
may the places: the tab Benchmark repeats methods over seeds.</p></figure>"""


def compare_tab(tabs: gr.Tabs, compare: Compare, form: Form, cards: tuple[MethodCard, ...]) -> None:
    """What stands in the tab; `form` holds the settings of the stream."""

    workshop = Workshop("describe", at_once=1, waiting=100)

    def start(settings: dict, event: gr.EventData, request: gr.Request) -> Iterator[dict[str, Any]]:
        names, knobs = sent(event, "methods") or (), str(sent(event, "knobs") or "")
        for view in compare.start(settings, names, knobs, session_of(request), press_of(event)):
            yield told(view)

    def stop(event: gr.EventData, request: gr.Request) -> Any:
        answer = compare.stop(session_of(request), press_of(event))
        return gr.skip() if answer is None else told(answer)

    ranking = Ranking(
        compare.first_paint(),
        RankingProps(cards, LIMITS["contenders"][1], KNOBS, measures.shown("ranking")),
        server_functions=[served(compare.describe, workshop, lambda sentence: "")],
    )
    ranking.start(
        start,
        [form],
        [ranking],
        api_name="ranking",
        api_visibility="private",
        **PRESSED,
        show_progress="hidden",
    )
    ranking.stop(stop, None, [ranking], **NOW, **PRIVATE)
    ranking.watch(lambda: gr.Tabs(selected="play"), None, [tabs], **NOW, **PRIVATE)
    wire_standings(compare, Standings(), form)
    with gr.Accordion("Is that fair? Three ways to set every method, side by side", open=False) as fair:
        ways = gr.Markdown(elem_id="ct-three-ways")
    fair.expand(_recorded_ways, None, [ways], **NOW, **PRIVATE)


@cache
def _recorded_ways() -> str:
    """Summed up when somebody first asks: it would make the page start later."""
    return three_ways(Recorded())


def wire_standings(compare: Compare, standings: Standings, form: Form) -> None:
    """Downloads of a comparison, and a link to its settings."""
    keeping = Workshop("tables to keep", at_once=1, waiting=40)

    def keep_as(kind: str) -> Any:
        async def write(request: gr.Request) -> dict[str, Any]:
            table = compare.table(session_of(request))
            try:
                return plain(await keeping.do(keep.keep_table, kind, table, compare.site.catalog))
            except ValueError as problem:
                return plain(keep.refused(str(problem)))

        return write

    def link(settings: dict) -> dict[str, Any]:
        try:
            return plain(keep.link(settings))
        except ValueError as problem:
            return plain(keep.refused(str(problem)))

    for kind in keep.TABLES:
        getattr(standings, kind)(keep_as(kind), None, [standings], **NOW, **PRIVATE)
    standings.link(link, [form], [standings], **NOW, **PRIVATE)
