"""A comparison is its methods' own runs, in turns."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest

from clip_tta_core import comparison, engine
from clip_tta_core import control as clock
from clip_tta_core.control import Control
from clip_tta_core.methods import METHODS, looks_of
from clip_tta_core.records import Contender, RunConfig, Standing

SHORT = RunConfig(corruption="fog", batch_size=8, batches=2)
TWO = {"tent": {"lr": 1e-2}, "cliptta": {"steps": 2}}


def last(standings) -> dict[str, Standing]:
    return {standing.label: standing for standing in standings}


def test_in_turns_gives_the_numbers_of_a_joint_run():
    alone = last(comparison.in_turns(SHORT, TWO))
    *_, report = engine.run(RunConfig(corruption="fog", batch_size=8, batches=2, methods=TWO))
    for name, standing in alone.items():
        assert standing.done == standing.total == 2 and standing.seconds > 0
        np.testing.assert_equal(dict(standing.metrics), dict(report.outcomes[name].metrics))


def test_every_batch_is_reported_and_methods_keep_their_order():
    seen = [(one.label, one.done) for one in comparison.in_turns(SHORT, TWO)]
    assert seen == [("tent", 1), ("tent", 2), ("cliptta", 1), ("cliptta", 2)]


def failing(config, control):
    if "tent" in [one.method for one in config.contenders]:
        raise ValueError("Tent: no.")
    yield from engine.run(config, control)


def test_a_method_that_fails_says_why_and_the_next_has_its_turn():
    standings = last(comparison.in_turns(SHORT, TWO, run=failing))
    assert standings["tent"].problem == "Tent: no." and standings["tent"].done == 0
    assert standings["cliptta"].done == 2 and not standings["cliptta"].problem


def test_stop_ends_the_whole_comparison():
    control = Control()
    standings = comparison.in_turns(SHORT, TWO, control)
    assert next(standings).label == "tent"
    control.stop()
    assert list(standings) == []


def test_the_time_of_a_public_page_is_one_for_all_methods(monkeypatch):
    monkeypatch.setenv("CLIPTTA_MAX_SECONDS", "1")

    def slow(config, control):
        time.sleep(1.1)
        yield from engine.run(config, control)

    standings = comparison.in_turns(SHORT, TWO, run=slow)
    first = next(standings)
    assert first.label == "tent" and "may take 1 seconds" in first.problem
    with pytest.raises(ValueError, match="may take 1 seconds, and only 0 of 2 methods"):
        next(standings)


def test_the_last_method_gets_what_is_left_of_the_time_and_not_all_of_it_again(monkeypatch):
    """Each batch takes 40 of 100 seconds: the third of four is in time, and the fourth would end at 160."""
    now = [0.0]
    monkeypatch.setenv("CLIPTTA_MAX_SECONDS", "100")
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: now[0], perf_counter=lambda: now[0]))

    def slow(config, control):
        for report in engine.run(config, control):
            now[0] += 40
            yield report

    standings = last(comparison.in_turns(SHORT, TWO, run=slow))
    assert (standings["tent"].done, standings["cliptta"].done) == (2, 1) and now[0] == 120
    assert "may take 100 seconds" in standings["cliptta"].problem


def test_the_steps_of_all_contenders_together_are_limited(monkeypatch):
    comparison.check(SHORT, TWO)
    passes = engine.costs(TWO, SHORT.batch_size, SHORT.batches)
    together = math.ceil(sum(cost.backwards for cost in passes.values()) * SHORT.batches)
    monkeypatch.setenv("CLIPTTA_MAX_STEPS", str(together - 1))
    with pytest.raises(ValueError, match=f"this one asks for {together}"):
        comparison.in_turns(SHORT, TWO)
    comparison.check(SHORT, {"tent": TWO["tent"]})


def test_copies_of_a_method_are_compared_by_label():
    copies = [Contender("TENT", "tent", {"lr": 1e-2}), Contender("TENT, still", "tent", {"lr": 0.0})]
    alone = last(comparison.in_turns(SHORT, copies))
    assert list(alone) == ["TENT", "TENT, still"]
    assert [(one.method, one.settings) for one in alone.values()] == [
        ("tent", {"lr": 1e-2}),
        ("tent", {"lr": 0.0}),
    ]
    assert alone["TENT"].metrics["drift"] > alone["TENT, still"].metrics["drift"] == 0


@pytest.mark.parametrize(
    "methods, sentence",
    [({}, "at least one method"), ({"tnet": {}}, "Did you mean 'tent'"), ({"tent": {"lr": 9}}, "lr must be")],
)
def test_what_cannot_be_compared_is_said_before_anything_runs(methods, sentence):
    with pytest.raises(ValueError, match=sentence):
        comparison.in_turns(SHORT, methods)


def test_the_protocol_has_settings_for_every_method():
    knobs = comparison.protocol_knobs()
    assert set(knobs) == set(METHODS)
    assert knobs["tent"] == {"lr": 1e-3, "steps": 10}
    comparison.check(SHORT, knobs)


def test_the_best_comes_first_and_what_has_no_number_last():
    def standing(name, accuracy):
        return Standing(name, 1, 1, {} if accuracy is None else {"accuracy": accuracy}, 1.0)

    listed = [standing("a", 0.2), standing("b", None), standing("c", math.nan), standing("d", 0.7)]
    assert [one.label for one in comparison.ranked(listed)] == ["d", "a", "b", "c"]


def test_part_of_the_stream_ranks_below_the_whole_of_it():
    whole = Standing("a", 4, 4, {"accuracy": 0.2}, 1.0)
    part = Standing("b", 3, 4, {"accuracy": 0.9}, 1.0)
    assert comparison.ranked([part, whole]) == [whole, part]


def test_no_two_methods_look_alike_where_only_a_mark_is_drawn():
    marks = [(look.colour, look.marker) for look in looks_of({name: name for name in METHODS}).values()]
    assert len(set(marks)) == len(marks)
