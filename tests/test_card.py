import json

import pytest

from clip_tta_core import card
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.methods import METHODS

TRAINING = dict(
    steps=3, steps_done=3, batch_size=4, lr=1e-3, warm_up=1, weight_decay=0.1, seed=0, minutes=1, device="cpu"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text(json.dumps({"training": TRAINING}))
    return tmp_path


def test_a_measured_cell_survives_and_new_weights_forget_it(folder):
    cell = {"accuracy": 0.5, "effective_classes": 7.0}
    card.Results(folder).put(card.CLEAN, card.ZERO_SHOT, cell)
    assert card.Results(folder).get(card.CLEAN, card.ZERO_SHOT) == cell
    assert card.Results(folder).get(card.CLEAN, card.ADAPTED[0]) is None
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert card.Results(folder).get(card.CLEAN, card.ZERO_SHOT) is None


def test_the_card_shows_what_is_measured_and_a_dash_for_the_rest(folder):
    results = card.Results(folder)
    results.put(card.CLEAN, card.ZERO_SHOT, {"accuracy": 0.9876, "effective_classes": 20.0})
    text = card.card(folder, results)
    assert "| clean | 98.8% |" in text and "| fog | - |" in text and "| **mean of all 19** | - |" in text
    assert "3 steps of 4 fresh pictures" in " ".join(text.split())
    assert "## Adapted" not in text


def test_means_are_over_all_corruptions(folder):
    results = card.Results(folder)
    for number, row in enumerate(card.CORRUPTED.values()):
        cell = {"accuracy": number / 100, "effective_classes": 2.0}
        results.put(row, card.ZERO_SHOT, cell)
        results.put(row, card.ADAPTED[1], cell)
    text = card.card(folder, results)
    assert (
        "| **mean of all 19** | 9.0% |" in text
        and "| **mean of the 15 standard corruptions** | 7.0% |" in text
    )
    assert "| **mean of the corruptions** | - | 9.0% (2.0) | - | - |" in text


def test_every_cell_of_every_table_has_a_key_of_its_own():
    cells = {cell for table in card.TABLES.values() for cell in map(lambda pair: card._key(*pair), table)}
    pairs = {
        (row, column.method, str(sorted(column.knobs.items())), column.batches, column.batch_size)
        for table in card.TABLES.values()
        for row, column in table
    }
    assert len(cells) == len(pairs)


def test_the_methods_table_has_a_column_for_every_method_and_a_row_for_every_corruption(folder):
    shown = {column.method for column in (*card.FIELD, *card.ADAPTED)}
    assert shown == set(METHODS)
    assert {row.corruption for row, _ in card.TABLES["methods"]} == set(CORRUPTIONS)
    results, column = card.Results(folder), card.FIELD[0]
    for row, _ in [cell for cell in card.TABLES["methods"] if cell[1] == column]:
        results.put(row, column, {"accuracy": 0.25, "effective_classes": 3.0})
    section = card.card(folder, results).split("## The field")[1]
    assert column.title in section and card.FIELD[1].title not in section
    lines = [line for line in section.splitlines() if line.endswith("| 25.0% (3.0) |")]
    assert len(lines) == len(CORRUPTIONS) + 1  # and their mean


def test_stored_cells_are_found_again_under_the_keys_they_were_written_with():
    assert card._key(card.CLEAN, card.ZERO_SHOT) == "none/none/5/zero_shot()/16x250/2024"
    assert card._key(card.CORRUPTED["fog"], card.CLIPTTA) == "none/fog/5/cliptta(lr=0.001,steps=10)/8x64/2024"
    assert card._key(card.MIXED[1], card.OPEN_SET).endswith(
        "/cliptta(lr=0.001,open_set=1,steps=10)/8x64/2024"
    )
