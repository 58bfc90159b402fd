"""The page: build() makes it, launch() opens it."""

from __future__ import annotations

import sys
from typing import Any

import gradio as gr

from clip_tta_core.sources.uploads import LIMITS
from clip_tta_core.ui.layout import build
from clip_tta_core.ui.theme import head, theme

LINE = 20  # visitors who may wait
SESSIONS = 200  # pages whose state is kept
# Seconds a thread of Python may keep the others waiting. Runs start thousands of short operations a second,
# and the server's threads are always awake: at Python's 5 ms a run waits for them at every turn.
SWITCH = 5e-4

__all__ = ["build", "launch"]


def launch(page: gr.Blocks, **options: Any) -> tuple:
    """Serve a page with our look and limits; `options` go to Gradio's launch."""
    page.queue(max_size=LINE)
    sys.setswitchinterval(SWITCH)
    settings = {
        "theme": theme(),
        "head": head(),
        "max_file_size": LIMITS.total_bytes,
        "state_session_capacity": SESSIONS,
        "run_history": False,
        "footer_links": [],
    }
    return page.launch(**(settings | options))
