"""What the charts of Play draw, read off the page: a log with known numbers in, pixels and words out."""

import re

import pytest

from clip_tta_core import engine
from clip_tta_core.ui.session.site import Site
from tests.ui.drawn import (
    BATCHES,
    BEFORE,
    CLASSES,
    CURVES,
    LABELS,
    PREDICTED,
    THRESHOLD,
    call,
    columns_of,
    known_log,
    moved,
    number,
    points,
)
from tests.ui.fakes import fake_engine

pytestmark = pytest.mark.browser
METHODS = ("zero_shot", "tent", "cliptta")
RECENT = 4  # batches


@pytest.fixture(scope="module")
def page(open_drawn):
    made = open_drawn(Site(engine.catalog(), known_log(), run=fake_engine()))
    # Batches of ten are all recent: fewer of them, so that a window that is too long shows.
    classes = 'm.view("classes").put({ ...m.view("classes").value, window: a })'
    call(made, "lib/store.js", classes, RECENT)
    return made


@pytest.fixture(scope="module")
def strangers(open_drawn):
    """The same run with unknown pictures among the known."""
    return open_drawn(Site(engine.catalog(), known_log(unknown=True), run=fake_engine()))


@pytest.fixture(autouse=True)
def newest(page):
    call(page, "lib/store.js", "m.step.put(null)")
    page.locator("#ct-curves select").select_option("accuracy_window")


def grid(page) -> tuple[float, float]:
    """Where 0 and the top of the axis stand, in pixels from above."""
    lines = page.locator("#ct-curves .axes line")
    heights = [float(lines.nth(k).get_attribute("y1")) for k in range(lines.count())]
    assert lines.count() == 5
    return max(heights), min(heights)


def named(page) -> list[str]:
    return page.locator("#ct-curves .axes .tick").all_text_contents()


@pytest.mark.parametrize("method", METHODS)
def test_a_curve_has_a_point_for_every_batch_at_its_height(page, method):
    zero, one = grid(page)
    assert named(page) == ["0%", "25%", "50%", "75%", "100%"] and zero > one
    drawn = points(page, f"#ct-curves polyline[data-method={method}]")
    assert len(drawn) == BATCHES
    assert [(zero - y) / (zero - one) for _, y in drawn] == pytest.approx(CURVES[method], abs=1e-3)
    gaps = [b[0] - a[0] for a, b in zip(drawn, drawn[1:], strict=False)]
    assert min(gaps) > 0 and max(gaps) - min(gaps) < 0.2


def test_a_curve_ends_with_its_mark_its_name_and_its_value(page):
    for method in METHODS:
        x, y = points(page, f"#ct-curves polyline[data-method={method}]")[-1]
        assert moved(page.locator(f"#ct-curves [data-end={method}]").get_attribute("transform")) == (
            pytest.approx((x, y), abs=0.06)
        )
    names = page.locator("#ct-curves .who").all_text_contents()
    values = page.locator("#ct-curves .value").all_text_contents()
    assert dict(zip(names, values, strict=True)) == {
        "Zero-shot CLIP": "50.0%",
        "TENT": "10.0%",
        "CLIPTTA": "80.0%",
    }


def test_the_line_of_chance_is_at_one_over_the_classes(page):
    zero, one = grid(page)
    chance = page.locator("#ct-curves line.chance")
    share = (zero - float(chance.get_attribute("y1"))) / (zero - one)
    assert share == pytest.approx(1 / len(CLASSES)) and chance.get_attribute("y2") == chance.get_attribute(
        "y1"
    )
    page.locator("#ct-curves select").select_option("changed")
    assert chance.count() == 0


def test_a_scale_fits_its_measure(page):
    page.locator("#ct-curves select").select_option("effective_classes")
    assert named(page)[-1] == "5"
    zero, top = grid(page)
    _, y = points(page, "#ct-curves polyline[data-method=tent]")[-1]
    assert (zero - y) / (zero - top) == pytest.approx(1.5 / 5, abs=1e-3)
    page.locator("#ct-curves select").select_option("drift")  # 0.001 to 0.006
    assert named(page)[-1] == "0.01"


def test_looking_back_draws_what_came_later_apart(page):
    call(page, "lib/store.js", "m.step.put(2)")
    drawn = points(page, "#ct-curves polyline[data-method=tent]")
    later = points(page, "#ct-curves polyline.later >> nth=1")
    assert len(drawn) == 3 and len(later) == BATCHES - 2 and later[0] == drawn[-1]
    assert number(page, "#ct-curves line.cursor", "x1") == pytest.approx(drawn[-1][0], abs=0.06)
    assert "at batch 3: Zero-shot CLIP 60.0%" in page.locator("#ct-curves svg").get_attribute("aria-label")


def counted(predicted, batches: int) -> list[int]:
    """Predictions of each class in the last `batches`, of which only the last differs."""
    return [predicted.count(k) + (batches - 1) * BEFORE.count(k) for k in range(len(CLASSES))]


@pytest.mark.parametrize("method", METHODS)
def test_bars_are_as_long_as_a_class_was_predicted_in_the_last_batches(page, method):
    counts = counted(PREDICTED[method], RECENT)
    bar = number(page, "#ct-classes rect.track >> nth=0", "width") - 2
    most = 4 * sum(counts) / len(CLASSES)
    for name, count in zip(CLASSES, counts, strict=True):
        box = page.locator(f'#ct-classes rect[data-method={method}][data-class="{name}"]')
        width = float(box.get_attribute("width")) if box.count() else 0
        assert width == pytest.approx(bar * count / most, abs=0.01)


def test_a_bar_that_is_cut_says_so_and_how_many_there_are(page):
    """Of six batches of ten, TENT answers "cat" more than four times as often as the even share."""
    wide = page.locator("#ct-classes .help")
    assert "»" not in wide.text_content() and not page.locator("#ct-classes .inside").count()
    given = call(page, "lib/store.js", 'm.view("classes").value')
    put = 'm.view("classes").put(a)'
    cats = {"tent": "0:10\n" * BATCHES}
    call(page, "lib/store.js", put, given | {"counts": given["counts"] | cats})
    assert page.locator("#ct-classes .inside").all_text_contents() == [f"{10 * RECENT} »"]
    assert wide.text_content().endswith("A bar with » goes on: bars end at 4 times an even share.")
    bar = number(page, "#ct-classes rect.track >> nth=0", "width") - 2
    width = number(page, '#ct-classes rect[data-method=tent][data-class="cat"]', "width")
    assert width == pytest.approx(bar)
    call(page, "lib/store.js", put, given)


def test_thin_marks_stand_where_the_true_counts_are(page):
    bar = number(page, "#ct-classes rect.track >> nth=0", "width") - 2
    most = 4 * RECENT * len(LABELS) / len(CLASSES)
    left = number(page, '#ct-classes rect[data-method=tent][data-class="cat"]', "x") - 0.5
    for k, name in enumerate(CLASSES):
        x = number(page, f'#ct-classes line.truth[data-method=tent][data-class="{name}"]', "x1")
        assert x - left == pytest.approx(bar * RECENT * LABELS.count(k) / most, abs=0.01)


def test_the_window_is_shorter_before_there_are_so_many_batches(page):
    call(page, "lib/store.js", "m.step.put(0)")
    assert (
        page.locator("#ct-classes .help")
        .text_content()
        .startswith("How often each class was predicted in this batch.")
    )
    bar = number(page, "#ct-classes rect.track >> nth=0", "width") - 2
    width = number(page, '#ct-classes rect[data-method=tent][data-class="cat"]', "width")
    assert width == pytest.approx(bar * BEFORE.count(0) / (4 * 10 / 5), abs=0.01)


def test_the_gauge_fills_with_the_classes_in_use(page):
    track = number(page, "#ct-classes rect.track >> nth=0", "width")
    for method, used in {"zero_shot": 4.0, "tent": 1.5, "cliptta": 4.5}.items():
        assert number(page, f"#ct-classes [data-gauge={method}]", "width") == pytest.approx(track * used / 5)
    assert page.locator("#ct-classes .big").all_text_contents() == ["4", "1.5", "4.5"]


def test_no_width_is_negative_where_the_page_is_very_narrow(page):
    page.evaluate("document.querySelector('#ct-classes svg').style.width = '60px'")
    page.wait_for_function(
        "document.querySelector('#ct-classes svg').getAttribute('viewBox').startsWith('0 0 60 ')"
    )
    widths = page.locator("#ct-classes rect").evaluate_all(
        "all => all.map(one => +one.getAttribute('width'))"
    )
    page.evaluate("document.querySelector('#ct-classes svg').style.width = ''")
    assert min(widths) >= 0
    page.wait_for_function(
        "!document.querySelector('#ct-classes svg').getAttribute('viewBox').startsWith('0 0 60 ')"
    )


def cells(page, title: str) -> dict[str, str]:
    """A column of the table by the names of methods."""
    head = page.locator("#ct-results thead th").all_text_contents()
    rows = page.locator("#ct-results tbody tr")
    made = {}
    for k in range(rows.count()):
        made[rows.nth(k).get_attribute("data-name")] = rows.nth(k).locator("th, td").nth(head.index(title))
    return made


def test_the_table_says_the_numbers_and_the_gains_with_their_signs(page):
    accuracy = {name: cell.text_content() for name, cell in cells(page, "Accuracy, so far").items()}
    assert accuracy == {"zero_shot": "50.0%", "tent": "10.0%−40.0", "cliptta": "80.0%+30.0"}
    ways = {name: cell.locator("small") for name, cell in cells(page, "Accuracy, so far").items()}
    assert ways["tent"].get_attribute("class") == "down" and ways["cliptta"].get_attribute("class") == "up"
    gained = {name: cell.text_content() for name, cell in cells(page, "Gained").items()}
    assert gained == {"zero_shot": "", "tent": "1", "cliptta": "2"}


@pytest.mark.parametrize(
    "title, best", [("Accuracy, so far", "cliptta"), ("Calibration error", "cliptta"), ("Lost", "cliptta")]
)
def test_the_best_is_marked_whether_high_or_low_is_better(page, title, best):
    marked = [
        name for name, cell in cells(page, title).items() if "best" in (cell.get_attribute("class") or "")
    ]
    assert marked == [best]


@pytest.mark.parametrize(
    "shares, best",
    [((0.5, 0.5861, 0.5859), ["tent", "cliptta"]), ((0.5, 0.5, 0.5001), [])],
    ids=["two alike", "all alike"],
)
def test_numbers_that_read_alike_are_as_good(page, shares, best):
    call(page, "lib/store.js", 'window.before = m.view("results").value')
    accuracy = {name: f"{share} " for name, share in zip(METHODS, shares, strict=True)}
    change = """m.view("results").put({ ...window.before,
        values: { ...window.before.values, accuracy: a } })"""
    call(page, "lib/store.js", change, accuracy)
    found = cells(page, "Accuracy, so far").items()
    assert [name for name, cell in found if cell.get_attribute("class") == "best"] == best
    call(page, "lib/store.js", 'm.view("results").put(window.before)')


def test_the_table_looks_back(page):
    call(page, "lib/store.js", "m.step.put(0)")
    assert cells(page, "Accuracy, so far")["tent"].text_content() == "60.0%+10.0"


def tiles(page) -> list[dict[str, str]]:
    return page.locator("#ct-gallery li[data-index]").evaluate_all(
        """all => all.map(one => ({index: +one.dataset.index, kind: one.className,
        sign: one.querySelector(".sign").textContent, is: one.querySelector(".is").textContent,
        was: one.querySelector(".was").textContent}))"""
    )


def gallery(page, method: str, kept: str) -> list[dict[str, str]]:
    page.locator("#ct-gallery").scroll_into_view_if_needed()
    page.locator(f"#ct-gallery .choose [data-name={method}]").click()
    page.locator(f"#ct-gallery .filter [data-name={kept}]").click()
    return tiles(page)


@pytest.mark.parametrize("method", ["tent", "cliptta"])
def test_ticks_stand_on_what_is_right_and_crosses_on_what_is_wrong(page, method):
    drawn = gallery(page, method, "all")
    right = [after == label for after, label in zip(PREDICTED[method], LABELS, strict=True)]
    assert [tile["sign"] for tile in drawn] == ["✓" if one else "✕" for one in right]
    before = [guess == label for guess, label in zip(PREDICTED["zero_shot"], LABELS, strict=True)]
    kinds = {(0, 0): "wrong", (0, 1): "gained", (1, 0): "lost", (1, 1): "right"}
    assert [tile["kind"] for tile in drawn] == [kinds[pair] for pair in zip(before, right, strict=True)]
    assert [tile["is"] for tile in drawn] == [CLASSES[k] for k in PREDICTED[method]]
    changed = [guess != after for guess, after in zip(PREDICTED["zero_shot"], PREDICTED[method], strict=True)]
    assert [bool(tile["was"]) for tile in drawn] == changed


@pytest.mark.parametrize(
    "method, kept, wanted",
    [
        ("tent", "gained", [1]),
        ("tent", "lost", [2, 3, 4, 9]),
        ("cliptta", "gained", [1, 8]),
        ("cliptta", "lost", []),
        ("cliptta", "changed", [1, 8]),
    ],
)
def test_filters_keep_what_they_say_and_count_it(page, method, kept, wanted):
    assert [tile["index"] for tile in gallery(page, method, kept)] == wanted
    assert page.locator(f"#ct-gallery .filter [data-name={kept}]").text_content() == f"{kept} {len(wanted)}"


def test_known_scores_stand_and_unknown_ones_hang(strangers):
    page = strangers.locator("#ct-scores g[data-method=tent]")
    page.wait_for()
    known = columns_of(page.locator("path.fill").get_attribute("d"))
    unknown = columns_of(page.locator("path.unknown").get_attribute("d"))
    assert min(known) == 0 and max(unknown) == 0 and min(unknown) == -40
    # Known scores 4 to 4.28, six of ten; unknown ones 1.33 to 1.5: the two ends of the range.
    assert {k for k, height in enumerate(known) if height} <= set(range(22, 28))
    assert {k for k, height in enumerate(unknown) if height} <= {0, 1}
    assert sum(known) == pytest.approx(-sum(unknown), rel=0.03)  # both are shares


def test_columns_are_as_tall_as_their_share(strangers):
    path = strangers.locator("#ct-scores g[data-method=tent] path.fill").get_attribute("d")
    below = strangers.locator("#ct-scores g[data-method=tent] path.unknown").get_attribute("d")
    known = [4 + 0.5 * k / 9 for k in range(6)] * RECENT
    unknown = [1 + 0.5 * k / 9 for k in range(6, 10)] * RECENT
    low, high = min(unknown), max(known)

    def shares(values):
        bins = [0] * 28
        for value in values:
            bins[min(27, int((value - low) / (high - low) * 28))] += 1
        return [count / len(values) for count in bins]

    upper, lower = shares(known), shares(unknown)
    unit = 40 / max(*upper, *lower)
    assert columns_of(path) == pytest.approx([unit * share for share in upper], abs=0.11)
    assert columns_of(below) == pytest.approx([-unit * share for share in lower], abs=0.11)


def test_the_threshold_stands_between_known_and_unknown(strangers):
    group = "#ct-scores g[data-method=cliptta]"
    base = strangers.locator(f"{group} line.base")
    left, right = float(base.get_attribute("x1")), float(base.get_attribute("x2"))
    low, high = 1 + 0.5 * 6 / 9, 4 + 0.5 * 5 / 9
    place = (number(strangers, f"{group} line.threshold", "x1") - left) / (right - left)
    assert place == pytest.approx((THRESHOLD - low) / (high - low), abs=0.01)
    assert strangers.locator(f"{group} line.earlier").count() == BATCHES - 1
    assert strangers.locator(f"{group} .big").text_content() == "96.0%"
    assert strangers.locator(f"{group} .value").text_content() == "10.0%"


def test_without_unknown_pictures_there_is_no_chart_of_scores(page):
    assert page.locator("#ct-scores figure").is_hidden()


def test_the_line_of_state_says_batch_step_speed_and_time_left(page):
    status = {
        **{
            "state": "running",
            "done": 2,
            "batch": 3,
            "batches": 16,
            "method": "TENT",
            "step": 4,
            "steps": 10,
        },
        **{"doing": "", "share": 0.15, "rate": 31.4, "left": 240.0, "device": "cpu"},
    }
    call(page, "lib/store.js", "m.run.put({ state: 'waiting', local: true })")  # as a press of Run does
    call(page, "lib/store.js", "m.view('status').put(a)", status)
    what, figures = page.locator(".status .what"), page.locator(".status .figures")
    assert what.text_content() == "Running · batch 3 of 16 · TENT, step 4 of 10"
    assert figures.text_content() == "31 images/s · 4 min left · CPU"
    call(page, "lib/store.js", "m.view('status').put(a)", status | {"left": 89.0, "rate": 3.14})
    assert figures.text_content() == "3.1 images/s · 89 s left · CPU"
    done = page.locator(".status input").evaluate("one => one.style.getPropertyValue('--done')")
    assert re.fullmatch(r"15(\.0+)?%", done)
    call(page, "lib/store.js", "m.view('status').put(a)", status | {"state": "done", "done": 6, "batches": 6})
    assert what.text_content() == "Finished · 6 batches"


def test_the_recorded_run_plays_itself_where_motion_is_welcome(open_drawn):
    moving = open_drawn(Site(engine.catalog(), known_log(), run=fake_engine()), motion=True)
    at_the_end = "([batch, end]) => said.some((text) => text.startsWith(batch)) && said.at(-1) === end"
    moving.wait_for_function(
        at_the_end, arg=["A recorded run · batch ", f"A recorded run · {BATCHES} batches"]
    )


def test_the_recorded_run_rests_where_stillness_is_preferred(open_drawn):
    resting = open_drawn(Site(engine.catalog(), known_log(), run=fake_engine()))
    resting.wait_for_timeout(1500)
    said = resting.evaluate("said")
    assert said[-1] == f"A recorded run · {BATCHES} batches" and not [
        text for text in said if "batch " in text
    ]
