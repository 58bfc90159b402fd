"""A cell is what decides its numbers: nothing else enters its name, and all of it does."""

from __future__ import annotations

import dataclasses
import json

import pytest

from clip_tta_core import limits
from clip_tta_core.engine import run
from clip_tta_core.sweep import cells
from clip_tta_core.sweep.cells import Cell, PreStep, Protocol, Shift, measure
from clip_tta_core.sweep.folder import Folder

TINY = Protocol(batch_size=8, batches=2)
FOG = Cell("tent", {"lr": 1e-3, "steps": 1}, shift=Shift("fog", 3), protocol=TINY)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "eta"},
        {"settings": {"lr": 1e-4, "steps": 1}},
        {"model": "ViT-B-32/openai"},
        {"source": "dataset:cifar10"},
        {"shift": Shift("fog", 4)},
        {"shift": Shift("fog", 3, schedule="gradual")},
        {"protocol": dataclasses.replace(TINY, predict="pre")},
        {"seed": 1},
        {"shift": Shift("fog", 3, attack="linf")},
        {"shift": Shift("fog", 3, attack="linf", attack_target="adapted")},
        {"pre_step": PreStep("clipood")},
        {"pre_step": PreStep("clipood", shots=4)},
    ],
)
def test_whatever_decides_a_number_is_in_the_name(change):
    assert dataclasses.replace(FOG, **change).key != FOG.key


def test_the_order_of_settings_is_not():
    assert dataclasses.replace(FOG, settings={"steps": 1, "lr": 1e-3}).key == FOG.key


def test_equal_cells_are_one_place_of_a_dictionary():
    same = dataclasses.replace(FOG, settings={"steps": 1, "lr": 1e-3})
    assert {FOG: 1}[same] == 1 and dataclasses.replace(FOG, settings={}) not in {FOG: 1}


@pytest.mark.parametrize("what", ["code_version", "weights_version"])
def test_other_code_and_other_weights_are_other_cells(what, monkeypatch):
    before = FOG.key
    monkeypatch.setattr(cells, what, lambda *arguments: "another")
    assert FOG.key != before


def test_the_code_is_what_numbers_depend_on(tmp_path, monkeypatch):
    for name in ("losses.py", "ui/words.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    monkeypatch.setattr(cells, "PACKAGE", tmp_path)
    version = cells.code_version.__wrapped__
    before = version()
    (tmp_path / "ui/words.py").write_text("new")
    assert version() == before
    (tmp_path / "losses.py").write_text("new")
    assert version() != before


def test_a_cell_measures_what_a_run_of_its_configuration_ends_with():
    numbers = measure(FOG)
    for report in run(FOG.config()):
        last = report.outcomes["tent"].metrics
    assert numbers["accuracy"] == last["accuracy"] and numbers["pictures"] == 16
    assert "auroc" not in numbers, "without unknown pictures it has no meaning"
    assert numbers["seconds"] > 0


def test_what_begins_with_a_start_is_measured_from_it_and_unadapted_is_the_start_itself(
    tmp_path, monkeypatch
):
    monkeypatch.setenv(limits.STARTS, str(tmp_path))
    few = PreStep("clipood", {"steps": 3, "batch_size": 8, "lr": 1e-3}, shots=1)
    itself = Cell("zero_shot", protocol=TINY, pre_step=few)
    config = itself.config()
    assert (config.start, config.start_settings, config.shots) == ("clipood", few.start_settings, 1)
    assert itself.label == "CLIPood, 1 shot" and Cell("zero_shot").label == "zero_shot"
    *_, report = run(config)
    start, unadapted = (report.outcomes[label].metrics for label in (itself.label, "zero_shot"))
    assert measure(itself)["ece"] == start["ece"] != unadapted["ece"]
    from_it = dataclasses.replace(itself, method="tent")
    *_, report = run(from_it.config())
    assert measure(from_it)["accuracy"] == report.outcomes["tent"].metrics["accuracy"]


@pytest.mark.parametrize(
    "shift, title",
    [
        (Shift(), "clean"),
        (Shift(style="negative"), "negative"),
        (Shift("fog", 3), "fog 3"),
        (Shift(schedule="mixed"), "mixed 5"),
        (Shift(attack="linf", attack_epsilon=4.0), "attack 4/255"),
        (Shift("fog", attack="l2", attack_target="adapted"), "fog 5, L2 attack 1/255 on the adapted model"),
    ],
)
def test_a_shift_is_called_by_all_that_happens(shift, title):
    assert shift.title == title


def test_a_folder_keeps_a_cell_with_what_anybody_needs_to_make_it_again(tmp_path):
    folder = Folder(tmp_path)
    assert folder.get(FOG) is None and not folder.has(FOG)
    folder.put(FOG, {"accuracy": 0.25})
    assert folder.get(FOG) == {"accuracy": 0.25}
    card = folder.card(FOG)
    assert card["cell"] == json.loads(json.dumps(dataclasses.asdict(FOG)))
    assert {"code", "weights", "torch", "date"} <= card.keys()
    assert [file.name for file in tmp_path.iterdir()] == [f"{FOG.key}.json"], "no draft is left"


def test_failed_cells_say_why_and_are_tried_again_only_when_asked(tmp_path):
    folder = Folder(tmp_path)
    folder.fail(FOG, "It rained.")
    assert folder.failures([FOG]) == {FOG.key: "It rained."}
    assert folder.read([FOG]) == ({}, {FOG: "It rained."})
    assert folder.missing([FOG]) == [] and folder.missing([FOG], again=True) == [FOG]
    folder.put(FOG, {"accuracy": 1.0})
    assert folder.read([FOG]) == ({FOG: {"accuracy": 1.0}}, {})
    assert folder.failures([FOG]) == {} and folder.missing([FOG], again=True) == []


def test_two_folders_merge_by_copying_their_files(tmp_path):
    sun = dataclasses.replace(FOG, shift=Shift("brightness", 3))
    for name, cell in (("one", FOG), ("two", sun)):
        Folder(tmp_path / name).put(cell, {"accuracy": 0.5})
    for file in (tmp_path / "two").iterdir():
        file.rename(tmp_path / "one" / file.name)
    assert Folder(tmp_path / "one").missing([FOG, sun]) == []
