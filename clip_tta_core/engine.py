"""Run contenders side by side over one stream.

for report in run(RunConfig(corruption="fog")):
    print(report.batch_number, report.outcomes["cliptta"].metrics["accuracy"])
"""

from __future__ import annotations

import copy
import dataclasses
import gc
import hashlib
import math
import time
import zlib
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_tta_core import adversary, few_shots, limits, notes, optim, scores
from clip_tta_core.attacks import pgd
from clip_tta_core.catalog import catalog
from clip_tta_core.clip.aside import aside
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.loading import MODELS, LoadedClip, classifier, load
from clip_tta_core.control import Control, OutOfTime, Progress, Stopped
from clip_tta_core.inside import Observer
from clip_tta_core.methods import Method
from clip_tta_core.metrics import Tally
from clip_tta_core.records import Batch, Glimpse, Loading, Outcome, Remembered, Report, RunConfig, Step
from clip_tta_core.sources import datasets
from clip_tta_core.sources.datasets import DATASETS
from clip_tta_core.sources.rendered import TASK
from clip_tta_core.starts import STARTS, Shots, making
from clip_tta_core.stream import Stream
from clip_tta_core.validation import LIMITS, ZERO_SHOT, Checked, Entry, attack_of, check, costs

__all__ = ["LIMITS", "ZERO_SHOT", "catalog", "check", "costs", "prepare", "preview", "run"]

Result = TypeVar("Result")
Logits = Callable[[Tensor], Tensor]  # (B, 3, H, W) in [0, 1] -> (B, K), differentiable


def run(config: RunConfig | Checked, control: Control | None = None) -> Generator[Report]:
    """Adapt every contender of `config` to the same stream and report batch by batch.

    Args:
        config: what to run; bad values raise ValueError here, with one sentence, before anything is loaded.
        control: pauses, steps and stops the run from another thread, between optimization steps.

    Returns:
        a generator of plain-data reports. Closing it stops the run and frees what it held.
    """
    checked = config if isinstance(config, Checked) else check(config)
    return _run(checked, control or Control())


def prepare(config: RunConfig | Checked, control: Control | None = None) -> None:
    """Do ahead what `run` would wait for longest: fetch and load the model, fetch data sets. Raises Stopped
    if told to.
    """
    checked = config if isinstance(config, Checked) else check(config)
    config, control = checked.config, control or Control()
    load(config.model, config.device, _announcer(control), wanted=config.precision)
    _bring_data(config, control)


def save_start(config: RunConfig, file: Path) -> None:
    """Write the model that a run begins with as a checkpoint; see `starts.making.save`."""
    check(config)
    loaded = load(config.model, config.device, wanted="float32")
    start, _ = _begin(config, Stream(config, loaded.image_size), loaded, Control())
    making.save(start, file)


def preview(config: RunConfig) -> np.ndarray:
    """One picture as the stream would show it. -> uint8 (S, S, 3)"""
    check(config)
    loaded = load(config.model, config.device, wanted=config.precision)
    stream = Stream(config, loaded.image_size)
    batch = stream.pictures(0, 1)
    if attack_of(config).epsilon:
        batch = aside(_struck, batch, stream, config, loaded)  # lesson cards are drawn with the page
    return batch.images[0]


def _struck(batch: Batch, stream: Stream, config: RunConfig, loaded: LoadedClip) -> Batch:
    """The first picture of a stream, attacked where the stream attacks it."""
    frozen = classifier(loaded, stream.class_names, config.templates)
    return attacked(batch, stream.struck(0, 1), 0, config, loaded, logits_of(frozen))


def mislead(image: np.ndarray, shows: str, config: RunConfig) -> np.ndarray:
    """One picture of a class as a run of `config` would attack it. uint8 (H, W, 3) -> uint8 (S, S, 3)

    Args:
        image: uint8 (H, W, 3), square.
        shows: its class, which joins those of the run where it is none of them.
        config: of the run; says which attack, which model and which classes.
    """
    check(config)
    loaded = load(config.model, config.device, wanted=config.precision)
    names = tuple(dict.fromkeys((*(config.class_names or TASK), shows)))
    batch = Batch(image[None], np.array([names.index(shows)]), (shows,), np.zeros(1, dtype=bool), ("",))
    frozen = classifier(loaded, names, config.templates)
    return attacked(batch, np.ones(1, dtype=bool), 0, config, loaded, logits_of(frozen)).images[0]


def _announcer(control: Control) -> Callable[[Loading], None]:
    """Puts what is being loaded where the page looks, and lets Stop end it."""

    def announce(state: Loading) -> None:
        title = MODELS[state.model].title if state.model in MODELS else state.model
        amount = ""
        if state.doing == "downloading":
            amount = _megabytes(state.done, state.total)
        elif state.total > 1:
            amount = f": {state.done} of {state.total}"
        control.announce(Progress(step=state.done, steps=state.total, doing=f"{state.doing} {title}{amount}"))

    return announce


def _bring_data(config: RunConfig, control: Control) -> None:
    """Fetch the data sets of a run that are not here, as visibly and stoppably as a model."""

    def announce(title: str, doing: str, done: int, total: int) -> None:
        said = f"{doing} {title}{_megabytes(done, total)}"
        control.announce(Progress(step=done, steps=total, doing=said))

    for source in (config.source, config.unknown_source):
        kind, _, name = source.partition(":")
        if kind == "dataset":
            datasets.bring(name, partial(announce, DATASETS[name].title))


def _megabytes(done: int, total: int) -> str:
    return f": {done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if total else ""


def _run(checked: Checked, control: Control) -> Generator[Report]:
    """Reports until the stream ends, somebody says Stop, or the time that the operator allows is up."""
    control.limit(limits.MAX_SECONDS.value)
    done = 0
    try:
        for report in _reports(checked, control):
            done = report.batch_number
            yield report
    except Stopped:
        return
    except OutOfTime:
        batches = checked.config.batches
        raise ValueError(
            f"Run: on this page a run may take {limits.MAX_SECONDS.value} seconds, and this one had done "
            f"{done} of {batches} batches by then; choose fewer batches or steps."
        ) from None


def _reports(checked: Checked, control: Control) -> Generator[Report]:
    config = checked.config
    loaded = load(config.model, config.device, _announcer(control), wanted=config.precision)
    _bring_data(config, control)
    stream = Stream(config, loaded.image_size)
    frozen = classifier(loaded, stream.class_names, config.templates, _announcer(control))
    start, said_before = _begin(config, stream, loaded, control)
    begun = frozen if start is loaded else classifier(start, stream.class_names, config.templates)
    clean = _clean(checked, stream, loaded)
    runners = {
        entry.contender.label: Runner(entry, config, begun if entry.contender.from_start else frozen, clean)
        for entry in checked.entries
    }

    def make(index: int) -> tuple[Batch, Callable[[Logits], Batch]]:
        """A batch, attacked for the model that contenders begin with, and how to attack it for another."""
        clean, first = stream.batch(index), index * config.batch_size
        struck = stream.struck(first, first + config.batch_size)
        attack = partial(attacked, clean, struck, first, config, loaded)
        return attack(logits_of(begun)), attack

    weights, total = fingerprint(loaded), len(stream)
    observer = Observer(frozen) if control.inside else None
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="stream") as ahead:
        upcoming = ahead.submit(make, 0)
        for number in range(1, total + 1):
            control.checkpoint(Progress(number, total))
            batch, attack = upcoming.result()
            if number < total:
                upcoming = ahead.submit(make, number)  # made while this one adapts
            if not len(batch):  # all of its files were broken
                continue
            images = to_tensor(batch.images, loaded.image_size, loaded.device)
            outcomes, said = {}, [*stream.notes, *said_before, *notes.of_batch(batch)]
            sight = Sight(control, number, total, batch)
            for label, runner in runners.items():
                progress = Progress(number, total, label)
                runner.turn(number)
                own = images
                if config.attack_target == "adapted" and runner.can_be_studied:
                    moved = attack(runner.studied(images, control, progress)).images
                    own = to_tensor(moved, loaded.image_size, loaded.device)
                outcome = runner.process(own, batch, control, progress, sight)
                sight.take(label, outcome, runner.method)
                said += notes.of_outcome(runner.title, outcome, stream.unknowns is not None)
                said += runner.take_notes()
                if observer:
                    outcome = observer.look(label, outcome, runner.method, runner.start, own)
                outcomes[label] = outcome
            if config.model in EMBEDDED and not EMBEDDED[config.model].is_at_home(config.source):
                said.append(EMBEDDED[config.model].abroad)
            place, form = str(loaded.device), loaded.precision
            plane = observer.plane if observer else None
            yield Report(
                number, total, batch, outcomes, place, tuple(said), weights, form, plane, stream.class_names
            )


def _begin(
    config: RunConfig, stream: Stream, loaded: LoadedClip, control: Control
) -> tuple[LoadedClip, tuple[str, ...]]:
    """The model that contenders begin with, a start where there is one, and notes for the visitor."""
    if config.start == "none":
        return loaded, ()
    title = STARTS[config.start].title
    control.announce(Progress(doing=f"drawing labelled pictures for {title}"))
    drawn = few_shots.draw(config, stream, loaded.image_size)
    exact = loaded if loaded.autocast is None else load(config.model, config.device, wanted="float32")
    size, device = loaded.image_size, loaded.device
    shots = Shots(
        to_tensor(drawn.images, size, device),
        torch.from_numpy(drawn.labels).to(device),
        to_tensor(drawn.unlabelled, size, device),  # may be none
    )

    def tell(step: int, steps: int) -> None:
        amount = f": step {step + 1} of {steps}" if steps else ""
        control.announce(Progress(step=step, steps=steps, doing=f"making the start, {title}{amount}"))

    visual = making.make(
        config.start,
        STARTS[config.start].Config.from_values(config.start_settings),
        classifier(exact, stream.class_names, config.templates, _announcer(control)),
        shots,
        fingerprint(exact),
        config.seed,
        tell,
    )
    return making.begun(loaded, visual), drawn.notes


def logits_of(frozen: ClipClassifier) -> Logits:
    """What an attack on a model climbs."""
    return lambda images: frozen.predict(images).logits


def attacked(
    batch: Batch, struck: np.ndarray, start: int, config: RunConfig, loaded: LoadedClip, predict: Logits
) -> Batch:
    """A batch whose pictures are made adversarial, where the run asks for it.

    Attacked pictures have the model's own size; unknown ones have no class to be led away from, and stay.

    Args:
        batch: as the stream has it.
        struck: bool (B,), which of its pictures the attack reaches.
        start: how many pictures of the stream came before.
        config: of the run.
        loaded: says which size and where.
        predict: the logits that the attack climbs, see `attacks.pgd`.
    """
    attack = attack_of(config)
    if not attack.epsilon or not len(batch):
        return batch
    size, device = loaded.image_size, loaded.device
    images = (to_tensor(batch.images, size, device) * 255).round() / 255
    labels = torch.from_numpy(np.where(batch.unknown | ~struck, -1, batch.labels)).to(device)
    rng = torch.Generator().manual_seed(config.seed)
    torch.randint(2**62, (start,), generator=rng)  # the seeds of the pictures before
    moved = pgd(predict, images, labels, attack, rng)
    shown = (255 * moved).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    strength = f"{attack.norm} {255 * attack.epsilon:.3g}/255"
    applied = tuple(
        ", ".join(filter(None, [before, strength if label >= 0 else ""]))
        for before, label in zip(batch.applied, labels.tolist(), strict=True)
    )
    return dataclasses.replace(batch, images=shown, applied=applied)


def _clean(checked: Checked, stream: Stream, loaded: LoadedClip) -> tuple[Tensor, Tensor] | None:
    """Clean pictures and classes for the methods that want to see some, drawn apart from the stream's."""
    wanted = max(entry.method.source_pictures for entry in checked.entries)
    if not wanted or stream.corrupted:  # of a corrupted set there are no clean ones
        return None
    config = dataclasses.replace(
        checked.config,
        corruption="none",
        schedule="constant",
        order="shuffled",
        unknown_source="none",
        batch_size=wanted,
        batches=1,
        seed=checked.config.seed ^ 1,
    )
    batch = Stream(config, loaded.image_size).batch(0)
    images = to_tensor(batch.images, loaded.image_size, loaded.device)
    return images, torch.from_numpy(batch.labels).to(loaded.device)


_fingerprints: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()


def fingerprint(loaded: LoadedClip) -> str:
    """SHA-256 of a model's weights, names and values in order; computed once for each that is loaded."""
    if loaded.visual not in _fingerprints:
        digest = hashlib.sha256()
        towers = [tower for tower in (loaded.visual, loaded.text) if isinstance(tower, nn.Module)]
        for name, tensor in (item for tower in towers for item in tower.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().data)
        _fingerprints[loaded.visual] = digest.hexdigest()
    return _fingerprints[loaded.visual]


class Sight:
    """What somebody sees of a batch before its report; without anybody who looks, nothing is done for it."""

    def __init__(self, control: Control, number: int, total: int, batch: Batch) -> None:
        self.control = control
        self._where, self._batch = (number, total), batch
        self._outcomes: dict[str, Outcome] = {}
        self._memories: dict[str, Remembered] = {}

    def take(self, label: str, outcome: Outcome, method: Method[Any]) -> None:
        """A method is done with the batch."""
        if self.control.looker is None:
            return
        self._outcomes[label] = outcome
        if (memory := method.remembered()) is not None:
            self._memories[label] = memory
        self.show()

    def show(self, step: Step | None = None) -> None:
        """Tell whoever looks where the batch is."""
        if self.control.looker is not None:
            done, memories = dict(self._outcomes), dict(self._memories)
            self.control.looker(Glimpse(*self._where, self._batch, done, memories, step))


class Runner:
    """One contender in one run: builds its method, feeds it, counts what it gets right."""

    def __init__(
        self,
        entry: Entry,
        config: RunConfig,
        frozen: ClipClassifier,
        clean: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.entry = entry
        self.clean = clean
        self.title = entry.title
        self.frozen = frozen
        self.predict_first = config.predict == "pre"
        self.every = batches_apart(entry, config)
        self.in_time = True  # whether there is time to adapt to the present batch
        # By method, not by label or place: the same settings draw the same numbers alone and beside others.
        drawn = (entry.method.draws or entry.method.name).encode()
        self.seed = zlib.crc32(drawn) ^ config.seed
        self.rng = torch.Generator().manual_seed(self.seed)
        self.tally = Tally()
        self.notes: list[str] = []
        self.shown = True  # whether the method has shown its last step; of the first it is taken to do so
        self.method = self._build()
        self.episodic = config.episodic or self.method.episodic
        self.start = optim.copies(self.method.clip.trainable())

    def _build(self) -> Method[Any]:
        method = self.entry.method(self.frozen.fork(self.entry.method.train), self.entry.config, self.rng)
        if method.source_pictures and self.clean is not None:
            method.see_source(*self.clean)
        return method

    def take_notes(self) -> list[str]:
        """What the visitor should read about the last batch."""
        said, self.notes = self.notes, []
        return said

    def turn(self, number: int) -> None:
        """Batch `number` comes, 1 for the first: is there time to adapt to it, and what is forgotten?"""
        self.in_time = (number - 1) % self.every == 0
        if self.episodic and self.in_time and number > 1:
            self.method = self._build()

    @property
    def can_be_studied(self) -> bool:
        """Whether knowing the method makes an attacker stronger."""
        return adversary.knows_more(self.entry.method, self.entry.config)

    def studied(self, images: Tensor, control: Control, progress: Progress) -> Logits:
        """What an attacker climbs who knows the method and what it has learned, this batch included.

        Args:
            images: (B, 3, H, W), as the model was attacked that the method began with.
            control: stops the rehearsal between its steps, too.
            progress: where the run is.
        """
        rehearsal, numbers = self._keep()
        rehearsal.on_step = lambda step, steps: control.checkpoint(progress)
        rehearsal.on_show = lambda logits, terms: None
        if self.in_time and not self.predict_first and adversary.learns(self.entry.method):
            rehearsal.adapt(images)
        self.rng.set_state(numbers)  # which the copy shares
        return adversary.aim(rehearsal, torch.Generator().manual_seed(self.seed ^ 1))

    def process(
        self, images: Tensor, batch: Batch, control: Control, progress: Progress, sight: Sight
    ) -> Outcome:
        """Adapt to a batch and predict it, after its `turn`. (B, 3, H, W) in [0, 1]"""
        start, held = time.perf_counter(), control.held
        prediction, losses = self._within_memory(
            lambda: self._process(images, control, progress, sight) if self.in_time else self._late(images),
            len(images),
        )
        probs = prediction.logits.float().softmax(dim=-1).cpu().numpy()
        seconds = time.perf_counter() - start - (control.held - held)
        if not np.isfinite(probs).all():
            way_out = "lower its learning rate" if self.start else "choose another model"
            raise ValueError(f"{self.title}: its predictions must be numbers, got others; {way_out}.")
        ranks, threshold = self._score(prediction)
        if prediction.threshold is not None and len(batch) > 1 and (batch.labels >= 0).all():
            self.notes.append(notes.expects_unknowns(self.title))
        source_probs = self.frozen.zero_shot(images).logits.softmax(dim=-1).cpu().numpy()
        metrics = self.tally.add(probs, source_probs, batch.labels, batch.unknown, ranks, threshold)
        metrics["drift"] = optim.drift(self.method.clip.trainable(), self.start) if self.start else 0.0
        features = prediction.features.float().cpu().numpy()
        return Outcome(probs, features, ranks, threshold, losses, metrics, seconds)

    def _process(
        self, images: Tensor, control: Control, progress: Progress, sight: Sight
    ) -> tuple[Prediction, dict[str, float]]:
        self._watch(control, progress, sight)
        if self.predict_first:
            prediction = self.method.predict(images)
            return prediction, self.method.adapt(images)
        losses = self.method.adapt(images)
        return self.method.predict(images), losses

    def _late(self, images: Tensor) -> tuple[Prediction, dict[str, float]]:
        """Predict a batch there is no time to adapt to: with the last weights, or as unadapted CLIP does
        where a method forgets what it learned with every picture.
        """
        forgets = self.entry.method.forgets
        return (self.frozen.zero_shot(images) if forgets else self.method.predict(images)), {}

    def _watch(self, control: Control, here: Progress, sight: Sight) -> None:
        """Let the run be held and seen between the method's steps.

        A method that shows its steps is held once it has shown one, so that the page has the numbers of what
        it is held at; any other, and every one where nobody looks, before the step is computed.
        """

        def on_step(step: int, steps: int) -> None:
            nonlocal here
            here = dataclasses.replace(here, step=step, steps=steps)
            (control.announce if self.shown else control.checkpoint)(here)
            self.shown = False

        def on_show(logits: Tensor, terms: Mapping[str, Tensor]) -> None:
            if control.looker is None:
                return
            if control.wants_look():
                probs = logits.detach().float().softmax(dim=-1).cpu().numpy()
                numbers = {name: term.item() for name, term in terms.items()}
                label, on = self.entry.contender.label, self.method.steps_on
                sight.show(Step(label, here.step, here.steps, probs, numbers, on))
            self.shown = True
            control.checkpoint(here)

        self.method.on_step, self.method.on_show = on_step, on_show

    def _within_memory(self, work: Callable[[], Result], count: int) -> Result:
        """Do a batch's work; where memory runs out, do it again in smaller pieces from where the batch began.

        Half of a batch's steps may be taken by then, so the method as it was is kept beside: a copy of what
        is its own, a few hundred thousand numbers; frozen weights and stored pictures are shared with it.
        """
        while True:
            kept = self._keep() if runs_out(self.frozen.device) else None
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            if kept is None:
                raise ValueError(
                    f"{self.title}: the memory of {self.frozen.device} ran out; choose smaller batches or a "
                    "smaller model."
                )
            # Out of the handler: the error no longer holds on to the tensors of the failed attempt.
            self.method, numbers = kept
            self.rng.set_state(numbers)
            release_memory()
            size = min(self.frozen.micro_batch or count, count)
            if size == 1:
                raise ValueError(
                    f"{self.title}: not even one picture at a time fits into the memory of "
                    f"{self.frozen.device}; choose a smaller model or another device."
                )
            self.frozen.micro_batch = size // 2
            self.notes.append(notes.smaller_pieces(self.title, size // 2))

    def _keep(self) -> tuple[Method[Any], Tensor]:
        return copy.deepcopy(self.method, {id(self.rng): self.rng}), self.rng.get_state()

    def _score(self, prediction: Prediction) -> tuple[np.ndarray, float]:
        """In-distribution scores (B,) and threshold: the method's own, else CLIPTTA's score and Otsu's."""
        ranks = prediction.scores
        if ranks is None:
            # Methods may change the logits: the score reads them on the scale of cosines.
            ranks = scores.score(prediction.logits.float() / self.frozen.scale)
        threshold = prediction.threshold if prediction.threshold is not None else scores.otsu(ranks)
        return ranks.float().cpu().numpy(), float(threshold)


def batches_apart(entry: Entry, config: RunConfig) -> int:
    """How many batches come while a contender adapts to one: 1 where the stream waits.

    On a clock that does not wait (Alfarra et al., ICML 2024, arXiv 2304.04795) a method that takes c times as
    long as unadapted CLIP has time for every c-th batch; c is what its passes through the encoder cost.
    """
    if config.clock == "waits":
        return 1
    one = entry.contender
    return math.ceil(costs((one,), config.batch_size, config.batches)[one.label].relative)


def runs_out(device: torch.device) -> bool:
    """Whether memory runs out there with an error one can go on from: the CPU's swaps or kills instead."""
    return device.type == "cuda"


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


def to_tensor(images: np.ndarray, size: int, device: torch.device) -> Tensor:
    """Pictures as a model takes them. uint8 (B, H, W, 3) -> float (B, 3, size, size) in [0, 1]"""
    fits = images.shape[1:3] == (size, size)
    # Apple's devices do not resize with antialiasing in every version: the CPU does it for them.
    place = device if fits or device.type == "cuda" else torch.device("cpu")
    tensor = torch.from_numpy(images).to(place).permute(0, 3, 1, 2).float() / 255
    if not fits:
        tensor = F.interpolate(tensor, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    return tensor.to(device)
