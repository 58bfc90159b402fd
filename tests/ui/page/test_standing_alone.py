"""build() is the whole page: launched by itself, mounted in another app, behind a proxy's path."""

from __future__ import annotations

import threading
import time

import gradio as gr
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import expect

from clip_tta_core import engine
from clip_tta_core.ui import build
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import free_port, make_log
from tests.ui.fakes import fake_engine

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def site() -> Site:
    return Site(engine.catalog(), make_log(), run=fake_engine())


class Served:
    """Another app on loopback, in a thread of its own."""

    def __init__(self, app: FastAPI, **options) -> None:
        self.port = free_port()
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=self.port,
                log_level="error",
                timeout_graceful_shutdown=1,  # a page that is open still listens, and would for ever
                **options,
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_) -> None:
        self._server.should_exit = True
        self._thread.join(20)


def works(page) -> None:
    """The charts are drawn, the style sheets are in force, and Run runs to its end."""
    points = "#ct-curves polyline[data-method=tent][points]"
    page.wait_for_selector(points, state="attached", timeout=30_000)
    assert page.evaluate("getComputedStyle(document.querySelector('.ct-columns .ct-left')).display") != "none"
    colours = page.evaluate(
        "['--body-background-fill', '--primary-500'].map((name) => "
        "getComputedStyle(document.body).getPropertyValue(name).trim())"
    )
    assert colours == ["#fbfaf8", "#64748b"], "the look of the page"
    box = page.locator("[data-field=batches] .box")
    box.fill("2")
    box.press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function(
        "document.querySelector('.status .what').textContent.includes('Finished · 2 batches')", timeout=30_000
    )


def works_launched(visit, page: gr.Blocks) -> None:
    _, url, _ = page.launch(
        server_name="127.0.0.1", server_port=free_port(), prevent_thread_lock=True, quiet=True, ssr_mode=False
    )
    try:
        works(visit(url))
    finally:
        page.close(verbose=False)


def test_launched_directly(visit):
    works_launched(visit, build(site()))


def test_mounted_in_another_app(visit):
    app = gr.mount_gradio_app(FastAPI(), build(site()), path="/demo")
    with Served(app) as url:
        works(visit(f"{url}/demo/"))


def test_mounted_behind_the_path_of_a_proxy(visit):
    """The proxy strips /outer, as nginx does; the page must ask for everything behind it."""
    app = gr.mount_gradio_app(FastAPI(), build(site()), path="/demo", root_path="/outer/demo")
    outer = FastAPI()
    outer.mount("/outer", app)
    outer.router.lifespan_context = app.router.lifespan_context
    with Served(outer) as url:
        works(visit(f"{url}/outer/demo/"))


def around(page: gr.Blocks) -> gr.Blocks:
    with gr.Blocks() as outer:
        gr.Markdown("# A page around it")
        page.render()
    return outer


def beside(page: gr.Blocks) -> gr.Blocks:
    return gr.TabbedInterface([page, gr.Interface(str, "text", "text")], ["Playground", "Something else"])


@pytest.mark.parametrize("put", [around, beside])
def test_as_a_part_of_another_page(visit, put):
    works_launched(visit, put(build(site())))


def test_twice_in_one_app(visit):
    """Two pages with their own sites, on two paths."""
    app = FastAPI()
    for path in ("/one", "/two"):
        app = gr.mount_gradio_app(app, build(site()), path=path)
    with Served(app) as url:
        for path in ("/one/", "/two/"):
            works(visit(url + path))


def test_a_page_whose_scripts_do_not_arrive_says_so(chromium):
    page = build(site())
    _, url, _ = page.launch(
        server_name="127.0.0.1", server_port=free_port(), prevent_thread_lock=True, quiet=True, ssr_mode=False
    )
    context = chromium.new_context()
    try:
        visitor = context.new_page()
        visitor.route("**/parts/*.js", lambda route: route.abort())
        visitor.goto(url)
        said = visitor.locator(".ct-header .missing")
        expect(said).to_contain_text("Parts of this page could not start", timeout=60_000)
        expect(said).to_contain_text("reload it.")
    finally:
        context.close()
        page.close(verbose=False)
