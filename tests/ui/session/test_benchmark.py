"""A visitor's table: filled cell by cell, stopped and gone on with, and what it says."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from clip_tta_core import engine, limits
from clip_tta_core.records import RunLog
from clip_tta_core.sweep.cells import Cell, PreStep, Protocol, Shift
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Recorded, record
from clip_tta_core.sweep.sizes import SIZES
from clip_tta_core.sweep.summary import Entry
from clip_tta_core.sweep.tables import STANDARD, TABLES
from clip_tta_core.ui.session.benchmark import ENOUGH, Benchmark, to_settings
from clip_tta_core.ui.session.cell_costs import Clock, Speed, allowed
from clip_tta_core.ui.session.heat import props
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.words import benchmark as words
from tests.ui.fakes import fake_engine

CATALOG = engine.catalog()
QUICK = {"table": "mini", "size": "quick"}


@pytest.fixture
def bench(tmp_path):
    return Benchmark(
        Site(CATALOG, RunLog(), run=fake_engine()), Folder(tmp_path / "here"), Recorded(tmp_path / "recorded")
    )


def cells_of(bench, wanted=QUICK):
    return list(SIZES[wanted["size"]].of(TABLES[wanted["table"]].make(bench.folder)).cells())


def made_up(cell: Cell) -> dict[str, float]:
    """TENT falls by as many points as the shift's number, CLIPTTA rises by 10 and a bit by the seed."""
    shift = STANDARD.index(cell.shift.corruption)
    gain = {"tent": -shift, "cliptta": 10 + 0.1 * cell.seed, "sar": 10}.get(cell.method, 0)
    return {"accuracy": (40 + 0.5 * cell.seed + gain) / 100, "seconds": 0.1, "pictures": 256.0}


def fill(bench, wanted=QUICK):
    for cell in cells_of(bench, wanted):
        bench.folder.put(cell, made_up(cell))


def test_a_table_fills_in_cell_by_cell_and_is_never_measured_again(bench):
    seen = list(bench.start(QUICK, "somebody"))
    assert [heat.done for heat in seen if heat.done is not None] == sorted(heat.done for heat in seen)
    last = seen[-1]
    assert (last.state, last.done, last.count) == ("done", 24, 24)
    assert (
        last.columns[-1] == "mean" and len(last.rows) == 6 and all(None not in row.means for row in last.rows)
    )
    assert json.loads(json.dumps(plain(last), allow_nan=False)) == plain(last)
    bench.site.engine = None  # whoever measured anything now would fail
    assert list(bench.start(QUICK, "another"))[-1].done == 24


def test_a_recorded_table_is_shown_until_something_is_measured_here(bench, tmp_path):
    fill(bench)
    table = SIZES["quick"].of(TABLES["mini"].make(bench.folder))
    record(table, bench.folder, tmp_path / "tables")
    site = Site(CATALOG, RunLog(), run=fake_engine())
    fresh = Benchmark(site, Folder(tmp_path / "empty"), Recorded(tmp_path / "tables"))
    heat, known = fresh.look(QUICK), bench.look(QUICK)
    assert [row.means for row in heat.rows] == [row.means for row in known.rows]
    assert (heat.done, heat.count) == (0, 24) and heat.advice == known.advice
    assert heat.doing.startswith("Recorded with the project on 20") and "24 cells; Start takes" in heat.doing
    place = [row.title for row in heat.rows].index("TENT")
    lines = dict(fresh.card({**QUICK, "row": place, "column": 1}).lines)
    assert lines["Accuracy"] == dict(bench.card({**QUICK, "row": place, "column": 1}).lines)["Accuracy"]
    wanted = {**QUICK, "format": "csv"}
    assert fresh.keep(wanted) == bench.keep(wanted)

    cell = next(iter(table.cells()))
    fresh.folder.put(cell, {"accuracy": 0.5, "seconds": 0.1})
    after = fresh.look(QUICK)
    assert after.done == 1 and sum(mean is not None for row in after.rows for mean in row.means) == 1


def test_a_recorded_table_is_seen_whole_until_something_is_measured_here(bench):
    def first():
        shown = props(bench.folder, bench.recorded)
        return shown.table, shown.size

    assert first() == ("mini", "quick"), "where nothing is recorded"
    elsewhere, cells = Folder(bench.folder.path / "elsewhere"), cells_of(bench)
    elsewhere.put(cells[0], made_up(cells[0]))
    record(TABLES["mini"].make(bench.folder), elsewhere, bench.recorded.path)
    assert first() == ("mini", "published")
    bench.folder.put(cells[1], made_up(cells[1]))
    assert first() == ("mini", "quick")


def test_stop_keeps_whole_cells_and_start_goes_on_with_the_rest(bench):
    bench.site.engine = fake_engine(delay=0.002)
    for heat in bench.start(QUICK, "somebody"):
        if heat.done and heat.state == "running":
            bench.site.stop("somebody")
    kept = heat.done
    assert heat.state == "stopped" and 0 < kept < 24
    assert all(
        bench.folder.get(cell)["pictures"] == 64 * cell.protocol.batches
        for cell in cells_of(bench)
        if bench.folder.has(cell)
    )
    assert bench.stopped("somebody").done == kept and not bench.folder.failures(cells_of(bench))
    assert f"{kept} of them measured" in bench.look(QUICK).doing
    assert list(bench.start(QUICK, "somebody"))[-1].done == 24


def test_a_cell_that_fails_says_why_and_the_others_are_measured(bench):
    good = fake_engine()

    def engine_without_tent(config, control):
        if config.contenders[0].method == "tent":
            raise ValueError("TENT: no.")
        return good(config, control)

    bench.site.engine = engine_without_tent
    last = list(bench.start(QUICK, "somebody"))[-1]
    assert last.done == 20
    assert [row.problems for row in last.rows if row.title == "TENT"] == [("TENT: no.",) * 4 + ("",)]


def test_a_press_measures_what_the_operator_allows_and_says_so(bench, monkeypatch):
    monkeypatch.setenv("CLIPTTA_MAX_IMAGES", str(5 * 256))
    last = list(bench.start(QUICK, "somebody"))[-1]
    assert (last.state, last.done, last.message) == ("stopped", 5, ENOUGH)
    assert list(bench.start(QUICK, "somebody"))[-1].done == 10


def test_one_cell_is_always_allowed_and_the_run_says_if_it_is_too_much(monkeypatch):
    monkeypatch.setenv("CLIPTTA_MAX_STEPS", "1")
    cells = [Cell("cliptta", seed=seed) for seed in range(2)]
    assert allowed(cells) == cells[:1]


def test_tables_of_papers_say_what_they_need(bench):
    needs = {table.name: table.needs for table in props(bench.folder, bench.recorded).tables}
    assert needs["mini"] == "" and "ViT-B-16/openai" in needs["T8"] and "svhn" in needs["T8"]
    assert list(bench.start({"table": "T8", "size": "quick"}, "somebody"))[-1].message == needs["T8"]


def test_a_table_of_photographs_can_be_measured_where_they_are(bench, tmp_path, monkeypatch):
    def needs(name):
        return next(table.needs for table in props(bench.folder, bench.recorded).tables if table.name == name)

    monkeypatch.setenv(limits.DATA, str(tmp_path))
    assert "Needs cifar10." in needs("photo") and "cifar10-c" in needs("photo-live")
    (tmp_path / "cifar10_test_half.zip").touch()
    assert needs("photo") == "" and "Needs cifar10-c." in needs("photo-live")


@pytest.mark.parametrize(
    "wanted", [{}, {"table": "nothing", "size": "quick"}, {"table": "mini", "size": None}]
)
def test_what_is_not_there_is_a_sentence(bench, wanted):
    assert bench.look(wanted).message and bench.card(wanted) is None
    assert list(bench.start(wanted, "somebody"))[-1].state == "failed"


def test_advice_waits_for_seeds_that_can_tell_methods_apart(bench):
    fill(bench)
    assert bench.look(QUICK).advice == ("One seed does not tell one method from another; three seeds may.",)
    seeds = {"table": "mini", "size": "seeds"}
    for cell in cells_of(bench, seeds):
        if cell.method != "tda" or cell.seed < 2:
            bench.folder.put(cell, made_up(cell))
    said = bench.look(seeds).advice
    # CLIPTTA is 10, 10.1 and 10.2 above: 10.1 on average, 4.303 · 0.1 / sqrt(3) = 0.25 to either side.
    # And 0, 0.1 and 0.2 points above SAR: t = 1.7 with three seeds, where 4.3 would do.
    assert said[0] == (
        "On noise: CLIPTTA, 51%, 10.1 ± 0.2 points above Zero-shot CLIP; too close to tell from it: SAR."
    )
    assert any(one.startswith("On all shifts together: ") for one in said)
    assert said[-1] == "1 of 6 methods is not measured with 3 seeds on every shift, and left out."


def test_advice_within_a_time_budget_is_of_those_that_keep_to_it(bench):
    seeds = {"table": "mini", "size": "seeds"}
    times = {"zero_shot": 0.1, "sar": 0.4, "tent": 0.3, "tda": 0.1, "clipartt": 4.0, "cliptta": 10.0}
    for cell in cells_of(bench, seeds):
        bench.folder.put(cell, made_up(cell) | {"seconds": times[cell.method]})
    within = [one for one in bench.look(seeds).advice if "the time of" in one]
    assert [one.partition(": ")[0] for one in within] == [
        "On all shifts together, in at most 5 times the time of Zero-shot CLIP",
        "On all shifts together, in at most 50 times the time of Zero-shot CLIP",
    ]
    assert all(": SAR, 50%, 10.0 ± 0.0 points above" in one for one in within), "CLIPTTA takes 100 times"


def test_a_part_of_a_table_is_looked_at_measured_and_kept(bench):
    part = {**QUICK, "methods": "tda", "shifts": "blur"}
    last = list(bench.start(part, "somebody"))[-1]
    assert (last.done, last.count) == (2, 2) and last.columns == ("glass blur 5",)
    assert {row.title for row in last.rows} == {"TDA", "Zero-shot CLIP"}
    assert bench.look(QUICK).done == 2, "the rest of the table is still to be measured"
    text = base64.b64decode(bench.keep({**part, "format": "md"}).data).decode()
    assert text.splitlines()[0] == "|  | glass blur 5 |"
    nothing = bench.look({**QUICK, "methods": "tnet"})
    assert nothing.state == "failed" and "no method is called 'tnet'" in nothing.message


def test_what_papers_report_stands_in_a_table_that_is_not_measured(bench):
    heat = bench.look({"table": "T1", "size": "full"})
    place = heat.columns.index("mean of CIFAR-10-C")
    assert heat.shifts == 30 and place >= heat.shifts and heat.columns[-1] == "mean"
    assert {row.title: row.reported[place] for row in heat.rows}["CLIPTTA"] == "80.7"


def test_open_in_play_is_the_run_of_the_cell():
    cell = Cell(
        "tent",
        {"lr": 1e-3, "steps": 3},
        shift=Shift("fog", 4),
        protocol=Protocol(32, 5, "shuffled", "pre"),
        seed=7,
    )
    there, here = to_config(to_settings(cell)), cell.config()
    assert [one.method for one in there.contenders] == ["zero_shot", "tent"]
    assert there.contenders[1] == here.contenders[0]
    for name in (
        "model",
        "source",
        "seed",
        "corruption",
        "severity",
        "style",
        "schedule",
        "order",
        "predict",
    ):
        assert getattr(there, name) == getattr(here, name)
    for name in ("batch_size", "batches", "episodic", "unknown_source", "templates"):
        assert getattr(there, name) == getattr(here, name)


def test_a_cell_that_is_attacked_or_begins_with_a_start_opens_in_play_and_says_so():
    shift = Shift(attack="linf", attack_epsilon=4.0, attack_iterations=5, attack_target="adapted")
    cell = Cell("tent", shift=shift, pre_step=PreStep("clipood", {"steps": 7}, 4))
    there, here = to_config(to_settings(cell)), cell.config()
    for name in (*asdict(shift), *asdict(cell.pre_step)):
        assert getattr(there, name) == getattr(here, name), name
    lines = dict(words.card([cell], [], Entry("", "", math.nan, math.nan, 0)))
    assert lines["Shift"] == "attack 4/255 on the adapted model" and "nobody attacked" in lines["Attack"]
    assert lines["Start"] == "CLIPood, 4 pictures a class, steps 7"
    loaded = replace(cell, shift=replace(shift, attack_target="loaded"))
    assert "first look" in dict(words.card([loaded], [], Entry("", "", math.nan, math.nan, 0)))["Attack"]
    plain = dict(words.card([Cell("tent")], [], Entry("", "", math.nan, math.nan, 0)))
    assert "Attack" not in plain and "Start" not in plain


def test_attacks_and_starts_count_for_the_limits_and_for_the_time_ahead(bench, monkeypatch):
    attacked = Shift(attack="linf", attack_epsilon=4.0)
    few = Protocol(64, 1)
    plain, shaken = Cell("zero_shot", protocol=few), Cell("zero_shot", shift=attacked, protocol=few)
    begun = Cell("zero_shot", protocol=few, pre_step=PreStep("clipood", {"steps": 50}))
    clock = Clock(bench.site, Speed(1.0, 2.0))
    assert clock.seconds([plain]) == 1 + 2
    assert clock.seconds([shaken]) == 1 + 2 * (1 + 3 * 7)
    assert clock.seconds([begun, begun]) == 2 * (1 + 2) + 50 * 3 * 2, "a start is made once"
    monkeypatch.setenv("CLIPTTA_MAX_STEPS", "20")
    assert allowed([shaken] * 3) == [shaken] * 2 and allowed([begun, plain]) == [begun]


def test_a_card_tells_protocol_versions_and_the_command(bench):
    fill(bench)
    place = [row.title for row in bench.look(QUICK).rows].index("CLIPTTA")
    card = bench.card({**QUICK, "row": place, "column": 1})
    lines = dict(card.lines)
    assert card.title == "CLIPTTA, glass blur 5" and lines["Accuracy"] == "50.0 %"
    assert "torch" in lines["Made with"] and lines["Stream"] == "4 × 64, shuffled"
    assert card.command == "python -m clip_tta_core.sweep mini --size quick"
    assert card.settings["corruption"] == "glass_blur"


@pytest.mark.parametrize("ending", ["csv", "md", "tex"])
def test_files_hold_the_numbers_of_the_table(bench, ending):
    fill(bench)
    file = bench.keep({**QUICK, "format": ending})
    text = base64.b64decode(file.data).decode()
    assert file.name == f"mini-quick.{ending}" and "50.0" in text or ending == "csv"
    if ending == "csv":
        rows = {(row["row"], row["column"]): row["mean"] for row in csv.DictReader(io.StringIO(text))}
        assert rows["glass blur 5", "tent"] == "0.36" and rows["mean", "cliptta"] == "0.5"
    assert bench.keep({**QUICK, "format": "exe"}) is None


def test_pictures_of_a_table_stand_alone(bench):
    """An SVG holds its texts as outlines; matplotlib says in comments what they are."""
    fill(bench)
    drawn = base64.b64decode(bench.keep({**QUICK, "format": "svg"}).data).decode()
    texts = re.findall(r"<!-- (.*?) -->", drawn)
    assert {"CLIPTTA", "glass blur 5", "50.0", "mean"} <= set(texts)
    caption = " ".join(texts)
    for part in (TABLES["mini"].title, "size: Quick", "seeds 0", "compare with Zero-shot CLIP", "with code"):
        assert part in caption
    png = base64.b64decode(bench.keep({**QUICK, "format": "png"}).data)
    assert png.startswith(b"\x89PNG") and np.asarray(Image.open(io.BytesIO(png)).convert("L")).std() > 10


def test_where_a_run_may_be_no_longer_than_a_look_a_table_is_shown_without_the_time(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPTTA_MAX_IMAGES", "16")
    bench = Benchmark(Site(CATALOG, RunLog()), Folder(tmp_path / "here"), Recorded(tmp_path / "recorded"))
    heat = bench.look(QUICK)
    assert heat.state == "idle" and heat.count == len(cells_of(bench)) and "nan" not in heat.doing
