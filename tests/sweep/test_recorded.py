"""What comes with the project: found by what a cell is, and only with the weights it was measured on."""

from __future__ import annotations

import dataclasses
import gzip
import json
from functools import partial

import pytest

from clip_tta_core.clip.loading import MINI
from clip_tta_core.records import Contender
from clip_tta_core.sweep import __main__ as command
from clip_tta_core.sweep import recorded, tables
from clip_tta_core.sweep.cells import Cell, PreStep, Protocol, Shift, weights_version
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Either, Recorded, record
from clip_tta_core.sweep.tables import Column, Row, Table

ROWS = tuple(Row(name, Shift(name), protocol=Protocol(4, 1)) for name in ("fog", "snow"))
TABLE = Table("small", "Small", ROWS, (Column(Contender("TENT", "tent", {"lr": 1e-3})),), (0,))
FOG, SNOW = TABLE.cells()


@pytest.fixture
def kept(tmp_path):
    """A recording of fog alone."""
    folder = Folder(tmp_path / "cells")
    folder.put(FOG, {"accuracy": 0.123456789, "seconds": 2.0, "drift": 3.0})
    record(TABLE, folder, tmp_path / "tables")
    return tmp_path


def test_a_recorded_cell_is_found_by_what_it_is(kept):
    known = Recorded(kept / "tables")
    assert known.get(FOG) == {"accuracy": 0.12346, "seconds": 2.0}, "five digits of what tables show"
    assert known.get(SNOW) is None
    here = Folder(kept / "cells").card(FOG)
    kept_of_it = {"numbers": known.get(FOG), "date": here["date"][:10]}
    assert known.card(FOG) == {name: here[name] for name in known.card(FOG)} | kept_of_it
    assert {"cell", "code", "weights", "date", "machine", "torch"} <= known.card(FOG).keys()
    assert known.get(dataclasses.replace(FOG, seed=1)) is None
    assert known.get(dataclasses.replace(FOG, settings={"lr": 1e-4})) is None


def test_new_code_leaves_a_recording_and_new_weights_end_it(kept, monkeypatch):
    monkeypatch.setattr("clip_tta_core.sweep.cells.code_version", lambda: "another")
    assert Recorded(kept / "tables").get(FOG)
    monkeypatch.setattr(recorded, "weights_version", lambda model: "another")
    assert Recorded(kept / "tables").get(FOG) is None


def test_what_a_cell_is_does_not_depend_on_what_stands_at_its_default():
    """A setting that a later version adds to cells leaves the recordings of today valid."""
    assert Cell("tent").content == Cell("tent", {}, MINI, shift=Shift(), protocol=Protocol(), seed=0).content
    seen = {
        cell.content
        for cell in (
            Cell("tent"),
            Cell("tent", seed=1),
            Cell("tent", shift=Shift(severity=4)),
            Cell("tent", protocol=Protocol(batches=4)),
            Cell("tent", {"lr": 1e-3}),
            Cell("tent", shift=Shift(attack="linf")),
            Cell("tent", pre_step=PreStep("clipood")),
        )
    }
    assert len(seen) == 7


def test_the_same_numbers_make_the_same_file(kept):
    first = (kept / "tables" / "small.json.gz").read_bytes()
    assert record(TABLE, Folder(kept / "cells"), kept / "again").read_bytes() == first
    assert [made["weights"] for made in json.loads(gzip.decompress(first))["made"]] == [weights_version(MINI)]


def test_nothing_is_not_recorded(tmp_path):
    with pytest.raises(ValueError, match="nothing of table 'small' is measured"):
        record(TABLE, Folder(tmp_path), tmp_path)


def test_what_is_measured_here_comes_before_what_was_recorded(kept):
    here = Folder(kept / "here")
    both = Either(here, Recorded(kept / "tables"))
    assert both.get(FOG)["accuracy"] == 0.12346 and both.get(SNOW) is None
    here.put(FOG, {"accuracy": 0.5})
    assert both.get(FOG) == {"accuracy": 0.5}


def test_a_table_is_recorded_in_several_sittings(kept, monkeypatch):
    ours, there = kept / "tables", Folder(kept / "there")
    monkeypatch.setattr("clip_tta_core.sweep.folder.code_version", lambda: "another")
    there.put(SNOW, {"accuracy": 0.5})
    record(TABLE, there, ours)
    known = Recorded(ours)
    assert known.get(FOG)["accuracy"] == 0.12346 and known.get(SNOW) == {"accuracy": 0.5}
    assert known.card(SNOW)["code"] == "another" != known.card(FOG)["code"]
    there.put(FOG, {"accuracy": 0.25})
    record(TABLE, there, ours)
    assert Recorded(ours).get(FOG) == {"accuracy": 0.25}, "what is measured anew takes the older's place"
    record(dataclasses.replace(TABLE, rows=ROWS[:1]), there, ours)
    assert Recorded(ours).get(SNOW) is None, "a cell that is no longer the table's goes"


def test_a_sitting_over_fewer_seeds_leaves_the_others_of_a_recording(kept, monkeypatch):
    """The command, with all that it wants measured before: it records and asks for nothing more."""
    both = dataclasses.replace(TABLE, name="both", seeds=(0, 1))
    monkeypatch.setitem(tables.TABLES._items, "both", tables.Declared("both", "Both", lambda known: both))
    monkeypatch.setattr(recorded, "FOLDER", kept / "ours")
    monkeypatch.setattr(command, "record", partial(record, path=kept / "ours"))
    first, second = Folder(kept / "first"), Folder(kept / "second")
    for cell in both.cells():
        (first if cell.seed else second).put(cell, {"accuracy": 0.5 + cell.seed / 10})
    record(both, first, kept / "ours")
    options = ["--record", "--seeds", "1", "--out", str(second.path)]
    monkeypatch.setattr("sys.argv", ["sweep", "both", *options])
    assert command.main() == 0
    known = Recorded(kept / "ours")
    assert all(known.get(cell) == {"accuracy": 0.5 + cell.seed / 10} for cell in both.cells())
