"""The page: build() makes it, launch() opens it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from clip_tta_core.sources.uploads import LIMITS
from clip_tta_core.ui.page.layout import build
from clip_tta_core.ui.page.theme import head, theme

LINE = 20  # visitors who may wait
SESSIONS = 200  # pages whose state is kept
# Seconds between two looks of Gradio's queue for work, as Gradio has it on Windows. Elsewhere it looks every
# millisecond, which takes 7 % from a run on two cores.
LOOK = 0.05

__all__ = ["build", "launch"]


def launch(page: gr.Blocks, **options: Any) -> tuple:
    """Serve a page with our look and limits; `options` go to Gradio's launch."""
    page.queue(max_size=LINE)
    page._queue.sleep_when_free = LOOK
    settings = {
        "theme": theme(),
        "head": head(),
        "max_file_size": LIMITS.total_bytes,
        "state_session_capacity": SESSIONS,
        "run_history": False,
        "footer_links": [],
    }
    return page.launch(**(settings | options))
