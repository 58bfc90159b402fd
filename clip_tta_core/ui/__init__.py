"""The page: build() makes it, launch() opens it."""

from __future__ import annotations

from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from clip_tta_core.sources.limits import LIMITS
from clip_tta_core.ui.page.guard import Guard
from clip_tta_core.ui.page.housekeeping import Housekeeping
from clip_tta_core.ui.page.layout import Page, build

SESSIONS = 200  # pages whose state is kept
THREADS = 80  # for events; apart from those that serve the page itself, which therefore always answers

__all__ = ["build", "launch"]


def launch(page: Page, **options: Any) -> tuple:
    """Serve a page with limits for the public; `options` go to Gradio's launch."""
    listeners = page.site.listeners
    settings = {
        "app_kwargs": {
            # Gradio packs its scripts, and not the page itself, which is most of what a visitor waits for.
            "middleware": [
                Middleware(GZipMiddleware, compresslevel=5),
                Middleware(Guard, listeners=listeners),
            ],
            "lifespan": Housekeeping(page, listeners).lifespan,
        },
        "max_threads": THREADS,
        "enable_monitoring": False,
        "max_file_size": LIMITS.total_bytes,
        "state_session_capacity": SESSIONS,
        "run_history": False,
        "footer_links": [],
    }
    try:
        return page.launch(**(settings | options))
    finally:
        if not options.get("prevent_thread_lock"):
            page.site.close()
