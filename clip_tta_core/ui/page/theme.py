"""The look of the page: ink on paper, so that colour is left to the methods."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import quote

import gradio as gr

ASSETS = Path(__file__).parents[3] / "assets"


def theme() -> gr.themes.Base:
    """Gradio's default theme in grey, with contrast that axe-core accepts in light and dark."""
    font = (gr.themes.utils.fonts.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif")
    return gr.themes.Default(primary_hue="slate", neutral_hue="slate", font=font).set(
        body_background_fill="#fbfaf8",
        body_background_fill_dark="#14171c",
        body_text_color="#1d2430",
        body_text_color_dark="#e6e8ec",
        body_text_color_subdued="#566072",
        body_text_color_subdued_dark="#a9b2c0",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1b1f26",
        border_color_primary="#dfe1e5",
        border_color_primary_dark="#343a45",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        button_primary_background_fill="#1d2430",
        button_primary_background_fill_hover="#364154",
        button_primary_background_fill_dark="#e6e8ec",
        button_primary_text_color_dark="#14171c",
        button_cancel_background_fill="#b91c1c",
        button_cancel_background_fill_hover="#991b1b",
    )


def css() -> str:
    """All style sheets, in the order of their names."""
    return "\n".join(path.read_text("utf-8") for path in sorted((ASSETS / "css").glob("*.css")))


@cache
def modules() -> Path:
    """The folder that browsers load the scripts from.

    It is a copy, whose address is new at every start of the app. Browsers keep a module for days, as Gradio
    sends no expiry with it, and what it imports does not inherit a query behind its address: after an update
    a page would mix modules of two versions.
    """
    folder = Path(tempfile.mkdtemp(prefix="cliptta-js-")).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(ASSETS / "js", folder, dirs_exist_ok=True)
    gr.set_static_paths([folder])
    return folder


def script(name: str) -> str:
    """What a part runs in the browser: its module, with all that Gradio gives to a part."""
    address = f"/gradio_api/file={quote(modules().as_posix())}/parts/{name}.js"
    return (
        f'import((window.gradio_config?.root ?? "") + {json.dumps(address)})'
        ".then((module) => module.default({ element, props, watch, trigger, server, upload }));"
    )
