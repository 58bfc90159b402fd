"""The pure functions of the scripts, each called in the browser: values worked out by hand, and laws."""

import io
import math
import tarfile

import pytest

from clip_tta_core import engine
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.wire.encode import line, number, sparse
from tests.ui.drawn import call, known_log
from tests.ui.fakes import fake_engine

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(open_drawn):
    return open_drawn(Site(engine.catalog(), known_log(), run=fake_engine()))


@pytest.mark.parametrize(
    "kind, value, text",
    [
        ("share", 0, "0.0%"),
        ("share", 0.137, "13.7%"),
        ("share", 0.516, "51.6%"),
        ("share", 0.0625, "6.2%"),  # as sentences and files round it
        ("share", 0.4375, "43.8%"),
        ("share", 0.9996, "99.9%"),  # one mistake in 2,500 is not none
        ("share", 1, "100%"),
        ("number", 0.0042, "4.2e-3"),
        ("number", 0.42, "0.420"),
        ("number", -3.14, "-3.1"),
        ("count", 12, "12"),
        ("seconds", 0.0421, "42 ms"),
        ("seconds", 0.9996, "1.0 s"),
        ("times", 1, "1×"),
        ("times", 3.14, "3.1×"),
        ("times", 1234, "1,234×"),
        ("share", None, "–"),
    ],
)
def test_numbers_are_written_by_their_kind(page, kind, value, text):
    assert call(page, "lib/format.js", "m.format(a[0], a[1])", [kind, value]) == text


@pytest.mark.parametrize(
    "difference, text, way",
    [(0.146, "+14.6", "up"), (-0.146, "−14.6", "down"), (0.0004, "+0.0", None), (-0.0004, "+0.0", None)],
)
def test_points_bear_their_sign(page, difference, text, way):
    assert call(page, "lib/format.js", "m.points(a)", difference) == {"text": text, "way": way}


@pytest.mark.parametrize(
    "shares, text, way",
    [((0.2484, 0.4692), "+22.1", "up"), ((0.2484, 0.1862), "−6.2", "down"), ((0.5004, 0.4996), "+0.0", None)],
)
def test_a_gain_is_the_difference_of_the_shares_as_they_are_written(page, shares, text, way):
    assert call(page, "lib/format.js", "m.between(...a)", shares) == {"text": text, "way": way}


@pytest.mark.parametrize("pictures", [16, 64, 1024])
def test_a_share_is_written_as_in_sentences_and_files(page, pictures):
    shares = [right / pictures for right in range(pictures + 1)]
    written = call(page, "lib/format.js", "a.map((one) => m.format('share', one))", shares)
    assert written[1:-1] == [f"{100 * share:.1f}%" for share in shares[1:-1]]


@pytest.mark.parametrize(
    "shares, ticks",
    [
        ([0.065, 0.57], [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        ([0.992, 0.9951], [0.99, 0.9925, 0.995, 0.9975]),
        ([0.0, 1.0], [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ([0.5], [0.4975, 0.5, 0.5025]),
        ([0.0], [0, 0.0025]),
        ([1.0], [0.9975, 1]),
    ],
)
def test_an_axis_of_shares_begins_and_ends_around_what_there_is(page, shares, ticks):
    assert call(page, "lib/scale.js", "m.shareTicks(a)", shares) == pytest.approx(ticks)


@pytest.mark.parametrize("seconds, text", [(0.2, "1 s left"), (89, "89 s left"), (240, "4 min left")])
def test_time_left_is_in_seconds_and_then_in_minutes(page, seconds, text):
    assert call(page, "lib/format.js", "m.left(a)", seconds) == text


@pytest.mark.parametrize("value, text", [(0, "0"), (0.001, "0.001"), (0.0001, "1e-4"), (250000, "2.5e5")])
def test_a_setting_is_written_so_that_it_can_be_typed_again(page, value, text):
    assert call(page, "lib/format.js", "m.plain(a)", value) == text and float(text) == value


def test_histories_come_back_as_they_were_encoded(page):
    values = [0.61, math.nan, 0.58]
    got = call(page, "lib/decode.js", "m.numbers(a).map((x) => (Number.isFinite(x) ? x : null))",
               "".join(map(number, values)))  # fmt: skip
    assert got == [0.61, None, 0.58]
    rows = [(0.5, 1.25), (), (3.0,)]
    assert call(page, "lib/decode.js", "m.lines(a).map(m.numbers)", "".join(map(line, rows))) == (
        [list(row) for row in rows]
    )
    counts = [(0, 2, 0, 1), (3, 0, 0, 0)]
    text = "".join(map(sparse, counts))
    assert call(page, "lib/decode.js", "m.lines(a).map((one) => [...m.counts(one)])", text) == (
        [[[1, 2], [3, 1]], [[0, 3]]]
    )


@pytest.mark.parametrize(
    "step, window, kept", [(0, 4, [0]), (2, 4, [0, 1, 2]), (5, 4, [2, 3, 4, 5]), (5, 1, [5])]
)
def test_the_recent_batches_end_at_the_step_looked_at(page, step, window, kept):
    assert call(page, "lib/decode.js", "m.recent([0, 1, 2, 3, 4, 5, 6], a[0], a[1])", [step, window]) == kept


@pytest.mark.parametrize(
    "largest, top", [(0, 1), (1, 1), (0.7, 1), (0.004, 0.005), (3, 5), (5, 5), (5.1, 10), (230, 500)]
)
def test_an_axis_ends_at_a_round_number_not_below_the_largest(page, largest, top):
    assert call(page, "lib/scale.js", "m.niceTop(a)", largest) == pytest.approx(top)


def test_batches_are_named_at_round_multiples(page):
    assert call(page, "lib/scale.js", "m.batchTicks(6, 20)") == [1, 2, 3, 4, 5, 6]
    assert call(page, "lib/scale.js", "m.batchTicks(48, 10)") == list(range(5, 46, 5))
    assert len(call(page, "lib/scale.js", "m.batchTicks(2000, 10)")) <= 10


def test_a_line_leaves_out_batches_without_a_value(page):
    drawn = call(page, "lib/scale.js", "m.polyline([1, NaN, 3], 0, 2, (i) => 10 * i, (v) => 100 - v)")
    assert drawn == "0.0,99.0 20.0,97.0"


@pytest.mark.parametrize(
    "wanted",
    [[22, 22, 22], [20, 25, 290], [0, 300, 150], [290, 288, 289], [22, 50, 51, 49, 22, 22, 280, 281, 282]],
)
def test_labels_keep_their_distance_and_both_bounds(page, wanted):
    low, high, gap = 22, 286, 30
    placed = call(page, "lib/spread.js", "m.spread(...a)", [wanted, gap, low, high])
    assert all(low - 1e-9 <= place <= high + 1e-9 for place in placed)
    in_order = sorted(placed)
    assert min(b - a for a, b in zip(in_order, in_order[1:], strict=False)) >= gap - 1e-9
    order = sorted(range(len(wanted)), key=lambda k: (wanted[k], k))
    assert [placed[k] for k in order] == in_order


def test_labels_with_room_stay_where_they_belong(page):
    assert call(page, "lib/spread.js", "m.spread([200, 40, 120], 30, 0, 300)") == [200, 40, 120]


def test_with_too_many_labels_the_distance_gives_way_not_the_bounds(page):
    placed = call(page, "lib/spread.js", "m.spread([0, 0, 0, 0, 0], 30, 0, 100)")
    assert placed == pytest.approx([0, 25, 50, 75, 100])


TITLES = ["Zero-shot CLIP", "TENT", "TENT + diversity", "CLIPTTA", "CLIPTTA, contrast only", "CLIPTTA 2"]


@pytest.mark.parametrize(
    "title, names",
    [
        ("Zero-shot CLIP", ["Zero-shot CLIP", "Zero-shot"]),
        ("TENT", ["TENT"]),
        ("TENT + diversity", ["TENT + diversity", "+ diversity"]),
        ("CLIPTTA, contrast only", ["CLIPTTA, contrast only", "contrast only"]),
        ("CLIPTTA 2", ["CLIPTTA 2"]),  # "2" would say nothing
    ],
)
def test_short_names_tell_methods_apart(page, title, names):
    assert call(page, "lib/called.js", "m.callings(...a)", [title, TITLES]) == names


def test_copies_of_a_method_that_does_not_take_part_itself_keep_their_names(page):
    titles = ["TENT, small steps", "TENT, large steps"]
    assert call(page, "lib/called.js", "m.callings(a[0], a)", titles) == titles[:1]


@pytest.mark.parametrize(
    "path, free",
    [
        ([[0, 50], [100, 50]], False),  # through the box, both points outside
        ([[0, 5], [100, 5]], True),
        ([[0, 0], [100, 100]], False),
        ([[0, 95], [20, 95], [40, 50]], True),  # ends left of it, or begins below
        ([[45, 50]], False),
        ([[0, 50], [50, math.nan], [100, 50]], True),
    ],
)
def test_a_box_is_clear_where_no_line_passes(page, path, free):
    assert call(page, "lib/clear.js", "m.clear([42, 40, 60, 60], [a])", path) is free


def test_a_histogram_counts_shares_and_keeps_what_lies_outside(page):
    shares = call(page, "lib/bins.js", "m.histogram([0, 0.1, 0.26, 0.99, 1, 7, -7], 0, 1, 4)")
    assert shares == pytest.approx([3 / 7, 1 / 7, 0, 3 / 7])
    assert call(page, "lib/bins.js", "m.histogram([], 0, 1, 3)") == [0, 0, 0]


def test_an_outline_is_as_high_as_its_columns(page):
    path = call(page, "lib/bins.js", "m.outline([0.5, 0.25], (i) => 10 * i, 58, 40)")
    assert path == "M0 58V38.0H10.0V48.0H20.0V58Z"


def test_the_range_of_scores_leaves_out_the_outermost_and_takes_in_the_threshold(page):
    values = [*range(1, 101)]
    assert call(page, "lib/bins.js", "m.rangeOf(a, NaN)", values) == [2, 99]
    assert call(page, "lib/bins.js", "m.rangeOf(a, 120)", values) == [2, 120]
    assert call(page, "lib/bins.js", "m.rangeOf([3, 3], NaN)") == [2.5, 3.5]


SLIDERS = {
    "lr": {"low": 1e-6, "high": 1e-1, "log": True, "whole": False},
    "with zero": {"low": 0, "high": 10, "log": True, "whole": False},
    "steps": {"low": 1, "high": 20, "log": False, "whole": True},
    "share": {"low": 0.1, "high": 0.8, "log": False, "whole": False},
}


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_ends_at_its_bounds_and_finds_its_values_again(page, name):
    bounds = SLIDERS[name]
    low, high, last = call(
        page, "lib/slider.js", "((s) => [s.toValue(0), s.toValue(s.last), s.last])(m.slider(a))", bounds
    )
    assert (low, high) == pytest.approx((bounds["low"], bounds["high"]))
    back = call(
        page,
        "lib/slider.js",
        """((s) => [0, 0.25, 0.5, 0.75, 1].map((p) => s.toPlace(s.toValue(Math.round(p * s.last))) / s.last))(
            m.slider(a))""",
        bounds,
    )
    assert back == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.03)


def test_equal_steps_of_a_logarithmic_slider_multiply(page):
    values = call(
        page, "lib/slider.js", "[0, 60, 120, 180, 240, 300].map(m.slider(a).toValue)", SLIDERS["lr"]
    )
    assert values == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1], rel=1e-6)
    assert call(page, "lib/slider.js", "m.slider(a).toPlace(1e-3)", SLIDERS["lr"]) == pytest.approx(180)


NAMES = [
    "cat/one.png",
    "grüße/zwei.png",
    "a" * 120 + "/long.png",
    "日本/" + "x" * 90 + ".png",
    "/".join(["deep"] * 40) + "/p.png",
]


def test_what_is_packed_reads_back_with_folders_names_and_bytes(page):
    packed = call(
        page,
        "lib/pack.js",
        """await (async () => {
            const entries = a.map((path, k) => ({ path, file: new Blob(["x".repeat(700 * k + 1)]) }));
            const files = m.pack(entries, [".zip"]);
            return Promise.all(files.map(async ({ name, blob }) =>
              [name, [...new Uint8Array(await blob.arrayBuffer())]]));
        })()""",
        [*NAMES, "archive.ZIP"],
    )
    assert [name for name, _ in packed] == ["archive.ZIP", "pictures.tar"]
    with tarfile.open(fileobj=io.BytesIO(bytes(packed[1][1]))) as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == NAMES
        assert [archive.extractfile(member).read() for member in members] == (
            [b"x" * (700 * k + 1) for k in range(len(NAMES))]
        )


LIMITS = {"said": "", "bytes": 2 * 2**20, "entries": 3, "archives": [".zip"]}
FILES = "Array.from({ length: a[1] }, () => ({ path: 'x', file: { size: a[2] } }))"


@pytest.mark.parametrize(
    "count, size, says",
    [
        (3, 10, ""),
        (4, 10, "At most 3 files may come at once"),
        (2, 2**20, ""),
        (2, 2**20 + 1, "may have 2 MB"),
    ],
)
def test_more_than_the_limits_is_refused_before_it_is_sent(page, count, size, says):
    said = call(page, "parts/upload.js", f"m.excess({FILES}, a[0])", [LIMITS, count, size])
    assert says in said and bool(said) == bool(says)


@pytest.mark.parametrize(
    "text, says",
    [
        ("", []),
        ("cat, dog", ["2 classes."]),
        ("cat\ndog,\n", ["2 classes."]),
        ("cat", ["1 class.", "At least two are needed to choose between, got 1."]),
        ("cat, dog, cat", ["2 classes.", "Each must be listed once; remove the repetition of “cat”."]),
        ("cat; dog\tfox、owl", ["4 classes."]),
        ("cat,,dog", ["2 classes.", "Every class needs a name; empty entries skipped: 1."]),
        (
            "a" * 201 + ",b",
            ["2 classes.", "A name may have 200 characters at most; separate names by commas or lines."],
        ),
    ],
)
def test_class_lists_are_reviewed_by_the_rules_of_the_server(page, text, says):
    assert call(page, "lib/names.js", "m.review(a)", text) == says


def test_what_the_server_reads_in_a_list_counts_and_is_shown(page):
    text, names = '{"0": "tench", "1": "goldfish"}', ["tench", "goldfish"]
    assert call(page, "lib/names.js", "m.review(...a)", [text, None, names]) == [
        "2 classes: “tench”, “goldfish”."
    ]
    assert call(page, "lib/names.js", "m.review(...a)", ["cat,,dog", None, ["cat", "dog"]])[0] == "2 classes."


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("\ufeffcat\r\ndog\n".encode(), "cat\ndog"),
        ("猫\nкот".encode(), "猫\nкот"),
        ("cat\ndog".encode("utf-16"), "cat\ndog"),  # with its mark
        (b"\xfe\xff" + "chat".encode("utf-16-be"), "chat"),
        ("café".encode("latin-1"), None),
        (b"", ""),
    ],
)
def test_a_file_of_names_is_read_in_its_encoding_or_not_at_all(page, data, text):
    assert call(page, "lib/names.js", "m.decoded(new Uint8Array(a))", list(data)) == text


def test_words_that_the_model_does_not_know_are_named(page):
    said = call(page, "lib/names.js", "m.review('red cat, dog, emu', ['cat', 'dog', 'red'])")
    assert said[1].startswith("Words that this CLIP does not know: “emu”")


def test_the_store_tells_late_comers_and_forgets_those_who_left(page):
    told = call(
        page,
        "lib/store.js",
        """(() => { const cell = m.view("somebody"), told = [], [here, gone] = ["i", "i"].map((t) =>
            document.body.appendChild(document.createElement(t)));
          cell.put(1); cell.follow(here, (x) => told.push(["here", x]));
          cell.follow(gone, (x) => told.push(["gone", x]));
          gone.remove(); cell.put(2); here.remove(); cell.put(3); return told; })()""",
    )
    assert told == [["here", 1], ["gone", 1], ["here", 2]]
