"""The scripts' declarations are those of Python, and say what travels."""

import dataclasses
from typing import get_args

import pytest

from clip_tta_core.ui.wire import declare
from clip_tta_core.ui.wire.parts import Curves, Exports, Ranking, Upload
from clip_tta_core.ui.wire.states import STATES, RunState


@pytest.mark.parametrize("place", declare.files(), ids=lambda place: place.name)
def test_the_files_are_up_to_date(place):
    assert place.read_text("utf-8") == declare.files()[place], "run `python -m clip_tta_core.ui.wire`"


def test_types_are_written_as_the_scripts_meet_them():
    text = declare.types_text()
    for line in (
        "total: number;",
        "curves: Record<string, Record<string, Numbers>>;",
        "skipped: [string, string][];",
        "share?: number;",  # None does not travel
        "numbers: Record<string, number | null>;",
        'when: ([string, "is" | "not", string])[];',
        "scores: { view: Scores | null; props: null; events: never; serves: never };",
    ):
        assert line in text


@pytest.mark.parametrize("record", [Curves, Ranking, Upload, *get_args(Exports)])
def test_every_field_of_a_record_is_declared(record):
    interface = declare.types_text().split(f"interface {record.__name__} {{")[1].split("}")[0]
    names = [line.strip().split(":")[0].rstrip("?") for line in interface.splitlines() if line.strip()]
    assert names == [item.name for item in dataclasses.fields(record)]


def test_every_state_is_described():
    assert set(STATES) == set(get_args(RunState))
