"""Tables hold what they say, choose settings by one rule, and put papers' numbers beside ours."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import math

import pytest

from clip_tta_core.comparison import protocol_knobs
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender
from clip_tta_core.sources.base import ORDERS
from clip_tta_core.sweep import contenders, published, summary
from clip_tta_core.sweep.cells import Protocol, Shift
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.tables import TABLES, Column, Row, Table

TINY = Protocol(batch_size=4, batches=1)
SHUFFLED = Protocol()


def small(rows: int = 2, seeds: int = 3) -> Table:
    """Two contenders on fog and snow."""
    shifts = [Shift("fog"), Shift("snow")][:rows]
    columns = (Column(Contender("one", "zero_shot")), Column(Contender("two", "tent")))
    table_rows = tuple(Row(shift.title, shift, protocol=TINY) for shift in shifts)
    return Table("small", "Small", table_rows, columns, tuple(range(seeds)))


@pytest.mark.parametrize("name", list(TABLES))
def test_every_declared_table_can_be_run(name, tmp_path):
    table = TABLES[name].make(Folder(tmp_path))
    cells = list(table.cells())
    assert (
        len({cell.key for cell in cells})
        == len(cells)
        == (len(table.rows) * len(table.columns) * len(table.seeds))
    )
    for cell in cells[:: max(1, len(cells) // 20)]:
        METHODS[cell.method].Config.from_values(dict(cell.settings))
        assert 1 <= cell.protocol.batches <= 2000


def test_a_table_that_is_cut_off_is_whole_for_fewer_seeds():
    seeds = [cell.seed for cell in small().cells()]
    assert seeds == sorted(seeds)


def test_settings_are_chosen_by_the_mean_over_the_extra_corruptions_alone(tmp_path):
    """TENT is made best at 3e-4 and one step, on average; no other method has a whole grid."""
    folder, grid = Folder(tmp_path), TABLES["mini-grid"].make(Folder(tmp_path))
    assert {row.shift.corruption for row in grid.rows} == set(contenders.EXTRA)
    for row, column in itertools.product(grid.rows, grid.columns):
        settings = column.contender.settings
        if column.contender.method != "tent" or "beta_reg" in settings:
            continue
        best = (settings["lr"], settings["steps"]) == (3e-4, 1)
        tempting = row is grid.rows[0] and settings["lr"] == 1e-3
        accuracy = 0.9 if tempting else 0.6 if best else 0.1
        folder.put(grid.cell(row, column, grid.seeds[0]), {"accuracy": accuracy})
    assert contenders.chosen(folder) == (Contender("tent, chosen", "tent", {"lr": 3e-4, "steps": 1}),)


def test_of_equals_the_gentlest_setting_is_chosen(tmp_path):
    folder, grid = Folder(tmp_path), TABLES["mini-grid"].make(Folder(tmp_path))
    for row, column in itertools.product(grid.rows, grid.columns):
        if column.contender.method == "eta":
            folder.put(grid.cell(row, column, grid.seeds[0]), {"accuracy": 0.5})
    assert contenders.chosen(folder) == (Contender("eta, chosen", "eta", {"lr": 1e-5, "steps": 1}),)


def test_the_same_grid_and_protocol_hold_for_every_gradient_method(tmp_path):
    grid = TABLES["mini-grid"].make(Folder(tmp_path))
    tried: dict[str, set] = {}
    for column in grid.columns:
        settings = column.contender.settings
        label = column.contender.label.partition(" at ")[0]
        tried.setdefault(label, set()).add((settings["lr"], settings["steps"]))
    assert set(tried) == {*contenders.gradient_methods(), "tent + diversity"}
    whole = set(itertools.product(contenders.GRID["lr"], contenders.GRID["steps"]))
    assert tried.pop("watt") == {(lr, 1) for lr in contenders.GRID["lr"]}, "more is too dear"
    assert all(settings == whole for settings in tried.values())
    common = {"lr": 1e-4, "steps": 10}
    for one in contenders.under_protocol():  # the same for all, but where the paper's own code departs
        preset = protocol_knobs()[one.method]
        for name, value in common.items():
            assert one.settings[name] == preset.get(name, value)


def test_what_starts_over_at_every_batch_is_measured_on_one(tmp_path):
    table = TABLES["mini"].make(Folder(tmp_path))
    short = {column.contender.label for column in table.columns if column.batches == 1}
    assert {"watt", "clipartt", "zero", "tpt"} <= short, "their authors start over"
    assert short.isdisjoint({"watt, protocol", "clipartt, protocol", "tent", "cliptta", "cliptta, protocol"})


def test_means_and_spreads_are_over_seeds(tmp_path):
    folder, table = Folder(tmp_path), small()
    for seed, (fog, snow) in enumerate([(0.1, 0.5), (0.2, 0.4), (0.3, 0.6)]):
        folder.put(table.cell(table.rows[0], table.columns[0], seed), {"accuracy": fog})
        folder.put(table.cell(table.rows[1], table.columns[0], seed), {"accuracy": snow})
    fog, snow, mean = (line[0] for line in summary.summarize(table, folder))
    assert (fog.mean, fog.spread, fog.seeds) == (pytest.approx(0.2), pytest.approx(0.1), 3)
    assert snow.mean == pytest.approx(0.5)
    # means of the rows by seed: 0.3, 0.3, 0.45
    assert (mean.mean, mean.spread) == (pytest.approx(0.35), pytest.approx(math.sqrt(0.0075)))
    assert summary.summarize(table, folder)[0][1].text == "-", "nothing of the other is measured"
    assert fog.text == "20.0 ± 10.0"


def test_a_mean_of_rows_waits_for_all_of_them(tmp_path):
    folder, table = Folder(tmp_path), small(seeds=1)
    folder.put(table.cell(table.rows[0], table.columns[0], 0), {"accuracy": 0.1})
    assert summary.summarize(table, folder)[-1][0].text == "-"


def test_files_hold_the_same_numbers(tmp_path):
    folder, table = Folder(tmp_path), small(seeds=1)
    for row, column in itertools.product(table.rows, table.columns):
        folder.put(table.cell(row, column, 0), {"accuracy": 0.25})
    lines = summary.summarize(table, folder)
    read = list(csv.DictReader(io.StringIO(summary.to_csv(lines))))
    assert [(r["row"], r["column"], r["mean"]) for r in read][:2] == [
        ("fog 5", "one", "0.25"),
        ("fog 5", "two", "0.25"),
    ]
    markdown = summary.to_markdown(lines).splitlines()
    assert markdown[0] == "|  | fog 5 | snow 5 | mean |" and markdown[2] == "| one | 25.0 | 25.0 | 25.0 |"
    assert r"one & 25.0 & 25.0 & 25.0 \\" in summary.to_latex(lines)


def test_latex_escapes_what_it_must():
    entry = summary.Entry("a_b", "50 % & more", 0.5, 0.01, 2)
    assert r"50 \% \& more & 50.0 $\pm$ 1.0 \\" in summary.to_latex([[entry]])


def test_what_papers_report_stands_beside_the_mean_of_the_corruptions(tmp_path):
    table = TABLES["T1"].make(Folder(tmp_path))
    lines = summary.summarize(table, Folder(tmp_path))
    place = [column.contender.method for column in table.columns].index("cliptta")
    reported = {line[place].row: [one.value for one in line[place].published] for line in lines}
    assert reported.pop("mean of CIFAR-10-C") == [80.7] and reported.pop("mean of CIFAR-100-C") == [52.6]
    assert not any(reported.values()), "the paper's numbers are of all corruptions of one set"


def test_a_mean_of_a_data_set_is_of_its_rows_alone(tmp_path):
    folder, table = Folder(tmp_path), small(seeds=1)
    rows = [dataclasses.replace(row, data=data) for row in table.rows for data in ("A", "A", "B")]
    rows = [
        dataclasses.replace(row, protocol=dataclasses.replace(TINY, batches=1 + k))
        for k, row in enumerate(rows)
    ]
    table = dataclasses.replace(table, rows=tuple(rows), columns=table.columns[:1])
    for row, accuracy in zip(table.rows, (0.1, 0.2, 0.9, 0.3, 0.4, 0.5), strict=True):
        folder.put(table.cell(row, table.columns[0], 0), {"accuracy": accuracy})
    means = {line[0].row: line[0].mean for line in summary.summarize(table, folder)[6:]}
    assert means == {
        "mean of A": pytest.approx(0.25),
        "mean of B": pytest.approx(0.7),
        "mean": pytest.approx(0.4),
    }


@pytest.mark.parametrize("accuracy, said", [(0.594, "is within 1 point"), (0.5, "has 50.0 % on mean where")])
def test_unadapted_clip_tells_whether_model_and_pictures_are_the_papers(accuracy, said, tmp_path):
    """Papers report 60.2 %, CLIPTTA's, and 60.2 or less in others."""
    folder, table = Folder(tmp_path), TABLES["T1"].make(Folder(tmp_path)).only("no adaptation", "CIFAR-10-C")
    for cell in table.cells():
        folder.put(cell, {"accuracy": accuracy})
    (entries,) = zip(*summary.summarize(table, folder), strict=True)
    assert said in summary.light(entries)
    assert summary.light(summary.summarize(small(), folder)[0]) == "", "no paper tells of it"


def test_a_part_of_a_table_is_found_by_names_and_families(tmp_path):
    table = TABLES["mini"].make(Folder(tmp_path))
    found = table.only("cliptta, prompts", "blur, snow")
    assert {row.title for row in found.rows} == {
        "snow 5",
        *(row.title for row in table.rows if row.kind == "blur"),
    }
    methods = {column.contender.method for column in found.columns}
    assert {"zero_shot", "cliptta", "tpt", "rlcf"} <= methods and methods.isdisjoint({"tent", "tda"})
    assert set(found.cells()) < set(table.cells()) and table.only() == table
    for wanted in (("nothing",), ("", "nothing")):
        with pytest.raises(ValueError, match="no (method|shift) is called 'nothing'; give a part of a name"):
            table.only(*wanted)


def reported(lines: list) -> dict[tuple[str, str], list[float]]:
    """{(row, column): what papers report of it}"""
    return {(one.row, one.column): [known.value for known in one.published] for line in lines for one in line}


def test_the_parts_of_the_loss_and_the_weights_of_oce_stand_beside_what_the_paper_has(tmp_path):
    folder = Folder(tmp_path)
    parts = reported(summary.summarize(TABLES["T4"].make(folder), folder))
    assert parts["mean of CIFAR-100-C", "L_s + L_reg"] == [52.4] and parts["ImageNet", "L_s only"] == [68.8]
    table = TABLES["T21"].make(folder)
    weights = {column.contender.label: column.contender.settings for column in table.columns}
    assert weights["CLIPTTA+OCE, weight 0.25"]["beta_ood"] == 0.25 and not weights["CLIPTTA"].get("open_set")
    found = reported(summary.summarize(table, folder, "fpr95"))
    assert found["ImageNet vs Places", "CLIPTTA"] == [25.7]
    assert found["ImageNet vs Places", "CLIPTTA+OCE, weight 100"] == [2.3]


def test_where_papers_differ_both_are_given():
    known = published.lookup("ViT-B/32", "CIFAR-10", "CLIP")
    assert len(known) > 1 and len({one.source for one in known}) > 1


def test_published_numbers_have_sources_and_are_what_the_file_holds():
    assert len(published.published()) == 674
    assert all(one.source and math.isfinite(one.value) for one in published.published())


def test_a_row_is_of_the_kind_that_says_most_of_its_stream():
    def kind(protocol=SHUFFLED, **shift):
        return Row("", Shift(**shift), protocol=protocol).kind

    assert kind(corruption="fog") == "weather" and kind(corruption="pixelate") == "digital corruptions"
    assert kind() == "clean pictures" and kind(style="negative") == "styles"
    assert kind(schedule="mixed") == "changing corruptions" and kind(attack="linf") == "attacked pictures"
    uneven = {kind(Protocol(order=order), corruption="fog") for order in ORDERS if order != "shuffled"}
    assert len(uneven) == len(ORDERS) - 1 and "weather" not in uneven
    assert kind(Protocol(batch_size=1), corruption="fog") == "one picture at a time"
    assert kind(Protocol(unknown_source="digits"), corruption="fog") == "unknown pictures"
