"""Lessons as a course, in a real browser: to a room, on paper, in another page, in windows of every size."""

import http.server
import itertools
import re
import threading

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine
from clip_tta_core.ui.session import recordings
from clip_tta_core.ui.session.lessons import FIRST, LESSONS
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.teaching import TEACHINGS
from clip_tta_core.ui.words.glossary import GLOSSARY
from tests.ui.conftest import serious_violations, serve
from tests.ui.drawn import call, stream_of
from tests.ui.fakes import fake_engine

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SAYS = {word.lower(): term.says for term in GLOSSARY for word in (term.word, *term.also)}
RECORDED = {one.name: log for one in LESSONS if (log := recordings.read(one.name))}
UNKNOWNS = "unknowns"  # a lesson with one chart more


@pytest.fixture(scope="module")
def url():
    page, address = serve(Site(engine.catalog(), RECORDED[FIRST.name], fake_engine(), RECORDED))
    yield address
    page.close(verbose=False)


def present(visit, url, lesson: str, query: str = "", size: tuple[int, int] = (1280, 720)):
    page = visit(url, f"?present=1&lesson={lesson}{query}")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    expect(page.locator("body")).to_have_class(re.compile("ct-present"))
    expect_recorded(page, lesson)
    return page


def expect_recorded(page, lesson: str) -> None:
    """The lesson's own recording is drawn."""
    stream = stream_of(lesson)
    expect(page.locator("#ct-sentence .stream")).to_have_text(stream)
    expect(page.locator("#ct-lessons .title")).to_have_text(title_of(lesson))


def title_of(name: str) -> str:
    return next(lesson.title for lesson in LESSONS if lesson.name == name)


def bottoms(page, *selectors: str) -> list[float]:
    """Where the first of each ends, below the top of the window."""
    ends = "one => one.getBoundingClientRect().bottom"
    return [page.locator(selector).first.evaluate(ends) for selector in selectors]


def test_the_first_screen_is_the_first_lesson_with_its_recorded_curve(visit, url):
    page = visit(url)
    expect(page.locator("#ct-lessons .go .place")).to_have_text(f"Lesson 1 of {len(LESSONS)} · 3 min")
    expect(page.locator(f"#ct-lessons input[value={FIRST.name}]")).to_be_checked()
    drawn = page.locator("#ct-curves polyline[data-method=cliptta]").get_attribute("points")
    assert len(drawn.split()) == len(RECORDED[FIRST.name])


def test_a_course_of_45_minutes_is_numbered_in_its_order(visit, url):
    page = visit(url)
    cards = page.locator("#ct-lessons .card")
    expect(cards.locator(".number")).to_have_text([str(k + 1) for k in range(len(LESSONS))])
    expect(cards.locator(".name")).to_have_text([lesson.title for lesson in LESSONS])
    assert sum(lesson.minutes for lesson in LESSONS) == 45


def test_arrow_keys_go_through_the_lessons_and_the_address_names_them(visit, url):
    first, second, third = (lesson.name for lesson in LESSONS[:3])
    page = present(visit, url, first)
    for key, lesson in (("ArrowRight", second), ("PageDown", third), ("ArrowLeft", second)):
        page.keyboard.press(key)
        expect_recorded(page, lesson)
        assert f"lesson={lesson}&present=1" in page.url
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowLeft")  # there is none before the first
    expect_recorded(page, first)
    page.keyboard.press("Escape")
    expect(page.locator("body")).not_to_have_class(re.compile("ct-present"))
    assert page.url.endswith(f"?lesson={first}")
    expect(page.locator(".ct-header h1")).to_be_visible()


def test_arrow_keys_belong_to_the_timeline_while_it_has_the_focus(visit, url):
    page = present(visit, url, FIRST.name)
    page.locator(".timeline input").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".status .what")).to_contain_text("batch 15 of 16")
    assert page.locator("#ct-lessons .title").text_content() == FIRST.title


@pytest.mark.parametrize("late", ["question", "answer"])
def test_of_two_choices_the_later_one_is_drawn_whichever_the_network_brings_last(visit, url, late):
    """The first is held back, on its way to the server or on its way back, until the second is drawn."""
    page = visit(url)
    expect_recorded(page, FIRST.name)
    put = "void m.view('sentence').follow(document.body, (one) => (window.told ??= []).push(one.stream))"
    call(page, "lib/store.js", put)
    streams = {name: stream_of(name) for name in ("style", "clean", "one")}
    held, answers = [], []

    def hold_the_first(route):
        # The choice itself: every request with settings names a style, too.
        if held or '"lesson":"style","number"' not in (route.request.post_data or ""):
            return route.continue_()
        held.append(route)
        if late == "answer":
            answers.append(route.fetch())

    page.route("**/gradio_api/**", hold_the_first)
    choose_blindly(page, "style")
    choose(page, "clean")  # while the first is under way: it is held until the test lets it go
    assert len(held) == 1
    if late == "answer":
        held[0].fulfill(response=answers[0])
    else:
        held[0].continue_()
    choose(page, "one")  # by then the first answer has come, too
    expect(page.locator("#ct-sentence .stream")).to_have_text(streams["one"])
    assert page.evaluate("told.slice(1)") == [streams["clean"], streams["one"]]


def test_the_button_shows_a_lesson_to_a_room_and_ends_it(visit, url):
    page = visit(url)
    expect(page.locator("#ct-lessons .go .place")).not_to_be_empty()  # its script is there
    button = page.locator("#ct-lessons [data-do=present]")
    button.click()
    expect(page.locator("body")).to_have_class(re.compile("ct-present"))
    expect(button).to_have_text("End")
    expect(page.locator("#ct-form")).to_be_hidden()
    button.click()
    expect(page.locator("body")).not_to_have_class(re.compile("ct-present"))
    expect(page.locator("#ct-form")).to_be_visible()


FITS = """(height) => ["#ct-curves svg", "#ct-gallery li", "#ct-lessons .answer", "#ct-sentence .said"].every(
(where) => { const box = [...document.querySelectorAll(where)].map((one) => one.getBoundingClientRect());
return box.length && box.every((one) => one.height > 0 && one.bottom <= height); })"""


def test_every_lesson_fits_a_projector_with_its_captions_and_its_moral(visit, url):
    page = present(visit, url, FIRST.name)
    for lesson in RECORDED:
        choose(page, lesson)
        page.locator("#ct-lessons .answers button").first.click()
        page.wait_for_function(FITS, arg=720)


def test_charts_and_a_row_of_pictures_are_on_one_screen_with_the_answer(visit, url):
    page = present(visit, url, FIRST.name)
    for lesson, other in ((FIRST.name, "#ct-classes svg"), (UNKNOWNS, "#ct-scores svg")):
        choose(page, lesson)
        page.locator("#ct-lessons .answers button").first.click()
        page.locator("#ct-gallery .filter [data-name=all]").click()
        for width, height in ((1920, 1080), (1280, 720)):
            page.set_viewport_size({"width": width, "height": height})
            seen = ("#ct-curves svg", other, "#ct-gallery li", "#ct-lessons .because")
            page.wait_for_function(
                "([seen, height]) => seen.every((one) => { const box = "
                "document.querySelector(one).getBoundingClientRect(); "
                "return box.height > 0 && box.bottom <= height; })",
                arg=[seen, height],
            )
            tops = page.locator("#ct-gallery li").evaluate_all("all => all.map(one => one.offsetTop)")
            assert len(set(tops)) == 1 and len(tops) == 64, "one row"
            tick = page.locator("#ct-curves .tick").first.evaluate(
                "one => one.getBoundingClientRect().height"
            )
            assert tick > 16, "to be read from the last row of a room"


def choose(page, lesson: str) -> None:
    choose_blindly(page, lesson)
    expect_recorded(page, lesson)


def choose_blindly(page, lesson: str) -> None:
    """Without waiting for what it shows."""
    page.locator(f"#ct-lessons input[value={lesson}]").evaluate("one => one.click()")


@pytest.mark.parametrize("lesson", [FIRST.name, "parts"])
def test_every_method_of_a_lesson_can_be_told_by_its_name_in_a_room(visit, url, lesson):
    page = present(visit, url, lesson)
    titles = list(RECORDED[lesson].titles.values())
    heads = page.locator("#ct-classes .head")
    expect(heads).to_have_count(len(titles))
    if lesson == FIRST.name:  # once the window has the size of a room's
        expect(heads.first.locator(".who")).to_have_text(["Zero-shot", "CLIP"])
    names = [heads.nth(k).locator(".who").all_text_contents() for k in range(len(titles))]
    assert len({" ".join(own) for own in names}) == len(titles), "no two read the same"
    ends = page.locator("#ct-curves text.who").all_text_contents()
    assert len(set(ends)) == len(titles), "nor do they beside the curves"
    boxes = heads.evaluate_all(
        "all => all.map((one) => { const box = one.getBoundingClientRect(); return [box.left, box.right]; })"
    )
    for (_, end), (begin, _) in itertools.pairwise(boxes):
        assert end <= begin + 6, "no name or number over the next"


@pytest.mark.parametrize("size", [(960, 540), (640, 450)])
def test_at_200_percent_nothing_lies_over_anything_else(visit, url, size):
    """A window of twice the size, at 200 %."""
    page = visit(url)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.reload()
    page.wait_for_selector("#ct-curves polyline[data-method=cliptta]", state="attached")
    boxes = page.evaluate(
        """[".transport [data-do=reset]", ".status .what", ".tab-wrapper [role=tab]:last-of-type",
        ".ct-header h1"].map((one) => { const box = document.querySelector(one).getBoundingClientRect();
        return [box.left, box.top, box.right, box.bottom]; })"""
    )
    (reset, status), (tab, title) = boxes[:2], boxes[2:]
    assert reset[2] <= status[0] or reset[3] <= status[1], "Reset is not covered by the status"
    assert size[0] < 800 or (title[0] >= tab[2] and abs(title[1] + title[3] - tab[1] - tab[3]) < 20)


@pytest.mark.parametrize("mode, theme", [("present", "light"), ("present", "dark"), ("embed", "dark")])
def test_everybody_can_read_a_lesson_in_every_mode(visit, url, mode, theme):
    page = visit(url, f"?{mode}=1&lesson={UNKNOWNS}&__theme={theme}")
    expect(page.locator("body")).to_have_class(re.compile(f"ct-{mode}"))
    expect_recorded(page, UNKNOWNS)
    page.locator("#ct-lessons .answers button").first.click()
    assert serious_violations(page) == []


def test_a_handout_has_one_page(visit, url):
    page = visit(url, "?__theme=dark")
    for lesson in RECORDED:
        choose(page, lesson)
        expect(page.locator("#ct-lessons .handout h1")).to_have_text(title_of(lesson))
        pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
        assert len(pages) == 1, lesson


def test_a_handout_shows_the_question_the_charts_a_row_of_pictures_and_the_answer(visit, url):
    page = visit(url)
    expect(page.locator("#ct-gallery li").first).to_be_attached()
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1032})  # an A4 page within its margins
    question = TEACHINGS[FIRST.name].question(FIRST, RECORDED[FIRST.name])
    handout = page.locator("#ct-lessons .handout")
    expect(handout.locator("li")).to_have_text(list(question.answers))
    expect(handout.get_by_text(question.says, exact=True)).to_be_visible()
    expect(handout.get_by_text(f"lesson={FIRST.name}")).to_be_visible()
    for gone in ("#ct-form", "#ct-lessons .question", "#ct-transport", ".ct-primer", "[role=tab]"):
        expect(page.locator(gone).first).to_be_hidden()
    places = ["#ct-lessons .handout.above", "#ct-curves svg", "#ct-gallery li", "#ct-lessons .handout.below"]
    ends = bottoms(page, *places)
    assert ends == sorted(ends) and ends[-1] <= 1032


@pytest.fixture
def frame_page():
    """A page of somebody else's server, with a frame: frame_page(address) -> its address."""
    servers = []

    def make(address: str) -> str:
        body = (
            f'<!doctype html><title>Course</title><iframe src="{address}" width="900" height="900"></iframe>'
        )

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_lesson_in_a_frame_of_another_page_asks_answers_and_runs(chromium, url, frame_page):
    context = chromium.new_context(viewport={"width": 1000, "height": 950}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(frame_page(f"{url}?embed=1&lesson=alone"))
    frame = page.frame_locator("iframe")
    expect(frame.locator("#ct-lessons .title")).to_have_text(title_of("alone"))
    expect(frame.locator("#ct-curves polyline[data-method]").first).to_be_attached()
    for gone in ("[role=tab]", "#ct-form", ".ct-header h1", "#ct-exports", "#ct-lessons .card"):
        expect(frame.locator(gone).first).to_be_hidden()
    frame.locator("#ct-lessons .answers button").first.click()
    expect(frame.locator("#ct-lessons .says")).to_be_visible()
    there = frame.locator("#ct-lessons a.to-why").get_attribute("href")
    assert f"tab=why&preset={TEACHINGS['alone'].preset}" in there and "embed" not in there
    assert frame.locator("#ct-lessons .whole").get_attribute("href").endswith("?lesson=alone")
    frame.get_by_role("button", name="Run", exact=True).click()
    expect(frame.locator(".status .what")).to_contain_text("Finished")
    context.close()


def test_the_code_for_a_frame_and_the_link_are_given(visit, url):
    page = visit(url)
    expect(page.locator("#ct-lessons .go .place")).not_to_be_empty()  # its script is there
    copied = page.locator("#ct-lessons .copied")
    page.locator("#ct-lessons [data-do=address]").click()
    expect(copied).to_have_value(f"{url}?lesson={FIRST.name}")
    page.locator("#ct-lessons [data-do=frame]").click()
    expect(copied).to_have_value(re.compile(f'<iframe src="[^"]+lesson={FIRST.name}&amp;embed=1"'))


def test_terms_are_explained_where_they_occur_and_by_keyboard(visit, url):
    page = visit(url)
    page.locator("#ct-lessons .answers button").first.click()  # until then the run's sentence waits
    for host in (".look-for", "#ct-sentence .said", "#ct-results th", "#ct-form"):
        word = page.locator(f"{host} .term").first
        expect(word).to_be_attached()
        word.focus()
        expect(page.locator("#ct-meaning")).to_have_text(SAYS[word.text_content().lower()])
        page.keyboard.press("Escape")
        expect(page.locator("#ct-meaning")).to_be_hidden()


def test_at_200_percent_the_first_screen_has_a_chart(visit, url):
    page = visit(url)
    for width, height in ((640, 360), (960, 540)):
        page.set_viewport_size({"width": width, "height": height})
        page.reload()
        expect(page.locator("#ct-curves polyline[data-method]").first).to_be_attached()
        end = page.locator("#ct-curves [data-end=cliptta]").bounding_box()
        assert end["y"] + end["height"] < height, "the end of the best curve is in sight"
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("lesson", [FIRST.name, UNKNOWNS, "parts"])
def test_charts_and_a_row_of_pictures_fit_one_screen_of_the_playground(visit, url, lesson):
    page = visit(url, f"?lesson={lesson}")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect_recorded(page, lesson)
    expect(page.locator("#ct-gallery li").first).to_be_attached()
    top = page.locator("#ct-curves").bounding_box()["y"]
    row = page.locator("#ct-gallery li").first.bounding_box()
    bar = page.locator(".ct-run").bounding_box()["height"]  # stays in sight
    assert bar + row["y"] + row["height"] - top <= 800


def test_a_link_opens_a_lesson_at_its_curve_and_its_contender(visit, url):
    page = visit(url, "?lesson=parts")
    expect_recorded(page, "parts")
    expect(page.locator("#ct-curves select")).to_have_value(TEACHINGS["parts"].measure)
    chosen = page.locator("#ct-gallery .choose [aria-pressed=true]")
    expect(chosen).to_have_attribute("data-name", TEACHINGS["parts"].method)


def test_a_wide_screen_is_used(visit, url):
    page = visit(url, width=1920)
    box = page.locator(".ct-columns").bounding_box()
    assert box["width"] > 0.85 * 1920 and abs(box["x"] + box["width"] / 2 - 960) < 12
