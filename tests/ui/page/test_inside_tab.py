"""The Look inside tab in a real browser: what a made-up run draws, and a real one from Run to the map."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from clip_tta_core import engine, hosting
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import looks, make_log, serious_violations
from tests.ui.drawn import BATCHES, CLASSES, LABELS, PREDICTED, call, moved
from tests.ui.looked import CAPTIONS, LAYERS, VARIANCES, colour, looked_log, place

pytestmark = pytest.mark.browser
HOME = "#ct-inside"


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(engine.catalog(), looked_log(), run=hosting.run)


@pytest.fixture(scope="module")
def opened(open_drawn, site):
    """One page for the whole file, with the tab open."""
    page = open_drawn(site)
    page.get_by_role("tab", name="Look inside").click()
    expect(page.locator(f"{HOME} .point")).to_have_count(len(LABELS))
    return page


@pytest.fixture
def page(opened):
    """The tab as it opens: CLIPTTA at the last batch, coloured by truth, flips of the batch."""
    choose(opened, "CLIPTTA")
    look_at(opened, BATCHES)
    pick(opened, "colour", "truth")
    pick(opened, "span", "batch")
    return opened


def look_at(page, batch: int) -> None:
    page.locator(f"{HOME} input[type=range]").fill(str(batch))
    expect(page.locator(f"{HOME} output")).to_have_text(f"batch {batch} of {BATCHES}")


def pick(page, name: str, value: str) -> None:
    page.locator(f"{HOME} [data-pick={name}] [value={value}]").check(force=True)


def choose(page, contender: str) -> None:
    page.locator(f"{HOME} .choose").get_by_role("button", name=contender, exact=True).click()
    pressed = page.locator(f"{HOME} .choose [aria-pressed=true]")
    expect(pressed).to_have_text(contender)


def drawn(page, kind: str) -> np.ndarray:
    """Where points or captions are drawn, in pixels. -> (N, 2)"""
    styles = page.locator(f"{HOME} .{kind}").evaluate_all("all => all.map((one) => one.style.transform)")
    return np.array([moved(text.replace("px,", "").replace("px", "")) for text in styles])


def pixels_of(page, places) -> np.ndarray:
    """Where places must be drawn, going by the captions: one unit for both axes, upwards is up."""
    captions, seen = np.array(CAPTIONS), drawn(page, "caption")
    unit = (seen[1, 0] - seen[3, 0]) / (captions[1, 0] - captions[3, 0])
    return seen[0] + unit * (np.array(places) - captions[0]) * [1, -1]


def test_points_lie_where_the_features_do_and_move_with_the_batches(page):
    np.testing.assert_allclose(drawn(page, "caption"), pixels_of(page, CAPTIONS), atol=0.3)
    for contender in ("TENT", "Zero-shot CLIP"):
        choose(page, contender)
        label = "tent" if contender == "TENT" else "zero_shot"
        for batch in (BATCHES, 2):
            look_at(page, batch)
            places = [place(label, batch, k) for k in range(len(LABELS))]
            np.testing.assert_allclose(drawn(page, "point"), pixels_of(page, places), atol=0.3)
    names = page.locator(f"{HOME} .names text").all_text_contents()
    assert set(names) == set(CLASSES)
    expect(page.locator(f"{HOME} figure.map .help")).to_contain_text("42% of the variance")


def test_colours_are_of_the_truth_or_of_the_answer_and_wrong_ones_have_a_rim(page):
    captions = page.locator(f"{HOME} .caption").evaluate_all("all => all.map((n) => n.style.cssText)")
    hues = [re.search(r"--c: ?([^;]+)", text).group(1) for text in captions]
    assert len(set(hues)) == len(CLASSES)

    def colours() -> list[int]:
        found = page.locator(f"{HOME} .point").evaluate_all(
            "all => all.map((n) => n.style.getPropertyValue('--c'))"
        )
        return [hues.index(hue.strip()) for hue in found]

    assert colours() == list(LABELS)
    pick(page, "colour", "answer")
    assert colours() == list(PREDICTED["cliptta"])
    wrong = page.locator(f"{HOME} .point").evaluate_all(
        "all => all.map((n) => n.classList.contains('wrong'))"
    )
    assert wrong == [a != b for a, b in zip(PREDICTED["cliptta"], LABELS, strict=True)]


def middle(page, selector: str) -> tuple[int, ...]:
    """The colour in the middle of an element, once it has its picture."""
    node = page.locator(selector)
    node.scroll_into_view_if_needed()
    expect(node).to_have_css("background-image", re.compile("blob:"))
    image = Image.open(io.BytesIO(node.screenshot())).convert("RGB")
    return image.getpixel((image.width // 2, image.height // 2))


def test_a_point_leads_to_its_picture_and_its_answers_by_hand_and_by_keys(page):
    look_at(page, 3)
    page.locator(f"{HOME} .point").nth(4).click(force=True)
    words = page.locator(f"{HOME} .card dl")
    expect(words).to_contain_text("batch 3, picture 5")
    expect(words).to_contain_text(re.compile(r"Really\s*bird"))
    expect(words).to_contain_text(re.compile(r"CLIPTTA\s*dog, 80% sure"))
    page.wait_for_function("s => document.querySelector(s)?.style.backgroundImage", arg=f"{HOME} .card .pic")
    assert np.abs(np.subtract(middle(page, f"{HOME} .card .pic"), colour(3, 4))).max() < 12
    page.keyboard.press("ArrowRight")
    expect(words).to_contain_text("batch 3, picture 6")
    expect(page.locator(f"{HOME} .point.chosen")).to_have_count(1)
    assert page.locator(f"{HOME} .point").nth(5).get_attribute("tabindex") == "0"
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    expect(words).to_contain_text("batch 3, picture 10")
    assert page.locator(f"{HOME} .point[tabindex='0']").count() == 1


def test_flips_are_shown_as_pictures_of_the_batch_and_of_the_run(page):
    choose(page, "TENT")
    counts = page.locator(f"{HOME} .flips h4")
    expect(counts).to_have_text(["Wrong to right: 1", "Right to wrong: 4"])
    lost = page.locator(f"{HOME} .flips .lost button")
    before, after = PREDICTED["zero_shot"], PREDICTED["tent"]
    flipped = [k for k, truth in enumerate(LABELS) if before[k] == truth != after[k]]
    assert [lost.nth(k).get_attribute("data-key") for k in range(4)] == [f"6:{k}" for k in flipped]
    seen = middle(page, f"{HOME} .flips .lost [data-tile='6:{flipped[1]}']")
    assert np.abs(np.subtract(seen, colour(6, flipped[1]))).max() < 12
    look_at(page, 2)
    expect(counts).to_have_text(["Wrong to right: 0", "Right to wrong: 0"])
    pick(page, "span", "run")
    expect(counts).to_have_text(["Wrong to right: 1", "Right to wrong: 4"])
    lost.nth(0).click()
    expect(page.locator(f"{HOME} output")).to_have_text("batch 6 of 6")
    expect(page.locator(f"{HOME} .card dl")).to_contain_text(f"batch 6, picture {flipped[0] + 1}")


def test_confusion_before_and_after_is_drawn_cell_by_cell(page):

    def cells(side: str) -> dict[str, int]:
        found = page.locator(f"{HOME} [data-side={side}] [data-cell]").evaluate_all(
            "all => all.map((n) => [n.dataset.cell, +n.dataset.count])"
        )
        return dict(found)

    before, after = cells("before"), cells("after")
    assert sum(before.values()) == sum(after.values()) == BATCHES * len(LABELS)
    assert {k: v for k, v in before.items() if k[0] == "4"} == {"4:0": 1, "4:2": 5, "4:4": 12}
    assert {k: v for k, v in after.items() if k[0] == "4"} == {"4:2": 5, "4:4": 13}
    right = 5 * 5 + 9  # earlier batches, and the last one
    expect(page.locator(f"{HOME} [data-side=after] h4")).to_have_text(f"CLIPTTA: {right} of 60 right")
    page.locator(f"{HOME} [data-side=after] [data-cell='4:4']").hover()
    expect(page.locator(".ct-tip:not(.ct-meaning)")).to_contain_text("Really frog")
    expect(page.locator(".ct-tip:not(.ct-meaning)")).to_contain_text("13 (72%)")


def test_the_gauge_shows_the_variance_of_the_batch_beside_the_frozen_models(page):
    choose(page, "TENT")

    def width(label: str) -> float:
        style = page.locator(f"{HOME} [data-of={label}] .fill").get_attribute("style")
        return float(re.search(r"width: ?([\d.]+)%", style).group(1))

    for batch in (1, 3, 6):
        look_at(page, batch)
        top = 0.2
        assert width("tent") == pytest.approx(100 * VARIANCES["tent"][batch - 1] / top, abs=0.1)
        assert width("zero_shot") == pytest.approx(100)
    assert page.locator(f"{HOME} [data-of=tent] b").text_content() == "0.010"
    expect(page.locator(f"{HOME} .says")).to_contain_text("6 labelled batches are too few")
    points = page.locator(f"{HOME} .variance polyline[data-method=tent]").get_attribute("points").split()
    heights = [float(pair.split(",")[1]) for pair in points]
    assert heights == sorted(heights) and len(set(heights)) == BATCHES, "it falls"


def test_the_memory_holds_what_was_stored_and_has_not_made_way(page):

    def held() -> list[str]:
        tiles = page.locator(f"{HOME} .shelf button")
        return sorted(tiles.evaluate_all("all => all.map((n) => n.dataset.key)"))

    assert held() == ["5:5", "6:6"]
    for batch, keys in ((1, []), (2, ["2:2"]), (3, ["2:2", "3:3"]), (4, ["3:3", "4:4"])):
        look_at(page, batch)
        assert held() == keys
    ages = page.locator(f"{HOME} .shelf .age")
    assert sorted(ages.all_text_contents()) == ["age 1", "new"]
    sure = page.locator(f"{HOME} [data-key='4:4'] .sure")
    assert sure.text_content() == "20%"
    assert np.abs(np.subtract(middle(page, f"{HOME} .shelf [data-tile='3:3']"), colour(3, 3))).max() < 12
    expect(page.locator(f"{HOME} .memory .help")).to_contain_text("remembers 2 pictures of 2 classes")
    choose(page, "TENT")
    expect(page.locator(f"{HOME} figure.memory")).to_be_hidden()


def test_every_layer_has_its_drift_on_one_scale(page):
    look_at(page, 5)
    rows = page.locator(f"{HOME} .layer")
    assert rows.evaluate_all("all => all.map((n) => n.dataset.layer)") == list(LAYERS)
    assert rows.locator("b").all_text_contents() == ["0.50", "1.0", "1.5"]
    widths = rows.locator(".fill").evaluate_all("all => all.map((n) => parseFloat(n.style.width))")
    assert widths == pytest.approx([100 * v / 1.8 for v in (0.5, 1.0, 1.5)], abs=0.01)
    choose(page, "Zero-shot CLIP")
    expect(page.locator(f"{HOME} figure.drift")).to_be_hidden()
    expect(page.locator(f"{HOME} figure.flips")).to_be_hidden()


def test_play_goes_to_the_end_and_stops_there(page):
    look_at(page, 4)
    page.locator(f"{HOME} [data-do=play]").click()
    expect(page.locator(f"{HOME} output")).to_have_text("batch 6 of 6")
    expect(page.locator(f"{HOME} [data-do=play]")).to_have_text("Play")
    page.locator(f"{HOME} input[type=range]").focus()
    page.keyboard.press("Home")
    expect(page.locator(f"{HOME} output")).to_have_text("batch 1 of 6")


def test_axe_finds_nothing_serious_on_the_tab(page):
    page.locator(f"{HOME} .point").nth(3).focus()
    expect(page.locator(f"{HOME} .card dl")).to_contain_text("picture 4")
    for look in looks(page):
        assert not serious_violations(page, HOME), look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways: {look}"


def test_of_a_run_that_was_not_looked_into_flips_and_confusion_remain(page, site, monkeypatch):
    monkeypatch.setattr(site, "recorded", make_log())
    call(page, "lib/store.js", 'm.view("curves").put(m.view("curves").value)')  # as when news come
    expect(page.locator(f"{HOME} figure.map .help")).to_contain_text("press Run")
    assert page.locator(f"{HOME} [data-side=after] [data-cell]").count() > 20
    for name in ("variance", "memory", "drift"):
        expect(page.locator(f"{HOME} figure.{name}")).to_be_hidden()
    monkeypatch.undo()
    call(page, "lib/store.js", 'm.view("curves").put(m.view("curves").value)')
    expect(page.locator(f"{HOME} figure.memory")).to_be_visible()


def test_a_run_of_the_page_is_looked_into(page):
    """The last test: from now on the page shows this run."""
    page.get_by_role("tab", name="Play").click()
    for field, value in (("batches", 2), ("batch_size", 8)):
        box = page.locator(f"[data-field={field}] .box")
        box.fill(str(value))
        box.press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".status .what")).to_contain_text("Finished", timeout=300_000)
    page.get_by_role("tab", name="Look inside").click()
    expect(page.locator(f"{HOME} .point")).to_have_count(8)
    expect(page.locator(f"{HOME} output")).to_have_text("batch 2 of 2")
    assert page.locator(f"{HOME} .caption").count() == len(engine.catalog().task)
    assert page.locator(f"{HOME} .layer").count() > 4
    assert page.locator(f"{HOME} .shelf button").count() > 0
