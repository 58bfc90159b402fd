"""What a corruption is, how one is declared, and the two functions that apply one by name.

The nineteen corruptions are those of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to
Common Corruptions and Perturbations", ICLR 2019 (arXiv 1903.12261), known as ImageNet-C (224 px), Tiny
ImageNet-C (64 px) and CIFAR-C (32 px). A corruption is a function of one square picture and five rows of
parameters for each of these sizes:

    @corruption("Gaussian noise", at_224=(0.08, ...), at_64=(0.04, ...), at_32=(0.04, ...))
    def gaussian_noise(image: np.ndarray, rng: np.random.Generator, sd: float) -> np.ndarray:
        \"\"\"Sensor noise in low light: every value of every channel gets its own normal error.\"\"\"
        ...

Its first docstring line is what a visitor reads, its file is its family, and it is random if it takes an
`rng`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from clip_tta_core.registry import Registry

SEVERITIES = (1, 2, 3, 4, 5)

PANORAMA = 2  # sides in this proportion, and a square around the picture costs twice the picture
OVERLAP = 0.25  # of two neighbouring squares of a panorama, so that their borders are cut off

Row = tuple[float, ...]  # one severity's parameters, in the order of the function's arguments


@dataclass(frozen=True)
class Corruption:
    """One corruption: what it is called, what it means, and how strong it is at every severity and size."""

    name: str
    title: str
    family: str  # "noise", "blur", "weather" or "digital"
    meaning: str  # one sentence
    random: bool  # whether the seed matters
    standard: bool  # one of the fifteen that benchmarks report; the other four are for validation
    function: Callable[..., np.ndarray]  # (image uint8 (n, n, 3), [rng,] **parameters) -> uint8 (n, n, 3)
    arguments: tuple[str, ...]
    lengths: frozenset[str]  # the arguments measured in pixels
    tables: Mapping[int, tuple[Row, ...]]  # side of the picture in pixels -> a row for each severity

    def parameters(self, side: int, severity: int) -> dict[str, float]:
        """The function's arguments for a `side` x `side` picture.

        The three tables are human choices, not rescalings of each other. Another size takes the table nearest
        on a logarithmic scale and stretches its lengths; shares, tones and ratios stay.
        """
        anchor = min(self.tables, key=lambda size: abs(math.log(side / size)))
        row = dict(zip(self.arguments, self.tables[anchor][severity - 1], strict=True))
        if side == anchor:
            return row
        return {name: value * side / anchor if name in self.lengths else value for name, value in row.items()}

    def apply(self, image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Corrupt one square picture. uint8 (n, n, 3) -> uint8 (n, n, 3)"""
        parameters = self.parameters(len(image), severity)
        return self.function(image, rng, **parameters) if self.random else self.function(image, **parameters)


CORRUPTIONS: Registry[Corruption] = Registry("corruption")


def corruption(
    title: str,
    *,
    at_224: tuple[float | Row, ...],
    at_64: tuple[float | Row, ...],
    at_32: tuple[float | Row, ...],
    lengths: tuple[str, ...] = (),
    standard: bool = True,
) -> Callable[[Callable[..., np.ndarray]], Corruption]:
    """Turn a function into the record of a corruption; a row of one parameter may be the bare number."""

    def declare(function: Callable[..., np.ndarray]) -> Corruption:
        _, *arguments = inspect.signature(function).parameters
        return Corruption(
            name=function.__name__,
            title=title,
            family=function.__module__.rpartition(".")[2],
            meaning=(inspect.getdoc(function) or "").partition("\n")[0],
            random="rng" in arguments,
            standard=standard,
            function=function,
            arguments=tuple(name for name in arguments if name != "rng"),
            lengths=frozenset(lengths),
            tables={32: _rows(at_32), 64: _rows(at_64), 224: _rows(at_224)},
        )

    return declare


def corrupt(image: np.ndarray, name: str, severity: int, seed: int = 0) -> np.ndarray:
    """A corrupted copy of one picture; the same seed gives the same picture, bit for bit.

    The benchmark knows squares only. A picture that is not square is mirrored outwards to a square around it,
    corrupted at that size and cut back. A panorama, whose square would be several times as large, is
    corrupted in overlapping squares as high as it is.

    Args:
        image: uint8 (H, W, 3) RGB, any size; it is left as it is.
        name: one of `CORRUPTIONS`.
        severity: 1 (mild) to 5 (severe).
        seed: decides everything random; ignored by the corruptions that are not.

    Returns:
        uint8 (H, W, 3), a new array.
    """
    chosen = CORRUPTIONS[name]
    _check_pixels("corrupt: image", image, "(H, W, 3)")
    check_whole("corrupt: severity", severity, low=1, high=5)
    check_whole("corrupt: seed", seed, low=0)
    return _corrupt(image, chosen, severity, seed)


def corrupt_batch(images: np.ndarray, name: str, severity: int, seed: int = 0, start: int = 0) -> np.ndarray:
    """Corrupted copies of the pictures `start`, `start + 1`, ... of a stream. uint8 (B, H, W, 3) -> the same

    Picture i of the stream is `corrupt(image, name, severity, image_seed(seed, i))`, however the stream is
    cut into batches. There is nothing to gain from joining pictures in one array operation: already at 64 px
    the work in an operation outweighs the cost of calling it.
    """
    chosen = CORRUPTIONS[name]
    _check_pixels("corrupt_batch: images", images, "(B, H, W, 3)")
    check_whole("corrupt_batch: severity", severity, low=1, high=5)
    check_whole("corrupt_batch: seed", seed, low=0)
    check_whole("corrupt_batch: start", start, low=0)
    corrupted = np.empty(images.shape, np.uint8)
    for i, image in enumerate(images):
        corrupted[i] = _corrupt(image, chosen, severity, image_seed(seed, start + i))
    return corrupted


def image_seed(seed: int, index: int) -> int:
    """The seed of picture `index` in the stream of `seed`; neighbours get unrelated seeds."""
    return int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0])


def quantize(levels: np.ndarray) -> np.ndarray:
    """Float levels (0 to 255) -> uint8, clipped and truncated as the benchmark does.

    A thousandth of a level is added first, lest rounding errors turn a value that is a whole level into the
    one below.
    """
    return (np.clip(levels, 0, 255) + 1e-3).astype(np.uint8)


def check_whole(what: str, value: object, low: int, high: float = math.inf) -> None:
    """Raise a ValueError that says what `what` must be, unless `value` is a whole number in low .. high."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value <= high:
        allowed = f"from {low} to {high}" if high < math.inf else f"that is not below {low}"
        raise ValueError(f"{what} must be a whole number {allowed}, got {value!r}.")


def _corrupt(image: np.ndarray, chosen: Corruption, severity: int, seed: int) -> np.ndarray:
    height, width = image.shape[:2]
    if max(height, width) > PANORAMA * min(height, width):
        return _corrupt_panorama(image, chosen, severity, seed)
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    margins = ((top, side - height - top), (left, side - width - left), (0, 0))
    square = image if height == width else np.pad(image, margins, mode="symmetric")
    rng = np.random.Generator(np.random.SFC64(seed))
    corrupted = chosen.apply(np.ascontiguousarray(square), severity, rng)
    return np.ascontiguousarray(corrupted[top : top + height, left : left + width])


def _corrupt_panorama(image: np.ndarray, chosen: Corruption, severity: int, seed: int) -> np.ndarray:
    """Squares along the long side, each with numbers of its own, cut in the middle of what two share."""
    side, length = sorted(image.shape[:2])
    count = math.ceil((length - side * OVERLAP) / (side * (1 - OVERLAP)))
    starts = np.linspace(0, length - side, count).round().astype(int)
    cuts = [0, *((starts[1:] + starts[:-1] + side) // 2), length]
    corrupted = np.empty_like(image)

    def part(first: int, last: int) -> tuple[slice, ...]:
        along = slice(first, last)  # snow falls downwards in a tall picture, too
        return (along,) if len(image) == length else (slice(None), along)

    for k, start in enumerate(starts):
        square = _corrupt(image[part(start, start + side)], chosen, severity, image_seed(seed, k))
        corrupted[part(cuts[k], cuts[k + 1])] = square[part(cuts[k] - start, cuts[k + 1] - start)]
    return corrupted


def _check_pixels(what: str, pixels: object, shape: str) -> None:
    if not isinstance(pixels, np.ndarray):
        raise ValueError(
            f"{what} must be a uint8 array {shape}, got {type(pixels).__name__}; try numpy.asarray."
        )
    ndim = shape.count(",") + 1
    if pixels.dtype != np.uint8 or pixels.ndim != ndim or pixels.shape[-1] != 3 or 0 in pixels.shape[-3:]:
        raise ValueError(f"{what} must be a uint8 array {shape}, got {pixels.dtype} {pixels.shape}.")


def _rows(table: tuple[float | Row, ...]) -> tuple[Row, ...]:
    return tuple(row if isinstance(row, tuple) else (row,) for row in table)
