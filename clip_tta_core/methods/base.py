"""What a method is: built for one run, it adapts to batches and predicts. Labels never enter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor

from clip_tta_core import hparams, losses
from clip_tta_core.clip.classifier import ClipClassifier, Prediction, Train
from clip_tta_core.hparams import Value, knob
from clip_tta_core.palette import Look, looks
from clip_tta_core.records import Contender, Cost, Remembered, StepsOn
from clip_tta_core.registry import Registry

C = TypeVar("C", bound=hparams.Config)

METHODS: Registry[type[Method[Any]]] = Registry("method")


@dataclass(frozen=True)
class GradientConfig(hparams.Config):
    """What every method that trains weights over a whole stream can take: an anchor against forgetting.

    The idea of Continual Panoptic Perception, arXiv 2407.14242, which distils the previous model into the
    next: here every gradient also pulls towards the frozen model's answers on the same pictures. It is added
    where features leave the encoder (`ClipClassifier.hold_to_source`), so that no method needs a line for it.
    """

    beta_source: float = knob(
        0.0,
        0.0,
        100.0,
        help="Weight of holding on to the model that adaptation began with; 0 is as published.",
    )
    hold: losses.SourceForm = knob("predictions", help="What is held: its predictions or its features.")


class Method(Generic[C]):
    """Base of all methods: keeps what it is given, predicts with the (adapted) classifier.

    Starting over (a new episode, a new domain) means building the object again from a fresh fork.

    Args:
        clip: the run's private fork, made with `train`.
        config: hyper-parameters.
        rng: the method's own source of randomness, on the CPU.
    """

    name: ClassVar[str]  # in code and links
    title: ClassVar[str]  # on the page
    family: ClassVar[str]
    citation: ClassVar[str]
    look: ClassVar[Look | None] = None  # in charts; None takes the next that no method has
    train: ClassVar[Train] = ""  # what of the model is forked and trained
    episodic: bool = False  # its authors start over at every batch: the engine rebuilds it; a knob may say no
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {}  # settings worth a name; {} is the default
    draws: ClassVar[str] = ""  # methods with the same word draw the same numbers in a run, and share views
    views_answer: ClassVar[bool] = True  # False: it learns from views and answers from the picture itself
    forgets: ClassVar[bool] = False  # it learns from one picture at a time and forgets it before the next
    steps_on: StepsOn = "batch"  # what a step learns from; a setting may change it
    source_pictures: ClassVar[int] = 0  # clean pictures of the stream's source it wants to see beforehand
    needs: ClassVar[Literal["", "tokens", "texts"]] = ""  # what the model must offer besides image features
    Config: ClassVar[type[hparams.Config]]  # C itself, which a class variable cannot say

    def __init__(self, clip: ClipClassifier, config: C, rng: torch.Generator) -> None:
        self.clip = clip
        self.config = config
        self.rng = rng
        self.on_step: Callable[[int, int], None] = lambda step, steps: None
        self.on_show: Callable[[Tensor, Mapping[str, Tensor]], None] = lambda logits, terms: None
        if isinstance(config, GradientConfig) and config.beta_source:
            clip.hold_to_source(config.beta_source, config.hold)

    def adapt(self, images: Tensor) -> dict[str, float]:
        """Learn from a batch. (B, 3, H, W) in [0, 1] -> numbers worth plotting"""
        return {}

    def see_source(self, images: Tensor, labels: Tensor) -> None:
        """Look at clean pictures before the first batch, where `source_pictures` asks for them.

        Args:
            images: (N, 3, H, W) in [0, 1], of another part of the source than the stream's where it has one.
            labels: (N,) true classes, -1 where there is none.
        """

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        """Classify a batch with what has been learned so far. (B, 3, H, W) in [0, 1]"""
        return self.clip.predict(images)

    def remembered(self) -> Remembered | None:
        """What its memory of pictures holds now, for whoever looks; None where it has none."""
        return None

    @classmethod
    def cost(cls, config: C, batch_size: int = 64, batches: int = 16) -> Cost:
        """Passes through the image encoder per picture, the prediction among them, when no picture is left
        out and memories are full: what a method selects can only make it cheaper.
        """
        steps = getattr(config, "steps", 1) if cls.train else 0
        return Cost(steps + 1, steps)

    def steps(self, count: int) -> Iterator[int]:
        """Count optimization steps; between them the run can be watched, paused and stopped (`on_step`)."""
        for step in range(count):
            self.on_step(step, count)
            yield step

    def show(self, logits: Tensor, **terms: Tensor) -> None:
        """Hand out what the coming step starts from, for whoever looks (`on_show`); else nothing happens.

        To be called between the forward and the step. Nothing is computed for it: a step on the batch has its
        logits, or those of its views, with the weights as they are; a step on one picture has the answers of
        those before it, and one on a memory the answers from before it.

        Args:
            logits: (B, K) of the batch, as far as they are known.
            terms: () each; `loss` is what the step lowers, the others its weighted terms where it has some.
        """
        self.on_show(logits, terms)


def register(cls: type[Method]) -> type[Method]:
    """Class decorator: make a method known by its name; its docstring is what the page says of it."""
    if not inspect.getdoc(cls):
        raise ValueError(f"Method '{cls.name}' needs a docstring: the page shows it.")
    return METHODS.register(cls)


def looks_of(contenders: Mapping[str, str]) -> dict[str, Look]:
    """A look for every contender, {label: method}, in the order in which pictures list them."""
    own = {name: cls.look for name, cls in METHODS.items() if cls.look}
    return looks(contenders, own | looks(dict(zip(METHODS, METHODS, strict=True)), own))


def title_of(contender: Contender) -> str:
    """What a contender is called on the page: its label, or the method's title where that is its name."""
    return METHODS[contender.method].title if contender.label == contender.method else contender.label
