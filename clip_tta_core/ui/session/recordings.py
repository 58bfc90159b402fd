"""Recorded runs of the lessons as small files: all numbers of a run, and the pictures of its last batch."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clip_tta_core import export, logs, thumbnails
from clip_tta_core.records import Batch, Outcome, RunConfig, RunLog

FOLDER = Path(__file__).parents[3] / "assets" / "recordings"
ENDING = ".json.gz"
TILE, QUALITY = 64, 70  # pixels a side of a picture; of the JPEG
DIGITS = 4  # of a picture's score and confidence


def pack(log: RunLog) -> bytes:
    """A finished run as a file for `unpack`; what no part of the page draws is left out."""
    assert log.last is not None, "a run without a batch is no recording"
    batch = log.last.batch
    sheet = thumbnails.sheet(batch.images, tile=TILE, quality=QUALITY)
    last = dataclasses.replace(
        log.last,
        batch=_without_pixels(batch),
        outcomes={label: _without_features(outcome) for label, outcome in log.last.outcomes.items()},
    )
    small = dataclasses.replace(
        log,
        sheets=[b""] * (len(log) - 1) + [sheet],
        confidence={label: _rounded(values) for label, values in log.confidence.items()},
        known={label: _rounded(values) for label, values in log.known.items()},
        unknown={label: _rounded(values) for label, values in log.unknown.items()},
        last=last,
    )
    return gzip.compress(export.to_json(small).encode(), mtime=0)


def unpack(content: bytes) -> RunLog:
    """The run in a file that `pack` made."""
    log = export.from_json(gzip.decompress(content).decode())
    log.settings = (
        logs.settings_of(RunConfig()) | log.settings
    )  # what was not there yet was as it is by default
    return log


def read(name: str, folder: Path = FOLDER) -> RunLog | None:
    """The recorded run of a lesson, None where there is none."""
    path = folder / f"{name}{ENDING}"
    return unpack(path.read_bytes()) if path.is_file() else None


def write(name: str, log: RunLog, folder: Path = FOLDER) -> Path:
    """Keep the run of a lesson."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{ENDING}"
    path.write_bytes(pack(log))
    return path


def _without_pixels(batch: Batch) -> Batch:
    """A batch whose pictures are on the sheet: one grey pixel stands for each."""
    return dataclasses.replace(batch, images=np.full((len(batch), 1, 1, 3), 128, dtype=np.uint8))


def _without_features(outcome: Outcome) -> Outcome:
    return dataclasses.replace(outcome, features=outcome.features[:, :0])


def _rounded(batches: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    return [tuple(float(f"{value:.{DIGITS}g}") for value in values) for values in batches]
