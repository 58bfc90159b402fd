"""Lessons in a real browser, from the question to the answer, over the recorded runs."""

import re

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine, limits
from clip_tta_core.ui.session import recordings
from clip_tta_core.ui.session.lessons import FIRST, LESSONS
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.teaching import TEACHINGS
from tests.ui.conftest import serious_violations, serve
from tests.ui.drawn import stream_of
from tests.ui.fakes import fake_engine

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RECORDED = {one.name: log for one in LESSONS if (log := recordings.read(one.name))}
BY_NAME = {lesson.name: lesson for lesson in LESSONS}
TAUGHT = [name for name in TEACHINGS if name in RECORDED and name != FIRST.name]
PATIENT = 30_000  # milliseconds


@pytest.fixture(scope="module")
def url():
    page, address = serve(Site(engine.catalog(), RECORDED[FIRST.name], fake_engine(), RECORDED))
    yield address
    page.close(verbose=False)


def choose(page, name: str) -> None:
    page.locator(f"#ct-lessons input[value={name}]").evaluate("one => one.click()")
    page.wait_for_function(
        "says => document.querySelector('#ct-lessons h3')?.textContent === says", arg=TEACHINGS[name].asks
    )


def test_every_lesson_goes_from_its_question_to_its_answer(visit, url):
    page = visit(url)
    for name in TAUGHT:
        log, teaching = RECORDED[name], TEACHINGS[name]
        choose(page, name)
        stream = stream_of(name)
        page.wait_for_function("text => document.querySelector('.stream').textContent === text", arg=stream)
        assert page.locator(".status .what").text_content().startswith("A recorded run")
        assert page.locator("#ct-curves select").input_value() == teaching.measure
        assert page.locator("#ct-lessons .answer").count() == 0
        page.locator("#ct-lessons .answers button").first.click()
        question = teaching.question(BY_NAME[name], log)
        assert page.locator("#ct-lessons .says").text_content() == question.says
        assert page.locator(".answers .right").text_content() == question.answers[question.right]
        assert page.locator(".answers button[aria-pressed=true]").text_content() == question.answers[0]


def test_the_table_of_a_lesson_with_unknown_pictures_is_not_cut_off(visit, url):
    page = visit(url, "?lesson=unknowns", width=1280)
    expect(page.locator("#ct-results thead")).to_contain_text("FPR95", timeout=PATIENT)
    table = page.locator("#ct-results .scroll")
    assert table.evaluate("one => one.scrollWidth - one.clientWidth") <= 0


@pytest.fixture(scope="module")
def without_data():
    """The page where no folder for data sets is named."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(limits.DATA, raising=False)
        page, address = serve(Site(engine.catalog(), RECORDED[FIRST.name], fake_engine(), RECORDED))
    yield address
    page.close(verbose=False)


@pytest.mark.parametrize("lesson", [one for one in LESSONS if one.needs], ids=lambda one: one.name)
def test_a_lesson_whose_pictures_are_missing_leads_to_its_twin(visit, without_data, lesson):
    page = visit(without_data)
    needs = page.locator("#ct-lessons .needs")
    expect(page.locator("#ct-lessons .look-for")).to_have_text(FIRST.look_for)
    expect(needs).to_be_hidden()
    choose(page, lesson.name)
    expect(needs).to_contain_text("which this page lacks")
    expect(page.locator("[data-field=source] .help")).to_have_text(
        f"This page lacks “dataset:{lesson.needs}”."
    )
    page.locator("#ct-gallery").scroll_into_view_if_needed()
    expect(page.locator("#ct-gallery .help")).to_contain_text("The pictures of this batch are not kept.")
    needs.locator("button").click()
    expect(page.locator(f"#ct-lessons input[value={lesson.twin}]")).to_be_checked()
    expect(page.locator("#ct-sentence .stream")).to_have_text(stream_of(lesson.twin))
    expect(needs).to_be_hidden()


def test_the_gallery_shows_the_pictures_that_a_lesson_is_about(visit, url):
    page = visit(url)
    name = next(name for name in TAUGHT if TEACHINGS[name].pictures != "all")
    choose(page, name)
    page.locator("#ct-gallery").scroll_into_view_if_needed()
    for kind, wanted in (("filter", TEACHINGS[name].pictures), ("choose", TEACHINGS[name].method)):
        page.wait_for_selector(f"#ct-gallery .{kind} [data-name={wanted}][aria-pressed=true]")


def test_the_pictures_of_a_recording_are_really_there(visit, url):
    page = visit(url)
    for name in (None, TAUGHT[0]):
        if name:
            choose(page, name)
        page.locator("#ct-gallery").scroll_into_view_if_needed()
        page.wait_for_selector("#ct-gallery li [style*=blob]")
        page.wait_for_timeout(200)  # what is told together has been drawn
        loaded = page.evaluate(
            """async () => {
              const style = document.querySelector("#ct-gallery li [style*=blob]").getAttribute("style");
              const image = new Image();
              image.src = style.match(/blob:[^"')]+/)[0];
              return image.decode().then(() => image.naturalWidth, () => 0);
            }"""
        )
        assert loaded > 64


def test_choosing_the_last_lesson_moves_the_row_and_not_the_page(visit, url):
    page = visit(url)
    choose(page, TAUGHT[-1])
    page.locator("#ct-lessons input:checked").focus()
    assert page.evaluate("[scrollX, document.documentElement.scrollWidth - innerWidth]") == [0, 0]
    row, card = (
        page.locator(where).bounding_box() for where in ("#ct-lessons .cards", ".card:has(:checked)")
    )
    assert row["x"] <= card["x"] and card["x"] + card["width"] <= row["x"] + row["width"] + 1


def test_the_why_of_a_lesson_opens_the_plane_at_its_preset(visit, url):
    page = visit(url)
    page.locator("#ct-lessons .answers button").last.click()
    page.locator("#ct-lessons .to-why").click()
    page.wait_for_selector(".why canvas, .why svg", state="visible")
    assert f"preset={TEACHINGS[FIRST.name].preset}" in page.url


def test_now_change_this_runs_it_and_keeps_what_the_lesson_says(visit, url):
    page = visit(url)
    choose(page, "alone")
    page.locator("#ct-lessons .answers button").first.click()
    says = page.locator("#ct-lessons .says").text_content()
    page.locator("#ct-lessons .change").click()
    expect(page.locator(".status .what")).to_contain_text("Finished · 8 batches", timeout=30_000)
    expect(page.locator("[data-field=corruption] select")).to_have_value("none")
    changed = f"{BY_NAME['alone'].title} · changed: {TEACHINGS['alone'].try_this}"
    expect(page.locator(".look-for")).to_have_text(changed)
    expect(page.locator("#ct-lessons .says")).to_have_text(says)
    page.locator("[data-field=corruption] select").select_option("fog")
    expect(page.locator(".look-for")).to_have_text("Your own settings.")
    expect(page.locator("#ct-lessons .question")).to_be_hidden()


def test_what_the_run_says_waits_for_a_guess(visit, url):
    page = visit(url)
    choose(page, "alone")
    said = page.locator("#ct-sentence .said")
    expect(said).to_have_text(re.compile("^Guess first"))
    right = TEACHINGS["alone"].right(RECORDED["alone"])
    buttons = page.locator("#ct-lessons .answers button")
    buttons.nth((right + 1) % 3).click()
    expect(said).to_contain_text("zero-shot CLIP", ignore_case=True)
    expect(buttons.nth(right)).to_have_class("right")
    expect(buttons.nth((right + 1) % 3)).to_have_class("wrong")
    expect(page.locator("#ct-lessons .verdict")).to_have_text("Not in this run.")


def test_a_link_opens_a_lesson(visit, url):
    page = visit(url, "?lesson=alone")
    asks = TEACHINGS["alone"].asks
    page.wait_for_function("text => document.querySelector('#ct-lessons h3')?.textContent === text", arg=asks)
    stream = stream_of("alone")
    page.wait_for_function("text => document.querySelector('.stream').textContent === text", arg=stream)


@pytest.mark.parametrize("name", ["small", FIRST.name])
@pytest.mark.parametrize("query, curve", [("", ""), ("&curve=ece", "ece")])
def test_a_link_to_a_lesson_looks_at_what_it_is_about_or_at_the_curve_it_names(
    visit, url, name, query, curve
):
    page, teaching = visit(url, f"?lesson={name}{query}"), TEACHINGS[name]
    expect(page.locator("#ct-lessons h3")).to_have_text(teaching.asks, timeout=PATIENT)
    expect(page.locator("#ct-curves select")).to_have_value(curve or teaching.measure, timeout=PATIENT)
    page.locator("#ct-gallery").scroll_into_view_if_needed()
    for kind, chosen in (("choose", teaching.method), ("filter", teaching.pictures)):
        button = page.locator(f"#ct-gallery .{kind} [data-name={chosen}]")
        expect(button).to_have_attribute("aria-pressed", "true", timeout=PATIENT)


@pytest.mark.parametrize("query", ["?__theme=light", "?__theme=dark"])
def test_an_answered_question_can_be_read_by_everybody(visit, url, query):
    page = visit(url, query)
    page.locator("#ct-lessons .answers button").first.click()
    page.wait_for_selector("#ct-lessons .says")
    assert serious_violations(page, "#ct-lessons") == []


def test_on_a_phone_settings_stand_below_what_the_run_shows(visit, url):
    page = visit(url, width=390)
    parts = ("#ct-lessons", "#ct-transport", "#ct-sentence", "#ct-curves", "#ct-gallery", "#ct-form")
    tops = [page.locator(part).bounding_box()["y"] for part in parts]
    assert tops == sorted(tops)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_wide_screen_the_page_stands_in_the_middle(visit, url):
    page = visit(url, width=1920)
    left, width = page.locator(".ct-header").first.evaluate(
        "one => { const box = one.getBoundingClientRect(); return [box.left, box.width]; }"
    )
    assert abs((left + width / 2) - 1920 / 2) < 12


# Pairs of texts of a chart that print over each other, and texts that are cut. Names aslant are side by side.
UNREADABLE = """
selectors => selectors.flatMap(selector => {
  const texts = [...document.querySelectorAll(`${selector} svg text`)].filter(
    one => one.textContent && !one.getAttribute("transform"));
  const boxes = texts.map(one => one.getBoundingClientRect());
  const cut = [...document.querySelectorAll(`${selector} svg .who`)].map(one => one.textContent);
  const over = texts.flatMap((one, i) => texts.slice(i + 1).flatMap((other, j) => {
    const [p, q] = [boxes[i], boxes[i + 1 + j]];
    const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const tall = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    const both = `${one.textContent} over ${other.textContent}`;
    return wide > 0 && tall > 0.3 * Math.min(p.height, q.height) ? [both] : [];
  }));
  return [...over, ...cut.filter(name => name.includes("…"))];
})
"""
MANY = [name for name in ("parts", "few", "mixed", "attack", "start", "which") if name in TAUGHT]


@pytest.mark.parametrize(
    "query, size", [("", (390, 844)), ("&present=1", (1280, 720)), ("", (1280, 900)), ("", (640, 360))]
)
def test_charts_of_many_contenders_can_be_read(visit, url, query, size):
    page = visit(url, f"?lesson=collapse{query}")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for name in MANY:
        choose(page, name)
        expect(page.locator("#ct-curves svg [data-end]")).to_have_count(
            len(RECORDED[name].series), timeout=PATIENT
        )
        expect(page.locator("#ct-classes svg .head")).to_have_count(
            len(RECORDED[name].series), timeout=PATIENT
        )
        page.wait_for_function(
            "([selectors, script]) => eval(script)(selectors).length === 0",
            arg=[["#ct-curves", "#ct-classes"], UNREADABLE],
            timeout=PATIENT,
        )


@pytest.mark.parametrize(
    "query, size",
    [("", (390, 844)), *(("&present=1", size) for size in ((1280, 720), (1280, 900), (1920, 1080)))],
)
def test_captions_of_pictures_are_whole(visit, url, query, size):
    page = visit(url, f"?lesson=style{query}")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    expect(page.locator("#ct-lessons h3")).to_have_text(TEACHINGS["style"].asks, timeout=PATIENT)
    page.locator("#ct-gallery").scroll_into_view_if_needed()
    page.locator("#ct-gallery .filter [data-name=all]").click()
    captions = page.locator("#ct-gallery li .is")
    expect(captions.filter(has_text="music note").first).to_be_visible(timeout=PATIENT)
    cut = captions.evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth).length")
    assert cut == 0


def test_scrolled_numbers_keep_the_names_of_their_methods(visit, url):
    page = visit(url, width=390)
    table = page.locator("#ct-results .scroll")
    name = table.locator("tbody th").first
    expect(name).to_be_visible(timeout=PATIENT)
    table.scroll_into_view_if_needed()
    before = name.bounding_box()["x"]
    table.evaluate("one => (one.scrollLeft = 200)")
    assert table.evaluate("one => one.scrollLeft") == 200 and name.bounding_box()["x"] == before
