"""What is exported is what was computed."""

import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest

from clip_tta_core import export
from clip_tta_core.records import Contender, RunConfig, RunLog, Standing
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


COPIES = RunConfig(
    batches=2,
    batch_size=8,
    seed=7,
    contenders=(
        Contender("tent", "tent", {"lr": 0.01}),
        Contender("TENT, slowly & surely", "tent", {"lr": 1e-5}),
    ),
)


def test_contenders_their_settings_and_every_answer_are_in_the_file():
    log = make_log(COPIES)
    back = export.from_json(export.to_json(log))
    assert same(back, log) and back.contenders[1:] == COPIES.contenders
    assert len(back.answers["TENT, slowly & surely"]) == 2 and all(back.sheets)
    assert {"date", "torch", "python", "weights"} <= back.made.keys()
    assert back.settings["seed"] == 7


def test_a_file_of_the_first_format_still_opens(log):
    plain = json.loads(export.to_json(log))
    new = {"contenders", "made", "labels", "answers", "confidence", "names", "applied", "sheets"}
    old = {key: value for key, value in plain.items() if key not in new}
    old["format"] = "clip-tta-run/1"
    old["settings"] = {"methods": {"tent": {"lr": 0.01}}}
    old["last"] = {"step" if key == "batch_number" else key: value for key, value in plain["last"].items()}
    del old["last"]["weights"]
    old["series"]["tent"]["loss loss"] = old["series"]["tent"].pop("loss")
    old["series"]["tent"]["loss grad_oce"] = [None] * 3
    back = export.from_json(json.dumps(old))
    assert same(back.series["tent"]["loss"], log.series["tent"]["loss"]) and back.last.batch_number == 3
    assert "loss_grad_oce" in back.series["tent"]
    assert Contender("tent", "tent", {"lr": 0.01}) in back.contenders
    assert back.paired("zero_shot", "tent").p == 1.0


def test_a_file_of_a_later_page_says_so():
    with pytest.raises(ValueError, match="reads 'clip-tta-run' up to 2, got 3; open it with a newer page"):
        export.from_json('{"format": "clip-tta-run/3"}')


def test_csv_is_tidy_and_holds_the_settings():
    rows = list(csv.DictReader(io.StringIO(export.to_csv(make_log(COPIES)))))
    assert all(" " not in name for name in rows[0])
    slow = next(row for row in rows if row["contender"] == "TENT, slowly & surely")
    assert slow["method"] == "tent" and json.loads(slow["settings"]) == {"lr": 1e-5}
    assert (slow["seed"], slow["model"], slow["batch_size"]) == ("7", "mini-clip", "8")
    attacked = make_log(COPIES)
    attacked.settings |= {"attack": "linf", "attack_epsilon": 4.0, "start_settings": {"steps": 3}}
    first = next(csv.DictReader(io.StringIO(export.to_csv(attacked))))
    assert (first["attack"], first["attack_epsilon"]) == ("linf", "4.0")
    assert json.loads(first["start_settings"]) == {"steps": 3}


def test_all_that_decides_the_numbers_is_in_the_columns_but_class_lists():
    """Of a setting that is added later, too: missing is what has rows of its own or can be very long."""
    config = RunConfig(
        contenders=(Contender("tent", "tent"), Contender("TENT alone", "tent", from_start=False)),
        batches=2,
        batch_size=8,
        order="sorted",
        attack_step=0.5,
        precision="float32",
    )
    log = make_log(config)
    rows = list(csv.DictReader(io.StringIO(export.to_csv(log))))
    names = {item.name for item in dataclasses.fields(config)} - {"pictures"}  # there, how many they are
    apart = {"contenders", "unknown_pictures", "class_names"}
    assert names - rows[0].keys() == apart
    assert all(row[name] == str(getattr(config, name)) for row in rows for name in names - apart - NESTED)
    assert {row["contender"]: row["from_start"] for row in rows} == {
        "zero_shot": "0",
        "tent": "1",
        "TENT alone": "0",
    }


NESTED = {"start_settings"}  # JSON


def test_every_picture_has_a_row_for_every_contender():
    log = make_log(COPIES)
    rows = list(csv.DictReader(io.StringIO(export.pictures_to_csv(log))))
    assert len(rows) == 2 * 8 * 3
    mine = [row for row in rows if row["contender"] == "tent"]
    assert [int(row["right"]) for row in mine] == log.right("tent").astype(int).tolist()
    assert all(row["answer"] in log.class_names for row in rows)


def test_unknown_pictures_are_marked_beside_those_without_a_label():
    log = make_log(COPIES)
    log.outside[0] = (1, *log.outside[0][1:])
    log.labels[0] = (-1, -1, *log.labels[0][2:])
    rows = list(csv.DictReader(io.StringIO(export.pictures_to_csv(log))))
    first = [row for row in rows if row["batch"] == "1" and row["contender"] == "tent"]
    assert [(row["unknown"], row["label"], row["right"]) for row in first[:2]] == [
        ("1", "", ""),
        ("0", "", ""),
    ]


def test_files_of_two_runs_do_not_overwrite_each_other():
    first, second = make_log(COPIES), make_log(COPIES)
    first.made["date"], second.made["date"] = "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06+00:00"
    stem = export.file_stem(first)
    assert stem == "clip-tta-none-mini-clip-seed7-2-batches-20260102T030405"
    assert stem != export.file_stem(second)


STANDINGS = [
    Standing("cliptta", 3, 3, {"accuracy": 0.5123, "auroc": math.nan}, 0.25, method="cliptta"),
    Standing(
        "a_b & 50%|$", 3, 3, {"accuracy": 0.25, "auroc": math.nan}, 0.1, method="tent", settings={"lr": 1}
    ),
]


def test_standings_become_tables():
    titles = {"cliptta": "CLIPTTA"}
    rows = list(csv.DictReader(io.StringIO(export.standings_to_csv(STANDINGS))))
    assert [row["contender"] for row in rows] == ["cliptta", "a_b & 50%|$"] and rows[1][
        "settings"
    ] == '{"lr": 1}'
    assert rows[0]["accuracy"] == "0.5123" and rows[0]["auroc"] == ""
    assert export.standings_to_markdown(STANDINGS, titles) == (
        "| Method | Accuracy % |\n| --- | --: |\n| CLIPTTA | 51.2 |\n| a_b & 50%\\|$ | 25.0 |\n"
    )
    latex = export.standings_to_latex(STANDINGS, titles)
    assert r"CLIPTTA & 51.2 \\" in latex and r"a\_b \& 50\%|\$ & 25.0 \\" in latex
    assert latex.startswith(r"\begin{tabular}{lr}")


def test_tables_of_standings_say_of_what_they_are():
    said = "fog 5 · seed 7 · a_b (lr 1.0)"
    assert export.standings_to_markdown(STANDINGS, {}, said).endswith(
        "| 25.0 |\n\nfog 5 · seed 7 · a\\_b (lr 1.0)\n"
    )
    assert export.standings_to_latex(STANDINGS, {}, f"fog 5\n{said}").startswith(f"% fog 5 {said}\n\\begin")


def test_a_table_of_standings_holds_the_settings_of_the_stream():
    stream = {"corruption": "fog", "seed": 7, "batches": 5, "class_names": "cat\nAfrican, grey parrot"}
    alone = dataclasses.replace(STANDINGS[0], label="alone", from_start=False)
    text = export.standings_to_csv([*STANDINGS, alone], stream)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["corruption"], row["seed"]) for row in rows] == [("fog", "7")] * 3
    assert rows[0]["class_names"].splitlines() == ["cat", "African, grey parrot"]
    assert [row["from_start"] for row in rows] == ["1", "1", "0"]
    head = text.splitlines()[0].split(",")
    assert len(head) == len(set(head)) and all(" " not in name for name in head)
    assert rows[0]["batches"] == "3", "those done"


def test_standings_of_the_first_format_still_open():
    old = {
        "method": "tent",
        "done": 3,
        "total": 3,
        "metrics": {"accuracy": 0.5},
        "seconds": 0.1,
        "problem": "",
    }
    text = json.dumps({"format": "clip-tta-standings/1", "standings": [old]})
    (back,) = export.standings_from_json(text)
    assert back.label == back.method == "tent" and back.metrics == {"accuracy": 0.5}
