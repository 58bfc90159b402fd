"""The Why tab: a CLIP in two dimensions, computed in the browser, and what there is to learn from it."""

from __future__ import annotations

import gradio as gr

from clip_tta_core.ui.theme import ASSETS

_LOAD = """import((window.gradio_config?.root ?? "") + "/gradio_api/file=%s").then((module) =>
  module.default({ element, props, watch, trigger, server }));"""


class Why(gr.HTML):
    """The plane; its value is nothing, as the server has no part in it."""

    def __init__(self) -> None:
        super().__init__(
            html_template='<div class="why"></div>',
            js_on_load=_LOAD % (ASSETS / "js" / "parts" / "why.js"),
            apply_default_css=False,
            elem_id="ct-why",
            elem_classes=["ct", "ct-why"],
        )


def why_tab() -> None:
    """The plane."""
    Why()
