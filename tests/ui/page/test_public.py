"""A page that is open to everyone: what a few visitors can and cannot do to the others."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from clip_tta_core import engine
from clip_tta_core.ui.page import guard, housekeeping
from clip_tta_core.ui.session import corruptions, listeners
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Turns
from tests.ui.conftest import eventually, make_log, serve
from tests.ui.fakes import fake_engine

LONG = {"batches": 2000, "batch_size": 2}


class Open:
    """A page of one's own, spoken to as a visitor without a browser would."""

    def __init__(self) -> None:
        self.site = Site(engine.catalog(), make_log(), run=fake_engine(delay=0.02))
        self.page, self.address = serve(self.site)
        self.http = httpx.Client(base_url=self.address, timeout=120)
        config = self.http.get("/config").json()
        self.events = {one["api_name"]: one["id"] for one in config["dependencies"]}
        self.parts = {one["props"].get("elem_id"): one["id"] for one in config["components"]}

    def join(self, session: str, event: str = "run", **settings) -> httpx.Response:
        body = {
            "data": [FIRST.settings() | settings],
            "fn_index": self.events[event],
            "session_hash": session,
        }
        return self.http.post("/gradio_api/queue/join", json=body)

    def listen(self, session: str, enough=lambda view: False) -> dict:
        """What the board said last, to the end of the answers or until it is enough."""
        board: dict = {}
        where = {"session_hash": session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=where, timeout=60) as stream:
            for line in stream.iter_lines():
                said = json.loads(line.removeprefix("data: ")) if line else {}
                output = (said.get("output") or {}).get("data") or []
                if output and isinstance(output[0], list):  # what has changed since the answer before
                    for change, path, value in output[0]:
                        _put(board, change, path, value)
                elif output and isinstance(output[0], dict):
                    board = output[0]
                if enough(board):
                    break
        return board

    def call(self, event: str, session: str) -> httpx.Response:
        return self.http.post(f"/gradio_api/run/{event}", json={"data": [], "session_hash": session})

    def ask(self, part: str, name: str, data) -> httpx.Response:
        body = {"data": data, "component_id": self.parts[f"ct-{part}"], "fn_name": name, "session_hash": "x"}
        return self.http.post("/gradio_api/component_server", json=body)


def _put(board: dict, change: str, path: list, value) -> None:
    if not path:
        board.clear()
        board.update(value)
        return
    *way, last = path
    for step in way:
        board = board[step]
    if change == "append":
        board[last] += value
    elif change == "delete":
        del board[last]
    elif isinstance(board, list) and change == "add":
        board.insert(last, value)
    else:
        board[last] = value


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def opened(folder):
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    made = Open()
    yield made
    made.page.close(verbose=False)
    os.environ.pop("GRADIO_TEMP_DIR")
    if before is not None:
        os.environ["GRADIO_TEMP_DIR"] = before


@pytest.fixture
def public(opened, monkeypatch):
    """The page with an empty line, and visitors who are taken for present however long a test takes."""
    monkeypatch.setattr(listeners, "LONG", 600.0)
    monkeypatch.setattr(opened.site, "turns", Turns())
    yield opened
    for one in [*opened.site.turns._line, *opened.site.turns._inside]:
        opened.site.stop(one.session)
    assert eventually(lambda: not opened.site.runs.running())


def test_runs_without_a_listener_end_and_make_room(public, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(listeners, "LONG", 1.0)
        answers = [public.join(f"silent {number}", **LONG).status_code for number in range(30)]
        assert answers == [200] * 30, "each is told what it would read, were it there"
        assert eventually(lambda: not public.site.runs.running() and not len(public.site.turns))
    public.join("somebody", batches=2, batch_size=2)
    assert public.listen("somebody")["status"]["state"] == "done"


def test_the_full_line_says_so_and_lets_run_work_again(public, monkeypatch):
    monkeypatch.setattr(public.site, "turns", Turns(at_once=1, waiting=1))
    public.join("first", **LONG)
    assert eventually(lambda: public.site.runs.running() == 1)
    public.join("second", **LONG)
    assert eventually(lambda: len(public.site.turns) == 1)
    waiting = public.listen("second", lambda board: board.get("status", {}).get("state") == "waiting")
    assert waiting["status"]["doing"].startswith("number 1 in line")
    # Whoever has listened and left is out of the line.
    assert eventually(lambda: len(public.site.turns) == 0)
    public.join("second", **LONG)
    assert eventually(lambda: len(public.site.turns) == 1)
    public.join("third")
    told = public.listen("third")
    assert told["status"]["state"] == "recorded", (
        "what was shown before is shown still, and Run can be pressed"
    )
    assert "visitors are waiting already" in told["message"]["text"]
    assert "press Run again" in told["message"]["text"]


def test_a_class_of_thirty_that_presses_run_in_the_same_minute_gets_its_runs_in_turn(public):
    pupils = [f"pupil {number}" for number in range(30)]
    for pupil in pupils:
        public.join(pupil, batches=2, batch_size=2)

    def wait(pupil: str) -> tuple[str, set[str]]:
        places: set[str] = set()
        last = public.listen(pupil, lambda board: places.add(board.get("status", {}).get("doing", "")))
        return last["status"]["state"], places

    with ThreadPoolExecutor(len(pupils)) as pool:
        told = [*pool.map(wait, pupils)]
    assert [state for state, _ in told] == ["done"] * len(pupils)
    assert any("in line" in place for _, places in told for place in places)


def test_stop_takes_a_visitor_out_of_the_line(public, monkeypatch):
    monkeypatch.setattr(public.site, "turns", Turns(at_once=1, waiting=5))
    public.join("runs", **LONG)
    assert eventually(lambda: public.site.runs.running() == 1)
    public.join("waits", **LONG)
    assert eventually(lambda: len(public.site.turns) == 1)
    assert public.call("stop", "waits").status_code == 200
    assert public.listen("waits")["status"]["state"] == "stopped"
    assert not len(public.site.turns) and public.site.runs.running() == 1


def test_while_sixty_sheets_are_asked_for_stop_and_the_page_answer(public, monkeypatch):
    go = threading.Event()

    def held(image, *what):  # as slow as one likes, and on a busy machine no slower
        assert go.wait(120)
        return image

    monkeypatch.setattr(corruptions, "corrupt", held)
    public.join("runner", **LONG)
    assert eventually(lambda: public.site.runs.running() == 1)
    try:
        with ThreadPoolExecutor(60) as pool:
            sheets = [
                pool.submit(
                    public.ask, "corruptions", "sheet", {"object": "cat", "seed": 1000 + k, "severity": 1}
                )
                for k in range(60)
            ]
            refused = lambda: sum(one.done() for one in sheets)  # noqa: E731
            assert eventually(lambda: refused() == 60 - 41), "one is drawn, forty wait, the others are told"
            assert public.call("stop", "runner").status_code == 200
            assert public.http.get("/").status_code == 200
            assert eventually(lambda: not public.site.runs.running())
            assert not go.is_set() and refused() == 60 - 41, "none of them has been drawn meanwhile"
            go.set()
            answers = [one.result().json() for one in sheets]
    finally:
        go.set()
    assert sum("tiles" in one for one in answers) == 41
    assert {one["problem"] for one in answers if "problem" in one} == {
        "This page is busy with other visitors' pictures; try again in a moment."
    }


def test_what_is_not_a_setting_is_not_kept(public):
    public.join("hoarder", batches=1, batch_size=2, junk="x" * 10_000)
    assert public.listen("hoarder")["status"]["state"] == "done"
    assert "junk" not in public.site.log("hoarder").settings


def test_large_bodies_are_refused_announced_or_not(public, monkeypatch):
    monkeypatch.setattr(guard, "MOST", 100_000)
    assert public.join("small", junk="x" * 10).status_code == 200
    answer = public.join("large", junk="x" * 200_000)
    assert answer.status_code == 413 and "may have 100,000 bytes" in answer.text

    def pieces():
        for _ in range(30):
            yield b"x" * 10_000

    answer = public.http.post("/gradio_api/queue/join", content=pieces())
    assert answer.status_code == 413


def test_files_are_saved_and_their_kind_is_not_guessed(public):
    page = b"<script>alert(1)</script>"
    (path,) = public.http.post("/gradio_api/upload", files={"files": ("named.png", page)}).json()
    answer = public.http.get(f"/gradio_api/file={path}")
    assert answer.status_code == 200 and answer.content == page
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert public.http.get("/").headers["x-content-type-options"] == "nosniff"


NAMELESS = ['name="files"', "name=files; filename*=x"]


@pytest.mark.parametrize("query", ["", "?upload_id=told"])
@pytest.mark.parametrize("what", [*NAMELESS, "", 'name="files"; filename=".."'])
def test_an_upload_that_is_no_file_is_refused_and_breaks_nothing(public, what, query):
    head = f"--b\r\nContent-Disposition: form-data; {what}\r\n\r\n"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    body = f"{head}abc\r\n--b--\r\n"
    answer = public.http.post(f"/gradio_api/upload{query}", content=body, headers=kind)
    assert answer.status_code == 400 and answer.text
    assert what not in NAMELESS or answer.text == guard.NO_FORM
    assert public.http.post("/gradio_api/upload", files={"files": ("", b"abc")}).status_code < 500
    assert public.http.post("/gradio_api/upload", files={"files": ("a.png", b"abc")}).status_code == 200


@pytest.mark.parametrize("name", ["mine.png", "mine.doc"])
def test_a_picture_of_the_corruptions_tab_leaves_no_file(public, folder, name):
    picture, before = io.BytesIO(), left_in(folder)
    Image.new("RGB", (30, 20), (len(name), 0, 0)).save(picture, "PNG")
    (path,) = public.http.post("/gradio_api/upload", files={"files": (name, picture.getvalue())}).json()
    assert left_in(folder) - before == {Path(path)}
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    read = public.http.post("/gradio_api/run/read", json={"data": [file], "session_hash": "brings"})
    assert read.json()["data"][0]["title"] == name
    assert left_in(folder) == before


def test_the_back_doors_are_closed(public):
    assert public.http.get("/monitoring").status_code == 403
    assert public.http.get("/monitoring/summary").status_code == 403
    for event in ("run", "compare", "upload_pictures"):
        assert public.call(event, "x").status_code == 404, "only by the queue"
    assert public.call("stop", "x").status_code == 200


def test_an_upload_that_breaks_off_is_swept_away(public, folder):
    where = urlsplit(public.address)
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 1000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    )
    before = {path for path in folder.rglob("*") if path.is_file()}
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(head.encode() + b"x" * 200_000)
        assert eventually(lambda: left_in(folder) - before)
    (left,) = left_in(folder) - before
    housekeeping.sweep(folder, time.time() - 3600)
    assert left.exists(), "it may still be growing"
    housekeeping.sweep(folder, time.time() + 1)
    assert not left.exists()


def left_in(folder) -> set:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_answers_nobody_fetches_are_forgotten(public):
    public.join("absent", batches=1, batch_size=2)
    assert eventually(lambda: not public.site.runs.running())
    keeper = housekeeping.Housekeeping(public.page, public.site.listeners)
    kept = public.page._queue.pending_messages_per_session
    keeper.forget_answers(0.0)
    assert "absent" in kept, "who has lost the connection may come back"
    keeper.forget_answers(housekeeping.OLD - 1)
    assert "absent" in kept
    keeper.forget_answers(housekeeping.OLD)
    assert "absent" not in kept
    assert housekeeping.OLD + housekeeping.EVERY <= 3600
