"""The page: build() makes it, launch() opens it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from clip_tta_core.sources.limits import LIMITS
from clip_tta_core.ui.page.layout import build

SESSIONS = 200  # pages whose state is kept

__all__ = ["build", "launch"]


def launch(page: gr.Blocks, **options: Any) -> tuple:
    """Serve a page with limits for the public; `options` go to Gradio's launch."""
    settings = {
        "max_file_size": LIMITS.total_bytes,
        "state_session_capacity": SESSIONS,
        "run_history": False,
        "footer_links": [],
    }
    return page.launch(**(settings | options))
