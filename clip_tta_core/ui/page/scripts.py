"""The endpoints for scripts, which the page itself does not call, and what its API page says of them."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
from gradio.events import api

from clip_tta_core.ui.page.parts import OWN_LINE, session_of
from clip_tta_core.ui.session.compare import KNOBS
from clip_tta_core.ui.session.experiment import compare, experiment
from clip_tta_core.ui.session.script import allowed
from clip_tta_core.ui.session.site import Site

EXPERIMENT = """Runs methods beside each other on a stream. For every batch it yields {batch, batches,
methods: {label: {measure: number or null}}}. An unknown name or a value that is not allowed raises an error:
in Python from predict(), or from result() of what submit() returns, not from the loop over its records.
Example of settings: {"corruption": "fog", "severity": 3, "batches": 4, "methods": {"zero_shot": {}, "tent":
{"lr": 0.001}}}. What is left out is default; methods may also be a list of {label, method, settings}."""
COMPARISON = """Gives methods their turns on the stream of the settings. For every batch of each it yields
{contender, method, settings, batch, batches, measures: {measure: number or null}, problem}. An unknown name
or a value that is not allowed raises an error, as for /experiment. Example of methods: ["zero_shot", "tent",
"cliptta"]; [] is all. knobs says how they are set: {knobs}. Settings as for /experiment, for example
{"corruption": "fog"}."""


def wire_scripts(site: Site) -> None:
    """Publish /experiment and /compare, with every value that they take."""

    def run_experiment(settings: dict, request: gr.Request) -> Iterator[dict]:
        try:
            yield from experiment(site, settings, session_of(request))
        except ValueError as problem:
            raise gr.Error(str(problem), print_exception=False) from None

    def run_comparison(settings: dict, methods: list[str], knobs: str, request: gr.Request) -> Iterator[dict]:
        try:
            yield from compare(site, settings, methods, knobs, session_of(request))
        except ValueError as problem:
            raise gr.Error(str(problem), print_exception=False) from None

    values = f"What the settings may be. {allowed(site.catalog)}"
    ways = "; ".join(f"{one.name}, {one.help[0].lower()}{one.help[1:-1]}" for one in KNOBS)
    said = {"experiment": EXPERIMENT, "compare": COMPARISON.replace("{knobs}", ways)}
    for name, run in {"experiment": run_experiment, "compare": run_comparison}.items():
        text = " ".join(f"{said[name]} {values}".split())
        api(run, api_name=name, api_description=text, **OWN_LINE)
