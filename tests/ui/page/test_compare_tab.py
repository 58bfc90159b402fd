"""The Compare tab: what it draws, what it says, and the press of its buttons in a real browser."""

import json
import math
import re
import statistics

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine, export
from clip_tta_core.control import Progress
from clip_tta_core.records import RunConfig, Standing
from clip_tta_core.sweep import own
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.sweep.tables import TABLES
from clip_tta_core.ui.page.layout import RECORDED_COMPARISON
from clip_tta_core.ui.session import compare
from clip_tta_core.ui.session.compare import Table, read_recorded, view
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.words.comparison import places
from clip_tta_core.ui.words.comparison import ranking as said_of
from clip_tta_core.ui.words.stream import stream
from tests.ui.conftest import looks, serious_violations
from tests.ui.drawn import call

CATALOG = engine.catalog()
TITLES = {card.name: card.title for card in CATALOG.methods}


def standing(name, accuracy=0.5, used=15.0, done=4, **more) -> Standing:
    return Standing(name, done, 4, {"accuracy": accuracy, "effective_classes": used}, 0.5, **more)


def table(*standings, methods=("zero_shot", "tent", "cliptta")) -> Table:
    made = Table(methods, 20, "a stream")
    for one in standings:
        made.take(one)
    return made


def test_a_view_is_plain_json_with_the_best_first():
    value = plain(view(table(standing("tent", math.nan), standing("zero_shot", 0.3)), CATALOG, "done"))
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert [row["name"] for row in value["rows"]] == ["zero_shot", "tent"]
    assert value["rows"][1]["numbers"]["accuracy"] is None


def test_progress_counts_every_method_the_same():
    one_and_a_quarter = table(standing("zero_shot"), standing("tent", done=1))
    progress = Progress(batch=2, batches=4, label="tent", step=3, steps=10)
    value = plain(view(one_and_a_quarter, CATALOG, "running", progress))
    assert value["finished"] == 1 and value["share"] == pytest.approx(1.25 / 3, abs=1e-4)
    assert value["doing"] == "TENT, batch 2 of 4, step 3 of 10"


def test_a_method_that_failed_has_had_its_turn():
    assert table(standing("tent", done=0, problem="TENT: no.")).finished() == 1


def measured(name, accuracy, gained=0, lost=0, used=15.0) -> Standing:
    numbers = {"accuracy": accuracy, "gained": float(gained), "lost": float(lost), "effective_classes": used}
    return Standing(name, 4, 4, numbers, 0.5)


def test_the_sentence_names_the_leader_the_fallen_and_the_collapsed():
    ranking = [measured("cliptta", 0.47, 60, 9), measured("zero_shot", 0.3), measured("tent", 0.1, 5, 65, 2)]
    assert said_of(ranking, TITLES, 20, 3) == (
        "On this stream CLIPTTA leads: right on 47.0% of the pictures, 17 points above zero-shot CLIP. "
        "1 of 2 is worse than zero-shot CLIP. 1 has collapsed to less than half of the 20 classes."
    )


def test_two_pictures_of_96_make_no_leader():
    ranking = [measured("tent", 0.3125, 5, 3), measured("zero_shot", 0.2917), measured("cliptta", 0.28, 3, 4)]
    assert said_of(ranking, TITLES, 20, 3) == (
        "Too few pictures to tell a method from zero-shot CLIP: TENT is right on 31.2%."
    )


def test_ties_are_ties():
    best = [measured(name, 0.896, 40, 2) for name in ("cliptta", "tent", "sar")]
    ranking = [*best, measured("watt", 0.87, 37, 3), measured("zero_shot", 0.7)]
    assert said_of(ranking, TITLES, 20, 5) == (
        "On this stream CLIPTTA is at the top: right on 89.6% of the pictures, 19.6 points above zero-shot "
        "CLIP; level with it: TENT and SAR."
    )
    assert places(ranking) == ["1–4", "1–4", "1–4", "1–4", "5"], "34 and 38 of 81 pairs tell nothing apart"
    under_way = [*ranking, standing("eata", 0.99, done=2)]
    assert places(under_way) == [*places(ranking), ""], "on its way it has no place, and takes nobody's"


def test_a_place_says_no_more_than_the_pictures_tell():
    """CLIPTTA is ahead of both for certain (20 to 4 and 20 to 0 pairs); 4 to 0 pairs are p = 0.125."""
    clear = [measured("cliptta", 0.5, 20), measured("tent", 0.34, 4), measured("zero_shot", 0.3)]
    assert places(clear) == ["1", "2–3", "2–3"]
    # Too close to one, ahead of the other: 10 to 4 pairs are p = 0.18, 10 to 0 are p = 0.002.
    between = [measured("cliptta", 0.4, 10), measured("tent", 0.34, 4), measured("zero_shot", 0.3)]
    assert places(between) == ["1–2", "1–3", "2–3"]
    assert places([measured("tent", math.nan), measured("cliptta", math.nan)]) == ["", ""]


def test_a_method_is_ahead_of_another_where_the_most_pairs_possible_say_so():
    """20 and 4 pictures gained, none lost: at most 24 pairs, 20 to 4, p = 0.0015; 10 to 4: p = 0.18."""
    frozen = measured("zero_shot", 0.3)
    clear = [measured("cliptta", 0.5, 20), measured("tent", 0.34, 4), frozen]
    close = [measured("cliptta", 0.4, 10), measured("tent", 0.34, 4), frozen]
    assert said_of(clear, TITLES, 20, 3).startswith("On this stream CLIPTTA leads: ")
    assert said_of(close, TITLES, 20, 3).endswith("too close to tell from it: TENT.")


def test_zero_shot_clip_may_be_the_best():
    ranking = [measured("zero_shot", 0.6), measured("tent", 0.58, 1, 3)]
    expected = "No method is better than zero-shot CLIP on this stream: right on 60.0% of the pictures."
    assert said_of(ranking, TITLES, 20, 2) == expected


def test_the_sentence_waits_for_whole_turns_and_praises_nobody_without_labels():
    assert said_of([standing("tent", done=2)], TITLES, 20, 3) == ""
    unlabelled = [standing("zero_shot", math.nan), standing("tent", math.nan, used=3.0)]
    assert said_of(unlabelled, TITLES, 20, 2) == "1 has collapsed to less than half of the 20 classes."


def test_few_classes_are_no_collapse_where_clip_itself_uses_as_few():
    ranking = [standing("zero_shot", 0.27, used=8.9), standing("tent", 0.27, used=8.6)]
    assert "collapsed" not in said_of(ranking, TITLES, 20, 2)


def test_the_stream_is_told_with_all_that_changes_its_numbers():
    config = RunConfig(corruption="fog", severity=3, unknown_source="textures", unknown_share=0.25, seed=7)
    told = stream(config, CATALOG)
    for part in ("fog 3", "25% unknown (textures)", "shuffled", "16 × 64", "mini-CLIP", "seed 7", "after"):
        assert part in told
    assert "weights reset" in stream(RunConfig(episodic=True), CATALOG)
    assert "all in turn" in stream(RunConfig(corruption="fog", schedule="in_turn"), CATALOG)


def test_the_recorded_comparison_has_every_method_and_survives_its_file():
    recorded = read_recorded(RECORDED_COMPARISON, CATALOG)
    assert set(recorded.methods) == set(TITLES)
    standings = list(recorded.standings.values())
    again = export.standings_from_json(export.standings_to_json(standings))
    assert json.dumps([vars(one) | {"metrics": dict(one.metrics)} for one in again]) == json.dumps(
        [vars(one) | {"metrics": dict(one.metrics)} for one in standings]
    )
    with pytest.raises(ValueError, match="^Run file: "):
        export.standings_from_json('{"format": "other"}')


def test_one_rule_sets_what_the_recorded_grids_chose_and_leaves_the_others_alone():
    chosen = {
        one.label: dict(one.settings) for one in compare.chosen(["tda", "cliptta"], "rule", RunConfig())
    }
    assert chosen == {"tda": {}, "cliptta": own.by_the_rule(Recorded(), "mini-clip")["cliptta"]}
    assert chosen["cliptta"].keys() == {"lr", "steps"}
    with pytest.raises(
        ValueError, match="measured with mini-clip and photo-clip alone, and the model is 'ViT"
    ):
        compare.chosen(["tent"], "rule", RunConfig(model="ViT-B-32"))


@pytest.mark.browser
@pytest.mark.slow
def test_three_ways_to_set_every_method_stand_side_by_side(visit, url):
    page = visit(url, "?tab=compare")
    page.get_by_role("button", name="Is that fair?").click()
    table = page.locator("#ct-three-ways table").first
    expect(table.locator("th")).to_have_text(
        ["method", "as published", "by the common rule", "CLIPTTA's protocol"], timeout=30_000
    )
    accuracy = Recorded().get  # what the table's first entry of CLIPTTA is the mean of
    joint = TABLES["mini"].make(Recorded())
    column = next(one for one in joint.columns if one.contender.label == "cliptta")
    seeds = [
        statistics.fmean(accuracy(joint.cell(row, column, seed))["accuracy"] for row in joint.rows)
        for seed in joint.seeds
        if all(accuracy(joint.cell(row, column, seed)) for row in joint.rows)
    ]
    line = table.locator("tr", has=page.get_by_role("cell", name="CLIPTTA", exact=True))
    expect(line.locator("td").nth(1)).to_contain_text(f"{100 * statistics.fmean(seeds):.1f}")


@pytest.mark.browser
@pytest.mark.slow
def test_a_comparison_fills_the_ranking_and_stop_stops_it(visit, url):
    page = visit(url)
    box = page.locator("[data-field=batches] .box")
    box.fill("3")
    box.press("Tab")
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#ct-ranking .stream")).to_contain_text("3 × 64", timeout=30_000)
    for name in TITLES:
        if name not in ("zero_shot", "tent", "cliptta"):
            page.locator(f"#ct-ranking tr[data-name={name}] input").uncheck()
    page.get_by_role("button", name="Compare 3", exact=True).click()
    said = page.locator("#ct-ranking .said")
    expect(said).to_contain_text("CLIPTTA leads", timeout=30_000)
    page.wait_for_selector("#ct-ranking [data-do=start]:enabled")
    order = page.locator("#ct-ranking tbody tr").evaluate_all("rows => rows.map((row) => row.dataset.name)")
    assert order[0] == "cliptta" and order[2] == "tent"
    assert page.locator("#ct-ranking .map svg path").count() == 3

    page.locator("#ct-ranking tr[data-name=sar] input").check()
    call(page, "lib/store.js", "m.choice.put({ batches: 500 })")  # so that it is under way when Stop comes
    page.get_by_role("button", name="Compare 4", exact=True).click()
    # Without waiting for the button to stand still, which a page that is told much may not let it do.
    page.locator("#ct-ranking [data-do=stop]:enabled").evaluate("one => one.click()")
    page.wait_for_selector("#ct-ranking [data-do=start]:enabled")
    expect(page.locator("#ct-ranking .doing")).to_have_text(re.compile("^Rendered objects"))


@pytest.mark.browser
@pytest.mark.slow
def test_the_map_shows_the_accuracies_there_are_with_a_name_at_every_mark(visit, url):
    recorded = read_recorded(RECORDED_COMPARISON, CATALOG)
    page = visit(url)
    page.get_by_role("tab", name="Compare").click()
    chart = page.locator("#ct-ranking .map svg")
    expect(chart.locator("[data-name]")).to_have_count(len(recorded.methods))
    named = chart.locator("text.who").all_text_contents()
    assert sorted(named) == sorted(TITLES[name] for name in recorded.methods)
    boxes = chart.locator("text.who").evaluate_all(
        "all => all.map((one) => { const box = one.getBBox(); "
        "return [box.x, box.y, box.x + box.width, box.y + box.height]; })"
    )
    for k, (left, top, right, bottom) in enumerate(boxes):
        for a, b, c, d in boxes[:k]:  # their edges may touch: the space is that of letters of a usual width
            assert left + 6 > c or right < a + 6 or top + 6 > d or bottom < b + 6, "no name over another"
    ticks = [float(one.rstrip("%")) for one in chart.locator("text").all_text_contents() if "%" in one]
    shares = [100 * one.metrics["accuracy"] for one in recorded.ranked()]
    step = ticks[1] - ticks[0]
    assert ticks[0] <= min(shares) <= ticks[0] + step and ticks[-1] - step <= max(shares) <= ticks[-1]
    expect(page.locator("#ct-ranking .table .help")).to_contain_text("One stream and one seed.")
    expect(page.locator("#ct-ranking tbody .place").first).to_have_text(re.compile(r"^1(–\d+)?$"))


@pytest.mark.browser
@pytest.mark.slow
def test_a_name_in_the_ranking_leads_to_play_with_that_method_too(visit, url):
    page = visit(url)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="SAR", exact=True).click()
    page.wait_for_selector("#ct-form [data-method=sar] input", state="attached")
    assert page.locator("#ct-form [data-method=sar] > .tick input").is_checked()
    assert page.locator("#ct-form [data-method=tent] > .tick input").is_checked(), "beside what was chosen"


@pytest.mark.browser
@pytest.mark.slow
def test_axe_finds_nothing_serious_on_the_tab(visit, url):
    page = visit(url, "?tab=compare")
    page.wait_for_selector("#ct-ranking tbody tr")
    for look in looks(page):
        assert not serious_violations(page, "#ct-ranking"), look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways: {look}"
