"""How fast the page is, measured in a real browser on the real engine: python -m tests.ui.measure

A benchmark, never a test: figures are those of the machine at hand, which should do nothing else meanwhile.
"""

from __future__ import annotations

import bisect
import functools
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from clip_tta_core import engine  # noqa: E402
from clip_tta_core.ui.handlers import Handlers  # noqa: E402
from clip_tta_core.ui.layout import RECORDED, read_recorded  # noqa: E402
from clip_tta_core.ui.lessons import FIRST  # noqa: E402
from clip_tta_core.ui.settings import to_config  # noqa: E402
from tests.ui.conftest import CHROMIUM, QUIET, free_port, serve  # noqa: E402

ROOT = Path(__file__).parents[2]
WATCH = """() => {
  const svg = document.querySelector('#ct-curves svg'), what = document.querySelector('.status .what');
  window.seen = { frames: [], words: [] };
  const note = (list) => requestAnimationFrame(() => list.push(Date.now() / 1000));
  new MutationObserver(() => note(seen.frames)).observe(svg, { attributeFilter: ['data-frame'] });
  new MutationObserver(() => note(seen.words)).observe(what, { childList: true, characterData: true });
}"""


def main() -> None:
    print("| the page | measured |\n| --- | ---: |")
    say("up after `python app.py` (files in the disk cache)", f"{seconds_to_start():.1f} s")
    sent: list[float] = []
    handlers = Handlers(engine.catalog(), read_recorded(RECORDED))
    handlers.run = noting(handlers.run, sent)  # before the page is built, which binds it
    settings = FIRST.settings()
    run_to_end(engine.run(to_config(settings | {"batches": 1})))  # loads the model
    alone = run_to_end(engine.run(to_config(settings)))
    drawn = run_to_end(Handlers(handlers.catalog, handlers.recorded).run(settings, Visitor))
    say("the first lesson without a page", f"{alone:.1f} s")
    say("with all that a page is sent, but nobody to draw it", f"{drawn:.1f} s, {drawn / alone - 1:+.1%}")
    served, url = serve(handlers)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_context(
            viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
        ).new_page()
        start = time.time()
        page.goto(url)
        page.wait_for_selector("#ct-form .section")
        say("usable in the browser", f"{time.time() - start:.1f} s")
        measure_lesson(page, sent, alone)
        measure_rate(page, sent)
        browser.close()
    served.close(verbose=False)


def say(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def seconds_to_start() -> float:
    """From the command to the first answered request; the second start counts, with warm files."""
    for _ in ("warm up", "measure"):
        port, start = free_port(), time.time()
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).read()
                    break
                except (urllib.error.URLError, TimeoutError):
                    time.sleep(0.05)
            took = time.time() - start
        finally:
            process.terminate()
            process.wait()
    return took


def noting(run: Callable, sent: list[float]) -> Callable:
    """The run handler, with the times at which it sends new curves."""

    @functools.wraps(run)  # Gradio reads from the signature who wants the request
    def noted(*arguments):
        last = None
        for told in run(*arguments):
            if (serial := told["serials"].get("curves")) != last:
                last = serial
                sent.append(time.time())
            yield told

    return noted


class Visitor:
    """Whoever a handler is called for, where no page is open."""

    session_hash = "measured"


def run_to_end(steps: Iterable) -> float:
    """Seconds until nothing more comes."""
    start = time.time()
    for _ in steps:
        pass
    return time.time() - start


def press_run(page: Page) -> tuple[dict[str, list[float]], float, float]:
    """Press Run and wait for the end. -> times of what was painted, the press, the end"""
    page.evaluate(WATCH)
    pressed = page.evaluate(
        "() => { const at = Date.now() / 1000; document.querySelector('[data-do=run]').click(); return at; }"
    )
    finished = "document.querySelector('.status .what').textContent.includes('Finished')"
    page.wait_for_function(finished, timeout=600_000, polling=250)  # asking at every frame would make frames
    return page.evaluate("seen"), pressed, time.time()


def measure_lesson(page: Page, sent: list[float], alone: float) -> None:
    seen, pressed, end = press_run(page)
    say("a press of Run is answered after", f"{1000 * (seen['words'][0] - pressed):.0f} ms")
    first = seen["frames"][bisect.bisect(seen["frames"], sent[0])]
    say("the first chart moves after", f"{first - pressed:.1f} s")
    took = end - pressed
    say("the first lesson, with the browser on the same cores", f"{took:.1f} s, {took / alone - 1:+.1%}")


def measure_rate(page: Page, sent: list[float]) -> None:
    """A run that is faster than the page may be updated: zero-shot CLIP alone on small batches."""
    for name in ("tent", "cliptta"):
        page.locator(f"#ct-form [data-method={name}] > .tick input").uncheck()
    for name, value in (("batch_size", 4), ("batches", 1000)):
        box = page.locator(f"[data-field={name}] .box")
        box.fill(str(value))
        box.press("Tab")
    sent.clear()
    seen, *_ = press_run(page)
    frames = seen["frames"]
    say("chart updates of a run that is fast", f"{(len(frames) - 1) / (frames[-1] - frames[0]):.1f} a second")
    after = ((at, bisect.bisect(frames, at)) for at in sent)
    late = sorted(frames[place] - at for at, place in after if place < len(frames))
    p95 = late[int(0.95 * (len(late) - 1))]
    say(
        "from sent to painted, median and 95 %",
        f"{1000 * statistics.median(late):.0f} and {1000 * p95:.0f} ms",
    )


if __name__ == "__main__":
    main()
