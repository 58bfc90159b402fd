"""A run from inside: what the Look inside tab draws of a log, and pictures of it on demand."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from clip_tta_core import metrics, records, thumbnails
from clip_tta_core.engine import ZERO_SHOT
from clip_tta_core.records import RunLog
from clip_tta_core.ui.session import views
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.wire import encode
from clip_tta_core.ui.wire import parts as wire
from clip_tta_core.ui.wire.encode import Counts, Lines, Numbers
from clip_tta_core.ui.words.inside import tracks

MOST_BATCHES = 200  # that are drawn
MOST_CLASSES = 100  # of the confusion
MOST_FLIPS = 48  # of each kind that are shown of a whole run
MOST_TILES = 256  # pictures in one answer
COLUMNS, TILE = 16, 56  # pictures in a row of an answer's sheet; pixels a side
MOST_PIXELS = 20_000_000  # of a batch's sheet: a file that somebody opens may hold anything
NOTHING_YET = "There is nothing to look into yet; press Run in Play first."


class Inside:
    """Answers for the tab: each is about the visitor's latest run, or the recording that is shown."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def look(self, wanted: Mapping[str, Any], session: str) -> wire.Inside:
        """A contender of the run, by its label; where there is none of that label, the last one."""
        log = self.site.log(session)
        if not len(log):
            return wire.Inside(asked(wanted), message=NOTHING_YET)
        return wire.Inside(asked(wanted), run=run_view(log, str(wanted.get("method", ""))))

    def fetch(self, wanted: Mapping[str, Any], session: str) -> wire.Inside:
        """Pictures of the run by (batch, picture), batches counted from 1."""
        log, tiles, pictures = self.site.log(session), [], []
        sheets: dict[int, Image.Image | None] = {}
        for batch, picture in _pairs(wanted.get("tiles"), log):
            if batch not in sheets:
                sheets[batch] = _sheet(log, batch)
            if sheet := sheets[batch]:
                tiles += [batch, picture]
                pictures.append(_cut(sheet, picture, log.sizes[batch - 1]))
        sprite = thumbnails.sheet(np.stack(pictures), COLUMNS, TILE) if pictures else b""
        sheet = wire.InsideSheet(encode.jpeg_url(sprite), COLUMNS, encode.joined(tiles))
        return wire.Inside(asked(wanted), sheet=sheet)


def run_view(log: RunLog, method: str) -> wire.InsideRun:
    """Everything the tab draws of one contender."""
    methods = views.methods(log)
    names = [one.name for one in methods]
    method = method if method in names else names[-1]
    count = len(log)
    drawn = np.unique(np.linspace(0, count - 1, min(count, MOST_BATCHES)).round().astype(int)).tolist()
    labelled = any(label >= 0 for labels in log.labels[:count] for label in labels)

    def lines(rows: list[tuple[int, ...]]) -> Lines:
        return Lines("".join(encode.line(rows[k]) for k in drawn))

    sure = [tuple(round(100 * c) for c in log.confidence[method][k]) for k in range(count)]
    return wire.InsideRun(
        methods=methods,
        method=method,
        classes=tuple(log.class_names),
        stream=str(log.settings.get("stream", "")),
        made=log.made.get("date", ""),
        done=count,
        total=log.total,
        batches=tuple(k + 1 for k in drawn),
        labelled=labelled,
        labels=lines(log.labels),
        before=lines(log.answers[ZERO_SHOT]),
        after=lines(log.answers[method]),
        sure=lines(sure),
        flips=flips(log, method, count),
        confusion=confusion(log, method, count) if labelled else None,
        features=feature_map(log, method, drawn, count),
        variance=variance(log, method, drawn, count),
        memory=memory(log, method, drawn, count),
        drift=layer_drift(log, method, drawn, count),
    )


def _flat(log: RunLog, method: str, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and both answers of all pictures of the first batches. -> int64 (N,) each"""
    rows = (log.labels, log.answers[ZERO_SHOT], log.answers[method])
    truth, before, after = (np.concatenate(part[:count]).astype(np.int64) for part in rows)
    return truth, before, after


def flips(log: RunLog, method: str, count: int) -> wire.Flips:
    """Pictures put right and put wrong; examples are spread over the run."""
    truth, before, after = _flat(log, method, count)
    gained = np.flatnonzero((truth >= 0) & (before != truth) & (after == truth))
    lost = np.flatnonzero((truth >= 0) & (before == truth) & (after != truth))
    starts = np.cumsum([0, *log.sizes[:count]])
    shown = []
    for kind in (gained, lost):
        some = kind[np.unique(np.linspace(0, len(kind) - 1, min(len(kind), MOST_FLIPS)).round().astype(int))]
        batches = np.searchsorted(starts, some, side="right")
        places = some - starts[batches - 1]
        rows = zip(batches, places, truth[some], before[some], after[some], strict=True)
        shown += [encode.line(row) for row in rows]
    return wire.Flips(len(gained), len(lost), Lines("".join(shown)))


def confusion(log: RunLog, method: str, count: int) -> wire.Confusion:
    """Both confusion matrices, of the classes with most pictures and answers."""
    truth, before, after = _flat(log, method, count)
    size = len(log.class_names)
    labelled = truth >= 0
    busy = sum(np.bincount(part[labelled], minlength=size) for part in (truth, before, after))
    chosen = np.sort(np.argsort(-busy, kind="stable")[:MOST_CLASSES])
    kept = labelled & np.isin(truth, chosen) & np.isin(before, chosen) & np.isin(after, chosen)

    def counts(answers: np.ndarray) -> Counts:
        table = metrics.confusion(truth[kept], answers[kept], size)[np.ix_(chosen, chosen)]
        return Counts("".join(encode.sparse(row) for row in table.tolist()))

    left_out = int(labelled.sum() - kept.sum())
    return wire.Confusion(tuple(chosen.tolist()), left_out, counts(before), counts(after))


def recorded(log: RunLog, method: str, count: int) -> list[records.Inside]:
    """What was recorded of a contender from inside, a record a batch; none where it was not all along."""
    records = log.inside.get(method, [])[:count]
    return records if len(records) == count else []


def feature_map(log: RunLog, method: str, drawn: list[int], count: int) -> wire.FeatureMap | None:
    """Where pictures and captions lie."""
    start, end = recorded(log, ZERO_SHOT, count), recorded(log, method, count)
    if log.plane is None or not start or not end:
        return None

    def places(batches: list[records.Inside]) -> Lines:
        rows = (batches[k].places.ravel().astype(float).round(4) for k in drawn)
        return Lines("".join(encode.line(row.tolist()) for row in rows))

    captions = tuple((x, y) for x, y in log.plane.captions.astype(float).round(4).tolist())
    return wire.FeatureMap(captions, round(log.plane.explained, 4), places(start), places(end))


def variance(log: RunLog, method: str, drawn: list[int], count: int) -> wire.Variance | None:
    """The variance between the classes that are answered, beside accuracy."""
    own, frozen = ([one.variance for one in recorded(log, name, count)] for name in (method, ZERO_SHOT))
    if not own or not frozen:
        return None
    accuracy = log.series[method].get("accuracy_batch", [math.nan] * count)[:count]

    def numbers(values: list[float]) -> Numbers:
        return Numbers("".join(encode.number(values[k]) for k in drawn))

    says = tracks(log.titles.get(method, method), own, accuracy)
    return wire.Variance({ZERO_SHOT: numbers(frozen), method: numbers(own)}, numbers(accuracy), says)


def memory(log: RunLog, method: str, drawn: list[int], count: int) -> wire.MemoryWall | None:
    """What the memory held at the batches that are drawn; None for a contender without one."""
    batches = recorded(log, method, count)
    if not any(one.stored for one in batches):
        return None
    until = {origin: number for number, one in enumerate(batches, 1) for origin in one.dropped}
    seen = [k + 1 for k in drawn]

    def stays() -> Iterator[str]:
        for number, one in enumerate(batches, 1):
            first = seen[bisect_left(seen, number)]  # the newest batch is always drawn
            for kept in one.stored:
                end = until.get((number, kept.picture), 0)
                if not end or first < end:
                    sure = round(100 * kept.confidence, 2)
                    truth = log.labels[number - 1][kept.picture] if kept.picture >= 0 else -1
                    yield encode.line((number, kept.picture, kept.label, sure, end, truth))

    return wire.MemoryWall(Lines("".join(stays())))


def layer_drift(log: RunLog, method: str, drawn: list[int], count: int) -> wire.LayerDrift | None:
    """Every layer's drift; None for a contender that trains nothing."""
    batches = recorded(log, method, count)
    if not batches or not batches[0].layers:
        return None
    rows = "".join("".join(encode.number(length) for length in batches[k].drift) + "\n" for k in drawn)
    return wire.LayerDrift(batches[0].layers, Lines(rows))


def asked(wanted: Mapping[str, Any]) -> int:
    """The number of a question, which its answer carries; 0 where none came."""
    number = wanted.get("asked")
    return number if isinstance(number, int) and abs(number) < 2**53 else 0  # what a script can count to


def _pairs(tiles: Any, log: RunLog) -> Iterator[tuple[int, int]]:
    """Those of the wanted tiles that can be one of the run's pictures, and no more than an answer holds."""
    for tile in tiles[:MOST_TILES] if isinstance(tiles, list) else []:
        match tile:
            case [int(batch), int(picture)] if 1 <= batch <= len(log):
                if 0 <= picture < log.sizes[batch - 1]:
                    yield batch, picture


def _sheet(log: RunLog, batch: int) -> Image.Image | None:
    """A batch's pictures side by side; None where they are gone, or where a file holds no such picture."""
    content = log.sheets[batch - 1] if batch <= len(log.sheets) else b""
    try:
        with Image.open(BytesIO(content), formats=["JPEG"]) as sheet:
            fits = (
                sheet.width >= thumbnails.columns(log.sizes[batch - 1])
                and sheet.width * sheet.height <= MOST_PIXELS
            )
            return sheet.convert("RGB") if fits else None
    except (OSError, Image.DecompressionBombError):
        return None


def _cut(sheet: Image.Image, picture: int, count: int) -> np.ndarray:
    """One picture of a batch's sheet. -> uint8 (TILE, TILE, 3)"""
    columns = thumbnails.columns(count)
    side = sheet.width // columns
    left, top = picture % columns * side, picture // columns * side
    cut = sheet.crop((left, top, left + side, top + side))
    return np.asarray(cut.resize((TILE, TILE), Image.Resampling.BILINEAR))
