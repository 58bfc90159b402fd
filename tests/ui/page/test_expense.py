"""A run that will take long says so before it begins, in a real browser, and one click makes it shorter."""

import re

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import make_log, serious_violations, serve
from tests.ui.drawn import call
from tests.ui.fakes import fake_engine

pytestmark = pytest.mark.browser
SLOW = 0.5  # seconds of a picture through mini-CLIP, a hundred times its own


@pytest.fixture(scope="module")
def site():
    site = Site(engine.catalog(), make_log(), run=fake_engine(delay=0.01))
    site.pace.note("mini-clip", "cpu", SLOW, 1)
    return site


@pytest.fixture(scope="module")
def url(site):
    page, address = serve(site)
    yield address
    page.close(verbose=False)


def test_what_a_slow_model_will_take_stands_by_the_run_and_shrinks_by_a_click(visit, url, site):
    page = visit(url)
    part = page.locator("#ct-expense")
    expect(part.locator(".says")).to_have_text(re.compile(r"^This will take about \d.* h: .* a batch\. "))
    before = part.locator(".says").text_content()
    assert not serious_violations(page, "#ct-expense")
    below_run = "one => one.getBoundingClientRect().top"
    run, charts = (page.locator(one).evaluate(below_run) for one in (".ct-run", "#ct-curves"))
    assert run < part.evaluate(below_run) < charts, "near Run, not among the settings"
    part.get_by_role("button", name=re.compile("^One step a batch")).click()
    expect(page.locator("#ct-form [data-method=tent] .brief")).to_contain_text("1 × ")
    expect(part.locator(".says")).not_to_have_text(before)
    part.get_by_role("button", name=re.compile("^8 batches of 16")).click()
    expect(page.locator("[data-field=batch_size] .box")).to_have_value("16")
    expect(page.locator("[data-field=batches] .box")).to_have_value("8")
    expect(part.get_by_role("button", name=re.compile("^8 batches of 16"))).to_have_count(0)
    assert not page.locator("#ct-lessons .cards :checked").count(), "it is no lesson any more"


def test_a_run_that_was_quick_takes_the_warning_back(visit, url, site):
    page = visit(url)
    says = page.locator("#ct-expense .says")
    expect(says).to_be_visible()
    call(
        page,
        "lib/store.js",
        "m.choice.put({ batches: 2, batch_size: 64, methods: { zero_shot: {}, tent: {} } })",
    )
    page.locator("[data-do=run]").click()
    expect(page.locator(".status .what")).to_contain_text("Finished")
    expect(says).to_be_hidden()
    site.pace.note("mini-clip", "cpu", SLOW, 1)  # for the other tests
