"""Whatever reaches the functions behind events and scripts, none of them falls over it."""

from __future__ import annotations

import pytest

from clip_tta_core import engine
from clip_tta_core.records import RunLog
from clip_tta_core.ui.session import form
from clip_tta_core.ui.session.compare import Compare
from clip_tta_core.ui.session.corruptions import Corruptions
from clip_tta_core.ui.session.desk import Desk
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.play import Play
from clip_tta_core.ui.session.preview import preview
from clip_tta_core.ui.session.site import Site
from tests.ui.fakes import fake_engine

DEEP: list = []
for _ in range(200):
    DEEP = [DEEP]
ODD = [
    *(None, True, -1, 0.5, 7, 10**400, -(10**400), 1e308),
    *("", "x" * 300, "\x00", "a/../../b", "<script>", "hf-hub:../x", "local-dir:/", "nan"),
    *([], {}, [[]], [5], {"": {}}, {"tent": 5}, DEEP),
]
GOOD = FIRST.settings() | {"batches": 1, "batch_size": 2}
NUMBER = range(len(ODD))  # names the cases: not all of the values can be written out


def broken() -> list:
    """Settings that are none, and good ones with one thing wrong each."""
    made = [*ODD, *(GOOD | {name: value} for name in [*GOOD, "unheard_of"] for value in ODD)]
    made += [GOOD | {"methods": {"tent": value}} for value in ODD]
    made += [GOOD | {"methods": {"tent": {"lr": value, "steps": value}}} for value in ODD]
    return made + [GOOD | {"methods": [value]} for value in ODD]


@pytest.fixture(scope="module")
def site():
    return Site(engine.catalog(), RunLog(), run=fake_engine())


def test_settings_of_every_kind_are_taken_or_refused_by_a_sentence(site):
    """None of these raises; what is wrong is said where there is a place to say it."""
    play, compare, desk = Play(site), Compare(site), Desk(site)
    for settings in broken():
        assert list(play.run(settings, "a"))[-1]["status"]["state"] in ("done", "idle", "recorded")
        assert list(compare.start(settings, ["tent"], "defaults", "b"))[-1].state in ("done", "failed")
        assert isinstance(form.costs(settings), dict) and isinstance(compare.describe(settings), str)
        desk.recount(settings, "c")
        desk.remove("pictures", settings, "c")


@pytest.mark.parametrize("number", NUMBER)
def test_everything_else_that_is_sent_is_taken_or_refused_by_a_sentence(site, number):
    odd, compare, room = ODD[number], Compare(site), Corruptions()
    for names, knobs in ((odd, "defaults"), ([odd], "defaults"), (["tent"], odd)):
        assert list(compare.start(GOOD, names, str(knobs), "b"))[-1].state in ("done", "failed")
    assert preview(odd) is None or isinstance(odd, dict)
    for name in ("source", "style", "corruption", "severity", "seed", "methods", "class_names"):
        preview(GOOD | {name: odd})
    good = {"object": "cat", "seed": 4, "severity": 1, "corruption": "fog"}
    for name in ("corruption", "seed", "key"):
        assert {"problem", "tiles"} & room.ladder(good | {name: odd}).keys()
    if odd is not True and not isinstance(odd, dict):
        assert room.sheet(odd).keys() == {"problem"} == room.sheet(good | {"severity": odd}).keys()
        assert room.keep(good | {"object": odd, "severity": odd}).keys() == {"problem"}
