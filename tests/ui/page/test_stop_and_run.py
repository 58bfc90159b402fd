"""Stop, and whatever is begun right after it, in the three tabs that begin something.

Messages between browser and server are held back here, so that they overtake each other every time and not
once in a hundred.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from clip_tta_core import engine
from clip_tta_core.control import Control
from clip_tta_core.records import Report, RunConfig
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Turns
from tests.ui.conftest import eventually, make_log, serve
from tests.ui.drawn import call
from tests.ui.fakes import fake_engine

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LONG = {"batches": 1000, "batch_size": 2}


class Counted:
    """An engine that counts how often it was begun and how many batches it has reported."""

    def __init__(self) -> None:
        self.begun = self.batches = 0
        self._engine, self._lock = fake_engine(delay=0.02), threading.Lock()

    def __call__(self, config: RunConfig, control: Control | None = None) -> Iterator[Report]:
        with self._lock:
            self.begun += 1
        for report in self._engine(config, control):
            with self._lock:
                self.batches += 1
            yield report


@dataclass
class Tab:
    """One of the tabs, and what a visitor sees of what goes on there."""

    page: Page
    site: Site
    start: Locator
    stop: Locator
    says: Locator

    def begin(self) -> None:
        """Press the button and wait until something is computed."""
        before = self.site.engine.batches
        self.start.click()
        assert eventually(lambda: self.site.engine.batches > before)

    def goes_on(self) -> None:
        """Batches come, many of them."""
        before = self.site.engine.batches
        assert eventually(lambda: self.site.engine.batches > before + 20)


BUTTONS = {
    "play": ("[data-do=run]", "[data-do=stop]", ".status .what"),
    "compare": ("#ct-ranking [data-do=start]", "#ct-ranking [data-do=stop]", "#ct-ranking .doing"),
    "benchmark": ("#ct-heat [data-do=start]", "#ct-heat [data-do=stop]", "#ct-heat .doing"),
}


@pytest.fixture(scope="module")
def served():
    """One page for the file: (site, address)."""
    site = Site(engine.catalog(), make_log(), run=Counted())
    page, address = serve(site)
    yield site, address
    page.close(verbose=False)


@pytest.fixture(params=BUTTONS)
def tab(request, visit, served, monkeypatch):
    site, address = served
    monkeypatch.setattr(site, "turns", Turns())
    page = visit(address, f"?tab={request.param}")
    call(page, "lib/store.js", "m.choice.put(a)", LONG)
    expect(page.locator("[data-field=batches] .box")).to_have_value("1000")
    start, stop, says = (page.locator(f"{one}:visible") for one in BUTTONS[request.param])
    expect(start).to_be_enabled()
    yield Tab(page, site, start, stop, says)
    page.close()
    assert eventually(lambda: not site.runs.running() and not len(site.turns))


def test_what_is_begun_right_after_stop_goes_on(tab):
    """The answer to Stop comes late, when the next run has begun already."""
    tab.begin()
    answered: list[tuple[Route, APIResponse]] = []
    tab.page.route("**/gradio_api/run/**", lambda one: answered.append((one, one.fetch())), times=1)
    tab.stop.click()
    expect(tab.start).to_be_enabled()  # by the last word of what was stopped
    tab.begin()
    ((route, response),) = answered
    route.fulfill(response=response)
    tab.goes_on()
    expect(tab.stop).to_be_enabled()
    tab.stop.click()
    expect(tab.start).to_be_enabled()


def test_run_and_stop_again_and_again_work_every_time(tab):
    for _ in range(5):
        tab.begin()
        tab.stop.click()
        expect(tab.start).to_be_enabled()
    tab.begin()
    tab.goes_on()


def test_stop_overtakes_what_it_stops(tab):
    """The press of Run arrives when Stop has been answered: nothing begins, and the next press does."""
    before = tab.site.engine.begun
    held: list[Route] = []
    tab.page.route("**/gradio_api/queue/join**", lambda route: held.append(route), times=1)
    tab.start.click()
    tab.stop.click()
    expect(tab.start).to_be_enabled()
    with tab.page.expect_response("**/gradio_api/queue/join**"):
        held[0].continue_()
    assert tab.site.engine.begun == before
    tab.begin()
    tab.goes_on()
    expect(tab.stop).to_be_enabled()
    assert tab.site.runs.running() == 1


def test_stop_takes_what_waits_out_of_the_line(tab, monkeypatch):
    monkeypatch.setattr(tab.site, "turns", Turns(at_once=1))
    other, before = tab.site.turns.join("somebody else"), tab.site.engine.begun
    tab.start.click()
    expect(tab.says).to_contain_text("umber 1 in line")
    tab.stop.click()
    expect(tab.start).to_be_enabled()
    assert not len(tab.site.turns)
    tab.site.turns.leave(other)
    assert tab.site.turns.has(tab.site.turns.join("a third")), "nobody else has taken the place"
    assert tab.site.engine.begun == before
    monkeypatch.setattr(tab.site, "turns", Turns())
    tab.begin()
    tab.goes_on()


@pytest.mark.parametrize("tab", ["play", "compare"], indirect=True)
def test_the_same_refusal_twice_leaves_the_button_usable(tab):
    """Each of them is told, though nothing has changed from the first to the second."""
    call(tab.page, "lib/store.js", "m.choice.put(a)", {"class_names": "cat, cat"})
    for _ in range(2):
        tab.start.click()
        expect(tab.page.get_by_text("Classes: each must be listed once").first).to_be_visible()
        expect(tab.start).to_be_enabled()


def test_a_full_line_is_told_each_time(tab, monkeypatch):
    monkeypatch.setattr(tab.site, "turns", Turns(at_once=0, waiting=0))
    for _ in range(2):
        tab.start.click()
        expect(tab.page.get_by_text("visitors are waiting already").locator("visible=true")).to_be_visible()
        expect(tab.start).to_be_enabled()
