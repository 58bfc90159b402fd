"""What stands between the network and the page: bounds on what is sent, and who is listening.

An ASGI middleware, as Starlette describes them: https://www.starlette.io/middleware/#pure-asgi-middleware
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clip_tta_core.sources.limits import LIMITS
from clip_tta_core.ui.session.listeners import Listeners

MOST = 4_000_000  # bytes of a request: the longest class list and settings take a tenth of it
MOST_UPLOAD = LIMITS.total_bytes + 1_000_000  # with what a form puts around its files
TOO_LARGE = "A request to this page may have {most:,} bytes; this one has more."
NO_FORM = "An upload must be a form whose parts are files with names; this one is not."
UPLOAD = re.compile(r"/upload/?$")
FILE = re.compile(r"/file(=|/)")
# Over which connections a visitor hears of what they asked for, and by which name they are known.
ANSWERS = re.compile(r"/queue/data/?$")
ANSWER = re.compile(r"/call/(?:v2/)?[^/]+/(?P<session>[^/]+)/?$")


class TooLarge(Exception):
    """More has come than may."""


class Guard:
    """Refuses large bodies, has files saved rather than shown, and counts who listens."""

    def __init__(self, app: ASGIApp, listeners: Listeners) -> None:
        self.app, self.listeners = app, listeners
        listeners.counted = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        session = _listener(scope)
        if session:
            self.listeners.come(session)
        try:
            await self._bounded(scope, receive, _safer(scope["path"], send))
        finally:
            if session:
                self.listeners.go(session)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        uploading = bool(UPLOAD.search(scope["path"]))
        most = MOST_UPLOAD if uploading else MOST
        refusal = PlainTextResponse(TOO_LARGE.format(most=most), 413)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most:
            await refusal(scope, receive, send)
            return
        seen, answered = 0, False

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise TooLarge
            return message

        async def noting(message: Message) -> None:
            nonlocal answered
            if seen > most and not answered:
                return  # what the app makes of a body that was cut off
            answered = True
            await send(message)

        try:
            await self.app(scope, counting, noting)
        except TooLarge:
            pass
        except (TypeError, AttributeError):  # what Gradio makes of a part that is no file
            if answered or not uploading:
                raise
            await PlainTextResponse(NO_FORM, 400)(scope, receive, send)
        if seen > most and not answered:
            await refusal(scope, receive, send)


def _listener(scope: Scope) -> str | None:
    """The session whose answers are asked for."""
    if scope["method"] != "GET":
        return None
    if ANSWERS.search(scope["path"]):
        return next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])), None)
    found = ANSWER.search(scope["path"])
    return found["session"] if found else None


def _safer(path: str, send: Send) -> Send:
    """Answers whose kind no browser guesses; visitors' files are saved, not shown as a page."""

    async def add(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["x-content-type-options"] = "nosniff"
            if FILE.search(path):
                headers["content-disposition"] = "attachment"
        await send(message)

    return add
