"""What is exported is what was computed."""

import csv
import io
import json
import math

import numpy as np
import pytest

from clip_tta_core import export
from clip_tta_core.records import RunConfig, RunLog, Standing
from tests.ui.conftest import make_log


@pytest.fixture
def log() -> RunLog:
    return make_log(RunConfig(batches=3, batch_size=8, unknown_source="objects"))


def same(one, other) -> bool:
    """Equal, where NaN equals NaN and arrays compare by value and type."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__dict__"):
        return same(dict(vars(one)), dict(vars(other)))
    return one == other


def test_json_gives_the_whole_log_back(log):
    back = export.from_json(export.to_json(log))
    assert same(back, log)


def test_an_empty_log_survives_too():
    assert same(export.from_json(export.to_json(RunLog())), RunLog())


def test_json_is_valid_even_with_undefined_numbers(log):
    log.series["tent"]["accuracy"][0] = math.nan
    json.loads(export.to_json(log), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "other"}', '{"format": "clip-tta-run/1"}', "\x00"]
)
def test_another_file_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match="^Run file: "):
        export.from_json(text)


@pytest.mark.parametrize(
    ("path", "damaged"),
    [
        (("last", "batch", "images", "png"), "AAAA"),
        (("last", "batch", "images", "count"), 7),
        (("last", "outcomes", "tent", "probs", "float32"), "AAA"),
        (("last", "outcomes", "tent", "probs", "shape"), [3, 3]),
        (("last", "batch", "labels"), ["cat"]),
        (("series",), [1, 2]),
        (("sizes",), None),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(log, path, damaged):
    plain = json.loads(export.to_json(log))
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = damaged
    with pytest.raises(ValueError, match="^Run file: something is missing or of the wrong kind"):
        export.from_json(json.dumps(plain))


def test_standings_survive_and_a_damaged_file_of_them_is_refused():
    standings = [
        Standing(
            "tent", 3, 3, {"accuracy": 0.5, "auroc": math.nan}, 0.25, method="tent", settings={"lr": 0.1}
        ),
        Standing("sar", 0, 3, {}, math.nan, "SAR: no room."),
    ]
    text = export.standings_to_json(standings)
    assert same(export.standings_from_json(text), standings)
    for damaged in (text.replace('"metrics"', '"numbers"'), text.replace("0.25", '"soon"')):
        with pytest.raises(ValueError, match="^Run file: something is missing or of the wrong kind"):
            export.standings_from_json(damaged)


def test_csv_has_a_row_per_batch_and_method(log):
    rows = list(csv.DictReader(io.StringIO(export.to_csv(log))))
    assert len(rows) == 3 * 3
    first = next(row for row in rows if row["batch"] == "2" and row["contender"] == "tent")
    assert float(first["accuracy"]) == pytest.approx(log.series["tent"]["accuracy"][1], rel=1e-5)
    assert first["pictures"] == "8"
    for name, values in log.series["tent"].items():
        expected = "" if math.isnan(values[1]) else f"{values[1]:.6g}"
        assert first[name] == expected
    assert list(first)[:6] == [
        "batch",
        "contender",
        "method",
        "pictures",
        "elapsed_seconds",
        next(iter(log.series["tent"])),
    ]


def test_undefined_numbers_are_empty_in_csv(log):
    log.series["tent"]["accuracy"][0] = math.nan
    assert "nan" not in export.to_csv(log).lower()
