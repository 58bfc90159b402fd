"""The cards say what was recorded, and a dash for the rest."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from clip_tta_core.card import __main__ as command
from clip_tta_core.card import drawings, layout, photographs
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender
from clip_tta_core.sweep.cells import Protocol, Shift
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.sweep.tables import TABLES, Column, Row, Table


class MadeUp:
    """Numbers by what a cell is; of every other cell what `rest` gives."""

    def __init__(self, numbers=None, rest=None):
        self.numbers, self.rest = numbers or {}, rest

    def get(self, cell):
        return self.numbers.get(cell.content, self.rest)


def test_the_cards_that_ship_are_what_the_recorded_tables_give():
    for member, card in command.CARDS.items():
        assert (member.folder / "README.md").read_text(encoding="utf-8") == card(Recorded())


@pytest.mark.parametrize("card", [drawings.card, photographs.card])
def test_a_card_without_numbers_has_its_text_and_no_table(card):
    text = card(MadeUp())
    assert "## Training" in text and "## Limits" in text and "| --- |" not in text


@pytest.mark.parametrize(
    "card, tables",
    [
        (
            drawings.card,
            ("mini", "mini-severities", "mini-streams", "mini-unknown", "mini-starts", "mini-attacks"),
        ),
        (
            photographs.card,
            (
                *("photo", "photo-severities", "photo-streams", "photo-unknown", "photo-paper"),
                *("photo-parts", "photo-starts", "photo-attacks"),
            ),
        ),
    ],
)
def test_every_table_of_a_model_stands_in_its_card(card, tables):
    names = ("accuracy", "ece", "auroc", "fpr95", "effective_classes", "third_1", "third_2", "third_3")
    text = card(MadeUp(rest=dict.fromkeys(names, 0.25)))
    for name in tables:
        table = TABLES[name].make(MadeUp())
        for row in table.rows:
            shown = row.title.removesuffix(" 5") if row.shift.corruption != "none" else row.title
            assert shown in text or shown.rstrip("12345 ") in text, (name, row.title)
    assert "25.0%" in text and all(f"| {cls.title} | 25.0" in text for cls in METHODS.values())


def table(*labels, rows=("fog", "snow"), seeds=(0, 1, 2)) -> Table:
    columns = tuple(Column(Contender(label, label.partition(",")[0], settings)) for label, settings in labels)
    shifts = tuple(Row(f"{name} 5", Shift(name), protocol=Protocol(4, 1)) for name in rows)
    return Table("made up", "Made up", shifts, columns, seeds)


def fill(of, accuracy):
    numbers = {}
    for row, column, seed in itertools.product(of.rows, of.columns, of.seeds):
        value = accuracy(row.shift.corruption, column.contender.label, seed)
        if value is not None:
            numbers[of.cell(row, column, seed).content] = {"accuracy": value, "effective_classes": 7.5}
    return MadeUp(numbers)


def test_the_field_shows_three_columns_and_the_best_first():
    one = table(("tent", {}), ("tent, chosen", {"lr": 3e-4, "steps": 1}), ("sar", {}), ("tda", {}))
    base = {"tent": 0.2, "tent, chosen": 0.6, "sar": 0.4}
    text = layout.field(
        one, fill(one, lambda row, label, seed: base[label] + 0.01 * seed if label in base else None)
    )
    assert text.startswith("Seeds measured: 3.")
    lines = [line for line in text.splitlines() if line.startswith(("| TENT", "| SAR", "| TDA"))]
    assert lines[0] == "| TENT | 21.0 ± 1.0 (7.5) | 61.0 ± 1.0 (7.5, lr 0.0003, 1 step) | - |"
    assert lines[1] == "| SAR | 41.0 ± 1.0 (7.5) | - | - |"
    assert lines[2] == "| TDA | - | - | - |"


def test_what_is_published_with_the_settings_of_another_column_stands_in_both():
    """CLIPTTA's protocol is CLIPTTA's own settings, which nobody measures twice; TENT's is not TENT's."""
    labels = [("cliptta", {}), ("tent", {}), ("cliptta, protocol", {"lr": 1e-4, "steps": 10})]
    one = table(*labels, ("tent, protocol", {"lr": 1e-3, "steps": 10}))
    text = layout.field(
        one, fill(one, lambda row, label, seed: None if label.endswith("protocol") else 0.5 + 0.01 * seed)
    )
    assert "| CLIPTTA | 51.0 ± 1.0 (7.5) | - | 51.0 ± 1.0 (7.5) |" in text
    assert "| TENT | 51.0 ± 1.0 (7.5) | - | - |" in text


def courses(*thirds) -> dict[str, float]:
    return {"accuracy": sum(thirds) / 3, **{f"third_{k + 1}": value for k, value in enumerate(thirds)}}


def test_what_is_as_in_the_paper_is_counted_not_told_from_memory():
    """Of two corruptions TENT peaks and sinks on one and climbs on the other; CLIPTTA climbs on one."""
    one = dataclasses.replace(TABLES["photo-paper"].make(MadeUp()), rows=table(("tent", {})).rows)
    cells = {
        "zero_shot": (courses(0.4, 0.4, 0.4), courses(0.4, 0.4, 0.4)),
        "tent": (courses(0.4, 0.5, 0.2), courses(0.4, 0.5, 0.6)),
        "cliptta": (courses(0.4, 0.5, 0.6), courses(0.5, 0.6, 0.5)),
    }
    numbers = {
        one.cell(row, column, 0).content: cells[column.contender.method][k]
        for column in one.columns
        for k, row in enumerate(one.rows)
    }
    said = " ".join(photographs.along_the_stream(one, MadeUp(numbers)).split())
    assert "its last third is ahead of its first on 1 of the 2 corruptions" in said
    assert "the whole ahead of zero-shot CLIP on 2." in said
    assert "TENT ends below where it began on 1, and on 1 it is at its best in between" in said
    assert "on the other 1 TENT does not fall" in said
    assert "common rule" not in said, "nothing is chosen without a grid"
    assert "CLIPTTA 51.7, TENT 43.3, TENT + diversity 43.3, Zero-shot CLIP 40.0." in said
    del numbers[next(iter(numbers))]
    assert "As in the paper" not in photographs.along_the_stream(one, MadeUp(numbers))


def test_the_courses_under_the_common_rule_are_told_beside_those_of_the_protocol():
    chosen = [("tent, chosen", {"lr": 1e-3}), ("cliptta, chosen", {"lr": 1e-3})]
    one = table(("zero_shot", {}), ("tent", {}), ("cliptta", {}), *chosen, rows=("fog",), seeds=(0,))
    course = {
        "zero_shot": courses(0.4, 0.4, 0.4),
        "tent": courses(0.4, 0.4, 0.4),
        "cliptta": courses(0.4, 0.4, 0.4),
        "tent, chosen": courses(0.3, 0.4, 0.2),
        "cliptta, chosen": courses(0.4, 0.5, 0.6),
    }
    numbers = {
        one.cell(row, column, 0).content: course[column.contender.label]
        for column in one.columns
        for row in one.rows
    }
    said = " ".join(photographs.along_the_stream(one, MadeUp(numbers)).split())
    assert "its last third is ahead of its first on 0 of the 1" in said
    assert "CLIPTTA's last third is ahead of its first on 1, and TENT ends below where it began on 1" in said
    assert "Means over the corruptions, in percent: CLIPTTA, chosen 50.0, " in said
    assert said.endswith("TENT, chosen 30.0.")


def test_means_wait_for_every_row():
    one = table(("tent", {}), seeds=(0,))
    text = layout.by_row(one, fill(one, lambda row, label, seed: 0.5 if row == "fog" else None))
    assert text.splitlines()[0] == "|  | fog | snow | mean |"
    assert text.splitlines()[2] == "| TENT | 50.0 | - | - |"


def test_a_table_of_few_contenders_shows_the_spread_over_seeds():
    one = table(("tent", {}), rows=("fog",))
    text = layout.by_row(one, fill(one, lambda row, label, seed: 0.5 + 0.1 * seed), spread=True)
    assert text.splitlines()[2] == "| TENT | 60.0 ± 10.0 |"


def test_a_table_waits_for_a_contender_that_is_measured_on_all_rows():
    """The tables of starts share cells with those of methods, which they must not bring into the card."""
    one = TABLES["photo-streams"].make(MadeUp())
    column = one.columns[0]
    cells = [one.cell(row, column, 0) for row in one.rows]
    some = {cell.content: {"accuracy": 0.5, "effective_classes": 5.0} for cell in cells}
    assert "heading" in layout.section("photo-streams", MadeUp(some), "heading", layout.by_row)
    del some[cells[-1].content]
    assert layout.section("photo-streams", MadeUp(some), "heading", layout.by_row) == ""


def test_severities_stand_across_with_their_mean():
    shifts = [Shift(name, severity) for name in ("fog", "snow") for severity in (1, 5)]
    rows = (*(Row(shift.title, shift) for shift in shifts), Row("clean", Shift()))
    one = Table("made up", "", rows, (Column(Contender("zero_shot", "zero_shot")),), (2024,))
    numbers = {}
    for number, row in enumerate(one.rows, start=1):
        numbers[one.cell(row, one.columns[0], 2024).content] = {"accuracy": number / 10}
    lines = layout.severities(one, MadeUp(numbers)).splitlines()
    assert lines[0] == "|  | 1 | 5 |" and lines[2:5] == [
        "| fog | 10.0% | 20.0% |",
        "| snow | 30.0% | 40.0% |",
        "| **mean** | 20.0% | 30.0% |",
    ]
    assert lines[-1] == "| clean | 50.0% |"


def test_a_grid_averages_the_seeds_there_are():
    one = table(("tent", {}), rows=("fog",), seeds=(0, 1))
    known = fill(one, lambda row, label, seed: 0.2 + 0.2 * seed)
    assert "| fog 5 | 30.0% |" in layout.grid(one, known, layout.percent)
    assert layout.detection(None) == layout.course(None) == "-"
    assert layout.detection({"auroc": 0.8, "fpr95": 0.6, "ece": 0.05, "accuracy": 0.9}) == (
        "80.0% / 60.0% / 5.0% / 90.0%"
    )
    assert layout.course({"accuracy": 0.5, "third_1": 0.4, "third_2": 0.5, "third_3": 0.6}) == (
        "50.0%: 40.0% → 50.0% → 60.0%"
    )
