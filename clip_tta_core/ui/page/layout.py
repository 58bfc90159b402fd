"""Where things stand on the page: the header and the tabs."""

from __future__ import annotations

import logging

import gradio as gr

from clip_tta_core import engine, limits
from clip_tta_core.records import RunLog
from clip_tta_core.sources import datasets
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.ui.page.benchmark_tab import benchmark_tab
from clip_tta_core.ui.page.compare_tab import compare_tab
from clip_tta_core.ui.page.corruptions_tab import corruptions_tab
from clip_tta_core.ui.page.inside_tab import inside_tab
from clip_tta_core.ui.page.parts import NOW, PRIVATE
from clip_tta_core.ui.page.play_tab import play_tab
from clip_tta_core.ui.page.primer import Primer
from clip_tta_core.ui.page.scripts import wire_scripts
from clip_tta_core.ui.page.theme import ASSETS, WITHOUT_SCRIPTS, css
from clip_tta_core.ui.page.why_tab import why_tab
from clip_tta_core.ui.session import form, recordings
from clip_tta_core.ui.session.benchmark import Benchmark
from clip_tta_core.ui.session.compare import Compare, Table
from clip_tta_core.ui.session.compare import read_recorded as read_comparison
from clip_tta_core.ui.session.inside import Inside
from clip_tta_core.ui.session.lessons import FIRST, LESSONS
from clip_tta_core.ui.session.site import Site

TITLE = "CLIPTTA Playground"
LEAD = "Watch CLIP adapt itself, live, to pictures it was not trained for."
log = logging.getLogger(__name__)
RECORDED_COMPARISON = ASSETS / "recorded_comparison.json"
WAITING = 100  # uploads that may wait; runs have a line of their own, see session.turns
# Seconds between two looks of Gradio's queue for work, as Gradio has it on Windows. Elsewhere it looks every
# millisecond, which takes 7 % from a run on two cores. No public way leads there; a test reads it back.
LOOK = 0.05


class Page(gr.Blocks):
    """The page, with what its visitors share."""

    site: Site


def build(site: Site | None = None) -> Page:
    """The whole page, with its style sheets and scripts: it can be launched, or mounted in another app."""
    site = site or _site()
    with Page(title=TITLE, analytics_enabled=False, delete_cache=(1800, 1800)) as page:
        page.site = site
        gr.HTML(f"<style>{css()}</style>", padding=False, elem_classes=["ct-styles"])
        gr.HTML(
            f'<header><h1>{TITLE}</h1><p>{LEAD}</p><p class="missing" role="alert" hidden></p></header>',
            js_on_load=WITHOUT_SCRIPTS,
            elem_classes=["ct", "ct-header"],
            padding=False,
        )
        with gr.Tabs() as tabs:
            with gr.Tab("Play", id="play"):
                settings = play_tab(page, site)
            with gr.Tab("Look inside", id="inside"):
                inside_tab(Inside(site))
            with gr.Tab("Compare", id="compare"):
                compare = Compare(site, _recorded_comparison(site))
                compare_tab(tabs, compare, settings, form.cards(site.catalog))
            with gr.Tab("Corruptions", id="corruptions"):
                corruptions_tab(site, page, tabs)
            with gr.Tab("Why", id="why"):
                why_tab()
            # Last: on a phone Gradio moves what does not fit into a menu.
            if limits.BENCHMARK.value:
                with gr.Tab("Benchmark", id="benchmark"):
                    benchmark_tab(tabs, Benchmark(site, Folder(limits.cells_folder())))
        Primer()
        wire_scripts(site)
        open_by_link(page, tabs)
    page.queue(max_size=WAITING, api_open=False)
    page._queue.sleep_when_free = LOOK
    return page


def open_by_link(page: gr.Blocks, tabs: gr.Tabs) -> None:
    """A link may name the tab to open: ?tab=why"""

    def chosen(request: gr.Request) -> gr.Tabs | dict:
        wanted = request.query_params.get("tab")
        there = {tab.id for tab in tabs.children if isinstance(tab, gr.Tab)}
        return gr.Tabs(selected=wanted) if wanted in there else gr.skip()

    page.load(chosen, None, tabs, **NOW, **PRIVATE)


def _recorded_comparison(site: Site) -> Table | None:
    try:
        return read_comparison(RECORDED_COMPARISON, site.catalog)
    except recordings.BROKEN as error:
        name = RECORDED_COMPARISON.name
        log.warning("%s is damaged (%s), so the page starts without it.", name, type(error).__name__)
        return None


def _site() -> Site:
    """The site as it stands: what every lesson shows before anybody presses anything has been recorded."""
    recorded = recordings.Recordings(lesson.name for lesson in LESSONS)
    try:
        first = recorded.get(FIRST.name, RunLog())
    except ValueError:  # damaged, as the log says by now
        first = RunLog()
    if said := datasets.nothing_found():
        log.warning("%s", said)
    return Site(engine.catalog(), first, recordings=recorded, ends=recorded.ends)
