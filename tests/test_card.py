import json

import pytest

from clip_tta_core.card import __main__ as command
from clip_tta_core.card import drawings, photographs
from clip_tta_core.card.cells import Results, key
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.methods import METHODS

TRAINING = dict(
    steps=3, steps_done=3, batch_size=4, lr=1e-3, warm_up=1, weight_decay=0.1, seed=0, minutes=1,
    device="cpu", first_scale=10, shift=4, light=0.2,
)  # fmt: skip
HALF = {"accuracy": 0.5, "effective_classes": 7.0}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    stored = {"training": TRAINING, "model": {"names": ["cat", "dog"]}}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    return tmp_path


def test_a_measured_cell_survives_and_new_weights_forget_it(folder):
    Results(folder).put(drawings.CLEAN, drawings.ZERO_SHOT, HALF)
    assert Results(folder).get(drawings.CLEAN, drawings.ZERO_SHOT) == HALF
    assert Results(folder).get(drawings.CLEAN, drawings.ADAPTED[0]) is None
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert Results(folder).get(drawings.CLEAN, drawings.ZERO_SHOT) is None


def test_the_card_shows_what_is_measured_and_a_dash_for_the_rest(folder):
    results = Results(folder)
    results.put(drawings.CLEAN, drawings.ZERO_SHOT, {"accuracy": 0.9876, "effective_classes": 20.0})
    text = drawings.card(folder, results)
    assert "| clean | 98.8% |" in text and "| fog | - |" in text and "| **mean of all 19** | - |" in text
    assert "3 steps of 4 fresh pictures" in " ".join(text.split())
    assert "## Adapted" not in text


def test_means_are_over_all_corruptions(folder):
    results = Results(folder)
    for number, row in enumerate(drawings.CORRUPTED.values()):
        cell = {"accuracy": number / 100, "effective_classes": 2.0}
        results.put(row, drawings.ZERO_SHOT, cell)
        results.put(row, drawings.ADAPTED[1], cell)
    text = drawings.card(folder, results)
    assert (
        "| **mean of all 19** | 9.0% |" in text
        and "| **mean of the 15 standard corruptions** | 7.0% |" in text
    )
    assert "| **mean of the corruptions** | - | 9.0% (2.0) | - | - |" in text


@pytest.mark.parametrize("plan", command.PLANS.values(), ids=command.PLANS)
def test_every_cell_of_every_table_has_a_key_of_its_own(plan):
    cells = {key(*cell) for table in plan.tables.values() for cell in table}
    pairs = {
        (row, column.method, str(sorted(column.knobs.items())), column.batches, column.batch_size)
        for table in plan.tables.values()
        for row, column in table
    }
    assert len(cells) == len(pairs)


@pytest.mark.parametrize("plan", command.PLANS.values(), ids=command.PLANS)
def test_the_card_that_ships_is_what_the_measured_cells_give(plan):
    folder = plan.member.folder
    assert (folder / "README.md").read_text(encoding="utf-8") == plan.write(folder, Results(folder))


def test_the_methods_table_has_a_column_for_every_method_and_a_row_for_every_corruption(folder):
    shown = {column.method for column in (*drawings.FIELD, *drawings.ADAPTED)}
    assert shown == set(METHODS)
    assert {row.corruption for row, _ in drawings.TABLES["methods"]} == set(CORRUPTIONS)
    results, column = Results(folder), drawings.FIELD[0]
    for row, _ in [cell for cell in drawings.TABLES["methods"] if cell[1] == column]:
        results.put(row, column, {"accuracy": 0.25, "effective_classes": 3.0})
    section = drawings.card(folder, results).split("## The field")[1]
    assert column.title in section and drawings.FIELD[1].title not in section
    lines = [line for line in section.splitlines() if line.endswith("| 25.0% (3.0) |")]
    assert len(lines) == len(CORRUPTIONS) + 1  # and their mean


def test_stored_cells_are_found_again_under_the_keys_they_were_written_with():
    assert key(drawings.CLEAN, drawings.ZERO_SHOT) == "none/none/5/zero_shot()/16x250/2024"
    clip_tta = "cliptta(lr=0.001,steps=10)/8x64/2024"
    assert key(drawings.CORRUPTED["fog"], drawings.CLIPTTA) == f"none/fog/5/{clip_tta}"
    assert key(drawings.MIXED[1], drawings.OPEN_SET).endswith(
        "/cliptta(lr=0.001,open_set=1,steps=10)/8x64/2024"
    )
    assert (
        key(photographs.ROWS[0], photographs.CLIPTTA) == f"dataset:cifar10/none/gaussian_noise/5/{clip_tta}"
    )


def test_the_photographs_card_has_fifteen_corruptions_at_five_severities(folder):
    results = Results(folder)
    for number, (row, column) in enumerate(photographs.TABLES["severities"]):
        assert number < 75
        results.put(row, column, {"accuracy": row.severity / 10})
    section = photographs.card(folder, results).split("severity.\n")[1]
    assert section.count("| 10.0% | 20.0% | 30.0% | 40.0% | 50.0% |") == 15 + 1  # and their mean


def test_the_photographs_card_shows_detection_and_the_course_of_a_stream(folder):
    results = Results(folder)
    for row, column in photographs.TABLES["unknown"][:4]:
        results.put(row, column, {"accuracy": 0.9, "ece": 0.05, "auroc": 0.8, "fpr95": 0.6})
    for row, column in photographs.TABLES["stream"]:
        results.put(row, column, {"accuracy": 0.5, "third_1": 0.4, "third_2": 0.5, "third_3": 0.6})
    text = photographs.card(folder, results)
    assert "| 80.0% / 60.0% / 5.0% / 90.0% |" in text and "50.0%: 40.0% → 50.0% → 60.0% |" in text
    assert "2 things: cat, dog." in " ".join(text.split())
    assert "## Adapted" not in text and "## The size of a batch" not in text, "nothing is measured there"
