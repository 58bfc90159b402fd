"""Every event and every server function of the real page, by HTTP, with whatever somebody may send."""

from __future__ import annotations

import io
import itertools
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from PIL import Image

from tests.ui.started import Started

DEEP: list = []
for _ in range(200):
    DEEP = [DEEP]
FILE = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
ODD: list[Any] = [
    *(None, True, -1, 0.5, 10**400, 1e308, float("nan"), float("inf")),
    *("", "x" * 300, "\x00", "a/../../b", "<script>", "local-dir:/", [], [5], {}, {"": {}}, DEEP),
    *(FILE, {"files": 5}, {"files": [5, {"path": 5}, FILE]}),
]
PAGE = Path(__file__).parents[3] / "clip_tta_core" / "ui"
CODE = "\n".join(
    path.read_text("utf-8") for room in ("page", "session") for path in (PAGE / room).glob("*.py")
)
# Whatever the page's code reads of what scripts send with events, or ask server functions for.
SENT = sorted(
    {*re.findall(r'sent\(event, "(\w+)"', CODE), "methods", "shifts", "table", "size", "chart", "curve"}
    | {"asked", "method", "tiles"}
)
ASKED = sorted({*re.findall(r'wanted(?:\.get\(|\[)"(\w+)"', CODE)} - {*SENT, "lesson"} | {"table", "size"})
GOOD_ASKED = {
    **{"table": "mini", "size": "quick", "row": 0, "column": 0, "format": "csv", "methods": "", "shifts": ""},
    **{"object": "cat", "seed": 4, "severity": 1, "corruption": "fog", "key": ""},
}
AT_ONCE = 4


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    small = {"CLIPTTA_MAX_IMAGES": 16, "CLIPTTA_MAX_STEPS": 64, "OMP_NUM_THREADS": 1}
    with Started(tmp_path_factory.mktemp("real"), **small) as page:
        yield page


class Caller:
    """Sends what a browser would send, each time as another visitor."""

    def __init__(self, page: Started) -> None:
        self.page, self.count = page, itertools.count()

    def event(self, name: str, data: Any, sent: Any, query: str = "", session: str = "") -> Any:
        """Trigger an event. -> what came last"""
        session, event = session or f"visitor{next(self.count)}", self.page.events[name]
        if event["queue"]:
            answer = self.page.join(name, data, session, sent)
            return [*self.page.answers(session)][-1] if answer.status_code == 200 else answer.text
        body = {"fn_index": event["id"], "data": data, "event_data": sent, "session_hash": session}
        return self.page.post(f"run/predict?{query}", body).text

    def bring(self, shade: int, odd: Any) -> None:
        """Upload a picture with odd settings, and then ask for what is done with pictures."""
        picture, session = io.BytesIO(), f"brings{shade}"
        Image.new("RGB", (8, 8), (9 * shade, 0, 0)).save(picture, "PNG")
        files = {"files": (f"{shade}.png", picture.getvalue())}
        (path,) = self.page.http.post("/gradio_api/upload", files=files).json()
        file = {"path": path, "meta": FILE["meta"]}
        read = self.event("upload_pictures", [{"files": [file]}, odd], None, session=session)
        # Gradio refuses a file from elsewhere wherever it stands.
        assert read["success"] or FILE["path"] in repr(odd), read
        for name in ("recount", "choose_level", "remove"):
            self.event(name, [odd], {"depth": odd}, session=session)

    def function(self, component: int, name: str, data: Any) -> str:
        body = {"data": data, "component_id": component, "fn_name": name, "session_hash": "visitor"}
        return self.page.post("component_server", body).text


def with_odd(good: dict, odd: Any) -> list[dict]:
    """Good settings with something odd in one place each; still for a short run, if for any."""
    places = ("class_names", "corruption", "methods", "copies", "batch_size", "seed", "source", "templates")
    one = {"label": "a", "method": "tent", "settings": {"lr": odd, "steps": odd}}
    return [good | {name: odd} for name in places] + [good | {"copies": [one]}, good | {"junk": odd}]


def calls_of(event: dict, good: dict) -> list[tuple[list, Any]]:
    """Arguments, and what comes with the event."""
    count = len(event["inputs"])
    # Gradio gives what comes with an event to the functions that ask for it. The others are called as if
    # nothing had come, whatever did.
    comes = ODD if event["collects_event_data"] else ODD[-1:]
    calls = [([odd] * count, None) for odd in ODD] if count else []
    calls += [([good] * count, {name: odd for name in SENT}) for odd in comes]
    calls += [([good] * count, odd) for odd in comes[::4]]
    return [*calls, ([], None), ([good] * (count + 1), None), ("x", None)]


def hangs(work: tuple) -> str:
    """The call that got no answer, "" where it got one."""
    call, *arguments = work
    try:
        call(*arguments)
    except (httpx.TimeoutException, AssertionError) as problem:
        return f"{call.__name__} {arguments!r:.300}: {problem!r:.300}"
    return ""


def test_what_the_code_reads_is_what_is_varied():
    """A new name to be asked for needs a good value here, without which the others would not be looked at."""
    assert set(ASKED) <= set(GOOD_ASKED)
    assert {"press", "lesson", "number", "depth", "batch", "index", "step", "text"} <= set(SENT)


@pytest.mark.slow
def test_nothing_that_is_sent_makes_the_page_fall_over_or_hang(real):
    caller, work = Caller(real), []
    good = real.settings | {"batches": 1, "batch_size": 2, "methods": {"tent": {"steps": 1}}}
    for name, event in real.events.items():
        work += [(caller.event, name, data, sent) for data, sent in calls_of(event, good)]
    for number, settings in enumerate(one for odd in ODD for one in with_odd(good, odd)):
        name = ("run", "compare", "link", "recount", "experiment")[number % 5]  # those that read settings
        work.append((caller.event, name, [settings], {"methods": ["tent"]}))
    work += [(caller.bring, number, odd) for number, odd in enumerate(ODD)]
    for odd, name in itertools.product(ODD, ("seed", "methods", "corruption", "tent.lr", "copies", "v")):
        query = urlencode({name: odd if isinstance(odd, str) else json.dumps(odd)})
        work.append((caller.event, "restore", [], None, query))
    for component in real.config["components"]:
        for name in component["props"].get("server_fns") or ():
            wanted = [*ODD, *({one: odd for one in ASKED} for odd in ODD)]
            for number, one in enumerate(ASKED):  # each odd by itself, among good ones
                wanted.append(GOOD_ASKED | {one: ODD[(number + len(work)) % len(ODD)]})
            work += [(caller.function, component["id"], name, one) for one in wanted]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        hung = [one for one in pool.map(hangs, work) if one]
    assert len(work) > 1000 and not hung and real.own_traces() == []
    done = caller.event("run", [good], None)
    line = done["output"]["data"][0]["status"]
    assert done["success"] and line["state"] == "done" and line["done"] == 1
