"""What is on the screen belongs to what is set, and to the batch that is looked at."""

import re

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine, export
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session import recordings
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import make_log
from tests.ui.drawn import BATCHES, BEFORE, CLASSES, PREDICTED, call, known_log, points
from tests.ui.fakes import fake_engine

pytestmark = pytest.mark.browser
PATIENT = 30_000  # milliseconds
METHODS = ("zero_shot", "tent", "cliptta")


@pytest.fixture(scope="module")
def page(open_drawn):
    recorded = recordings.unpack(recordings.pack(known_log()))
    return open_drawn(Site(engine.catalog(), recorded, run=fake_engine()))


@pytest.fixture(autouse=True)
def newest(page):
    call(page, "lib/store.js", "m.step.put(null)")


def answers(page) -> list[str]:
    return page.locator("#ct-gallery li .is").all_text_contents()


def look_at(page, batch: int) -> None:
    """As the slider does."""
    page.locator("#ct-gallery").scroll_into_view_if_needed()
    slider = page.locator(".status input[type=range]")
    slider.evaluate("(one, n) => { one.value = n; one.dispatchEvent(new Event('input')); }", str(batch))


# ---- the gallery and the slider ----


def test_the_gallery_of_a_recorded_run_follows_the_slider(page):
    title = page.locator("#ct-gallery h3")
    page.locator("#ct-gallery .choose [data-name=tent]").click()
    for batch in (2, 5, 1):
        look_at(page, batch)
        expect(title).to_have_text(f"Batch {batch}: predictions of TENT", timeout=PATIENT)
        assert answers(page) == [CLASSES[k] for k in BEFORE]
        style = page.locator("#ct-gallery .pic").first.get_attribute("style")
        assert "blob:" in style, "with its pictures"
    look_at(page, BATCHES)
    expect(title).to_have_text(f"Batch {BATCHES}: predictions of TENT", timeout=PATIENT)
    assert answers(page) == [CLASSES[k] for k in PREDICTED["tent"]]


def test_on_the_way_to_an_earlier_batch_the_one_before_stays(page):
    """Not the newest, which would flash by at every batch of a replay."""
    title = page.locator("#ct-gallery h3")
    look_at(page, 1)
    expect(title).to_contain_text("Batch 1:", timeout=PATIENT)
    meanwhile = call(
        page, "lib/store.js", "(m.step.put(3), document.querySelector('#ct-gallery h3').textContent)"
    )
    assert meanwhile.startswith("Batch 1:"), "batch 4 is not here yet"
    expect(title).to_contain_text("Batch 4:", timeout=PATIENT)


def test_the_gallery_of_a_saved_run_follows_the_slider(page):
    saved = make_log(RunConfig(batches=4, batch_size=8, seed=3))
    file = {"name": "run.json", "mimeType": "application/json", "buffer": export.to_json(saved).encode()}
    page.locator("#ct-exports input[type=file]").set_input_files(file)
    title = page.locator("#ct-gallery h3")
    expect(title).to_contain_text("Batch 4:", timeout=PATIENT)
    look_at(page, 2)
    expect(title).to_contain_text("Batch 2:", timeout=PATIENT)
    name = re.search("predictions of (.+)", title.text_content())[1]
    label = next(label for label, one in saved.titles.items() if one == name)
    assert answers(page) == [saved.class_names[k] for k in saved.answers[label][1]]
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(title).to_contain_text(f"Batch {BATCHES}:", timeout=PATIENT)


# ---- what is set and what is shown ----


def test_results_of_other_settings_are_visibly_so(page):
    stream = page.locator(".ct-sentence .stream")
    charts = [page.locator(f"#ct-{name}") for name in ("curves", "classes", "gallery", "results")]
    before = stream.text_content()
    assert [one.evaluate("one => getComputedStyle(one).opacity") for one in charts] == ["1"] * 4
    corruption = page.locator("[data-field=corruption] select")
    was = corruption.input_value()
    corruption.select_option("fog")
    expect(stream).to_have_text(f"{before}. Press Run to see what is set up now.", timeout=PATIENT)
    for one in charts:
        expect(one).to_have_css("opacity", "0.75")
        assert "grayscale" in one.evaluate("one => getComputedStyle(one).filter")
    corruption.select_option(was)
    expect(stream).to_have_text(before, timeout=PATIENT)
    for one in charts:
        expect(one).to_have_css("opacity", "1")


def test_a_run_that_is_refused_leaves_the_results_those_of_other_settings(page):
    stream = page.locator(".ct-sentence .stream")
    before = stream.text_content()
    classes = page.locator("[data-field=class_names] textarea")
    classes.evaluate("one => { one.value = 'cat, cat'; one.dispatchEvent(new Event('change')); }")
    said = f"{before}. Press Run to see what is set up now."
    expect(stream).to_have_text(said, timeout=PATIENT)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#ct-message")).to_contain_text("each must be listed once", timeout=PATIENT)
    expect(stream).to_have_text(said, timeout=PATIENT)
    classes.evaluate("one => { one.value = ''; one.dispatchEvent(new Event('change')); }")
    expect(stream).to_have_text(before, timeout=PATIENT)


def test_what_is_set_while_a_run_goes_on_counts_from_the_next(page):
    stream = page.locator(".ct-sentence .stream")
    call(page, "lib/store.js", "m.run.put({ state: 'paused', done: 2 })")
    corruption = page.locator("[data-field=corruption] select")
    was = corruption.input_value()
    corruption.select_option("snow")
    expect(stream).to_contain_text("What is set up now counts from the next run.", timeout=PATIENT)
    corruption.select_option(was)
    call(page, "lib/store.js", "m.run.put({ state: 'recorded', done: 6 })")


# ---- labels, scales and bands of the curves, on made-up logs ----


def shown(page, **values) -> None:
    """Curves with these values of accuracy so far, one list a method."""
    curves = {name: "".join(f"{value} " for value in own) for name, own in values.items()}
    change = """((old) => m.view("curves").put({ ...old, total: a.total,
        curves: { ...old.curves, accuracy: a.curves }, low: {}, high: {} }))(m.view("curves").value)"""
    call(page, "lib/store.js", change, {"curves": curves, "total": len(next(iter(values.values())))})
    call(page, "lib/store.js", 'm.curve.put("accuracy")')


def boxes(page) -> list[dict[str, float]]:
    """Where the words beside the curves are printed."""
    script = """all => all.map((one) => { const box = one.getBoundingClientRect();
        return { left: box.left, right: box.right, top: box.top + 3, bottom: box.bottom - 3 }; })"""
    return page.locator("#ct-curves svg :is(.who, .value, .unit)").evaluate_all(script)


def overlapping(found: list[dict[str, float]]) -> int:
    pairs = [(a, b) for k, a in enumerate(found) for b in found[k + 1 :]]
    return sum(
        a["left"] < b["right"]
        and b["left"] < a["right"]
        and a["top"] < b["bottom"]
        and b["top"] < a["bottom"]
        for a, b in pairs
    )


ENDS = {
    "all at the top": (1.0, 0.992, 0.988),
    "one value": (0.995, 0.995, 0.995),
    "all at the level of guessing": (0.05, 0.06, 0.055),
    "one away": (0.99, 0.985, 0.1),
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("back", [None, 0, 2])
def test_words_beside_the_curves_never_print_over_each_other(page, ends, back):
    shown(page, **{name: [0.5, 0.4, 0.3, 0.6, 0.7, end] for name, end in zip(METHODS, ends, strict=True)})
    call(page, "lib/store.js", "m.step.put(a)", back)
    found = boxes(page)
    assert len(found) >= 6 and overlapping(found) == 0


@pytest.mark.parametrize("batches", [1, 2])
def test_a_young_run_prints_no_name_over_the_word_chance(page, batches):
    shown(page, **{name: [0.2] * batches for name in METHODS})
    call(page, "lib/store.js", 'm.view("curves").put({ ...m.view("curves").value, total: 16 })')
    assert overlapping(boxes(page)) == 0


def test_looking_back_names_do_not_cover_what_came_later(page):
    shown(page, **{name: [0.2 + 0.1 * k] * 6 for k, name in enumerate(METHODS)})
    call(page, "lib/store.js", "m.step.put(1)")
    end = max(x for x, _ in points(page, "#ct-curves polyline.later >> nth=0"))
    names = page.locator("#ct-curves svg .who").evaluate_all(
        "all => all.map((one) => +one.getAttribute('x'))"
    )
    assert min(names) > end


def test_99_2_can_be_told_from_99_5_percent(page):
    shown(page, zero_shot=[0.995] * 6, tent=[0.992] * 6, cliptta=[0.994] * 6)
    heights = {name: points(page, f"#ct-curves polyline[data-method={name}]")[-1][1] for name in METHODS}
    assert heights["tent"] - heights["zero_shot"] > 20, "pixels"
    ticks = page.locator("#ct-curves .axes .tick").all_text_contents()
    assert ticks[-1] == "100%" and 95 <= float(ticks[0].removesuffix("%")) < 99.2
    values = page.locator("#ct-curves .value").all_text_contents()
    assert sorted(values) == ["99.2%", "99.4%", "99.5%"]


SIDES = {"curves": "0.5 0.5", "low": "0.25 0.4", "high": "0.75 0.6"}


def test_a_band_shows_how_uncertain_a_curve_is(page):
    call(page, "lib/store.js", 'm.curve.put("accuracy_window")')
    sides = [f'{side}: {{ accuracy_window: {{ tent: "{own} " }} }}' for side, own in SIDES.items()]
    change = f'm.view("curves").put({{ ...m.view("curves").value, total: 2, {", ".join(sides)} }})'
    call(page, "lib/store.js", change)
    lines = page.locator("#ct-curves .axes line")
    heights = [float(lines.nth(k).get_attribute("y1")) for k in range(lines.count())]
    ticks = [float(text.removesuffix("%")) for text in page.locator(".axes .tick").all_text_contents()]
    zero, top = max(heights), min(heights)
    text = page.locator("#ct-curves polygon.band").get_attribute("points")
    drawn = [float(pair.split(",")[1]) for pair in text.split()]

    def share(y: float) -> float:
        return (ticks[0] + (zero - y) / (zero - top) * (ticks[-1] - ticks[0])) / 100

    assert [share(y) for y in drawn] == pytest.approx([0.75, 0.6, 0.4, 0.25], abs=0.01)
