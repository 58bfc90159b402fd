"""The real page in a process of its own: `python app.py`, where a run is short, and what it writes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.ui.conftest import free_port

ROOT = Path(__file__).parents[2]
TRACE = "Traceback (most recent call last):"
START = 600.0  # seconds, on a machine that is busy with other tests


def _heeds_ctrl_c() -> None:
    """What a shell starts in the background ignores SIGINT, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Started:
    """A page that has been started.

    Args:
        folder: for what it writes: its log, uploads, measured cells.
        root: the checkout that is started.
        environment: more variables.
    """

    def __init__(self, folder: Path, root: Path = ROOT, **environment: Any) -> None:
        own = {"GRADIO_TEMP_DIR": folder / "uploads", "CLIPTTA_CELLS": folder / "cells", "HF_HUB_OFFLINE": 1}
        self.root, self._log, port = root, folder / "log", free_port()
        self.address = f"http://127.0.0.1:{port}"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(port)],
                cwd=root,
                env=os.environ | {name: str(value) for name, value in (own | environment).items()},
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_heeds_ctrl_c,
            )
        try:
            self.config = self._wait()
        except BaseException:
            self.process.kill()
            raise
        # A new connection for each call: one that rests for seconds is closed by the page at any moment.
        rest = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.address, timeout=300, limits=rest)
        self.events = {one["api_name"]: one for one in self.config["dependencies"]}
        (form,) = (one for one in self.config["components"] if one["props"].get("elem_id") == "ct-form")
        self.settings = form["props"]["value"]

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.process.kill()
        self.process.wait()

    def _wait(self) -> dict:
        end = time.monotonic() + START
        while time.monotonic() < end:
            assert self.process.poll() is None, self.written()
            try:
                return httpx.get(f"{self.address}/config", timeout=60).json()
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"The page did not start: {self.written()}")

    def written(self) -> str:
        """The log so far."""
        return self._log.read_text("utf-8", "replace")

    def own_traces(self) -> list[str]:
        """Traces in the log that pass through the project's files: the last such line, and the error."""
        found = []
        for trace in self.written().split(TRACE)[1:]:
            own = [line.strip() for line in trace.splitlines() if f'File "{self.root}/' in line]
            error = re.search(r"^[\w.]+(?:Error|Exception|Warning|Interrupt)\b.*", trace, re.MULTILINE)
            found += [f"{own[-1]}: {error[0] if error else trace[-200:]}"] if own else []
        return found

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
