"""What the tests of the drawn page share: logs with known numbers, and numbers read off the page."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from clip_tta_core import engine
from clip_tta_core.records import Batch, Outcome, Report, RunLog
from clip_tta_core.ui.page.theme import modules
from clip_tta_core.ui.session.lessons import BY_NAME, FIRST
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.words.stream import stream

CLASSES = ("cat", "dog", "bird", "fish", "frog")
TITLES = {"zero_shot": "Zero-shot CLIP", "tent": "TENT", "cliptta": "CLIPTTA"}
LABELS = (0, 0, 1, 1, 2, 2, 3, 4, 4, 4)  # of every batch, ten pictures
PREDICTED = {  # in the last batch; in earlier ones everybody predicts as in BEFORE
    "zero_shot": (0, 1, 1, 1, 2, 0, 3, 4, 0, 4),  # 7 of 10 correct
    "tent": (0, 0, 0, 0, 0, 0, 3, 4, 0, 0),  # 4 correct; gains 1, loses 4
    "cliptta": (0, 0, 1, 1, 2, 0, 3, 4, 4, 4),  # 9 correct; gains 2
}
BEFORE = (0, 0, 0, 0, 1, 1, 3, 4, 4, 2)
CURVES = {  # accuracy and recent accuracy, a value a batch
    "zero_shot": (0.5, 0.4, 0.6, 0.5, 0.7, 0.5),
    "tent": (0.6, 0.5, 0.4, 0.3, 0.2, 0.1),
    "cliptta": (0.55, 0.6, 0.65, 0.7, 0.75, 0.8),
}
BATCHES = 6
THRESHOLD = 2.5


def known_log(unknown: bool = False) -> RunLog:
    """Six batches of which every number is known; with `unknown`, the last four pictures are strangers."""
    log = RunLog(class_names=CLASSES, titles=TITLES, settings=FIRST.settings() | {"stream": "a stream"})
    log.total = BATCHES
    for step in range(1, BATCHES + 1):
        log.append(_report(step, unknown), 2.0 * step)
    return log


def _report(step: int, with_unknown: bool) -> Report:
    labels = np.array(LABELS)
    unknown = np.arange(10) >= 6 if with_unknown else np.zeros(10, dtype=bool)
    images = np.full((10, 16, 16, 3), 128, dtype=np.uint8)
    names = tuple(f"picture {i}" for i in range(10))
    batch = Batch(images, np.where(unknown, -1, labels), names, unknown, ("fog 5",) * 10)
    outcomes = {name: _outcome(name, step, unknown) for name in TITLES}
    return Report(step, BATCHES, batch, outcomes, "cpu")


def _outcome(name: str, step: int, unknown: np.ndarray) -> Outcome:
    predicted = np.array(PREDICTED[name] if step == BATCHES else BEFORE)
    probs = np.full((10, 5), 0.05, dtype=np.float32)
    probs[np.arange(10), predicted] = 0.8
    scores = np.where(unknown, 1.0, 4.0).astype(np.float32) + np.linspace(0, 0.5, 10, dtype=np.float32)
    accuracy = CURVES[name][step - 1]
    metrics = {
        "accuracy": accuracy,
        "accuracy_window": accuracy,
        "accuracy_batch": accuracy,
        "effective_classes": {"zero_shot": 4.0, "tent": 1.5, "cliptta": 4.5}[name],
        "distinct_classes": 5.0,
        "largest_share": 0.3,
        "changed": {"zero_shot": 0.0, "tent": 0.6, "cliptta": 0.2}[name],
        "ece": {"zero_shot": 0.2, "tent": 0.4, "cliptta": 0.1}[name],
        "drift": 0.001 * step,
        "gained": {"zero_shot": 0.0, "tent": 1.0, "cliptta": 2.0}[name],
        "lost": {"zero_shot": 0.0, "tent": 4.0, "cliptta": 0.0}[name],
        "auroc": {"zero_shot": 0.6, "tent": 0.4, "cliptta": 0.96}[name],
        "fpr95": {"zero_shot": 0.5, "tent": 0.9, "cliptta": 0.1}[name],
        "accepted": 0.5,
    }
    features = np.eye(4, dtype=np.float32)[np.zeros(10, dtype=int)]
    return Outcome(probs, features, scores, THRESHOLD, {"loss": 1 / step}, metrics, 0.5)


def stream_of(lesson: str) -> str:
    """The line on the stream of a lesson's run."""
    return stream(to_config(BY_NAME[lesson].settings()), engine.catalog())


def call(page, module: str, expression: str, argument: Any = None) -> Any:
    """The value of an expression over a module `m` and an argument `a`, in the page."""
    address = f"/gradio_api/file={modules().as_posix()}/{module}"
    script = f"async ([address, a]) => {{ const m = await import(address); return {expression}; }}"
    return page.evaluate(script, [address, argument])


def points(page, selector: str) -> list[tuple[float, float]]:
    """The points of a polyline."""
    text = page.locator(selector).get_attribute("points")
    return [tuple(map(float, pair.split(","))) for pair in text.split()]


def number(page, selector: str, name: str) -> float:
    """An attribute of an element that is there once."""
    return float(page.locator(selector).get_attribute(name))


def moved(transform: str) -> tuple[float, float]:
    """x and y of translate(x y)."""
    return tuple(map(float, re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", transform).groups()))


def columns_of(path: str) -> list[float]:
    """Heights of a histogram's columns above its base, signed; see outline in lib/bins.js."""
    base = float(re.match(r"M[-\d.]+ ([-\d.]+)", path).group(1))
    return [round(base - float(y), 1) for y in re.findall(r"V([-\d.]+)H", path)]
