"""One cell of a table: everything that decides its numbers, and what came out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache
from pathlib import Path

import numpy as np

from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.loading import MINI
from clip_tta_core.engine import run
from clip_tta_core.hparams import Value
from clip_tta_core.records import Report, RunConfig
from clip_tta_core.validation import ZERO_SHOT, start_label

PACKAGE = Path(__file__).parents[1]
Run = Callable[[RunConfig], Iterator[Report]]
# What no number of a run depends on.
ELSEWHERE = (
    *("ui", "bench", "sweep", "card", "catalog.py", "export.py", "logs.py", "notes.py", "palette.py"),
    *("plots.py", "pretrain", "first_paint.py", "thumbnails.py", "versions.py"),
)


@dataclass(frozen=True)
class Shift:
    """What happens to the pictures of a stream."""

    corruption: str = "none"
    severity: int = 5
    style: str = "none"
    schedule: str = "constant"
    attack: str = "none"
    attack_epsilon: float = 1.0
    attack_iterations: int = 7
    attack_target: str = "loaded"

    @property
    def title(self) -> str:
        """As a row of a table is called: "fog 5", "negative", "clean", "fog 5, attack 4/255"."""
        if self.attack == "none":
            return self._pictures or "clean"
        norm = "" if self.attack == "linf" else f"{self.attack.upper()} "
        whom = " on the adapted model" if self.attack_target == "adapted" else ""
        attack = f"{norm}attack {self.attack_epsilon:g}/255{whom}"
        return f"{self._pictures}, {attack}" if self._pictures else attack

    @property
    def _pictures(self) -> str:
        """What happens before an attack: "fog 5", "negative", "" for nothing."""
        if self.schedule != "constant":
            return f"{self.schedule} {self.severity}".replace("_", " ")
        name = self.corruption if self.style == "none" else self.style
        words = "" if name == "none" else name.replace("_", " ")
        return f"{words} {self.severity}" if self.corruption != "none" else words


@dataclass(frozen=True)
class Protocol:
    """How a stream is shown and judged."""

    batch_size: int = 64
    batches: int = 8
    order: str = "shuffled"
    predict: str = "post"
    clock: str = "waits"
    episodic: bool = False
    unknown_source: str = "none"
    templates: str = "single"


@dataclass(frozen=True)
class PreStep:
    """What a few labelled pictures make of the model before the stream; see `clip_tta_core.starts`."""

    start: str = "none"
    start_settings: Mapping[str, Value] = field(default_factory=dict, hash=False)  # {knob: value}
    shots: int = 16  # labelled pictures per class


@dataclass(frozen=True)
class Cell:
    """One method at one setting on one stream."""

    method: str
    # {knob: value}; the rest at its default. Cells are keys of dictionaries, and these cannot be hashed.
    settings: Mapping[str, Value] = field(default_factory=dict, hash=False)
    model: str = MINI
    source: str = "rendered"
    shift: Shift = Shift()
    protocol: Protocol = Protocol()
    seed: int = 0
    pre_step: PreStep = PreStep()

    @property
    def key(self) -> str:
        """The name of the cell's file: a hash of all that decides its numbers, with code and weights."""
        parts = {"shift": vars(self.shift), "protocol": vars(self.protocol), "settings": dict(self.settings)}
        begins = vars(self.pre_step) | {"start_settings": dict(self.pre_step.start_settings)}
        versions = {"code": code_version(), "weights": weights_version(self.model), "pre_step": begins}
        content = vars(self) | parts | versions  # asdict() copies deeply, and a page looks at thousands
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def content(self) -> str:
        """A hash of what the cell is, whatever the code: of all that differs from the defaults."""
        return hashlib.sha256(json.dumps(_told(self), sort_keys=True).encode()).hexdigest()[:16]

    def config(self) -> RunConfig:
        """The run that measures the cell, on one CPU or GPU as the machine has it."""
        return RunConfig(
            methods={self.method: dict(self.settings)},
            model=self.model,
            source=self.source,
            seed=self.seed,
            **asdict(self.shift),
            **asdict(self.protocol),
            **asdict(self.pre_step),
        )

    @property
    def label(self) -> str:
        """Whose numbers they are among the outcomes of its run: with a pre-step, unadapted is the start."""
        started = self.method == ZERO_SHOT and self.pre_step.start != "none"
        return start_label(self.config()) if started else self.method


def _told(part: Cell | Shift | Protocol | PreStep) -> dict[str, object]:
    found = {}
    for one in fields(part):
        value, usual = getattr(part, one.name), one.default
        if one.default_factory is not MISSING:
            usual = one.default_factory()
        if value != usual:
            found[one.name] = _told(value) if isinstance(value, (Shift, Protocol, PreStep)) else value
    return found


def measure(cell: Cell, run: Run = run, stopped: Callable[[], bool] = lambda: False) -> dict[str, float]:
    """Run a cell to its end. -> its numbers over the whole stream; those without a meaning are left out

    Besides the metrics of a run: `pictures`, `seconds` to adapt to and predict a batch, on average, and
    `third_1` to `third_3`, the mean accuracy of a batch in each third of a stream of three batches or more.

    Args:
        cell: what is measured.
        run: what runs it.
        stopped: whether somebody has ended the run; half a stream is no measurement, and gives no numbers.
    """
    seconds, pictures, found, course = 0.0, 0, {}, []
    for report in run(cell.config()):
        outcome = report.outcomes[cell.label]
        seconds, pictures = seconds + outcome.seconds, pictures + len(report.batch)
        found = {name: float(value) for name, value in outcome.metrics.items() if not math.isnan(value)}
        course.append(found.get("accuracy_batch", math.nan))
        found |= {"pictures": float(pictures), "seconds": seconds / report.total}
    if len(course) >= 3 and not any(map(math.isnan, course)):
        thirds = enumerate(np.array_split(course, 3), start=1)
        found |= {f"third_{number}": float(np.mean(part)) for number, part in thirds}
    return {} if stopped() else found


@cache
def code_version() -> str:
    """A hash of every source file that a number of a run can depend on."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] not in ELSEWHERE:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def weights_version(model: str) -> str:
    """A hash of the weights where they are a file here; others are pinned by the model's name."""
    if model in EMBEDDED:
        file = EMBEDDED[model].folder / "model.safetensors"
    elif "@" in model:
        file = Path(model.partition("@")[2]).expanduser()
    else:
        return ""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
