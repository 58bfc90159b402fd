"""A page over the fake engine on a free port, and a browser that fails on script errors."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# What the fake engine "measures" must not be found by anybody's own page.
os.environ["CLIPTTA_CELLS"] = tempfile.mkdtemp(prefix="cliptta-cells-")

from clip_tta_core import engine, logs, ui  # noqa: E402
from clip_tta_core.records import RunConfig, RunLog  # noqa: E402
from clip_tta_core.ui.page import layout  # noqa: E402
from clip_tta_core.ui.session.site import Site  # noqa: E402
from tests.ui.fakes import fake_engine  # noqa: E402

CHROMIUM = next(
    (path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None
)
PATIENCE = 60  # seconds that a test waits for what must come, however busy the machine is
# A range of its own for every process, below the ports that the system gives to connections: nobody takes a
# port between the look and the launch. Above those that browsers refuse to visit.
PORTS = itertools.count(11_000 + 50 * (os.getpid() % 400))
# Notes whatever the status line says, from the first moment: what passes by cannot be waited for.
SAID = """window.said = []; new MutationObserver(() => {
const text = document.querySelector(".status .what")?.textContent;
if (text && text !== said.at(-1)) said.push(text);
}).observe(document, { childList: true, characterData: true, subtree: true });"""
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: needs chromium")


def make_log(config: RunConfig | None = None, class_names: tuple[str, ...] = ()) -> RunLog:
    """The log of a finished fake run."""
    config = config or RunConfig(batches=6, batch_size=32)
    names = class_names or config.class_names or engine.catalog().task
    log = logs.open_log(dataclasses.replace(config, class_names=names))
    for count, report in enumerate(fake_engine(classes=len(names))(config), 1):
        log.append(report, 0.5 * count)
    return log


@pytest.fixture
def log() -> RunLog:
    return make_log()


@pytest.fixture
def open_log() -> RunLog:
    """A run with unknown pictures."""
    return make_log(RunConfig(batches=6, batch_size=32, unknown_source="objects"))


def free_port() -> int:
    while True:
        port = next(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether a condition comes to hold."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def serve(site: Site):
    """Launch a page; returns it and its address."""
    page = layout.build(site)
    where = {"server_name": "127.0.0.1", "server_port": free_port()}
    _, url, _ = ui.launch(page, prevent_thread_lock=True, quiet=True, ssr_mode=False, **where)
    return page, url


@pytest.fixture(scope="package")
def site() -> Site:
    return Site(engine.catalog(), make_log(), run=fake_engine(delay=0.02))


@pytest.fixture(scope="package")
def url(site):
    page, address = serve(site)
    yield address
    page.close(verbose=False)


@pytest.fixture(scope="package")
def chromium():
    """A browser; a person's test run may go without, a machine's may not."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("The browser tests need Debian's chromium package, and this machine has none.")
        pytest.skip("no chromium here")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def open_drawn(chromium):
    """One page for a whole file: open_drawn(site, motion=False). Script errors fail the file."""
    contexts, pages, errors = [], [], []

    def open_page(site: Site, motion: bool = False):
        served, address = serve(site)
        pages.append(served)
        wanted = "no-preference" if motion else "reduce"
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion=wanted))
        contexts[-1].set_default_timeout(1000 * PATIENCE)
        contexts[-1].add_init_script(SAID)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#ct-form .section")
        page.wait_for_selector("#ct-curves polyline[data-method]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    for served in pages:
        served.close(verbose=False)
    assert not errors, errors


@pytest.fixture
def visit(chromium):
    """Open the page as a new visitor: visit(url, width=1280, dark=False). Script errors fail the test."""
    contexts, errors = [], []

    def open_page(url: str, query: str = "", width: int = 1280):
        context = chromium.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.on("console", lambda said: errors.append(said.text) if "js_on_load" in said.text else None)
        page.goto(url + query)
        page.wait_for_selector("#ct-form .section", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors, errors


def looks(page) -> Iterator[str]:
    """The page as it stands, wide and narrow, light and dark; the name of each look, then as it was."""
    was = page.viewport_size
    try:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            for theme in ("light", "dark"):
                page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
                yield f"{width} pixels, {theme}"
    finally:
        page.evaluate("document.body.classList.remove('dark')")
        page.set_viewport_size(was)


def serious_violations(page, part: str | None = None) -> list[str]:
    """What axe-core finds serious or critical on the page, or on the part that a selector names."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, part, {"resultTypes": ["violations"]}).response["violations"]
    worst = (item for item in found if item["impact"] in ("serious", "critical"))
    return [f"{item['id']}: {item['nodes'][0]['html'][:120]}" for item in worst]
