"""From the choice of a lesson to its recorded run on the screen: python -m tests.ui.page.measure_lessons

A benchmark, never a test: figures are those of the machine at hand, which should do nothing else meanwhile.
Processor time, of server and browser together, says more where it does.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from playwright.sync_api import sync_playwright  # noqa: E402

from clip_tta_core import engine  # noqa: E402
from clip_tta_core.ui.session import recordings  # noqa: E402
from clip_tta_core.ui.session.lessons import FIRST, LESSONS  # noqa: E402
from clip_tta_core.ui.session.site import Site  # noqa: E402
from tests.ui.conftest import CHROMIUM, QUIET, serve  # noqa: E402
from tests.ui.page.measure_why import processor_time  # noqa: E402

# Until the charts have been painted with what the server tells of the lesson, a frame after they were drawn.
CHOOSE = """(name) => new Promise((done) => {
  const start = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  }).observe(document.querySelector("#ct-results tbody"), { childList: true });
  document.querySelector(`#ct-lessons input[value=${name}]`).click();
})"""


def main() -> None:
    recorded = {lesson.name: log for lesson in LESSONS if (log := recordings.read(lesson.name))}
    page, url = serve(Site(engine.catalog(), recorded[FIRST.name], recordings=recorded))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        tab = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        tab.goto(url)
        tab.wait_for_selector("#ct-curves polyline[data-method]", state="attached")
        print("| lesson | shown after | again | processor time | again |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for name in (*list(recorded)[1:], FIRST.name):
            took, worked = zip(*(choose(browser, tab, name, recorded) for _ in range(2)), strict=True)
            cells = " | ".join(f"{1000 * value:.0f} ms" for value in (*took, *worked))
            print(f"| {name} | {cells} |", flush=True)
        browser.close()
    page.close(verbose=False)


def choose(browser, tab, name: str, recorded) -> tuple[float, float]:
    """-> seconds until the lesson is shown, processor seconds of server and browser meanwhile"""
    other = next(other for other in recorded if other != name)
    tab.locator(f"#ct-lessons input[value={other}]").evaluate("one => { one.checked = true; }")
    before = time.process_time() + sum(processor_time(browser).values())
    took = tab.evaluate(CHOOSE, name)
    return took / 1000, time.process_time() + sum(processor_time(browser).values()) - before


if __name__ == "__main__":
    main()
