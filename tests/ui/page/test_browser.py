"""The page in a real browser: press Run, watch numbers move, press Stop; and what visitors may type."""

import io
import re
import time
from urllib.parse import urlencode

import pytest
from PIL import Image

from clip_tta_core import engine
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import eventually, looks, make_log, serious_violations, serve
from tests.ui.drawn import call
from tests.ui.fakes import fake_engine

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HOSTILE = (
    "${alert(1)}",
    "<img src=x onerror=alert(1)>",
    "{{value}}",
    "`;alert(1)//",
    '"><script>alert(1)</script>',
)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def copy_link(page) -> None:
    """Of the run; a lesson has a link of its own."""
    page.locator("#ct-exports [data-do=link]").click()


def wait_for(page, text: str, seconds: float = 30) -> None:
    page.wait_for_function(
        "text => document.querySelector('.status .what').textContent.includes(text)",
        arg=text,
        timeout=seconds * 1000,
    )


def set_batches(page, count: int) -> None:
    box = page.locator("[data-field=batches] .box")
    box.fill(str(count))
    box.press("Tab")


def frames(page) -> int:
    return int(page.locator("#ct-curves svg").get_attribute("data-frame"))


def rests(read) -> bool:
    """Whether something comes to stay as it is for a whole second; what moves does so many times in one."""

    def same() -> bool:
        before = read()
        time.sleep(1.0)
        return read() == before

    return eventually(same)


def test_run_moves_the_numbers_and_stop_stops_them(visit, url):
    page = visit(url)
    set_batches(page, 500)
    before = frames(page)
    press(page, "Run")
    page.wait_for_function("n => +document.querySelector('#ct-curves svg').dataset.frame > n + 3", arg=before)
    wait_for(page, "Running")
    press(page, "Stop")
    wait_for(page, "Stopped")
    assert page.get_by_role("button", name="Run", exact=True).is_enabled()
    assert rests(lambda: frames(page))


def test_a_press_is_answered_at_once(visit, url):
    page = visit(url)
    answered = page.evaluate(  # in the same task as the press, before any message to the server
        """() => { const what = document.querySelector('.status .what'), before = what.textContent;
        document.querySelector('[data-do=run]').click();
        return what.textContent !== before; }"""
    )
    assert answered


def test_pause_holds_step_steps_and_resume_goes_on(visit, url):
    page = visit(url)
    set_batches(page, 100)
    press(page, "Run")
    wait_for(page, "Running")
    press(page, "Pause")
    wait_for(page, "Paused")
    line = page.locator(".status .what")
    assert rests(line.text_content)
    held = line.text_content()
    press(page, "Step")
    page.wait_for_function("held => document.querySelector('.status .what').textContent !== held", arg=held)
    press(page, "Resume")
    wait_for(page, "Running")
    press(page, "Stop")
    wait_for(page, "Stopped")


def test_a_recorded_run_is_there_at_first_sight(visit, url):
    page = visit(url)
    wait_for(page, "A recorded run")
    page.locator("#ct-lessons .answers button").first.click()
    assert "TENT" in page.locator(".said").text_content()
    assert page.locator("#ct-curves polyline[data-method=tent]").get_attribute("points")
    assert page.locator("#ct-results tbody tr").count() == 3


def test_the_timeline_looks_back(visit, url):
    page = visit(url)
    page.locator(".timeline input").focus()
    page.keyboard.press("Home")
    wait_for(page, "A recorded run · batch 1 of 6")
    assert "at batch 1:" in page.locator("#ct-curves svg").get_attribute("aria-label")


def test_off_the_screen_the_gallery_waits_until_it_is_seen_or_the_run_is_over(visit, url):
    page = visit(url)
    page.set_viewport_size({"width": 1280, "height": 500})
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(  # until the browser has told everybody, and so the gallery, that it is off the screen
        """() => new Promise((done) => new IntersectionObserver(([seen], observer) => {
        if (!seen.isIntersecting) { observer.disconnect(); done(); }
        }).observe(document.querySelector("#ct-gallery")))"""
    )
    title = page.locator("#ct-gallery h3")
    set_batches(page, 500)
    recorded, before = title.text_content(), frames(page)
    press(page, "Run")
    page.wait_for_function("n => +document.querySelector('#ct-curves svg').dataset.frame > n + 6", arg=before)
    assert title.text_content() == recorded
    page.locator("#ct-gallery").scroll_into_view_if_needed()
    changed = "text => document.querySelector('#ct-gallery h3').textContent !== text"
    page.wait_for_function(changed, arg=recorded)
    page.evaluate("scrollTo(0, 0)")
    press(page, "Stop")
    wait_for(page, "Stopped")
    last = page.locator(".status input[type=range]").input_value()  # the newest batch
    page.wait_for_function(
        "n => document.querySelector('#ct-gallery h3').textContent.startsWith(`Batch ${n}:`)", arg=last
    )


def test_a_lesson_sets_the_controls(visit, url):
    page = visit(url)
    page.locator("#ct-lessons .card", has_text="Sorted by class").click()
    assert page.locator("[data-field=order] select").input_value() == "sorted"
    page.locator("[data-field=order] select").select_option("shuffled")
    assert page.locator(".look-for").text_content() == "Your own settings."


def test_reset_asks_before_it_takes_a_run_of_ones_own_away(visit, url):
    page = visit(url)
    set_batches(page, 2)
    press(page, "Run")
    wait_for(page, "Finished · 2 batches")
    reset = page.locator("[data-do=reset]")
    reset.click()
    assert reset.text_content().strip() == "Lose this run?"
    assert page.locator("#ct-results tbody tr").count() == 3, "it is still there"
    reset.click()
    wait_for(page, "A recorded run")
    assert reset.text_content().strip() == "Reset"


def test_a_bad_value_leaves_the_results_where_they_are(visit, url):
    page = visit(url)
    page.locator("#ct-lessons .answers button").first.click()  # until then the run's sentence waits
    said = page.locator(".said").text_content()
    set_batches(page, 0)
    press(page, "Run")
    page.wait_for_selector("[role=alert]:not([hidden])")
    assert "batches must be in" in page.locator(".message[role=alert]").text_content()
    assert page.locator(".said").text_content() == said
    assert page.get_by_role("button", name="Run", exact=True).is_enabled()


def test_results_say_which_stream_they_are_of_and_when_the_settings_have_moved_on(visit, url):
    page = visit(url)
    stream = page.locator("#ct-sentence .stream")
    stream.wait_for()
    assert "gaussian noise 5" in stream.text_content() and "Press Run" not in stream.text_content()
    page.locator("[data-field=corruption] select").select_option("fog")
    assert stream.text_content().endswith("Press Run to see what is set up now.")
    set_batches(page, 3)
    press(page, "Run")
    wait_for(page, "Finished")
    assert "fog 5" in stream.text_content() and "Press Run" not in stream.text_content()


def test_an_impossible_number_is_marked_with_what_is_possible(visit, url):
    page = visit(url)
    set_batches(page, 0)
    box = page.locator("[data-field=batches] .box")
    assert box.get_attribute("aria-invalid") == "true" and "from 1 to 2000" in box.get_attribute("title")
    set_batches(page, 500)
    assert box.get_attribute("aria-invalid") == "false"


def test_what_is_being_typed_survives_an_answer_of_the_server(visit, url):
    page = visit(url)
    box = page.locator("[data-field=batches] .box")
    box.fill("12")
    call(page, "lib/store.js", "m.choice.put({ seed: 3 })")  # as an answer that sets another field
    assert box.input_value() == "12"
    box.press("Tab")
    assert page.locator("[data-field=seed] .box").input_value() == "3" and box.input_value() == "12"


def test_a_bad_link_says_so_once_and_keeps_the_defaults(visit, url):
    page = visit(url, "?severity=9&corruption=fog")
    page.wait_for_selector("[role=alert]:not([hidden])")
    assert "got 9" in page.locator(".message[role=alert]").text_content()
    assert page.locator("[data-field=severity] .box").input_value() == "5"
    assert page.locator("[data-field=corruption] select").input_value() == "fog"


def test_the_link_restores_what_was_set(visit, url):
    page = visit(url, "?utm_source=moodle&__sign=secret")
    assert page.locator(".look-for").text_content() != "Your own settings.", (
        "what is not ours changes nothing"
    )
    page.locator("[data-field=corruption] select").select_option("snow")
    page.locator("#ct-curves select").select_option("ece")
    page.locator("#ct-exports [type=checkbox]").check()
    copy_link(page)
    page.wait_for_selector("#ct-exports input[type=text]:not([hidden])")
    link = page.locator("#ct-exports input[type=text]").input_value()
    assert link == f"{url}?v=1&corruption=snow&curve=ece&run=1"
    other = visit(link)
    wait_for(other, "Finished")
    assert other.locator("[data-field=corruption] select").input_value() == "snow"
    assert "snow 5" in other.locator("#ct-sentence .stream").text_content()
    assert other.locator("#ct-curves select").input_value() == "ece"


def test_nothing_that_came_with_the_address_goes_along_with_what_is_copied(visit, url):
    """A token lets in whoever has it. It is in no link, no lesson's address, no frame, no script."""
    came = "?__sign=header.payload.signature&token=hf_secret&__theme=dark#id_token=mine"
    page, copied = visit(url, came), []
    for button, field in (
        ("#ct-exports [data-do=link]", "#ct-exports input[type=text]"),
        ("#ct-lessons [data-do=address]", "#ct-lessons .copied"),
        ("#ct-lessons [data-do=frame]", "#ct-lessons .copied"),
    ):
        page.locator(button).click()
        page.wait_for_function("at => document.querySelector(at).value", arg=field)
        copied.append(page.locator(field).input_value())
    page.locator("#ct-exports [data-do=script]").click()
    page.locator("#ct-exports pre").wait_for(state="visible")
    copied.append(page.locator("#ct-exports pre").text_content())
    copied += page.locator("a[href]").evaluate_all("all => all.map((a) => a.href)")
    for text in copied:
        assert not re.search("payload|hf_secret|id_token", text), text
    assert copied[0].startswith(url)


def test_a_lessons_link_opens_the_lesson(visit, url):
    page = visit(url, "?lesson=sorted")
    page.wait_for_function("document.querySelector('[name=lesson][value=sorted]').checked")
    assert page.locator("[data-field=order] select").input_value() == "sorted"
    copy_link(page)
    page.wait_for_selector("#ct-exports input[type=text]:not([hidden])")
    assert page.locator("#ct-exports input[type=text]").input_value() == f"{url}?v=1&lesson=sorted"


def test_what_visitors_type_is_shown_as_text(visit, chromium):
    hostile = Site(engine.catalog(), make_log(class_names=HOSTILE), run=fake_engine())
    hostile.recorded.notes.append(HOSTILE[1])
    hostile.recorded.titles["tent"] = HOSTILE[0]
    page_object, address = serve(hostile)
    try:
        page = visit(address, "?source=upload&" + urlencode({"class_names": "\n".join(HOSTILE[:3])}))
        page.wait_for_function(
            "document.querySelector('[data-field=class_names] textarea').value.includes('onerror')"
        )
        picture = {"name": f"{HOSTILE[1]}.png", "mimeType": "image/png", "buffer": png()}
        broken = {"name": f"{HOSTILE[0]}.png", "mimeType": "image/png", "buffer": b"none"}
        page.set_input_files("#ct-upload-pictures input.files", [picture, broken])
        page.wait_for_function(
            "document.querySelector('#ct-upload-pictures .read').textContent.includes('1 pic')"
        )
        assert HOSTILE[0] in page.locator("#ct-upload-pictures .skipped").text_content()
        press(page, "Run")
        wait_for(page, "Finished")
        page.wait_for_function(  # off the screen, the gallery is in no hurry
            "document.querySelector('#ct-gallery ul').textContent.includes('${alert(1)}')"
        )
        shown = page.locator("#ct-gallery").text_content() + page.locator("#ct-classes").text_content()
        assert "${alert(1)}" in shown and "<img" in shown
        page.locator("#ct-classes svg").hover()
        assert page.locator("img[src=x]").count() == 0
    finally:
        page_object.close(verbose=False)


def test_two_visitors_see_their_own_runs(visit, url):
    one, two = visit(url), visit(url)
    for page, batches in ((one, 3), (two, 5)):
        set_batches(page, batches)
        press(page, "Run")
    wait_for(one, "Finished · 3 batches")
    wait_for(two, "Finished · 5 batches")


def test_a_closed_tab_ends_its_run(visit, url, site):
    page = visit(url)
    set_batches(page, 500)
    press(page, "Run")
    wait_for(page, "Running")
    assert site.runs.running()
    page.close()
    assert eventually(lambda: not site.runs.running())


def test_axe_finds_nothing_serious(visit, open_url):
    page = visit(open_url)
    page.evaluate("document.querySelectorAll('#ct-form details').forEach((one) => { one.open = true; })")
    page.wait_for_timeout(300)
    for look in looks(page):
        assert not serious_violations(page), look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways: {look}"


@pytest.fixture(scope="module")
def open_url():
    """A page whose recorded run has unknown pictures, so that every chart is there."""
    from clip_tta_core.records import RunConfig

    log = make_log(RunConfig(batches=6, batch_size=32, unknown_source="objects"))
    page, address = serve(Site(engine.catalog(), log, run=fake_engine()))
    yield address
    page.close(verbose=False)
