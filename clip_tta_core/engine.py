"""Run methods side by side over one stream, and say what there is to choose.

for report in run(RunConfig(corruption="fog")):
    print(report.step, report.outcomes["cliptta"].metrics["accuracy"])
"""

from __future__ import annotations

import copy
import gc
import inspect
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import limits, scores
from clip_tta_core.clip import prompts
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.loading import MINI, MODELS, LoadedClip, check_name, choose_device, classifier, load
from clip_tta_core.control import Control, Progress, Stopped
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.corruptions.schedule import SCHEDULES
from clip_tta_core.hparams import Value
from clip_tta_core.methods import METHODS, Method
from clip_tta_core.metrics import Tally
from clip_tta_core.records import (
    Batch,
    Catalog,
    Choice,
    Cost,
    Loading,
    MethodCard,
    Outcome,
    Report,
    RunConfig,
)
from clip_tta_core.sources import datasets
from clip_tta_core.sources.base import ORDERS
from clip_tta_core.sources.rendered import OBJECTS, STYLES, TASK, UNKNOWN_SOURCES
from clip_tta_core.stream import ARRIVALS, Stream, open_source, open_unknowns

Result = TypeVar("Result")
ZERO_SHOT = "zero_shot"  # the reference of every comparison, part of every run
DRAWINGS_ONLY = (
    "mini-CLIP has seen nothing but drawings of its own world, so its answers to other pictures mean little; "
    "choose a larger CLIP under Model and classes."
)
LIMITS = {
    "batch_size": (1, 512),
    "batches": (1, 2000),
    "severity": (1, 5),
    "seed": (0, 2**32 - 1),
    "unknown_share": (0.0, 0.8),
    "methods": (1, 6),  # at once; any number in turns
}


def check(config: RunConfig) -> None:
    """Raise one sentence if `config` cannot be run; loads nothing."""
    if not config.methods:
        raise ValueError("Run: at least one method must be chosen, got none.")
    if len(config.methods) > LIMITS["methods"][1]:
        raise ValueError(
            f"Run: at most {LIMITS['methods'][1]} methods may run at once, got {len(config.methods)}; "
            "the Compare tab takes all of them in turns."
        )
    for name, knobs in config.methods.items():
        METHODS[name].Config.from_values(dict(knobs))
    for name in ("batch_size", "batches", "severity", "seed", "unknown_share"):
        _check_number(name, getattr(config, name), whole=name != "unknown_share")
    if config.predict not in ("post", "pre"):
        raise ValueError(f"Run: predict must be 'post' or 'pre', got '{config.predict}'.")
    if config.corruption != "none":
        CORRUPTIONS[config.corruption]
    for registry, name in ((STYLES, config.style), (SCHEDULES, config.schedule), (ORDERS, config.order)):
        registry[name]
    ARRIVALS[config.unknown_arrival]
    _check_classes(config.class_names)
    # Opened only to be told what is wrong; a data set is fetched where it is opened, so it waits for the run.
    if not config.source.startswith("dataset:"):
        open_source(config, size=0)
    if not config.unknown_source.startswith("dataset:"):
        open_unknowns(config, config.class_names, size=0)
    prompts.templates(config.templates)
    choose_device(config.device)
    check_name(config.model)
    _check_amount(config)


def _check_number(name: str, value: object, whole: bool) -> None:
    low, high = LIMITS[name]
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        raise ValueError(f"Run: {name} must be a {'whole ' * whole}number, got {value!r}.")
    if not low <= value <= high:
        raise ValueError(f"Run: {name} must be in [{low}, {high}], got {value!r}.")


def _check_amount(config: RunConfig) -> None:
    """What the operator allows one run; a step is one backward pass over as many pictures as a batch has."""
    images = config.batch_size * config.batches
    passes = costs(config.methods, config.batch_size, config.batches).values()
    steps = math.ceil(sum(cost.backwards for cost in passes) * config.batches)
    for limit, amount, what in ((limits.MAX_IMAGES, images, "pictures"), (limits.MAX_STEPS, steps, "steps")):
        if 0 < limit.value < amount:
            raise ValueError(
                f"Run: on this page a run may take {limit.value:,} {what}, this one asks for {amount:,}; "
                "choose fewer batches."
            )


def _check_classes(names: tuple[str, ...]) -> None:
    if len(names) == 1:
        raise ValueError("Classes: at least two are needed to choose between, got 1.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Classes: each must be listed once, got '{twice[0]}' again; remove the repetition.")
    if any(not name.strip() for name in names):
        raise ValueError("Classes: every class needs a name, got an empty one; remove the empty line.")


def run(config: RunConfig, control: Control | None = None) -> Iterator[Report]:
    """Adapt every method of `config` to the same stream and report batch by batch.

    Args:
        config: what to run; bad values raise ValueError here, with one sentence, before anything is loaded.
        control: pauses, steps and stops the run from another thread, between optimization steps.

    Returns:
        a generator of plain-data reports. Closing it stops the run and frees what it held.
    """
    check(config)
    return _run(config, control or Control())


def prepare(config: RunConfig, control: Control | None = None) -> None:
    """Do ahead what `run` would wait for longest: fetch and load the model. Raises Stopped if told to."""
    check(config)
    load(config.model, config.device, _announcer(control or Control()))


def _open(config: RunConfig, control: Control) -> tuple[LoadedClip, Stream]:
    loaded = load(config.model, config.device, _announcer(control))
    return loaded, Stream(config, loaded.image_size)


def _announcer(control: Control) -> Callable[[Loading], None]:
    """Puts what is being loaded where the page looks, and lets Stop end it."""

    def announce(state: Loading) -> None:
        title = MODELS[state.model].title if state.model in MODELS else state.model
        amount = ""
        if state.doing == "downloading":
            amount = f": {state.done / 1e6:,.0f} of {state.total / 1e6:,.0f} MB" if state.total else ""
        elif state.total > 1:
            amount = f": {state.done} of {state.total}"
        control.announce(Progress(step=state.done, steps=state.total, doing=f"{state.doing} {title}{amount}"))

    return announce


def _run(config: RunConfig, control: Control) -> Iterator[Report]:
    try:
        loaded, stream = _open(config, control)
        frozen = classifier(loaded, stream.class_names, config.templates, _announcer(control))
    except Stopped:
        return
    control = Deadline(control, limits.MAX_SECONDS.value)
    names = [ZERO_SHOT, *(name for name in config.methods if name != ZERO_SHOT)]
    runners = {name: Runner(name, config, frozen) for name in names}
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="stream") as ahead:
        upcoming = ahead.submit(stream.batch, 0)
        try:
            for step in range(1, len(stream) + 1):
                control.checkpoint(Progress(step, len(stream)))
                batch = upcoming.result()
                if step < len(stream):
                    upcoming = ahead.submit(stream.batch, step)  # made while this one adapts
                if not len(batch):  # all of its files were broken
                    continue
                images = to_tensor(batch.images, loaded.image_size, loaded.device)
                outcomes, notes = {}, [*stream.notes, *_batch_notes(batch)]
                for name, runner in runners.items():
                    progress = Progress(step, len(stream), METHODS[name].title)
                    outcomes[name] = runner.process(images, batch, control, progress)
                    notes += _notes(METHODS[name].title, outcomes[name], stream.unknowns is not None)
                    notes += runner.take_notes()
                if config.model == MINI and config.source != "rendered":
                    notes.append(DRAWINGS_ONLY)
                yield Report(step, len(stream), batch, outcomes, str(loaded.device), tuple(notes))
        except Stopped:
            return


class Deadline:
    """A run's control that also ends it when its time is up; time spent on hold counts, for others wait."""

    def __init__(self, control: Control, seconds: int) -> None:
        self.control = control
        self.seconds = seconds
        self.end = time.monotonic() + seconds if seconds else math.inf

    @property
    def held(self) -> float:
        return self.control.held

    def checkpoint(self, progress: Progress) -> None:
        self.control.checkpoint(progress)
        if time.monotonic() > self.end:
            raise ValueError(
                f"Run: on this page a run may take {self.seconds} seconds, and this one had done "
                f"{progress.batch - 1} of {progress.batches} batches by then; choose fewer batches or steps."
            )


class Runner:
    """One method in one run: builds it, feeds it, counts what it gets right."""

    def __init__(self, name: str, config: RunConfig, frozen: ClipClassifier) -> None:
        self.cls = METHODS[name]
        self.knobs = self.cls.Config.from_values(dict(config.methods.get(name, {})))
        self.frozen = frozen
        self.predict_first = config.predict == "pre"
        # By name, not by position: a method draws the same numbers alone and beside others.
        self.rng = torch.Generator().manual_seed(zlib.crc32(name.encode()) ^ config.seed)
        self.tally = Tally()
        self.notes: list[str] = []
        self.method = self._build()
        self.episodic = config.episodic or self.method.episodic
        self.start = [parameter.detach().clone() for parameter in self.method.clip.trainable()]
        self.start_size = float(sum(b.square().sum() for b in self.start))

    def _build(self) -> Method:
        return self.cls(self.frozen.fork(self.cls.train), self.knobs, self.rng)

    def take_notes(self) -> list[str]:
        """What the visitor should read about the last batch."""
        notes, self.notes = self.notes, []
        return notes

    def process(self, images: Tensor, batch: Batch, control: Deadline, progress: Progress) -> Outcome:
        """Adapt to a batch and predict it. (B, 3, H, W) in [0, 1]"""
        if self.episodic and progress.batch > 1:
            self.method = self._build()
        start, held = time.perf_counter(), control.held
        prediction, losses = self._within_memory(
            lambda: self._process(images, control, progress), len(images)
        )
        probs = prediction.logits.float().softmax(dim=-1).cpu().numpy()
        seconds = time.perf_counter() - start - (control.held - held)
        if not np.isfinite(probs).all():
            way_out = "lower its learning rate" if self.start else "choose another model"
            raise ValueError(f"{self.cls.title}: its predictions must be numbers, got others; {way_out}.")
        ranks, threshold = self._score(prediction)
        if prediction.threshold is not None and len(batch) > 1 and (batch.labels >= 0).all():
            self.notes.append(
                f"{self.cls.title} expects unknown pictures: in a batch without any, its threshold parts the "
                "known."
            )
        source_probs = self.frozen.zero_shot(images).logits.softmax(dim=-1).cpu().numpy()
        metrics = self.tally.add(probs, source_probs, batch.labels, batch.unknown, ranks, threshold)
        metrics["drift"] = self._drift()
        features = prediction.features.float().cpu().numpy()
        return Outcome(probs, features, ranks, threshold, losses, metrics, seconds)

    def _process(
        self, images: Tensor, control: Deadline, progress: Progress
    ) -> tuple[Prediction, dict[str, float]]:
        self.method.on_step = lambda step, steps: control.checkpoint(
            Progress(progress.batch, progress.batches, progress.method, step, steps)
        )
        if self.predict_first:
            prediction = self.method.predict(images)
            return prediction, self.method.adapt(images)
        losses = self.method.adapt(images)
        return self.method.predict(images), losses

    def _within_memory(self, work: Callable[[], Result], count: int) -> Result:
        """Do a batch's work; where memory runs out, do it again in smaller pieces from where the batch began.

        Half of a batch's steps may be taken by then, so the method as it was is kept beside: a copy of what
        is its own, a few hundred thousand numbers; frozen weights and stored pictures are shared with it.
        """
        while True:
            numbers, before = self.rng.get_state(), copy.deepcopy(self.method, {id(self.rng): self.rng})
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            # Out of the handler: the error no longer holds on to the tensors of the failed attempt.
            self.method = before
            self.rng.set_state(numbers)
            release_memory()
            size = min(self.frozen.micro_batch or count, count)
            if size == 1:
                raise ValueError(
                    f"{self.cls.title}: not even one picture at a time fits into the memory of "
                    f"{self.frozen.device}; choose a smaller model or another device."
                )
            self.frozen.micro_batch = size // 2
            self.notes.append(
                f"{self.cls.title} ran out of memory: from now on at most {size // 2} pictures go "
                "through the model at once."
            )

    def _score(self, prediction: Prediction) -> tuple[np.ndarray, float]:
        """In-distribution scores (B,) and threshold: the method's own, else CLIPTTA's score and Otsu's."""
        ranks = prediction.scores
        if ranks is None:
            # Methods may change the logits: the score reads them on the scale of cosines.
            ranks = scores.score(prediction.logits.float() / self.frozen.scale)
        threshold = prediction.threshold if prediction.threshold is not None else scores.otsu(ranks)
        return ranks.float().cpu().numpy(), float(threshold)

    def _drift(self) -> float:
        """How far the trained weights are from where they started, relative to their norm."""
        trained = self.method.clip.trainable()
        if not trained:
            return 0.0
        with torch.no_grad():
            moved = sum((a - b).square().sum() for a, b in zip(trained, self.start, strict=True))
            return math.sqrt(moved.item() / self.start_size)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a device, or the machine, has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


def release_memory() -> None:
    """Give back what nobody uses any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _batch_notes(batch: Batch) -> list[str]:
    """What the visitor should know of a batch, whoever adapts to it. The same words each time: said once."""
    notes = []
    if batch.unknown.all():
        notes.append("Some batches hold unknown pictures only: accuracy does not count them.")
    if len(batch) == 1:
        notes.append(
            "Some batches hold one picture only: what compares the pictures of a batch (contrast, diversity, "
            "Otsu's threshold) has nothing to work on there; choose a larger batch size."
        )
    return notes


def _notes(title: str, outcome: Outcome, has_unknowns: bool) -> list[str]:
    """What the visitor should know of a method's outcome."""
    notes = []
    skipped = outcome.losses.get("skipped", 0)
    if skipped:
        steps = "step" if skipped == 1 else "steps"
        notes.append(f"{title} skipped {skipped:.0f} {steps}, having nothing sound to learn from.")
    if outcome.losses.get("pseudo_classes") == 1 and len(outcome.scores) > 1:
        notes.append(f"{title} gave a whole batch one class: a contrast of one pulls nowhere.")
    if not has_unknowns or len(outcome.scores) == 1:
        return notes
    if np.ptp(outcome.scores) == 0:
        notes.append(f"{title} scores all pictures of a batch alike: nothing tells known from unknown there.")
    elif not (outcome.scores > outcome.threshold).any():
        notes.append(f"{title} takes all pictures of a batch for unknown.")
    return notes


def to_tensor(images: np.ndarray, size: int, device: torch.device) -> Tensor:
    """Pictures as a model takes them. uint8 (B, H, W, 3) -> float (B, 3, size, size) in [0, 1]"""
    fits = images.shape[1:3] == (size, size)
    # Apple's devices do not resize with antialiasing in every version: the CPU does it for them.
    place = device if fits or device.type == "cuda" else torch.device("cpu")
    tensor = torch.from_numpy(images).to(place).permute(0, 3, 1, 2).float() / 255
    if not fits:
        tensor = F.interpolate(tensor, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    return tensor.to(device)


def preview(config: RunConfig) -> np.ndarray:
    """One picture as the stream would show it. -> uint8 (S, S, 3)"""
    check(config)
    return Stream(config, load(config.model, config.device).image_size).pictures(0, 1).images[0]


def costs(
    methods: Mapping[str, Mapping[str, Value]], batch_size: int = 64, batches: int = 16
) -> dict[str, Cost]:
    """What methods with these knobs cost on such a stream."""
    configs = {name: METHODS[name].Config.from_values(dict(knobs)) for name, knobs in methods.items()}
    return {name: METHODS[name].cost(config, batch_size, batches) for name, config in configs.items()}


def catalog() -> Catalog:
    """Everything there is to choose, as plain data."""
    none = Choice("none", "None", "Pictures stay as they are.")
    sources = (
        Choice(
            "rendered", "Rendered objects", "Endless pictures of nameable things, drawn as they are needed."
        ),
        Choice("upload", "Your pictures", "Pictures you bring; without labels, accuracy is not known."),
        *datasets.choices(),
    )
    return Catalog(
        methods=tuple(_card(METHODS[name]) for name in METHODS),
        models=tuple(MODELS.values()),
        sources=sources,
        styles=tuple(Choice(s.name, s.title, s.meaning) for s in STYLES.values()),
        corruptions=(none, *(Choice(c.name, c.title, c.meaning, c.family) for c in CORRUPTIONS.values())),
        schedules=tuple(Choice(s.name, s.title, s.meaning) for s in SCHEDULES.values()),
        orders=tuple(ORDERS.values()),
        templates=tuple(Choice(name, title, prompts.example(name)) for name, title in prompts.TITLES.items()),
        unknown_sources=(
            Choice("none", "None", "Every picture shows something on the class list."),
            *(Choice(s.name, s.title, s.meaning) for s in UNKNOWN_SOURCES.values()),
            Choice("upload", "Your pictures", "A second upload: pictures that show none of the classes."),
            *datasets.choices(),
        ),
        arrivals=tuple(ARRIVALS.values()),
        objects=tuple(OBJECTS),
        task=tuple(TASK),
    )


def _card(cls: type[Method]) -> MethodCard:
    summary = " ".join(inspect.getdoc(cls).split())
    return MethodCard(
        cls.name,
        cls.title,
        cls.family,
        summary,
        cls.citation,
        cls.Config.knobs(),
        cls.presets,
        cls.needs,
        cls.cost(cls.Config()),
    )
