"""Style sheets and scripts of the page."""

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


def css() -> str:
    """All style sheets, in the order of their names.

    They go into the page as they are: Gradio rewrites what it is given as `css`, and breaks dark-mode rules.
    """
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
    """What a part runs in the browser: its module, with all that Gradio gives to a part.

    What a part is given once comes as one string, `given`: of everything else that a part has, Gradio copies
    each number and word by itself, which took a quarter of the page's start.
    """
    address = f"/gradio_api/file={quote(modules().as_posix())}/parts/{name}.js"
    return (
        "const given = Object.defineProperty(JSON.parse(props.given), 'value',"
        " { get: () => props.value, set: (value) => { props.value = value; } });"
        f'import((window.gradio_config?.root ?? "") + {json.dumps(address)})'
        ".then((module) => module.default({ element, props: given, watch, trigger, server, upload }))"
        ".catch((problem) => { window.cliptta?.missing(problem); throw problem; });"
    )


# Of the header, which needs no module: what the page says when the script of a part does not arrive or fails.
WITHOUT_SCRIPTS = """window.cliptta = {
  missing: (problem) => {
    const said = element.querySelector(".missing");
    said.hidden = false;
    said.textContent = `Parts of this page could not start (${problem.message}); reload it.`;
  },
};"""
