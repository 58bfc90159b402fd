"""Recorded runs of the lessons as small files: all numbers of a run, and its pictures, small.

Pictures that are not drawn by this project are left out: photographs of data sets may not be passed on.
When the page starts, only the ends of all curves are read, which the lessons' questions are about; the rest
of a run, which takes longer by far, waits until somebody chooses it.
"""

from __future__ import annotations

import dataclasses
import gzip
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from clip_tta_core import export, logs, thumbnails
from clip_tta_core.records import Batch, Outcome, RunConfig, RunLog

FOLDER = Path(__file__).parents[3] / "assets" / "recordings"
ENDING = ".json.gz"
TILE, QUALITY = 64, 60  # pixels a side of a picture of the last batch, which is seen first; of the JPEG
EARLIER_TILE, EARLIER_QUALITY = 40, 40  # of the batches before
OTHERS = ("dataset:", "upload")  # how sources begin whose pictures belong to somebody else
DIGITS = 4  # of a picture's score and confidence
# What reading a damaged file of ours can raise.
BROKEN = (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, zlib.error)
_logger = logging.getLogger(__name__)


def pack(log: RunLog) -> bytes:
    """A finished run as a file for `unpack`; what no part of the page draws is left out."""
    assert log.last is not None, "a run without a batch is no recording"
    last = dataclasses.replace(
        log.last,
        batch=_without_pixels(log.last.batch),
        outcomes={label: _without_features(outcome) for label, outcome in log.last.outcomes.items()},
    )
    small = dataclasses.replace(
        log,
        sheets=_sheets(log),
        confidence={label: _rounded(values) for label, values in log.confidence.items()},
        known={label: _rounded(values) for label, values in log.known.items()},
        unknown={label: _rounded(values) for label, values in log.unknown.items()},
        last=last,
    )
    return gzip.compress(export.to_json(small).encode(), mtime=0)


def unpack(content: bytes) -> RunLog:
    """The run in a file that `pack` made."""
    return _completed(export.from_json(gzip.decompress(content).decode()))


def _completed(log: RunLog) -> RunLog:
    """With the settings that were not there yet when it was recorded: they were as they are by default."""
    log.settings = logs.settings_of(RunConfig()) | log.settings
    return log


def _content(name: str, folder: Path) -> str | None:
    path = folder / f"{name}{ENDING}"
    return gzip.decompress(path.read_bytes()).decode() if path.is_file() else None


def read(name: str, folder: Path = FOLDER) -> RunLog | None:
    """The recorded run of a lesson, None where there is none."""
    content = _content(name, folder)
    return None if content is None else _completed(export.from_json(content))


class Recordings(Mapping[str, RunLog]):
    """The recorded runs that there are of some lessons, each decoded when it is first asked for.

    A file that is damaged is told in the server's log and left out. What is only found out when it is decoded
    raises ValueError then, with one sentence.
    """

    def __init__(self, names: Iterable[str], folder: Path = FOLDER) -> None:
        self.ends: dict[str, RunLog] = {}  # logs with no more than the ends of their curves
        self._folder = folder
        self._decoded: dict[str, RunLog] = {}
        for name in names:
            try:
                if (content := _content(name, folder)) is not None:
                    self.ends[name] = export.end_from_json(content)
            except BROKEN as error:
                kind = type(error).__name__
                _logger.warning(
                    "The recording of '%s' is damaged (%s): the page starts without it.", name, kind
                )

    def __getitem__(self, name: str) -> RunLog:
        if name not in self._decoded:
            if name not in self.ends:
                raise KeyError(name)
            try:
                found = read(name, self._folder)
            except BROKEN as error:
                _logger.warning("The recording of '%s' is damaged (%s).", name, type(error).__name__)
                found = None
            if found is None:
                raise ValueError(
                    f"Lesson: its recording, {name}{ENDING}, is damaged; press Run to see it live."
                )
            self._decoded.setdefault(name, found)  # two visitors may have asked at once
        return self._decoded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.ends)

    def __len__(self) -> int:
        return len(self.ends)


def write(name: str, log: RunLog, folder: Path = FOLDER) -> Path:
    """Keep the run of a lesson."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{ENDING}"
    path.write_bytes(pack(log))
    return path


def _sheets(log: RunLog) -> list[bytes]:
    if any(str(log.settings.get(kind, "")).startswith(OTHERS) for kind in ("source", "unknown_source")):
        return [b"" for _ in log.sheets]
    last = thumbnails.shrunk(log.sheets[-1], log.sizes[-1], TILE, QUALITY)
    return [*map(_small, log.sheets[:-1], log.sizes), last]


def _small(sheet: bytes, count: int) -> bytes:
    return sheet and thumbnails.shrunk(sheet, count, EARLIER_TILE, EARLIER_QUALITY)


def _without_pixels(batch: Batch) -> Batch:
    """A batch whose pictures are on the sheet: one grey pixel stands for each."""
    return dataclasses.replace(batch, images=np.full((len(batch), 1, 1, 3), 128, dtype=np.uint8))


def _without_features(outcome: Outcome) -> Outcome:
    return dataclasses.replace(outcome, features=outcome.features[:, :0])


def _rounded(batches: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    return [tuple(float(f"{value:.{DIGITS}g}") for value in values) for values in batches]
