"""A page spoken to by HTTP, as the scripts in a browser do."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx


class Spoken:
    """A page that is served somewhere.

    Args:
        address: where.
        config: what it tells of its events and parts; asked for where it is not known.
    """

    def __init__(self, address: str, config: dict | None = None) -> None:
        # A new connection for each call: one that rests for seconds is closed by the page at any moment.
        rest = httpx.Limits(max_keepalive_connections=0, max_connections=None)
        self.address = address
        self.http = httpx.Client(base_url=address, timeout=300, limits=rest)
        self.config = config or self.http.get("/config").json()
        self.events = {one["api_name"]: one for one in self.config["dependencies"]}
        (form,) = (one for one in self.config["components"] if one["props"].get("elem_id") == "ct-form")
        self.settings = form["props"]["value"]

    @contextlib.contextmanager
    def present(self, session: str) -> Iterator[None]:
        """A visitor whose tab is open; when it is closed, the page notices."""
        with self.http.stream("GET", f"/gradio_api/heartbeat/{session}") as stream:
            beats = stream.iter_lines()  # held: with it the connection would go
            next(beats)
            yield

    def bring(self, path: Path) -> dict:
        """Upload a file. -> the file as events name it"""
        (there,) = self.http.post(
            "/gradio_api/upload", files={"files": (path.name, path.read_bytes())}
        ).json()
        return {"path": there, "meta": {"_type": "gradio.FileData"}}

    def ask(self, event: str, data: Any, session: str) -> dict:
        """Trigger an event of the queue. -> what came last"""
        answer = self.join(event, data, session)
        assert answer.status_code == 200, answer.text
        return [*self.answers(session)][-1]

    def post(self, path: str, body: dict) -> httpx.Response:
        """Send what JSON cannot hold, too: NaN and Infinity."""
        headers = {"content-type": "application/json"}
        return self.http.post(f"/gradio_api/{path}", content=json.dumps(body), headers=headers)

    def join(self, event: str, data: Any, session: str, sent: Any = None) -> httpx.Response:
        """Put an event into the queue."""
        number = self.events[event]["id"]
        body = {"fn_index": number, "data": data, "event_data": sent, "session_hash": session}
        return self.post("queue/join", body)

    def answers(self, session: str, seconds: float = 300) -> Iterator[dict]:
        """What the page tells of what a session has put into the queue; no longer than so many seconds."""
        begun, where = time.monotonic(), {"session_hash": session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=where) as stream:
            for line in stream.iter_lines():
                said = json.loads(line.removeprefix("data: ")) if line else {}
                if said:
                    yield said
                if said.get("msg") in ("process_completed", "unexpected_error", "close_stream"):
                    return
                # While it works the page says again and again that it is there.
                assert time.monotonic() - begun < seconds, said
