"""A visitor's run: what is told when, and what its log keeps."""

import pytest

from clip_tta_core import engine, export
from clip_tta_core.logs import open_log
from clip_tta_core.records import RunConfig, RunLog
from clip_tta_core.ui.session import follow, play, status
from clip_tta_core.ui.session.experiment import experiment
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.news import News
from clip_tta_core.ui.session.play import Play
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Turns
from tests.ui.conftest import make_log
from tests.ui.fakes import ScriptedRun, fake_engine


@pytest.fixture
def site() -> Site:
    return Site(engine.catalog(), RunLog(), run=fake_engine())


def test_a_run_says_nothing_of_the_lesson_it_began_as(site):
    """Any setting may have been changed since; those that are kept say all."""
    settings = FIRST.settings() | {"batches": 2, "batch_size": 4}
    assert settings["lesson"]
    list(Play(site).run(settings, "me"))
    log = site.log("me")
    assert len(log) == 2 and log.settings["corruption"] == settings["corruption"]
    assert "lesson" not in log.settings and '"lesson"' not in export.to_json(log)


def test_stop_is_heard_between_ones_turn_and_the_run(site, monkeypatch):
    room, settings = Play(site), FIRST.settings() | {"batches": 50, "batch_size": 4}
    opened = room._open_log

    def stopped_meanwhile(*arguments):
        site.stop("me")
        return opened(*arguments)

    monkeypatch.setattr(room, "_open_log", stopped_meanwhile)
    *_, last = room.run(settings, "me")
    assert last["status"]["state"] == "stopped"


def test_a_run_that_fails_before_its_first_batch_leaves_the_timeline_of_what_is_shown():
    def fails(config, control=None):
        raise ValueError("Model: it is not here.")
        yield

    recorded = make_log()
    told = list(Play(Site(engine.catalog(), recorded, run=fails)).run(FIRST.settings(), "me"))
    assert told[-1]["message"]["text"] == "Model: it is not here."
    assert told[-1]["status"]["state"] == "recorded" and told[-1]["status"]["done"] == len(recorded)
    assert not any("curves" in answer for answer in told)


def test_what_is_begun_anew_or_opened_is_not_overwritten_by_the_last_word_of_the_run_before(site):
    room, settings = Play(site), FIRST.settings() | {"batches": 500, "batch_size": 4}
    saved = export.to_json(make_log())
    for other in (lambda: site.abandon("me"), lambda: room.open_saved(saved, "me")):
        running = room.run(settings, "me")
        assert any(answer["status"]["state"] == "running" for answer in running)
        other()
        assert not list(running)
    assert len(site.log("me")) == 6, "the numbers of the file that was opened"
    full = site.turns = Turns(at_once=0)
    waiting = room.run(settings, "me")
    assert any(answer["status"]["state"] == "waiting" for answer in waiting)
    site.abandon("me")
    assert not list(waiting) and not len(full)


def test_a_run_that_stop_has_overtaken_says_nothing_and_never_begins(site):
    room, settings = Play(site), FIRST.settings() | {"batches": 5, "batch_size": 4}
    assert room.stop("me", press=3)["status"]["state"] == "stopped"
    assert [answer["status"]["state"] for answer in room.run(settings, "me", press=3)] == ["loading"]
    *_, last = room.run(settings, "me", press=4)
    assert last["status"]["state"] == "done" and room.stop("me", press=4) is None


def test_a_script_that_is_stopped_between_its_turn_and_the_run_gets_no_record(site, monkeypatch):
    register = site.runs.register
    monkeypatch.setattr(site.runs, "register", lambda *what: (site.stop("me"), register(*what)))
    assert not list(experiment(site, {"batches": 50, "batch_size": 4}, "me"))


def test_pictures_are_told_less_often_than_curves(site, monkeypatch):
    run = ScriptedRun()
    for module in (follow, play, status):
        monkeypatch.setattr(module, "time", run)
    reports = fake_engine()(RunConfig(batches=40, batch_size=4))
    run.reports = [(1 + k / 10, report) for k, report in enumerate(reports)]  # ten a second for four
    told, seen = {"curves": [], "gallery": []}, {}
    answers = Play(site)._show(run, open_log(RunConfig(batches=40)), News(), "me")
    for answer in answers:
        for part, times in told.items():
            if (serial := answer["serials"].get(part)) != seen.get(part):
                times.append(run.now)
                seen[part] = serial
    assert len(told["curves"]) == 41 and told["gallery"][-1] == told["curves"][-1]  # the end tells all
    apart = [b - a for a, b in zip(told["gallery"][:-1], told["gallery"][1:-1], strict=False)]
    assert 8 <= len(apart) <= 10 and min(apart) >= play.BETWEEN_BATCHES
