"""The Why tab in a real browser: play, drag, keys, presets, the formula under the hand, and the glossary."""

import re
import urllib.request

import pytest

from clip_tta_core.ui.page.theme import modules
from clip_tta_core.ui.words import glossary
from tests.ui.conftest import looks, serious_violations

SIDES = {"left": "#ct-why .side:nth-child(1)", "right": "#ct-why .side:nth-child(2)"}


def browser(test):
    """A visit of the page."""
    return pytest.mark.browser(pytest.mark.slow(test))


@pytest.fixture
def why(visit, url):
    """Open the tab by its link, at a preset."""

    def open_tab(preset: str = "collapse", query: str = "", width: int = 1280):
        page = visit(url, f"?tab=why&preset={preset}{query}", width)
        page.wait_for_selector("#ct-why .picture")
        return page

    return open_tab


def places(page, side="left"):
    """Where the pictures are drawn, as numbers."""
    found = page.locator(f"{SIDES[side]} .picture").evaluate_all(
        "nodes => nodes.map((node) => node.getAttribute('transform'))"
    )
    return [tuple(map(float, re.findall(r"-?[\d.]+", text)[:2])) for text in found]


def arrow_of(page, place, kind="pulls", side="left"):
    """A picture’s arrow on the triangle, in the path of the one under the pointer or of the others."""
    paths = page.locator(f"{SIDES[side]} .simplex .{kind} path").evaluate_all(
        "paths => paths.map((path) => path.getAttribute('d').split('\\n'))"
    )
    return next((lines[place] for lines in paths if place < len(lines) and lines[place]), "")


def figure(page, name, side="left"):
    return float(page.locator(f"{SIDES[side]} [data-figure={name}] .number").text_content().rstrip(" %"))


def take_steps(page, count):
    page.locator("#ct-why").evaluate(
        "(part, count) => { for (let i = 0; i < count; i++) part.querySelector('[data-do=step]').click(); }",
        count,
    )
    settle(page)


def settle(page):
    """Two frames, so that what has changed is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def steps(page):
    return int(page.locator("#ct-why .why").evaluate("node => node.closest('[data-steps]').dataset.steps"))


@browser
def test_a_link_opens_the_tab_at_a_preset(why):
    page = why("collapsed")
    assert page.locator("#ct-why [data-preset=collapsed]").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("tab", name="Why").get_attribute("aria-selected") == "true"


@browser
def test_play_moves_the_pictures_and_pause_holds_them(why):
    page = why()
    before = places(page)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => +document.querySelector('#ct-why [data-steps]')?.dataset.steps >= 3")
    page.locator("#ct-why [data-do=play]").click()
    settle(page)
    held = places(page)
    assert held != before
    page.wait_for_timeout(300)
    assert places(page) == held


@browser
def test_tent_ends_on_one_caption_and_the_contrast_does_not(why):
    page = why("collapse")
    assert figure(page, "classes") < 2
    take_steps(page, 60)
    assert steps(page) == 60
    assert figure(page, "classes") == 1.0
    assert figure(page, "classes", "right") > 2.5
    assert figure(page, "right", "right") > figure(page, "right") + 30
    page.get_by_role("button", name="Reset").click()
    settle(page)
    assert steps(page) == 0 and figure(page, "classes") == figure(page, "classes", "right")


@browser
def test_a_step_moves_the_bars_of_answers(why):
    page = why()
    bars = page.locator(f"{SIDES['right']} .bars b")
    before = bars.all_text_contents()
    take_steps(page, 10)
    assert bars.all_text_contents() != before
    assert sum(map(int, bars.all_text_contents())) == 30


@browser
def test_a_collapsed_batch_gives_the_contrast_no_pull_and_the_bonus_some(why):
    page = why("collapsed")
    before = places(page)
    take_steps(page, 5)
    assert places(page) == before
    assert places(page, "right") != before
    assert not any(arrow_of(page, i) for i in range(30))


@browser
def test_a_batch_of_one_learns_from_the_memory_only(why):
    page = why("one")
    before = places(page)
    take_steps(page, 60)
    assert places(page) == before
    assert (figure(page, "right"), figure(page, "right", "right")) == (0, 100)
    assert page.locator(f"{SIDES['right']} .earlier.kept").count() > 0
    assert page.locator(f"{SIDES['left']} .earlier.kept").count() == 0


@browser
def test_image_to_text_and_text_to_image_pull_the_picture_in_doubt_opposite_ways(why):
    page = why("ambiguous")

    def way(side):
        x0, y0, x1, y1 = map(float, re.findall(r"-?[\d.]+", arrow_of(page, 0, side=side))[:4])
        return x1 - x0, y1 - y0

    left, right = way("left"), way("right")
    assert left[1] < 0 < right[1]  # upwards is towards "a cat"


@browser
def test_a_dragged_picture_takes_its_arrows_along_on_both_sides(why):
    page = why()
    old, old_arrows = places(page), [arrow_of(page, 12, side=side) for side in SIDES]
    box = page.locator(f"{SIDES['left']} .picture").nth(12).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 30, y + 60, steps=5)
    page.mouse.up()
    settle(page)
    new = places(page)
    assert new[12] != old[12] and places(page, "right")[12] == new[12]
    assert [k for k in range(30) if new[k] != old[k]] == [12]
    assert [arrow_of(page, 12, side=side) for side in SIDES] != old_arrows


@browser
def test_a_picture_stays_under_the_hand_after_training(why):
    page = why("parts")
    take_steps(page, 30)
    picture = page.locator(f"{SIDES['right']} .picture").nth(29)  # on top of all others
    box = picture.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=4)
    page.mouse.up()
    settle(page)
    box = picture.bounding_box()
    assert box["x"] + box["width"] / 2 == pytest.approx(x + 40, abs=1.5)
    assert box["y"] + box["height"] / 2 == pytest.approx(y + 30, abs=1.5)


@browser
def test_a_dragged_caption_turns_and_answers_follow(why):
    page = why()
    label = f"{SIDES['left']} .caption"
    before = page.locator(label).nth(0).get_attribute("aria-label")
    box = page.locator(f"{label} .grip").nth(0).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y + 40, steps=5)
    page.mouse.up()
    settle(page)
    assert page.locator(label).nth(0).get_attribute("aria-label") != before


@browser
def test_pictures_are_added_and_removed_by_hand(why):
    page = why()
    page.get_by_label("Add a bird").check(force=True)
    page.locator(f"{SIDES['left']} .plane").click(position={"x": 40, "y": 250})
    settle(page)
    assert len(places(page)) == len(places(page, "right")) == 31
    added = page.locator(f"{SIDES['left']} .picture").nth(30)
    assert "a bird, answered a dog" in added.get_attribute("aria-label")
    page.get_by_label("Remove", exact=True).check(force=True)
    added.click(force=True)
    settle(page)
    assert len(places(page)) == 30


@browser
def test_keys_choose_move_add_keep_and_remove(why):
    page = why()
    page.locator("#ct-why [data-show=step]").focus()
    page.keyboard.press("Tab")  # the first loss, its three switches, then the plane
    for _ in range(4):
        page.keyboard.press("Tab")
    focused = "() => document.activeElement.closest('.picture')?.dataset.place"
    assert page.evaluate(focused) == "0"
    page.keyboard.press("PageDown")
    assert page.evaluate(focused) == "1"
    old = places(page)
    page.keyboard.press("ArrowLeft")
    settle(page)
    new = places(page)
    assert new[1][0] < old[1][0] and new[1][1] == old[1][1]
    page.keyboard.press("3")
    settle(page)
    assert len(places(page)) == 31
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(f"{SIDES['left']} .row caption b").text_content() == "Picture 2: a cat"
    page.keyboard.press("Delete")
    settle(page)
    assert len(places(page)) == 30
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")  # past the first picture comes the last caption
    assert page.evaluate("() => document.activeElement.dataset.caption") == "2"
    turned = page.locator(f"{SIDES['left']} .caption .grip").nth(2).get_attribute("transform")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.locator(f"{SIDES['left']} .caption .grip").nth(2).get_attribute("transform") != turned


@browser
def test_hovering_a_picture_shows_its_row_and_lights_the_formula(why):
    page = why()
    page.locator(f"{SIDES['left']} .picture").nth(29).hover(force=True)
    settle(page)
    assert page.locator(f"{SIDES['left']} .row caption b").text_content() == "Picture 30: a bird"
    rows = page.locator(f"{SIDES['left']} .row tbody tr")
    answers = [float(rows.nth(k).locator("td").nth(2).text_content().rstrip(" %")) for k in range(3)]
    assert sum(answers) == pytest.approx(100, abs=0.2)
    assert page.locator(f"{SIDES['left']} .part.lit").count() == 1
    assert "here" in page.locator(f"{SIDES['left']} .part.lit .value").evaluate(
        "node => getComputedStyle(node, '::after').content"
    )


@browser
def test_the_row_of_a_picture_stands_on_one_screen_with_its_plane_and_says_its_loss(why):
    page = why()
    page.locator(f"{SIDES['right']} header").evaluate("node => node.scrollIntoView()")
    page.locator(f"{SIDES['right']} .picture").nth(29).hover(force=True)
    settle(page)
    plane, table = (
        page.locator(f"{SIDES['right']} {part}").bounding_box() for part in (".plane", ".row table")
    )
    assert plane["y"] >= 0 and table["y"] + table["height"] <= page.viewport_size["height"]
    said = page.locator(f"{SIDES['right']} .row caption").text_content()
    parts = page.locator(f"{SIDES['right']} .part .value").all_text_contents()
    loss = float(re.search(r"loss ([\d.]+);", said)[1])
    assert loss == pytest.approx(sum(map(float, parts)), abs=0.011)


@browser
def test_without_sharing_nobody_is_lost_and_nobody_is_rescued(why):
    page = why("collapse")
    before = places(page)
    answers = {side: page.locator(f"{SIDES[side]} .bars b").all_text_contents() for side in SIDES}
    for box in page.locator("#ct-why [data-extra=shared]").all():
        box.uncheck(force=True)
    take_steps(page, 60)
    assert places(page) != before
    for side in SIDES:
        assert page.locator(f"{SIDES[side]} .bars b").all_text_contents() == answers[side]
        assert figure(page, "right", side) == 43
    page.locator(f"{SIDES['right']} [data-extra=diversity]").check(force=True)
    take_steps(page, 60)
    assert figure(page, "right", "right") > 43
    drawn = places(page)
    page.get_by_label("Remove", exact=True).check(force=True)
    page.locator(f"{SIDES['left']} .picture").nth(29).click(force=True)
    settle(page)
    assert places(page) == drawn[:29], "the others keep their weights"


@browser
def test_a_part_of_the_formula_shows_its_own_pull(why):
    page = why("ambiguous")
    both = arrow_of(page, 0)
    page.locator(f"{SIDES['left']} [data-part=frequency_penalty]").click()
    page.mouse.move(0, 0)
    settle(page)
    penalty = arrow_of(page, 0)
    assert penalty != both
    assert (
        page.locator(f"{SIDES['left']} [data-part=frequency_penalty]").get_attribute("aria-pressed") == "true"
    )


@browser
def test_the_slider_leads_from_gain_to_collapse(why):
    page = why("small")
    take_steps(page, 60)
    first = page.locator(f"{SIDES['left']} .against").text_content()
    assert re.match(r"From (\d+) to (\d+)", first)
    gained = re.match(r"From (\d+) to (\d+)", first).groups()
    assert int(gained[1]) > int(gained[0])
    page.get_by_label("Shift: how hard").fill("1.4")
    settle(page)
    assert steps(page) == 0
    take_steps(page, 60)
    lost = re.match(r"From (\d+) to (\d+)", page.locator(f"{SIDES['left']} .against").text_content()).groups()
    assert int(lost[1]) < int(lost[0]) and figure(page, "classes") == 1.0


@browser
def test_switching_the_bonus_on_saves_tent(why):
    page = why("collapse")
    page.locator(f"{SIDES['left']} [data-extra=diversity]").check(force=True)
    take_steps(page, 60)
    assert figure(page, "classes") > 2.5


@browser
def test_nothing_of_a_play_asks_the_server(why):
    page = why("collapse")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Speed").select_option("60")
    page.locator("#ct-why [data-do=play]").click()
    page.wait_for_function("() => +document.querySelector('#ct-why [data-steps]')?.dataset.steps >= 20")
    assert not [url for url in asked if "/gradio_api/queue/join" in url or "/gradio_api/run" in url]


@browser
def test_a_lesson_can_open_the_tab_at_its_preset(visit, url):
    page = visit(url)
    page.evaluate(
        "async (where) => (await import(where)).showPreset('absent')",
        f"{url.rstrip('/')}/gradio_api/file={modules()}/lib/plane_link.js",
    )
    page.wait_for_selector("#ct-why [data-preset=absent][aria-pressed=true]")
    assert "tab=why&preset=absent" in page.url


@browser
def test_every_loss_and_part_has_its_words(why):
    page = why("collapse")
    chosen = page.get_by_label("Loss of A", exact=True)
    for option in chosen.locator("option").all():
        chosen.select_option(option.get_attribute("value"))
        settle(page)
        assert page.locator(f"{SIDES['left']} .part").count() >= 1
        assert page.locator(f"{SIDES['left']} .says").text_content()


@browser
def test_axe_finds_nothing_serious_on_the_tab(why):
    page = why("parts")
    page.locator("#ct-primer summary").click()
    page.wait_for_timeout(300)
    for look in looks(page):
        assert not serious_violations(page), look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways: {look}"


@browser
def test_terms_are_underlined_once_and_say_what_they_mean(visit, url):
    page = visit(url)
    section = page.locator("#ct-primer section", has=page.get_by_role("heading", name="Collapse", exact=True))
    words = section.locator(".term")
    assert words.first.text_content() == "Entropy"
    assert len(set(words.all_text_contents())) == words.count()
    words.first.focus()
    meaning = next(term.says for term in glossary.GLOSSARY if term.word == "entropy")
    assert page.get_by_role("tooltip").text_content() == meaning
    page.keyboard.press("Escape")
    assert not page.locator("#ct-meaning").is_visible()


@browser
def test_links_to_code_open_the_file(visit, url):
    page = visit(url)
    links = page.locator("#ct-primer section a", has_text="code:").evaluate_all(
        "all => all.map((a) => a.href)"
    )
    assert links
    for link in links:
        with urllib.request.urlopen(link) as answer:
            path = glossary.ROOT / link.split(str(glossary.ROOT) + "/")[1]
            assert answer.read().decode() == path.read_text("utf-8")


def test_code_links_lead_to_the_hub_where_the_page_runs_there(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/playground")
    link = glossary.Link.code("clip_tta_core/methods/tent.py")
    assert link.address() == (
        "https://huggingface.co/spaces/somebody/playground/blob/main/clip_tta_core/methods/tent.py"
    )


def test_every_term_is_declared_once_and_links_somewhere_real():
    words = [word.lower() for term in glossary.GLOSSARY for word in (term.word, *term.also)]
    assert len(set(words)) == len(words)
    assert all(path.is_file() for path in glossary.code_files())
    assert all(1 <= term.says.count(".") <= 3 for term in glossary.GLOSSARY)
