"""How fast methods adapt models: time, memory, work done, and how much of the machine that uses."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clip_tta_core import engine
from clip_tta_core.bench.pace import matmul_rate, timed
from clip_tta_core.bench.released import ReleasedLoop
from clip_tta_core.clip import embedded, loading
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.precision import Precision
from clip_tta_core.methods import METHODS, Method
from clip_tta_core.records import RunConfig
from clip_tta_core.sources.rendered import TASK, render

RANDOM = "@random"  # "ViT-B-32@random": an architecture with weights by chance, as fast as trained ones
RELEASED = "released loop"  # not a method of the page: see bench/released.py


@dataclass(frozen=True)
class Row:
    """What one method on one model took."""

    model: str
    method: str
    images_per_second: float
    step_ms: float  # of adapting and predicting a batch, by the optimization steps taken; the batch if none
    peak_mb: float  # resident on a CPU, allocated on a GPU
    share: float  # of the rate of a large matrix product on the same device
    forwards: float  # pictures through the encoder, per picture of the stream
    backwards: float


@dataclass(frozen=True)
class Pair:
    """CLIPTTA and the released loop in turns on the same batches; one entry per round."""

    model: str
    precision: str
    ours: tuple[float, ...]  # seconds a batch
    released: tuple[float, ...]
    peaks_mb: tuple[float, float]  # of ours and of the released loop

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours is, round by round, the slowest first."""
        return sorted(theirs / own for own, theirs in zip(self.ours, self.released, strict=True))


def load(
    model: str, device: str = "auto", wanted: Precision = "auto", released: bool = False
) -> loading.LoadedClip:
    """A model by name; also an architecture with random weights, which needs no file.

    `released` leaves one with random weights as open_clip builds it: its own attention, float32.
    """
    if not model.endswith(RANDOM):
        return loading.load(model, device, wanted=wanted)
    place = loading.choose_device(device)
    architecture = model.removesuffix(RANDOM)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = open_clip.create_model(architecture, load_weights=False, force_custom_text=True)
    loaded = loading.wrap(model, built, open_clip.get_tokenizer(architecture), place)
    return loaded if released else loading.tuned(loaded, wanted)


def pair(
    model: str, batch: int, rounds: int, device: str, steps: int = 0, wanted: Precision = "auto"
) -> Pair:
    """Time CLIPTTA against the released loop, batch by batch in turns, after one batch each to warm up."""
    loaded = load(model, device, wanted)
    plain = load(model, device, released=True)
    runs = []
    for method, own in (("cliptta", loaded), (RELEASED, plain)):
        names = class_names(own.name)
        clip = spread_classes(loading.classifier(own, names), pictures(own, len(names), seed=1))
        runs.append(build(method, clip, steps))
    seconds, peaks = ([], []), [0.0, 0.0]
    for number in range(rounds + 1):
        images = pictures(loaded, batch, number * batch)
        for k in (0, 1) if number % 2 else (1, 0):
            reset_peak(loaded.device)
            taken = timed(lambda run=runs[k], images=images: work(run, images), loaded.device)
            if number:
                seconds[k].append(taken)
                peaks[k] = max(peaks[k], peak_mb(loaded.device))
    return Pair(model, loaded.precision, tuple(seconds[0]), tuple(seconds[1]), (peaks[0], peaks[1]))


def measure(
    loaded: loading.LoadedClip, method: str, batch: int, batches: int, rate: float, steps: int = 0
) -> Row:
    """Adapt a method to `batches` batches after one to warm up; times are medians over batches."""
    clip = spread_classes(
        loading.classifier(loaded, class_names(loaded.name)), pictures(loaded, len(TASK), seed=1)
    )
    passes = {"forward": 0, "backward": 0}
    hook = clip.visual.register_forward_hook(_counter(passes))
    try:
        adapting = build(method, clip, steps)
        images = [pictures(loaded, batch, first * batch) for first in range(batches + 2)]
        work(adapting, images[0])
        reset_peak(loaded.device)
        passes.update(forward=0, backward=0)
        taken = []
        adapting.on_step = lambda step, count: taken.append(step)
        seconds = [timed(lambda one=one: work(adapting, one), loaded.device) for one in images[2:]]
        per_batch = len(taken) / batches or 1
        peak, counted = peak_mb(loaded.device), {way: n / batch / batches for way, n in passes.items()}
        with FlopCounterMode(display=False) as operations:
            work(adapting, images[1])
    finally:
        hook.remove()
    median = statistics.median(seconds)
    share = operations.get_total_flops() / median / rate
    return Row(
        loaded.name,
        method,
        batch / median,
        1e3 * median / per_batch,
        peak,
        share,
        counted["forward"],
        counted["backward"],
    )


def class_names(model: str) -> tuple[str, ...]:
    """The rendered task's, or as many others where the model has no words for it."""
    if embedded.known(TASK, model) == tuple(TASK):
        return tuple(TASK)
    return embedded.read_config(EMBEDDED[model].folder).names[: len(TASK)]


def build(method: str, clip: ClipClassifier, steps: int = 0) -> Method | ReleasedLoop:
    """A method at its defaults; where it takes steps, with so many of them, 0 for its own number."""
    rng, own = torch.Generator().manual_seed(0), {"steps": steps} if steps else {}
    if method == RELEASED:
        return ReleasedLoop(clip.fork("visual_norm"), rng, **own)
    cls = METHODS[method]
    takes_steps = any(knob.name == "steps" for knob in cls.Config.knobs())
    return cls(clip.fork(cls.train), cls.Config(**own if takes_steps else {}), rng)


def work(method: Method | ReleasedLoop, images: Tensor) -> None:
    """What a run does with a batch."""
    method.adapt(images)
    method.predict(images).logits.cpu()


def spread_classes(clip: ClipClassifier, images: Tensor) -> ClipClassifier:
    """Give random weights classes that pictures may show: a memory by class would else stay nearly empty."""
    with torch.no_grad():
        features = clip.encode_image(images)  # (K, D)
    clip.text_features = F.normalize(features - features.mean(dim=0), dim=-1)
    return clip


def pictures(loaded: loading.LoadedClip, count: int, first: int = 0, seed: int = 0) -> Tensor:
    """Rendered objects in the model's size. -> float (count, 3, S, S) in [0, 1]"""
    numbers = range(first, first + count)
    images = render([TASK[i % len(TASK)] for i in numbers], seed, list(numbers))
    return engine.to_tensor(images, loaded.image_size, loaded.device)


def _counter(passes: dict[str, int]) -> Callable:
    """A hook that counts pictures on their way forward and backward; forks take it with them."""

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output) -> None:
        passes["forward"] += len(inputs[0])
        features = output[0] if isinstance(output, tuple) else output
        if features.requires_grad:
            features.register_hook(
                lambda gradient: passes.update(backward=passes["backward"] + len(gradient))
            )

    return count


def reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the kernel's word for: forget the high-water mark


def peak_mb(device: torch.device) -> float:
    """The most memory since `reset_peak`; where the mark cannot be reset, since the process began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        (mark,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return mark * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


@dataclass(frozen=True)
class Whole:
    """A run of the page's default kind, as a whole."""

    seconds: float
    inside: dict[str, float]  # {method: seconds spent in it}
    first: float  # seconds until the first report


def whole_run(batches: int, device: str = "auto") -> Whole:
    """Zero-shot, TENT and CLIPTTA with ten steps each on mini-CLIP, 64 pictures a batch."""
    methods = {"zero_shot": {}, "tent": {"steps": 10}, "cliptta": {"steps": 10}}
    config = RunConfig(methods=methods, corruption="gaussian_noise", batches=batches, device=device)
    list(engine.run(dataclasses.replace(config, batches=1)))  # the model is loaded once for all runs
    inside, first, start = dict.fromkeys(methods, 0.0), 0.0, time.perf_counter()
    for report in engine.run(config):
        first = first or time.perf_counter() - start
        for name, outcome in report.outcomes.items():
            inside[name] += outcome.seconds
    return Whole(time.perf_counter() - start, inside, first)


def sweep(
    models: list[str],
    methods: list[str],
    batch: int,
    batches: int,
    device: str,
    steps: int = 0,
    wanted: Precision = "auto",
) -> Iterator[Row | str]:
    """Every method on every model; a sentence in the place of what cannot be measured."""
    for model in models:
        try:
            loaded = load(model, device, wanted)
        except ValueError as error:
            yield str(error)
            continue
        rate = matmul_rate(loaded.device, loaded.autocast)
        yield (
            f"{model} on {loaded.device} in {loaded.precision}: a large matrix product runs at "
            f"{rate / 1e9:,.0f} GFLOP/s."
        )
        for method in methods:
            try:
                own = load(model, device, released=True) if method == RELEASED else loaded
                yield measure(own, method, batch, batches, rate, steps)
            except ValueError as error:
                yield f"{method}: {error}"
