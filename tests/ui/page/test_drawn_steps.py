"""A step moves what is drawn of the batch; a picture that is clicked shows its card."""

import pytest

from clip_tta_core import engine
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import serious_violations
from tests.ui.drawn import CLASSES, TITLES, call, known_log
from tests.ui.fakes import fake_engine

pytestmark = pytest.mark.browser
PATIENT = 60_000  # milliseconds
METHODS = [
    {"name": name, "title": title, "colour": "#0072b2", "dash": "", "marker": "circle"}
    for name, title in TITLES.items()
]
ENTROPY = {"name": "entropy", "title": "Entropy", "kind": "number", "better": "", "help": "", "places": []}
ENTROPY |= {"needs": "", "full": "", "short": "", "bar": False, "chance": False}


def steps(taken: str, entropy: str, counts: str) -> dict:
    return {
        **{"methods": METHODS, "classes": CLASSES, "batch": 3, "size": 10, "labelled": True, "work": "tent"},
        **{"planned": {"zero_shot": 0, "tent": 4}, "done": ["zero_shot"], "measures": [ENTROPY]},
        "taken": {"zero_shot": "0 ", "tent": taken},
        "values": {
            "entropy": {"zero_shot": "1.5 ", "tent": entropy},
            "accuracy_batch": {"zero_shot": "0.5 "},
        },
        "counts": {"zero_shot": "0:5 1:5\n", "tent": counts},
        "truth": "0:2 1:2 2:2 3:2 4:2\n",
        "says": "TENT learns from its memory.",
    }


@pytest.fixture(scope="module")
def page(open_drawn):
    return open_drawn(Site(engine.catalog(), known_log(), run=fake_engine()))


def test_a_step_moves_the_numbers_the_curves_and_the_bars(page):
    from playwright.sync_api import expect

    put = "m.view('steps').put(a)"
    call(page, "lib/store.js", put, steps("0 ", "1.5 ", "0:5 1:5\n"))
    part = page.locator("#ct-steps")
    expect(part.locator("h3")).to_have_text("Inside batch 3", timeout=PATIENT)
    expect(part.locator(".turn.now")).to_have_text("TENT: 0 of 4 steps")
    expect(part.locator(".help")).to_contain_text("TENT learns from its memory. Numbers and bars are")
    expect(part.locator("[data-class=cat]")).to_have_attribute("data-count", "5")
    call(page, "lib/store.js", put, steps("0 1 ", "1.5 0.5 ", "0:9 2:1\n"))
    expect(part.locator(".turn.now")).to_have_text("TENT: 1 of 4 steps")
    turns = part.locator(".turn").all_text_contents()
    assert turns == ["Zero-shot CLIP: 50.0% right", "TENT: 1 of 4 steps", "CLIPTTA: waits"]
    assert part.locator("[data-measure=entropy] b").text_content() == "0.500"
    assert part.locator("[data-measure=entropy] .from").text_content() == "from 1.5"
    # From the first of four steps at the top to the second at the bottom.
    drawn = part.locator("[data-measure=entropy] polyline").get_attribute("points")
    assert drawn == "4.0,4.0 39.5,30.0"
    counts = {one: part.locator(f"[data-class={one}]").get_attribute("data-count") for one in CLASSES}
    assert counts == {"cat": "9", "dog": "0", "bird": "1", "fish": "0", "frog": "0"}
    width = part.locator("[data-class=cat] .is").get_attribute("style")
    assert "width:100%" in width.replace(" ", "")
    call(page, "lib/store.js", put, None)
    expect(part.locator("figure")).to_be_hidden()


def test_a_picture_is_opened_by_keys_and_shows_its_card(page):
    from playwright.sync_api import expect

    tiles = page.locator("#ct-gallery li button")
    tiles.first.scroll_into_view_if_needed()
    expect(tiles).to_have_count(10, timeout=PATIENT)
    assert tiles.evaluate_all("all => all.filter((one) => one.tabIndex === 0).length") == 1
    tiles.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    card = page.locator("#ct-closer dialog")
    expect(card).to_be_visible(timeout=PATIENT)
    expect(card.locator("h3")).to_have_text("Batch 6: picture 1")
    row = card.locator("tr[data-class=cat]")  # zero-shot CLIP says dog, the others rightly cat
    assert row.get_attribute("class") == "really"
    assert row.locator("td").all_text_contents() == ["5.0%", "80.0%", "80.0%"]
    tent = card.locator("[data-loss='TENT: entropy']")
    assert tent.locator("li.to").all_text_contents() == ["todog"]
    assert tent.locator(".verdict").text_content() == "Away from the truth"
    assert not serious_violations(page, "#ct-closer")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
