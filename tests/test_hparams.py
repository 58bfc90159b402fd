"""Hyper-parameters check and describe themselves."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Literal

import pytest

from clip_tta_core import hparams
from clip_tta_core.hparams import knob


class Toy:
    @dataclass(frozen=True)
    class Config(hparams.Config):
        lr: float = knob(1e-3, 1e-6, 1e-1, log=True, help="Step size.")
        steps: int = knob(1, 1, 20, help="Gradient steps.")
        loss: Literal["soft", "hard"] = knob("soft", help="Target.")
        open_set: bool = knob(False, help="Expect strangers.")
        gamma: float | Literal["auto"] = knob(0.005, 1e-4, 1.0, help="Width.")


def test_knobs_are_described_in_order_with_range_kind_and_help():
    lr, steps, loss, open_set, gamma = Toy.Config.knobs()
    assert (lr.name, lr.kind, lr.default, lr.low, lr.high, lr.log) == ("lr", "float", 1e-3, 1e-6, 1e-1, True)
    assert steps.kind == "int" and open_set.kind == "bool"
    assert loss.kind == "choice" and loss.choices == ("soft", "hard")
    assert gamma.kind == "float" and gamma.choices == ("auto",) and gamma.help == "Width."


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lr": 3}, r"Toy: lr must be a number in \[1e-06, 0.1\], got 3\."),
        ({"lr": float("nan")}, "got nan"),
        ({"lr": "fast"}, "got 'fast'"),
        ({"steps": 2.5}, r"Toy: steps must be a whole number in \[1, 20\], got 2.5\."),
        ({"steps": True}, "got True"),
        ({"steps": float("inf")}, "got inf"),
        ({"loss": "medium"}, "Toy: loss must be one of 'soft', 'hard', got 'medium'"),
        ({"open_set": 1}, "Toy: open_set must be True or False, got 1"),
        ({"gamma": "automatic"}, r"a number in \[0.0001, 1\] or 'auto', got 'automatic'"),
    ],
)
def test_bad_values_are_answered_with_who_what_and_what_arrived(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Toy.Config(**values)


def test_good_values_arrive_in_the_knobs_own_type():
    config = Toy.Config(lr=0.1, steps=3.0, gamma="auto")
    assert config.steps == 3 and type(config.steps) is int and config.gamma == "auto"
    assert type(Toy.Config(gamma=1).gamma) is float


def test_values_from_a_link_may_not_name_unknown_knobs():
    assert Toy.Config.from_values({"lr": 0.01}).lr == 0.01
    with pytest.raises(ValueError, match="no knob 'speed'. Known: lr, steps"):
        Toy.Config.from_values({"speed": 1})


def test_descriptions_survive_pickling():
    assert pickle.loads(pickle.dumps(Toy.Config.knobs())) == Toy.Config.knobs()
