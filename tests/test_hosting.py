"""Runs behind a process border, as on ZeroGPU, give the numbers they give here; limits hold."""

from __future__ import annotations

import dataclasses
import importlib
import multiprocessing
import sys
import types

import numpy as np
import pytest
import torch

from clip_tta_core import engine, hosting, limits, validation
from clip_tta_core.clip.loading import LoadedClip
from clip_tta_core.control import Control
from clip_tta_core.records import Loading, RunConfig
from tests.conftest import TinyText, TinyVisual

BORROWING = RunConfig(
    model="borrower/tiny",
    corruption="contrast",
    batch_size=8,
    batches=3,
    methods={"tent": {"lr": 1e-2}, "cliptta": {"steps": 2}},
)


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch):
    torch.manual_seed(0)
    visual, text = TinyVisual().requires_grad_(False).eval(), TinyText().requires_grad_(False).eval()
    cpu = torch.device("cpu")
    loaded = LoadedClip("tiny", visual, text, 100.0, (0.5,) * 3, (0.25,) * 3, 16, cpu, None, None, 10**9)
    monkeypatch.setattr(engine, "load", lambda *what, **how: loaded)
    monkeypatch.setattr(validation, "check_name", lambda model: None)
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # a forked process inherits no threads, and their number may change the last digit
    yield loaded
    torch.set_num_threads(threads)


class Border:
    """Stands in for the package `spaces`: decorated generators run in a forked process, all pickled."""

    def __init__(self) -> None:
        self.durations: list[int] = []
        self.workers: list[multiprocessing.Process] = []

    def GPU(self, duration):  # noqa: N802, the package's own name
        def decorate(function):
            def call(*arguments):
                self.durations.append(duration(*arguments))
                context = multiprocessing.get_context("fork")
                here, there = context.Pipe()
                worker = context.Process(target=serve, args=(function, there))
                worker.start()
                self.workers.append(worker)
                here.send(arguments)
                try:
                    while (report := here.recv()) is not None:
                        here.send("more")
                        yield report
                finally:
                    worker.terminate()
                    worker.join()

            return call

        return decorate


def serve(function, pipe) -> None:
    for report in function(*pipe.recv()):
        pipe.send(report)
        pipe.recv()
    pipe.send(None)


@pytest.fixture
def border(monkeypatch, tiny_model):
    """The hosting module as it is where a GPU is lent."""
    border = Border()
    module = types.ModuleType("spaces")
    module.GPU = border.GPU
    monkeypatch.setitem(sys.modules, "spaces", module)
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    importlib.reload(hosting)
    monkeypatch.setattr(hosting, "load", lambda *what, **how: tiny_model)
    yield border
    monkeypatch.undo()
    importlib.reload(hosting)


def test_behind_the_border_the_numbers_are_the_same(border):
    there, here = list(hosting.run(BORROWING)), list(engine.run(BORROWING))
    assert len(there) == len(here) == 3 and len(border.workers) == 1
    for a, b in zip(there, here, strict=True):
        np.testing.assert_array_equal(a.batch.images, b.batch.images)
        assert a.outcomes.keys() == b.outcomes.keys()
        for name, outcome in a.outcomes.items():
            np.testing.assert_array_equal(outcome.probs, b.outcomes[name].probs)
            np.testing.assert_equal(dict(outcome.metrics), dict(b.outcomes[name].metrics))


def test_behind_the_border_a_run_is_looked_into_as_here(border):
    reports = []
    for run in (hosting.run, engine.run):
        control = Control()
        control.inside = True
        reports.append(list(run(BORROWING, control)))
    assert border.workers
    for a, b in zip(*reports, strict=True):
        np.testing.assert_array_equal(a.plane.captions, b.plane.captions)
        for name, outcome in a.outcomes.items():
            there, here = outcome.inside, b.outcomes[name].inside
            np.testing.assert_array_equal(there.places, here.places)
            assert (there.variance, there.stored, there.drift) == (here.variance, here.stored, here.drift)
    assert reports[0][0].outcomes["cliptta"].inside.stored, "a memory is among what is seen"
    assert next(hosting.run(BORROWING)).outcomes["tent"].inside is None, "nobody looks"


def test_closing_ends_the_other_process(border):
    run = hosting.run(BORROWING)
    next(run)
    run.close()
    assert not border.workers[0].is_alive()


def test_stop_reaches_the_other_process_between_batches(border):
    control, seen = Control(), []
    for report in hosting.run(BORROWING, control):
        seen.append(report)
        control.stop()
    assert len(seen) == 1 and not border.workers[0].is_alive()


def test_the_declared_time_grows_with_the_run_and_stays_small(border):
    short = hosting.seconds(dataclasses.replace(BORROWING, batches=1))
    long = hosting.seconds(dataclasses.replace(BORROWING, batches=400))
    assert hosting.SHORTEST == short < long <= hosting.LONGEST
    assert isinstance(short, int)


def test_mini_clip_stays_in_this_process_where_pause_works(border):
    assert list(hosting.run(dataclasses.replace(BORROWING, model="mini-clip")))
    assert not border.workers
    assert hosting.has_controls("mini-clip") and not hosting.has_controls("ViT-B-32/openai")


def test_bad_values_stop_before_anything_is_borrowed(border):
    with pytest.raises(ValueError, match="severity must be in"):
        hosting.run(dataclasses.replace(BORROWING, severity=9))
    assert not border.durations


def test_elsewhere_a_run_is_the_engines_own():
    assert hosting._borrowed is None and hosting.has_controls("ViT-B-32/openai")
    assert len(list(hosting.run(BORROWING))) == 3


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("CLIPTTA_MAX_IMAGES", "23", "may take 23 pictures, this one asks for 24"),
        ("CLIPTTA_MAX_STEPS", "38", "may take 38 steps, this one asks for 39"),  # 3 and, with the memory, 36
        ("CLIPTTA_MAX_STEPS", "many", "CLIPTTA_MAX_STEPS must be a whole number"),
        ("CLIPTTA_MAX_STEPS", "-1", "CLIPTTA_MAX_STEPS must be a whole number"),
        ("CLIPTTA_MAX_STEPS", "9²", "CLIPTTA_MAX_STEPS must be a whole number"),
        ("CLIPTTA_ANY_MODEL", "maybe", "CLIPTTA_ANY_MODEL must be 1 or 0"),
    ],
)
def test_the_operator_limits_a_run(monkeypatch, variable, value, sentence):
    monkeypatch.undo()
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=sentence):
        engine.check(dataclasses.replace(BORROWING, model="ViT-B-32/laion2b_e16"))


def test_a_run_ends_when_its_time_is_up(monkeypatch):
    monkeypatch.setenv("CLIPTTA_MAX_SECONDS", "1")
    with pytest.raises(ValueError, match="may take 1 seconds, and this one had done"):
        list(engine.run(dataclasses.replace(BORROWING, batches=2000)))


def test_what_the_operator_may_set_has_a_value_everywhere(monkeypatch):
    for setting in limits.SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)
        assert setting.value == setting.here
    monkeypatch.setenv("SPACE_ID", "org/page")
    assert all(setting.value == setting.public for setting in limits.SETTINGS)
    assert not limits.ANY_MODEL.value and not limits.LOCAL_FILES.value


class Cramped(TinyVisual):
    """Has room for only so many pictures at once, and counts how often it had not."""

    room, failures = 5, 0

    def forward(self, images):
        if len(images) > self.room:
            Cramped.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(images)


@pytest.fixture
def cramped(tiny_model, monkeypatch):
    torch.manual_seed(0)
    visual = Cramped().requires_grad_(False).eval()
    visual.load_state_dict(tiny_model.visual.state_dict())
    monkeypatch.setattr(Cramped, "failures", 0)
    loaded = dataclasses.replace(tiny_model, visual=visual)
    monkeypatch.setattr(engine, "load", lambda *what, **how: loaded)
    monkeypatch.setattr(engine, "runs_out", lambda device: True)
    return visual


def outcomes(config, name):
    return np.concatenate([report.outcomes[name].probs for report in engine.run(config)])


@pytest.mark.parametrize("methods", [{"cliptta": {"steps": 3}}, {"tent": {"steps": 3}}, {"rotta": {}}])
def test_out_of_memory_goes_on_in_smaller_pieces(tiny_model, cramped, monkeypatch, methods):
    config = dataclasses.replace(BORROWING, methods=methods)
    name = next(iter(methods))
    reports = list(engine.run(config))
    assert Cramped.failures
    notes = [note for report in reports for note in report.notes]
    assert any("ran out of memory: from now on at most 4 pictures" in note for note in notes)
    monkeypatch.setattr(engine, "load", lambda *what, **how: tiny_model)
    there = np.concatenate([report.outcomes[name].probs for report in reports])
    np.testing.assert_allclose(there, outcomes(config, name), atol=1e-4)


def test_out_of_memory_in_the_middle_of_a_batch_starts_the_batch_again(tiny_model, monkeypatch):
    """The steps already taken are given up, so that the batch is learned from once, not twice."""
    calls = []

    class Failing(TinyVisual):
        def forward(self, images):
            calls.append(len(images))
            if len(calls) == 9:
                raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory")
            return super().forward(images)

    config = dataclasses.replace(BORROWING, methods={"cliptta": {"steps": 4}})
    expected = outcomes(config, "cliptta")
    visual = Failing().requires_grad_(False).eval()
    visual.load_state_dict(tiny_model.visual.state_dict())
    loaded = dataclasses.replace(tiny_model, visual=visual)
    monkeypatch.setattr(engine, "load", lambda *what, **how: loaded)
    monkeypatch.setattr(engine, "runs_out", lambda device: True)
    np.testing.assert_allclose(outcomes(config, "cliptta"), expected, atol=1e-4)
    assert len(calls) > 9


def test_where_not_one_picture_fits_the_run_says_so(cramped, monkeypatch):
    monkeypatch.setattr(Cramped, "room", 0)
    with pytest.raises(ValueError, match="not even one picture at a time fits into the memory of cpu"):
        list(engine.run(BORROWING))


def test_other_errors_are_not_taken_for_a_lack_of_memory(tiny_model, monkeypatch):
    def broken(images):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(tiny_model.visual, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        list(engine.run(BORROWING))


def test_what_nobody_foresaw_ends_a_run_with_a_sentence_and_a_trace_in_the_log(
    tiny_model, monkeypatch, caplog
):
    def broken(images):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(tiny_model.visual, "forward", broken)
    with pytest.raises(
        ValueError, match="^Run: something went wrong inside .ZeroDivisionError: of all things"
    ):
        list(hosting.run(BORROWING))
    assert "in broken" in caplog.text and "ZeroDivisionError" in caplog.text


def test_where_a_cpu_runs_out_of_memory_the_run_ends_with_a_way_out(cramped, monkeypatch):
    monkeypatch.setattr(engine, "runs_out", lambda device: False)
    with pytest.raises(ValueError, match="the memory of cpu ran out; choose smaller batches"):
        list(hosting.run(BORROWING))


def test_getting_ready_counts_as_time_of_the_run(tiny_model, monkeypatch):
    """A model that is announced for ever."""
    monkeypatch.setenv("CLIPTTA_MAX_SECONDS", "1")

    def endless(model, device, observe, wanted):
        while True:
            observe(Loading("borrower/tiny", "downloading", 1, 2))

    monkeypatch.setattr(engine, "load", endless)
    with pytest.raises(ValueError, match="may take 1 seconds, and this one had done 0 of 3 batches"):
        list(hosting.run(BORROWING))


def test_a_mistyped_variable_is_met_by_the_operator_and_not_by_a_visitor(monkeypatch):
    limits.check()
    monkeypatch.setenv("CLIPTTA_MAX_IMAGES", "lots")
    with pytest.raises(ValueError, match="CLIPTTA_MAX_IMAGES must be a whole number"):
        limits.check()
