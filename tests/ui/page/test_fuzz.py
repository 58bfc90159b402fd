"""Every event and every server function of the real page, by HTTP, with whatever somebody may send."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from PIL import Image

from tests.ui.conftest import free_port
from tests.ui.page.test_public import eventually

ROOT = Path(__file__).parents[3]
DEEP: list = []
for _ in range(200):
    DEEP = [DEEP]
FILE = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
ODD: list[Any] = [
    *(None, True, -1, 0.5, 10**400, 1e308, float("nan"), float("inf")),
    *("", "x" * 300, "\x00", "a/../../b", "<script>", "local-dir:/", [], [5], {}, {"": {}}, DEEP),
    *(FILE, {"files": 5}, {"files": [5, {"path": 5}, FILE]}),
]
# What scripts send with events, and the events that read it; of the others a few calls are enough.
SENT = ("methods", "knobs", "table", "size", "lesson", "text", "depth")
READ_IT = {"choose", "open_saved", "compare", "benchmark", "choose_level"}
AT_ONCE = 4
PATIENCE = 120.0  # seconds without a word from the page, on a machine that is busy with other tests


class Real:
    """`python app.py`, where a run is short, and what it writes."""

    def __init__(self, folder: Path) -> None:
        own = {"GRADIO_TEMP_DIR": folder / "uploads", "CLIPTTA_CELLS": folder / "cells", "HF_HUB_OFFLINE": 1}
        small = {"CLIPTTA_MAX_IMAGES": 16, "CLIPTTA_MAX_STEPS": 64, "OMP_NUM_THREADS": 1}
        self.written, port = folder / "written", free_port()
        self.address = f"http://127.0.0.1:{port}"
        with self.written.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(port)],
                cwd=ROOT,
                env=os.environ | {name: str(value) for name, value in (own | small).items()},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def config(self) -> dict | None:
        assert self.process.poll() is None, self.written.read_text()
        try:
            return httpx.get(f"{self.address}/config", timeout=60).json()
        except httpx.ConnectError:
            return None

    def own_traces(self) -> list[str]:
        """Traces in the log that pass through the project's files, as their last such line and their error."""
        found = []
        for trace in self.written.read_text("utf-8", "replace").split("Traceback (most recent call last):")[
            1:
        ]:
            own = [line.strip() for line in trace.splitlines() if f'File "{ROOT}/' in line]
            error = re.search(r"^[\w.]+(?:Error|Exception|Warning|Interrupt)\b.*", trace, re.MULTILINE)
            found += [f"{own[-1]}: {error[0] if error else trace[-200:]}"] if own else []
        return found


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    page = Real(tmp_path_factory.mktemp("real"))
    try:
        assert eventually(lambda: page.config() is not None, 300)
        yield page
    finally:
        page.process.terminate()
        page.process.wait(30)


class Caller:
    """Sends what a browser would send, each time as another visitor."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=PATIENCE)
        self.count = itertools.count()

    def post(self, path: str, body: dict) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return self.http.post(f"/gradio_api/{path}", content=json.dumps(body), headers=headers)

    def event(
        self, number: int, queued: bool, data: Any, sent: Any, query: str = "", session: str = ""
    ) -> Any:
        """Trigger an event. -> what came last"""
        session = session or f"visitor{next(self.count)}"
        body = {"fn_index": number, "data": data, "event_data": sent, "session_hash": session}
        if not queued:
            return self.post(f"run/predict?{query}", body).text
        answer = self.post("queue/join", body)
        if answer.status_code != 200:
            return answer.text
        where = {"session_hash": session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=where) as stream:
            begun = time.monotonic()
            for line in stream.iter_lines():
                said = json.loads(line.removeprefix("data: ")) if line else {}
                if said.get("msg") in ("process_completed", "unexpected_error", "close_stream"):
                    return said
                # While it works the page says again and again that it is there.
                assert time.monotonic() - begun < PATIENCE, said
        raise AssertionError("the answer broke off")

    def bring(self, number: int, shade: int, odd: Any, named: dict[str, dict]) -> None:
        """Upload a picture with odd settings, and then ask for what is done with pictures."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), (9 * shade, 0, 0)).save(picture, "PNG")
        files = {"files": (f"{shade}.png", picture.getvalue())}
        (path,) = self.http.post("/gradio_api/upload", files=files).json()
        file = {"path": path, "meta": FILE["meta"]}
        read = self.event(number, True, [{"files": [file]}, odd], None, session=f"brings{shade}")
        assert read["output"]["data"][0]["said"].startswith("1 picture"), read
        for name in ("recount", "choose_level", "remove"):
            event = named[name]["id"]
            self.event(event, False, [odd], {"depth": odd}, session=f"brings{shade}")

    def function(self, component: int, name: str, data: Any) -> str:
        body = {"data": data, "component_id": component, "fn_name": name, "session_hash": "visitor"}
        return self.post("component_server", body).text


def with_odd(good: dict, odd: Any) -> list[dict]:
    """Good settings with something odd in one place each; still for a short run, if for any."""
    places = ("class_names", "corruption", "methods", "copies", "batch_size", "seed", "source", "templates")
    one = {"label": "a", "method": "tent", "settings": {"lr": odd, "steps": odd}}
    return [good | {name: odd} for name in places] + [good | {"copies": [one]}, good | {"junk": odd}]


def calls_of(event: dict, good: dict) -> list[tuple[list, Any]]:
    """Arguments, and what comes with the event."""
    count = len(event["inputs"])
    calls = [([odd] * count, None) for odd in ODD] if count else [([], None), ([], 5)]
    if event["api_name"] in READ_IT:
        calls += [([good] * count, sent) for odd in ODD for sent in (odd, {name: odd for name in SENT})]
    return [*calls, ([], None), ([good] * (count + 1), None), ("x", None)]


def hangs(work: tuple) -> str:
    """The call that got no answer, "" where it got one."""
    call, *arguments = work
    try:
        call(*arguments)
    except (httpx.TimeoutException, AssertionError) as problem:
        return f"{call.__name__} {arguments!r:.300}: {problem!r:.300}"
    return ""


@pytest.mark.slow
def test_nothing_that_is_sent_makes_the_page_fall_over_or_hang(real):
    config, caller = real.config(), Caller(real.address)
    (form,) = (one for one in config["components"] if one["props"].get("elem_id") == "ct-form")
    good = form["props"]["value"] | {"batches": 1, "batch_size": 2, "methods": {"tent": {"steps": 1}}}
    work = []
    for event in config["dependencies"]:
        for data, sent in calls_of(event, good):
            work.append((caller.event, event["id"], event["queue"], data, sent))
    settings = [one for odd in ODD for one in with_odd(good, odd)]
    named = {event["api_name"]: event for event in config["dependencies"]}
    for number, one in enumerate(settings):  # each with one of those that read settings
        event = named[("run", "compare", "link", "recount", "experiment")[number % 5]]
        work.append((caller.event, event["id"], event["queue"], [one], {"methods": ["tent"]}))
    for number, odd in enumerate(ODD):
        work.append((caller.bring, named["upload_pictures"]["id"], number, odd, named))
    restore = named["restore"]
    for odd in ODD:
        for name in ("seed", "methods", "corruption", "tent.lr", "copies", "v", "lesson", "tab"):
            query = urlencode({name: odd if isinstance(odd, str) else json.dumps(odd)})
            work.append((caller.event, restore["id"], False, [], None, query))
    for component in config["components"]:
        for name in component["props"].get("server_fns") or ():
            for odd in [*ODD, *({"object": o, "seed": o, "severity": o, "corruption": o} for o in ODD)]:
                work.append((caller.function, component["id"], name, odd))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        hung = [one for one in pool.map(hangs, work) if one]
    assert len(work) > 1000 and not hung and real.own_traces() == []
    done = caller.event(named["run"]["id"], True, [good], None)
    board = done["output"]["data"][0]
    assert done["success"] and board["status"]["state"] == "done" and board["status"]["done"] == 1
