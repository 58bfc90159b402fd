"""What a long run costs is said before it begins, from what is known of this machine."""

import pytest

from clip_tta_core import engine
from clip_tta_core.bench.pace import Pace
from clip_tta_core.clip.size import operations
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session.expense import LONG, expense
from clip_tta_core.ui.session.play import Play
from clip_tta_core.ui.session.settings import defaults, to_config
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.words.expense import duration
from tests.ui.conftest import make_log
from tests.ui.fakes import fake_engine

VIT = "ViT-B-32/openai"
TEN = {"zero_shot": {}, "tent": {"steps": 10}, "cliptta": {"steps": 10}}
LARGE = defaults() | {"model": VIT, "device": "cpu", "methods": TEN, "batch_size": 64, "batches": 16}
GIGA = 1e9


def slow(rate: float = 10 * GIGA) -> Pace:
    """A machine of so many operations a second."""
    return Pace(lambda device: rate)


def relative(settings) -> float:
    config = to_config(settings)
    return sum(
        cost.relative for cost in engine.costs(config.contenders, config.batch_size, config.batches).values()
    )


def test_a_model_that_has_not_run_here_costs_its_operations_at_the_machines_rate():
    found = slow().estimate(to_config(LARGE))
    batch = 64 * relative(LARGE) * operations(VIT) / (10 * GIGA)
    assert found.batch == pytest.approx(batch) and found.whole == pytest.approx(16 * batch)
    assert not found.measured


def test_the_operations_of_a_vit_b_32_are_counted_without_its_weights():
    """Twelve blocks of 12 w^2 weights over 50 tokens, two operations a weight, and attention besides."""
    width, tokens = 768, 50
    blocks = 12 * (2 * 12 * width**2 * tokens + 4 * tokens**2 * width)
    patches = 2 * 49 * 3 * 32**2 * width
    assert operations(VIT) == pytest.approx(blocks + patches, rel=0.02)
    assert operations("ViT-B-32@/nowhere/file.pt") == operations(VIT)
    assert operations("hf-hub:somebody/something") == 0


def test_a_run_tells_how_fast_its_model_is_here():
    pace = slow()
    pace.note(VIT, "cpu", 8.0, 64)
    found = pace.estimate(to_config(LARGE))
    assert found.measured and found.batch == pytest.approx(8.0 * relative(LARGE))
    site = Site(engine.catalog(), make_log(), run=fake_engine(delay=0.01))
    config = to_config(defaults() | {"device": "cpu"})
    assert not site.pace.has_seen(config)
    list(Play(site).run(defaults() | {"batches": 2, "batch_size": 4}, "me"))
    assert site.pace.has_seen(config)


def test_a_slow_first_batch_does_not_count_once_there_is_a_quicker_one():
    """It loads and warms up; a run that was left after it would make every later one look long."""
    pace = slow()
    for seconds, pictures in ((8.0, 8), (4.0, 64), (6.0, 8)):
        pace.note(VIT, "cpu", seconds, pictures)
    assert pace.estimate(to_config(LARGE)).batch == pytest.approx(4.0 * relative(LARGE))


def test_a_long_run_says_its_time_and_proposes_what_takes_less():
    said = expense(LARGE, slow())
    whole = slow().estimate(to_config(LARGE))
    assert said.says.startswith(
        f"This will take at least {duration(whole.whole)}: {duration(whole.batch)} a "
    )
    names = [change.says.partition(":")[0] for change in said.cheaper]
    assert names == ["One step a batch", "8 batches of 16", "Without CLIPTTA", "mini-CLIP"]
    for change in said.cheaper:
        assert change.settings["lesson"] == ""
        taken = {**LARGE, **change.settings}
        cheap = slow().estimate(to_config(taken))
        assert cheap.whole < 0.75 * whole.whole
        assert change.says.endswith(f": {duration(cheap.whole)}")
    steps = {
        one.method: one.settings.get("steps")
        for one in to_config(LARGE | said.cheaper[0].settings).contenders
    }
    assert steps == {"zero_shot": None, "tent": 1, "cliptta": 1}


def test_own_photographs_are_proposed_the_small_model_that_knows_photographs():
    said = expense(LARGE | {"source": "upload"}, slow())
    assert said.cheaper[-1].settings["model"] == "photo-clip"
    assert "It ends sooner where the pictures are fewer." in said.says, "how many there are is not known here"
    assert "sooner" not in expense(LARGE, slow()).says, "of what is drawn there is no end"


def test_copies_take_one_step_too_and_the_dearest_of_all_goes():
    copy = {"label": "TENT, long", "method": "tent", "settings": {"steps": 20}}
    said = expense(LARGE | {"copies": [copy], "methods": {"zero_shot": {}, "tent": {"steps": 10}}}, slow())
    one_step, _, without, _ = said.cheaper
    assert one_step.settings["copies"] == [{**copy, "settings": {"steps": 1}}]
    assert without.says.startswith("Without TENT, long:") and without.settings["copies"] == []


@pytest.mark.parametrize(
    "changes, rate",
    [
        ({}, 1e15),  # a fast machine
        ({"model": "mini-clip"}, 1.0),  # made to be quick, and never seen to be slow
        ({"model": "hf-hub:somebody/something"}, 1.0),  # of which nothing is known
        ({"methods": {"tnet": {}}}, 1.0),  # refused when Run is pressed
        ({"batches": "many"}, 1.0),
        ({"methods": 7}, 1.0),
    ],
)
def test_nothing_is_said_of_a_short_run_and_of_what_nobody_knows(changes, rate):
    assert expense(LARGE | changes, slow(rate)) is None


def test_the_same_machine_says_it_of_a_small_model_that_was_slow():
    pace = slow()
    settings = LARGE | {"model": "mini-clip"}
    pace.note("mini-clip", "cpu", LONG, 1)
    said = expense(settings, pace)
    assert said.says.startswith("This will take about ") and "mini-CLIP" not in said.cheaper[-1].says


def test_times_are_said_in_round_words():
    said = {0.2: "1 s", 20: "20 s", 89: "89 s", 94: "2 min", 1500: "25 min", 9000: "2.5 h"}
    assert {seconds: duration(seconds) for seconds in said} == said


def test_the_machines_rate_is_measured_once_for_a_device():
    asked = []
    pace = Pace(lambda device: asked.append(device) or GIGA)
    for _ in range(3):
        pace.estimate(RunConfig(model=VIT, device="cpu"))
    assert asked == ["cpu"]
