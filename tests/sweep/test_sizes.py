"""A size is a part of a table: fewer of everything, and nothing that the table does not declare."""

from __future__ import annotations

import os

import pytest

from clip_tta_core.control import Control
from clip_tta_core.engine import run
from clip_tta_core.starts import STARTS
from clip_tta_core.sweep.cells import Cell, Protocol, Shift, measure
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.sizes import SIZES
from clip_tta_core.sweep.tables import TABLES


@pytest.fixture
def mini(tmp_path):
    return TABLES["mini"].make(Folder(tmp_path))


def test_quick_is_six_methods_on_one_shift_of_each_family(mini):
    quick = SIZES["quick"].of(mini)
    methods = [column.contender.method for column in quick.columns]
    assert sorted(methods) == sorted(SIZES["quick"].methods), "each of them once"
    assert [row.shift.corruption for row in quick.rows] == [
        *("gaussian_noise", "glass_blur", "frost", "elastic_transform")
    ]
    assert {row.protocol.batches for row in quick.rows} == {4} and quick.seeds == mini.seeds[:1]


def test_a_method_counts_once_from_each_start(tmp_path):
    table = TABLES["mini-starts"].make(Folder(tmp_path))
    wide = SIZES["wide"].of(table)
    begun = [(column.contender.method, column.pre_step.start) for column in table.columns]
    assert {start for _, start in begun} == {"none", *STARTS} and len(set(begun)) == len(begun)
    assert wide.columns == table.columns and wide.seeds == table.seeds[:1]


def test_full_is_the_table_itself(mini):
    assert SIZES["full"].of(mini) == mini


@pytest.mark.parametrize("smaller, larger", [("quick", "seeds"), ("quick", "wide")])
def test_what_a_smaller_size_has_measured_the_larger_one_does_not_measure_again(mini, smaller, larger):
    some, more = ({cell.key for cell in SIZES[name].of(mini).cells()} for name in (smaller, larger))
    assert some < more


def test_half_a_stream_is_no_measurement():
    cell, control = Cell("zero_shot", shift=Shift("fog"), protocol=Protocol(8, 3)), Control()

    def stopped_after_one(config):
        for report in run(config, control):
            yield report
            control.stop()

    assert measure(cell, stopped_after_one, lambda: control.stopped) == {}
    assert measure(cell)["pictures"] == 24


def test_a_folder_forgets_its_oldest(tmp_path):
    folder = Folder(tmp_path)
    cells = [Cell("zero_shot", seed=seed) for seed in range(3)]
    for age, cell in enumerate(cells):
        folder.put(cell, {"accuracy": 0.5})
        os.utime(tmp_path / f"{cell.key}.json", (age, age))
    folder.keep(2)
    assert [folder.has(cell) for cell in cells] == [False, True, True]
