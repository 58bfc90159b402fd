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

from playwright.sync_api import Page, Playwright, sync_playwright  # noqa: E402

from clip_tta_core import engine  # noqa: E402
from clip_tta_core.ui.handlers import Handlers  # noqa: E402
from clip_tta_core.ui.layout import RECORDED, read_recorded  # noqa: E402
from clip_tta_core.ui.lessons import FIRST, LESSONS, Lesson  # noqa: E402
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


MEASURED = {
    "the first lesson": FIRST,
    "a lesson with unknown pictures": next(x for x in LESSONS if x.name == "unknowns"),
}
ROUNDS = 3  # of every lesson; the machine's own speed wanders by more than what is to be measured


def main() -> None:
    print("| the page | measured |\n| --- | ---: |")
    say("up after `python app.py` (files in the disk cache)", f"{seconds_to_start():.1f} s")
    catalog, recorded = engine.catalog(), read_recorded(RECORDED)
    run_to_end(engine.run(to_config(FIRST.settings() | {"batches": 1})))  # loads the model
    with sync_playwright() as playwright:
        for name, lesson in MEASURED.items():
            measure_lesson(name, lesson, lambda: Visit(playwright, Handlers(catalog, recorded)))
        with Visit(playwright, Handlers(catalog, recorded)) as visit:
            measure_rate(visit)


class Visit:
    """A page served to one browser, for as long as the context lasts."""

    def __init__(self, playwright: Playwright, handlers: Handlers) -> None:
        self.sent: list[float] = []
        handlers.run = noting(handlers.run, self.sent)  # before the page is built, which binds it
        self._served, url = serve(handlers)
        self._browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        size = {"width": 1280, "height": 900}
        self.page = self._browser.new_context(viewport=size, reduced_motion="reduce").new_page()
        start = time.time()
        self.page.goto(url)
        self.page.wait_for_selector("#ct-form .section")
        self.usable = time.time() - start

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._served.close(verbose=False)


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


def run_to_end(steps: Iterable) -> float:
    """Seconds until nothing more comes."""
    start = time.time()
    for _ in steps:
        pass
    return time.time() - start


def press_run(page: Page) -> tuple[dict[str, list[float]], float]:
    """Press Run and wait for the end. -> times of what was painted, the press"""
    page.evaluate(WATCH)
    pressed = page.evaluate(
        "() => { const at = Date.now() / 1000; document.querySelector('[data-do=run]').click(); return at; }"
    )
    finished = "document.querySelector('.status .what').textContent.includes('Finished')"
    page.wait_for_function(finished, timeout=600_000, polling=250)  # asking at every frame would make frames
    return page.evaluate("seen"), pressed


def measure_lesson(name: str, lesson: Lesson, visit: Callable[[], Visit]) -> None:
    """The same run without a page, beside an open page that does not show it, and on the page, in turns."""
    took: dict[str, list[float]] = {
        key: [] for key in ("alone", "beside", "shown", "usable", "answer", "first")
    }
    config = to_config(lesson.settings())
    for _ in range(ROUNDS):
        took["alone"].append(run_to_end(engine.run(config)))
        with visit() as one:
            took["usable"].append(one.usable)
            one.page.locator("label.card", has_text=lesson.title).click()
            took["beside"].append(run_to_end(engine.run(config)))
            seen, pressed = press_run(one.page)
            took["shown"].append(seen["frames"][-1] - pressed)
            took["answer"].append(seen["words"][0] - pressed)
            took["first"].append(seen["frames"][bisect.bisect(seen["frames"], one.sent[0])] - pressed)
    middle = {key: statistics.median(values) for key, values in took.items()}
    if lesson is FIRST:
        say("usable in the browser", f"{middle['usable']:.1f} s")
        say("a press of Run is answered after", f"{1000 * middle['answer']:.0f} ms")
    say(f"{name}: the first chart moves after", f"{middle['first']:.2f} s ({spread(took['first'], 2)})")
    say(f"{name}, without a page", f"{middle['alone']:.1f} s ({spread(took['alone'])})")
    for key, what in (
        ("beside", "beside an open page that does not show it"),
        ("shown", "on the page, the browser on the same cores"),
    ):
        said = f"{middle[key]:.1f} s ({spread(took[key])}), {middle[key] / middle['alone'] - 1:+.1%}"
        say(f"{name}, {what}", said)


def spread(values: list[float], digits: int = 1) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def measure_rate(visit: Visit) -> None:
    """A run that is faster than the page may be updated: zero-shot CLIP alone on small batches."""
    page, sent = visit.page, visit.sent
    for name in ("tent", "cliptta"):
        page.locator(f"#ct-form [data-method={name}] > .tick input").uncheck()
    for name, value in (("batch_size", 4), ("batches", 1000)):
        box = page.locator(f"[data-field={name}] .box")
        box.fill(str(value))
        box.press("Tab")
    seen, _ = press_run(page)
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
