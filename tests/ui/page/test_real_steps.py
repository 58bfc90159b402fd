"""Step, on a run of the real engine: what is drawn of a batch is what the engine hands out, step by step.

The run is held before its first batch, so that every press leads to one known place; and a press follows only
on what no other but the press before can have drawn.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from playwright.sync_api import expect

from clip_tta_core import engine
from clip_tta_core.control import Control
from clip_tta_core.records import Glimpse, RunConfig
from clip_tta_core.ui.session import recordings
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import eventually, serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STEPS = 10  # of TENT and of CLIPTTA on a batch, in the first lesson
PRESS = "**/gradio_api/run/predict"  # how the browser sends one


@pytest.fixture
def asked() -> list[RunConfig]:
    """What the page asked the engine for."""
    return []


@pytest.fixture
def url(asked):
    def held(config: RunConfig, control: Control):
        asked.append(config)
        control.pause()
        return engine.run(config, control)

    page, address = serve(Site(engine.catalog(), recordings.read(FIRST.name), run=held))
    yield address
    page.close(verbose=False)


@pytest.fixture
def page(visit, url):
    """A run of the first lesson that is held before its first batch."""
    page = visit(url)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".status .what")).to_have_text("Paused · batch 1 of 16")
    return page


def press(page) -> None:
    page.get_by_role("button", name="Step", exact=True).click()


def at(page, words: str) -> None:
    """Wait until a method has shown a step; the status line follows."""
    expect(page.locator("#ct-steps .turn.now")).to_have_text(words)


def shown_of(config: RunConfig) -> tuple[list[Glimpse], tuple[str, ...]]:
    """What a run of its own shows of the first batch, before every step; and the names of the classes."""
    control, glimpses = Control(), []
    control.looker, control.wants_look = glimpses.append, lambda: True
    run = engine.run(config, control)
    report = next(run)
    run.close()
    return [one for one in glimpses if one.step], report.classes


def written(value: float) -> str:
    """A number as the page writes it, unless it is very small."""
    return f"{value:.{3 if abs(value) < 1 else 1}f}"


def drawn(page) -> dict:
    """Of the batch under way: the numbers and the bars of the method at work, and its answers."""
    inside = page.locator("#ct-steps")
    measures = inside.locator(".measure").evaluate_all(
        "all => all.map((one) => [one.dataset.measure, one.querySelector('b').textContent])"
    )
    bars = inside.locator(".bar").evaluate_all(
        "all => all.map((one) => [one.dataset.class, Number(one.dataset.count)])"
    )
    return {
        "numbers": dict(measures),
        "bars": {name: count for name, count in bars if count},
        "answers": page.locator("#ct-gallery li .is").all_text_contents(),
    }


def test_every_step_draws_the_loss_the_bars_and_the_answers_that_the_engine_hands_out(page, asked):
    press(page)
    at(page, f"TENT: 0 of {STEPS} steps")
    glimpses, names = shown_of(*asked)
    assert len(glimpses) == 2 * STEPS
    seen = []
    for glimpse in glimpses:
        step = glimpse.step
        title = {"tent": "TENT", "cliptta": "CLIPTTA"}[step.label]
        at(page, f"{title}: {step.step} of {STEPS} steps")
        if not step.step:
            page.locator(f"#ct-gallery .choose [data-name={step.label}]").click()
        answers = [names[k] for k in step.probs.argmax(axis=1)]
        entropy = -(step.probs * np.log(np.maximum(step.probs, 1e-30))).sum(axis=1).mean()
        numbers = {"loss": written(step.losses["loss"]), "entropy": written(entropy)}
        wanted = {"bars": dict(Counter(answers)), "answers": answers}

        def is_drawn(numbers=numbers, wanted=wanted):
            now = drawn(page)
            return {**now, **wanted} == now and {**now["numbers"], **numbers} == now["numbers"]

        assert eventually(is_drawn), (step.label, step.step, numbers, wanted, drawn(page))
        way = page.locator(f"#ct-steps [data-measure=loss] polyline[data-method={step.label}]")
        assert len(way.get_attribute("points").split()) == step.step + 1
        seen.append((step.label, drawn(page)))
        if glimpse is not glimpses[-1]:
            press(page)
    for label in ("tent", "cliptta"):
        own = [one for name, one in seen if name == label]
        assert all(a["numbers"] != b["numbers"] for a, b in zip(own, own[1:], strict=False)), (
            "every step moves"
        )
        assert own[0]["bars"] != own[-1]["bars"] and own[0]["answers"] != own[-1]["answers"]


def test_a_press_of_step_counts_also_where_the_one_before_is_on_its_way_still(page):
    press(page)
    at(page, f"TENT: 0 of {STEPS} steps")
    on_their_way = []
    page.route(PRESS, lambda route: on_their_way.append(route))
    for _ in range(2):
        with page.expect_request(PRESS):
            press(page)
    for one in on_their_way:
        one.continue_()
    at(page, f"TENT: 2 of {STEPS} steps")
