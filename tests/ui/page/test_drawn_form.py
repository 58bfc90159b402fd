"""Form, Compare, Corruptions and downloads as the browser draws them, and what each control sets."""

import base64
import math
import re

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine
from clip_tta_core.records import Standing
from clip_tta_core.ui.session import keep
from clip_tta_core.ui.session.compare import Table
from clip_tta_core.ui.session.corruptions import START, draw
from clip_tta_core.ui.session.corruptions import tile as corrupted
from clip_tta_core.ui.session.site import Site
from tests.ui.drawn import call, known_log, moved, number
from tests.ui.fakes import fake_engine

pytestmark = pytest.mark.browser
CATALOG = engine.catalog()


@pytest.fixture(scope="module")
def page(open_drawn):
    made = open_drawn(Site(CATALOG, known_log(), run=fake_engine()))
    made.evaluate("document.querySelectorAll('#ct-form details').forEach((one) => { one.open = true; })")
    return made


def settings(page) -> dict:
    return call(page, "lib/store.js", "m.settings.value")


def field(page, name: str):
    return page.locator(f"[data-field={name}]")


def knob(page, method: str, name: str):
    return page.locator(f"[data-method={method}] [data-knob={name}]")


def slide(range_, place: float) -> None:
    range_.evaluate("(one, x) => { one.value = x; one.dispatchEvent(new Event('input')); }", place)


# ---- the form ----


def test_a_logarithmic_slider_sets_powers(page):
    lr = knob(page, "tent", "lr")
    low, high = next(
        (one.low, one.high)
        for card in CATALOG.methods
        if card.name == "tent"
        for one in card.knobs
        if one.name == "lr"
    )
    low = low or high * 1e-5  # where a slider begins whose lowest value is 0
    slide(lr.locator("[type=range]"), 150)
    assert settings(page)["methods"]["tent"]["lr"] == pytest.approx((low * high) ** 0.5, rel=0.05)
    lr.locator(".box").fill("0.001")
    lr.locator(".box").press("Tab")
    assert settings(page)["methods"]["tent"]["lr"] == 0.001
    place = float(lr.locator("[type=range]").input_value())
    assert place == pytest.approx(300 * math.log(0.001 / low) / math.log(high / low), abs=0.01)


def test_sliders_boxes_menus_and_picks_set_what_they_say(page):
    slide(field(page, "severity").locator("[type=range]"), 1)
    assert settings(page)["severity"] == 2
    field(page, "batches").locator(".box").fill("7")
    field(page, "batches").locator(".box").press("Tab")
    assert settings(page)["batches"] == 7
    field(page, "order").locator("select").select_option("sorted")
    assert settings(page)["order"] == "sorted"
    field(page, "predict").get_by_text("before", exact=True).click()
    assert settings(page)["predict"] == "pre"
    field(page, "episodic").locator("input").nth(1).check(force=True)
    assert settings(page)["episodic"] is True
    assert settings(page)["lesson"] == ""


def test_a_menu_of_words_and_a_switch_set_a_knob(page):
    choice = knob(page, "cliptta", "loss").locator("select")
    choice.select_option("hard")
    assert settings(page)["methods"]["cliptta"]["loss"] == "hard"
    page.locator("[data-method=cliptta] [data-knob=open_set] input").check()
    assert settings(page)["methods"]["cliptta"]["open_set"] is True


@pytest.mark.parametrize("method", ["tent", "cliptta"])
def test_a_preset_sets_every_value_it_names(page, method):
    card = next(card for card in CATALOG.methods if card.name == method)
    for title, values in card.presets.items():
        page.locator(f"[data-method={method}] .presets").get_by_role("button", name=title, exact=True).click()
        assert settings(page)["methods"][method] == dict(values)


def test_fields_hide_where_another_setting_makes_them_meaningless(page):
    field(page, "corruption").locator("select").select_option("none")
    assert field(page, "severity").is_hidden()
    field(page, "corruption").locator("select").select_option("fog")
    assert field(page, "severity").is_visible()
    assert field(page, "unknown_share").is_hidden()
    field(page, "unknown_source").locator("select").select_option("objects")
    assert field(page, "unknown_share").is_visible()


def test_a_schedule_with_corruptions_of_its_own_is_never_hidden(page):
    """Else the pictures would be corrupted under a menu that says "none"."""
    field(page, "corruption").locator("select").select_option("none")
    schedule = field(page, "schedule").locator("select")
    assert schedule.is_visible()
    schedule.select_option("mixed")
    assert field(page, "severity").is_visible()
    schedule.select_option("constant")
    assert field(page, "severity").is_hidden()


def test_a_seventh_method_is_refused_with_the_reason(page):
    names = [card.name for card in CATALOG.methods]
    most = engine.LIMITS["contenders"][1]
    call(page, "lib/store.js", "m.choice.put({ methods: a })", {name: {} for name in names[:most]})
    page.locator(f"[data-method={names[most]}] > .tick input").click()
    assert names[most] not in settings(page)["methods"]
    assert page.locator("#ct-form .total").text_content().startswith(f"At most {most} methods")


# ---- Compare ----

NUMBERS = {
    "cliptta": {"accuracy": 0.8, "effective_classes": 15.0},
    "zero_shot": {"accuracy": 0.5, "effective_classes": 10.0},
    "tent": {"accuracy": 0.25, "effective_classes": 2.0},
}


@pytest.fixture(scope="module")
def compared(open_drawn, monkeypatch_module):
    made = Table(tuple(NUMBERS), 20, "a stream")
    for name, values in NUMBERS.items():
        pairs = {
            "gained": max(0.0, 100 * values["accuracy"] - 50),
            "lost": max(0.0, 50 - 100 * values["accuracy"]),
        }
        made.take(Standing(name, 4, 4, {**values, **pairs, "changed": 0.1}, 0.5))
    monkeypatch_module.setattr("clip_tta_core.ui.page.layout.read_comparison", lambda *_: made)
    page = open_drawn(Site(CATALOG, known_log(), run=fake_engine()))
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_selector("#ct-ranking svg .chance", state="attached")
    return page, made


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_the_ranking_says_gains_over_zero_shot_clip(compared):
    page, _ = compared
    said = {
        name: page.locator(f"#ct-ranking tr[data-name={name}] [data-column=accuracy]").text_content()
        for name in NUMBERS
    }
    assert said == {"cliptta": "80.0%+30.0", "zero_shot": "50.0%", "tent": "25.0%−25.0"}
    rows = page.locator("#ct-ranking tbody tr")
    assert [rows.nth(k).get_attribute("data-name") for k in range(3)] == ["cliptta", "zero_shot", "tent"]
    assert page.locator("#ct-ranking tbody .place").all_text_contents()[:4] == ["1", "2", "3", ""]


def test_bars_of_the_ranking_are_as_long_as_their_share(compared):
    page, _ = compared
    for column, whole in (("accuracy", 1), ("effective_classes", 20)):
        for name, values in NUMBERS.items():
            fill = page.locator(f"#ct-ranking tr[data-name={name}] [data-column={column}] .fill")
            width = float(fill.evaluate("one => parseFloat(one.style.width)"))
            assert width == pytest.approx(100 * values[column] / whole, abs=0.06)


def test_the_map_has_more_classes_to_the_right_and_more_accuracy_above(compared):
    page, _ = compared
    lines = page.locator("#ct-ranking svg line.grid, #ct-ranking svg line.base")
    heights = [float(lines.nth(k).get_attribute("y1")) for k in range(lines.count())]
    zero, one = max(heights), min(heights)
    left, right = (
        number(page, "#ct-ranking svg line.base", "x1"),
        number(page, "#ct-ranking svg line.base", "x2"),
    )
    assert page.locator("#ct-ranking svg line.base").get_attribute("y1") == f"{zero:g}"
    texts = page.locator("#ct-ranking svg text").all_text_contents()
    shares = [float(text.removesuffix("%")) / 100 for text in texts if text.endswith("%")]
    low, high = min(shares), max(shares)
    for name, values in NUMBERS.items():
        x, y = moved(page.locator(f"#ct-ranking svg [data-name={name}]").get_attribute("transform"))
        accuracy = low + (high - low) * (zero - y) / (zero - one)
        assert accuracy == pytest.approx(values["accuracy"], abs=1e-3)
        assert (x - left) / (right - left) == pytest.approx(values["effective_classes"] / 20, abs=1e-3)
    cross = page.locator("#ct-ranking svg .chance")
    x, y = moved(page.locator("#ct-ranking svg [data-name=zero_shot]").get_attribute("transform"))
    assert float(cross.nth(0).get_attribute("y1")) == pytest.approx(y, abs=0.06)
    assert float(cross.nth(1).get_attribute("x1")) == pytest.approx(x, abs=0.06)


@pytest.mark.parametrize("kind", keep.TABLES)
def test_a_file_of_a_comparison_holds_what_python_wrote(compared, kind):
    page, table = compared
    with page.expect_download() as download:
        page.locator(f"#ct-standings [data-do={kind}]").click()
    file = keep.keep_table(kind, table, CATALOG)
    assert download.value.suggested_filename == file.name
    assert download.value.path().read_bytes() == base64.b64decode(file.data)


def test_a_link_to_a_comparison_opens_its_tab(compared):
    page, _ = compared
    page.locator("#ct-standings [data-do=link]").click()
    field = page.locator("#ct-standings input")
    expect(field).to_have_value(re.compile(r"\?v=1&lesson=collapse&tab=compare$"), timeout=30_000)


def test_a_link_to_a_comparison_holds_who_takes_part_and_how_all_are_set(compared):
    page, _ = compared
    page.locator("#ct-ranking tr[data-name=tent] .tick input").uncheck()
    page.get_by_role("radio", name="as in Play").check()
    page.locator("#ct-standings [data-do=link]").click()
    field = page.locator("#ct-standings input")
    expect(field).to_have_value(re.compile(r"&knobs=play$"))
    other = page.context.new_page()
    other.goto(field.input_value())
    expect(other.get_by_role("radio", name="as in Play")).to_be_checked()
    ticked = other.locator("#ct-ranking .tick input")
    expect(ticked).to_have_count(len(CATALOG.methods))
    taken = {f"{one.title} takes part": one.name != "tent" for one in CATALOG.methods}
    found = ticked.evaluate_all("all => all.map((one) => [one.ariaLabel, one.checked])")
    assert dict(found) == taken
    other.close()
    page.locator("#ct-ranking tr[data-name=tent] .tick input").check()
    page.get_by_role("radio", name="defaults").check()


# ---- downloads ----


@pytest.mark.parametrize("kind", ["csv", "json", "settings"])
def test_a_download_holds_the_bytes_of_the_run(open_downloads, kind):
    page, log = open_downloads
    with page.expect_download() as download:
        page.locator(f"#ct-exports [data-do={kind}]").click()
    got = download.value.path().read_bytes()
    ending, _, write = keep.WRITERS[kind]
    assert download.value.suggested_filename.endswith(ending)
    assert got == write(log).encode()


@pytest.mark.parametrize("chart", ["", "curves", "classes"])
def test_a_figure_holds_the_chart_that_was_chosen(open_downloads, chart):
    page, log = open_downloads
    page.locator("#ct-exports select").select_option(chart)
    page.locator("#ct-curves select").select_option("effective_classes")
    with page.expect_download() as download:
        page.locator("#ct-exports [data-do=svg]").click()
    file = keep.keep_figure("svg", log, chart, "effective_classes")
    assert download.value.suggested_filename == file.name
    assert download.value.path().read_bytes() == base64.b64decode(file.data)


def test_there_is_no_figure_of_scores_without_unknown_pictures(open_downloads):
    page, _ = open_downloads
    assert page.locator("#ct-exports option[value=scores]").is_disabled()


# ---- papers and code ----


def test_every_method_links_to_its_paper_and_to_its_file(compared):
    page, _ = compared
    rows = page.locator("#ct-form .method[data-method]")
    rows.locator(".more").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    expect(rows.locator(".cite")).to_have_count(len(CATALOG.methods))
    links = rows.evaluate_all(
        """all => all.map((row) => [row.dataset.method,
        [...row.querySelectorAll(".cite a")].map((a) => [a.textContent, a.getAttribute("href")])])"""
    )
    assert len(links) == len(CATALOG.methods)
    for name, found in links:
        where = dict(found)
        assert re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{5}", where["paper"]), name
        answer = page.request.get(page.url.split("?")[0] + where["code"])
        assert answer.ok and f'"{name}"' in answer.text()


@pytest.fixture(scope="module")
def open_downloads(open_drawn):
    log = known_log()
    return open_drawn(Site(CATALOG, log, run=fake_engine())), log


# ---- Corruptions ----


def test_a_ladder_climbs_from_severity_one_to_five(open_drawn):
    page = open_drawn(Site(CATALOG, known_log(), run=fake_engine()))
    page.get_by_role("tab", name="Corruptions").click()
    page.locator("[data-name=brightness] > button").click()
    page.wait_for_selector("#ct-ladder.ready", timeout=120_000)
    subject = draw(START.object, START.seed)
    shown = page.locator("#ct-ladder .step img").evaluate_all("all => all.map((one) => one.src)")
    assert shown == [
        corrupted(subject, "", 0),
        *(corrupted(subject, "brightness", k) for k in (1, 2, 3, 4, 5)),
    ]
    pressed = page.locator("#ct-ladder [aria-pressed=true]")
    assert pressed.get_attribute("data-severity") == "3"
    assert page.locator("#ct-ladder .strong").text_content() == "Take brightness, severity 3, to Play"


# ---- copies ----


def test_a_copy_has_a_name_and_settings_of_its_own(page):
    start = {"methods": {"zero_shot": {}, "tent": {"lr": 0.001}}, "copies": []}
    call(page, "lib/store.js", "m.choice.put(a)", start)
    page.locator("[data-method=tent]").get_by_role("button", name="Add a copy of TENT").click()
    row = page.locator("#ct-form .copy")
    row.locator("input.label").fill("TENT + diversity")
    row.locator("input.label").press("Tab")
    row.locator("details").evaluate("one => { one.open = true; }")
    row.locator("[data-knob=beta_reg] .box").fill("1")
    row.locator("[data-knob=beta_reg] .box").press("Tab")
    expected = {"label": "TENT + diversity", "method": "tent", "settings": {"lr": 0.001, "beta_reg": 1}}
    assert settings(page)["copies"] == [expected]
    assert settings(page)["methods"] == start["methods"], "the first one stays as it was"
    assert page.locator("#ct-form .total").text_content().startswith("3 of at most")
    row.get_by_role("button", name="Remove TENT + diversity").click()
    assert settings(page)["copies"] == [] and row.count() == 0


# ---- starts ----


def test_a_start_shows_its_own_knobs_and_another_one_begins_afresh(page):
    call(page, "lib/store.js", "m.choice.put(a)", {"start": "none", "start_settings": {}, "copies": []})
    assert field(page, "shots").is_hidden() and field(page, "'clipood.lr'").is_hidden()
    menu = field(page, "start").locator("select")
    menu.select_option("clipood")
    for start in CATALOG.starts:
        for one in start.knobs:
            assert field(page, f"'{start.name}.{one.name}'").is_visible() == (start.name == "clipood")
    card = next(one for one in CATALOG.starts if one.name == "clipood")
    said = field(page, "start").locator(".help").first.text_content()
    assert card.summary in said and card.citation in said and card.fails in said
    field(page, "'clipood.steps'").locator(".box").fill("7")
    field(page, "'clipood.steps'").locator(".box").press("Tab")
    field(page, "shots").locator(".box").fill("4")
    field(page, "shots").locator(".box").press("Tab")
    now = settings(page)
    assert (now["start"], now["start_settings"], now["shots"]) == ("clipood", {"steps": 7}, 4)
    menu.select_option("orthsr")
    assert settings(page)["start_settings"] == {}
    default = next(one for one in CATALOG.starts if one.name == "orthsr").knobs
    steps = next(one.default for one in default if one.name == "steps")
    assert field(page, "'orthsr.steps'").locator(".box").input_value() == str(steps)
    menu.select_option("none")
    assert field(page, "shots").is_hidden()


def test_a_copy_may_begin_with_clip_as_it_is(page):
    copies = [{"label": "TENT alone", "method": "tent", "settings": {}}]
    call(
        page, "lib/store.js", "m.choice.put(a)", {"start": "clipood", "start_settings": {}, "copies": copies}
    )
    row = page.locator("#ct-form .copy")
    row.locator("details").evaluate("one => { one.open = true; }")
    tick = row.get_by_label("begin with CLIP as it is")
    tick.check()
    assert settings(page)["copies"] == [copies[0] | {"from_start": False}]
    tick.uncheck()
    assert settings(page)["copies"] == copies
    call(page, "lib/store.js", "m.choice.put(a)", {"start": "none", "start_settings": {}})
    assert tick.is_hidden()
