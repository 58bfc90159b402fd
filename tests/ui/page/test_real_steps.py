"""Step, on a run of the real engine: what is drawn of a batch moves with the weights."""

import re

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine
from clip_tta_core.ui.session import recordings
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import eventually, serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def url():
    page, address = serve(Site(engine.catalog(), recordings.read(FIRST.name)))
    yield address
    page.close(verbose=False)


def drawn(page) -> dict[str, list[str]]:
    """Of the batch under way: numbers and bars of the method at work, and its answers."""
    inside = page.locator("#ct-steps")
    return {
        "loss": inside.locator("[data-measure=loss] b").all_text_contents(),
        "entropy": inside.locator("[data-measure=entropy] b").all_text_contents(),
        "bars": inside.locator(".bar").evaluate_all("all => all.map((one) => one.dataset.count)"),
        "answers": page.locator("#ct-gallery li .is").all_text_contents(),
    }


def test_steps_of_a_real_run_move_the_loss_the_entropy_the_bars_and_the_answers(visit, url):
    page = visit(url)
    batches = page.locator("[data-field=batches] .box")
    batches.fill("500")  # so that the run goes on until it is paused
    batches.press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).click()
    state = page.locator(".status .what")
    expect(state).to_contain_text("Paused")
    page.locator("#ct-gallery .choose [data-name=tent]").click()

    def taken() -> int:
        """TENT's steps on this batch; -1 where another is at work."""
        words = " ".join(page.locator("#ct-steps .turn.now").all_text_contents())
        found = re.search(r"TENT: (\d+) of", words)
        return int(found[1]) if found else -1

    def step() -> None:
        before = state.text_content()
        page.get_by_role("button", name="Step", exact=True).click()
        expect(state).not_to_have_text(before)

    while taken() != 0:  # at the start of TENT's turn, on this batch or the next
        step()
    before = drawn(page)
    for count in range(1, 10):
        step()
        expect(page.locator("#ct-steps .turn.now")).to_contain_text(f"TENT: {count} of 10")
    assert all(before.values())
    assert eventually(lambda: all(drawn(page)[name] != before[name] for name in before)), drawn(page)
