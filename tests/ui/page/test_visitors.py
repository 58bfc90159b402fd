"""Many visitors at once: everybody sees their own numbers, and what they brought goes with them."""

from __future__ import annotations

import gc
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from clip_tta_core import engine
from clip_tta_core.records import RunConfig, RunLog
from clip_tta_core.ui.session import views
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.wire.encode import plain
from tests.ui.conftest import eventually, make_log, serve
from tests.ui.fakes import fake_engine
from tests.ui.spoken import Spoken

VISITORS, LEAVER = 20, 3


class Busy:
    """An engine that notes how many of its runs go on at once."""

    def __init__(self, delay: float) -> None:
        self.now = self.most = self.count = 0
        self.lock = threading.Lock()
        self.engine = fake_engine(delay=delay)

    def __call__(self, config, control):
        with self.lock:
            self.now, self.count = self.now + 1, self.count + 1
            self.most = max(self.most, self.now)
        try:
            yield from self.engine(config, control)
        finally:
            with self.lock:
                self.now -= 1


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A page that notices soon when somebody has gone: (site, address, folder for uploads)."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setenv("GRADIO_IS_E2E_TEST", "1")  # heartbeats by the quarter second, not every 15 seconds
    site = Site(engine.catalog(), make_log(), run=Busy(delay=0.005))
    page, address = serve(site)
    yield site, address, tmp_path / "uploads"
    page.close(verbose=False)


def picture(folder: Path, number: int) -> Path:
    path = folder / f"{number}.png"
    Image.new("RGB", (30, 20), (number, 0, 0)).save(path)
    return path


def wanted(number: int) -> dict:
    """Settings that no two visitors share."""
    names = f"this {number}\nthat {number}"
    own = {"class_names": names, "seed": number, "batches": 3 + number % 4, "batch_size": 8}
    return FIRST.settings() | own | {"source": "upload"}


def bring(client: Client, path: Path, settings: dict) -> None:
    view, _ = client.predict({"files": [handle_file(path)]}, settings, api_name="/upload_pictures")
    assert view["said"].startswith("1 picture")


@pytest.mark.slow
def test_twenty_visitors_get_their_own_results_and_leave_nothing(room, tmp_path):
    site, address, uploads = room
    results, clients = {}, [Client(address, verbose=False) for _ in range(VISITORS)]

    def visit(number: int) -> None:
        client, settings = clients[number], wanted(number)
        bring(client, picture(tmp_path, number), settings)
        if number != LEAVER:
            results[number] = client.predict(settings, api_name="/run")
            return
        job = client.submit(settings | {"batches": 2000}, api_name="/run")
        running = lambda: any(one["status"]["state"] == "running" for one in job.outputs())  # noqa: E731
        assert eventually(running, 60), "its turn has come"
        client.close()

    with ThreadPoolExecutor(VISITORS) as pool:
        for done in [pool.submit(visit, number) for number in range(VISITORS)]:
            done.result(timeout=120)
    for number, seen in results.items():
        log = expected(wanted(number))
        assert seen["status"]["state"] == "done" and seen["status"]["done"] == 3 + number % 4
        assert seen["classes"] == plain(views.classes(log)), "the numbers of a run of one's own"
    assert 1 < site.engine.most <= 3, "two at once; one that is left may still take its last step"
    assert eventually(lambda: site.engine.now == 0) and site.engine.count == VISITORS
    for client in clients:
        client.close()
    assert eventually(lambda: not len(site.albums)) and not site.runs.running()
    assert not [path for path in uploads.rglob("*") if path.is_file()]


def expected(settings: dict) -> RunLog:
    """The log of the same run where nobody else is."""
    config: RunConfig = to_config(settings)
    log = RunLog(class_names=config.class_names, titles={c.name: c.title for c in engine.catalog().methods})
    for report in fake_engine()(config):
        log.append(report, 0.0)
    return log


@pytest.mark.slow
def test_a_hundred_visitors_leave_the_memory_as_it_was(room, tmp_path):
    site, address, uploads = room
    page = Spoken(address)
    sessions = map("visitor{}".format, itertools.count())

    def visit(number: int) -> None:
        path = tmp_path / f"{number}.png"  # its own: equal files would share a place on the server
        Image.effect_noise((300 + number, 300), 90).save(path)
        settings, session = wanted(number) | {"batches": 1}, next(sessions)
        with page.present(session):
            file = page.bring(path)
            read = page.ask("upload_pictures", [{"files": [file]}, settings], session)
            ran = page.ask("run", [settings], session)
        assert read["success"] and ran["success"]

    def come_and_go(count: int) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(visit, range(count)))
        assert eventually(lambda: not len(site.albums))
        gc.collect()

    come_and_go(20)
    before = resident()
    come_and_go(100)
    assert resident() < 1.1 * before
    assert not site.runs._logs and not [file for file in uploads.rglob("*") if file.is_file()]


def resident() -> int:
    """Memory of this process, in KB."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells")
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
