"""How long a frame of the Why tab takes with 60 pictures: python -m tests.ui.page.measure_why

A benchmark, never a test: figures are those of the machine at hand, which should do nothing else meanwhile.
"""

from __future__ import annotations

import os
import statistics

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from clip_tta_core import engine  # noqa: E402
from clip_tta_core.ui.session.site import Site  # noqa: E402
from tests.ui.conftest import CHROMIUM, QUIET, make_log, serve  # noqa: E402

PICTURES = 60
SECONDS = 5
WATCH = """(seconds) => new Promise((done) => {
  const frames = [], begin = performance.now();
  let last = begin;
  const look = (now) => {
    frames.push(now - last);
    last = now;
    const play = document.querySelector("#ct-why [data-do=play]");
    if (play.getAttribute("aria-label") === "Play") play.click();
    now - begin < 1000 * seconds ? requestAnimationFrame(look) : done(frames.slice(2));
  };
  requestAnimationFrame(look);
})"""


def main() -> None:
    page, url = serve(Site(engine.catalog(), make_log()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        tab = browser.new_page(viewport={"width": 1280, "height": 1600})
        tab.goto(f"{url}?tab=why&preset=collapse")
        tab.locator("#ct-why .picture").first.focus()
        while tab.locator("#ct-why .side").first.locator(".picture").count() < PICTURES:
            tab.keyboard.press("1")
            tab.wait_for_timeout(30)
        tab.wait_for_timeout(3000)  # until the chart under the slider is worked out
        before = processor_time(browser)
        frames = tab.evaluate(WATCH, SECONDS)
        spent = {kind: seconds - before[kind] for kind, seconds in processor_time(browser).items()}
        slow = sorted(frames)[int(0.95 * len(frames))]
        work = ", ".join(f"{kind} {1000 * spent[kind] / len(frames):.1f} ms" for kind in ("renderer", "GPU"))
        print(
            f"{PICTURES} pictures on both sides, playing: {1000 / statistics.mean(frames):.0f} frames/s, "
            f"median {statistics.median(frames):.1f} ms, 95 % within {slow:.1f} ms; "
            f"processor time a frame: {work}"
        )
        browser.close()
    page.close(verbose=False)


def processor_time(browser: Browser) -> dict[str, float]:
    """Seconds of processor time so far, by kind of process, which a busy machine does not change much."""
    spent: dict[str, float] = {}
    for process in browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]:
        spent[process["type"]] = spent.get(process["type"], 0.0) + process["cpuTime"]
    return spent


if __name__ == "__main__":
    main()
