"""What visitors leave behind and nobody comes for goes within the hour."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import gradio as gr

from clip_tta_core.ui.session.listeners import Listeners

EVERY, OLD = 600.0, 2400.0  # seconds: an hour at most, with a broom that comes a little late
log = logging.getLogger(__name__)


class Housekeeping:
    """Sweeps parts of uploads that broke off, and answers that nobody fetches."""

    def __init__(self, page: gr.Blocks, listeners: Listeners) -> None:
        self.page, self.listeners = page, listeners
        self._unread: dict[str, float] = {}  # session: since when nobody listens

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object) -> AsyncGenerator[None]:
        """As long as the page is served."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                self.forget_answers(time.monotonic())
                await asyncio.to_thread(sweep, Path(self.page.app.uploaded_file_dir), time.time() - OLD)
            except Exception:  # a broom that breaks is no reason to stop sweeping
                log.exception("Sweeping failed.")

    def forget_answers(self, now: float) -> None:
        """Forget what sessions were told that nobody has listened to for so long. Gradio keeps it for those
        who come back, 2,000 of them, and has no public way to say otherwise; a test reads it back.
        """
        kept = self.page._queue.pending_messages_per_session
        silent = [session for session in list(kept) if not self.listeners.hears(session)]
        self._unread = {session: self._unread.get(session, now) for session in silent}
        for session, since in self._unread.items():
            if now - since >= OLD:
                kept.pop(session, None)
                self.page._queue.pending_event_ids_session.pop(session, None)


def sweep(folder: Path, before: float) -> None:
    """Delete what has lain in a folder for uploads since then: Gradio's broom knows only what was taken."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        with contextlib.suppress(OSError):  # somebody else was faster
            if path.is_file() and path.lstat().st_mtime < before:
                path.unlink()
