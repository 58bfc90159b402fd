"""How fast the page is, measured in a real browser on the real engine: python -m tests.ui.measure

A benchmark, never a test: figures are those of the machine at hand, which should do nothing else meanwhile.
"""

from __future__ import annotations

import bisect
import collections
import functools
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from playwright.sync_api import Page, Playwright, sync_playwright  # noqa: E402

from clip_tta_core import engine  # noqa: E402
from clip_tta_core.control import Control, Progress  # noqa: E402
from clip_tta_core.records import Report, RunConfig, RunLog  # noqa: E402
from clip_tta_core.ui.session import recordings  # noqa: E402
from clip_tta_core.ui.session.lessons import FIRST, LESSONS, Lesson  # noqa: E402
from clip_tta_core.ui.session.play import Play  # noqa: E402
from clip_tta_core.ui.session.settings import to_config  # noqa: E402
from clip_tta_core.ui.session.site import Site  # noqa: E402
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
Event = tuple[float, Report | Progress]  # seconds since the one before it, what is said
IDLE = 10  # seconds
ROUNDS = 6  # of every lesson; the machine's own speed wanders by more than what is to be measured


def main() -> None:
    print("| the page | measured |\n| --- | ---: |")
    say("up after `python app.py` (files in the disk cache)", f"{seconds_to_start():.1f} s")
    catalog, recorded = engine.catalog(), recordings.read(FIRST.name) or RunLog()
    kept(to_config(FIRST.settings() | {"batches": 1}))  # loads the model
    with sync_playwright() as playwright:

        def visit(run: Callable[..., Iterator[Report]]) -> Visit:
            return Visit(playwright, Site(catalog, recorded, run))

        for name, lesson in MEASURED.items():
            measure_lesson(name, lesson, visit)
        with visit(engine.run) as one:
            measure_rate(one)


class Visit:
    """A page served to one browser, for as long as the context lasts."""

    def __init__(self, playwright: Playwright, site: Site) -> None:
        self.sent: list[float] = []
        self._noting = mock.patch.object(Play, "run", noting(Play.run, self.sent))
        self._noting.start()
        self._served, url = serve(site)
        self._browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        context = self._browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        self.page = context.new_page()
        start = time.time()
        self.page.goto(url)
        self.page.wait_for_selector("#ct-form .section")
        self.usable = time.time() - start

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._served.close(verbose=False)
        self._noting.stop()

    def choose(self, lesson: Lesson) -> None:
        self.page.locator(f"#ct-lessons input[value={lesson.name}]").check()

    def processor_seconds(self) -> float:
        """What this process, which is the server, and the browser's processes have used so far."""
        browser = self._browser.new_browser_cdp_session()
        processes = browser.send("SystemInfo.getProcessInfo")["processInfo"]
        browser.detach()
        return time.process_time() + sum(one["cpuTime"] for one in processes)


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
    """`Play.run`, with the times at which it sends new curves."""

    @functools.wraps(run)
    def noted(*arguments):
        last = None
        for told in run(*arguments):
            if (serial := told["serials"].get("curves")) != last:
                last = serial
                sent.append(time.time())
            yield told

    return noted


def press_run(page: Page) -> tuple[dict[str, list[float]], float]:
    """Press Run and wait for the end. -> times of what was painted, the press"""
    page.evaluate(WATCH)
    pressed = page.evaluate(
        "() => { const at = Date.now() / 1000; document.querySelector('[data-do=run]').click(); return at; }"
    )
    finished = "document.querySelector('.status .what').textContent.includes('Finished')"
    page.wait_for_function(finished, timeout=600_000, polling=250)  # asking at every frame would make frames
    return page.evaluate("seen"), pressed


def measure_lesson(
    name: str, lesson: Lesson, visit: Callable[[Callable[..., Iterator[Report]]], Visit]
) -> None:
    """The same run without a page, beside an open page that does not show it, and on the page, in turns."""
    took: dict[str, list[float]] = collections.defaultdict(list)
    config = to_config(lesson.settings())
    for _ in range(ROUNDS):
        events = kept(config)
        took["alone"].append(seconds(events))
        with visit(engine.run) as one:
            took["usable"].append(one.usable)
            one.choose(lesson)
            took["beside"].append(seconds(kept(config)))
            seen, pressed = press_run(one.page)
            took["shown"].append(seen["frames"][-1] - pressed)
            took["answer"].append(seen["words"][0] - pressed)
            took["first"].append(seen["frames"][bisect.bisect(seen["frames"], one.sent[0])] - pressed)
        with visit(replaying(events)) as one:
            one.choose(lesson)
            idle, drawing = processor_seconds_of_drawing(one)
            took["idle"].append(idle)
            took["drawing"].append(drawing)
            took["share"].append(drawing / seconds(events))
    middle = {key: statistics.median(values) for key, values in took.items()}
    if lesson is FIRST:
        say("usable in the browser", f"{middle['usable']:.1f} s")
        say("a press of Run is answered after", f"{1000 * middle['answer']:.0f} ms")
    say(f"{name}: the first chart moves after", f"{middle['first']:.2f} s ({spread(took['first'], '.2f')})")
    for key, what in (
        ("alone", "without a page"),
        ("beside", "beside an open page that does not show it"),
        ("shown", "on the page, the browser on the same cores"),
    ):
        say(f"{name}, {what}", f"{middle[key]:.1f} s ({spread(took[key], '.1f')})")
    added = [shown / beside - 1 for shown, beside in zip(took["shown"], took["beside"], strict=True)]
    say(f"{name}: drawing adds", f"{statistics.median(added):.1%} ({spread(added, '.1%')})")
    say(f"{name}: an open page that shows nothing new takes", f"{middle['idle']:.1%} of a core")
    say(
        f"{name}: processor time of drawing it, and its share of the run's length",
        f"{middle['drawing']:.2f} s, {middle['share']:.1%} ({spread(took['share'], '.1%')})",
    )


class Notebook(Control):
    """A control that keeps where a run says it is."""

    def __init__(self, note: Callable[[Progress], None]) -> None:
        super().__init__()
        self._note = note

    def announce(self, progress: Progress) -> None:
        self._note(progress)
        super().announce(progress)

    def checkpoint(self, progress: Progress) -> None:
        self._note(progress)
        super().checkpoint(progress)


def kept(config: RunConfig) -> list[Event]:
    """What a run says, each with the seconds before it; in a thread of its own, as a run on the page."""
    events: list[Event] = []

    def work() -> None:
        last = time.time()

        def note(said: Report | Progress) -> None:
            nonlocal last
            events.append((time.time() - last, said))
            last = time.time()

        for report in engine.run(config, Notebook(note)):
            note(report)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return events


def seconds(events: list[Event]) -> float:
    return sum(pause for pause, _ in events)


def replaying(events: list[Event]) -> Callable[..., Iterator[Report]]:
    """An engine that says what another has, at the same pace, and needs no processor for it."""

    def run(config: RunConfig, control: Control) -> Iterator[Report]:
        for pause, said in events:
            time.sleep(pause)
            if isinstance(said, Report):
                yield said
            else:
                control.checkpoint(said)

    return run


def processor_seconds_of_drawing(visit: Visit) -> tuple[float, float]:
    """What an open page that shows nothing new takes in a second, and what a replayed run takes beyond that.

    Unlike the length of a run it is about the same whatever else slows the machine down. A run on all cores
    loses at least this time divided by the cores and, if all wait for the one that draws, the whole.
    """
    time.sleep(2)  # the page is still busy with what was pressed last
    start = visit.processor_seconds()
    time.sleep(IDLE)
    idle = (visit.processor_seconds() - start) / IDLE
    start, since = visit.processor_seconds(), time.time()
    press_run(visit.page)
    return idle, visit.processor_seconds() - start - idle * (time.time() - since)


def spread(values: list[float], shape: str) -> str:
    return f"{min(values):{shape}} to {max(values):{shape}}"


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
