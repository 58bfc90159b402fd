"""One picture, looked at closely: what every method makes of it, where losses pull it, what it resembles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from clip_tta_core import pulls
from clip_tta_core.engine import ZERO_SHOT
from clip_tta_core.records import Batch, Remembered, RunLog
from clip_tta_core.ui.session.course import Course
from clip_tta_core.ui.session.views import contenders
from clip_tta_core.ui.wire.encode import data_url
from clip_tta_core.ui.wire.parts import ClassRow, Closer, Neighbour, Pull

LARGE = 256  # pixels a side, at least
ROWS, ARROWS, NEAREST = 8, 3, 6  # classes listed, classes a loss pulls to or pushes from, pictures
WEAK = 1e-4  # of a pull and a change of probability: what is less is none
LOSSES: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("TENT: entropy", pulls.entropy),
    ("CLIPTTA: contrast", pulls.contrast),
    ("CLIPTTA: contrast and diversity", lambda probs: pulls.contrast(probs) + pulls.diversity(probs)),
)


@dataclasses.dataclass(frozen=True)
class Looked:
    """A batch as far as it is known: its pictures, and what each method made of them."""

    number: int
    batch: Batch
    probs: Mapping[str, np.ndarray]  # by label, (B, K)
    features: Mapping[str, np.ndarray]  # by label, (B, D)
    under_way: str = ""  # the method that is still at work


def find(log: RunLog, course: Course | None, number: int) -> Looked | None:
    """A batch of a run, reported or under way; None where its numbers are no longer kept."""
    glimpse = course.latest if course else None
    if course and glimpse and glimpse.batch_number == number and course.seen:
        work = course.work if course.work not in glimpse.outcomes else ""
        probs = {label: looks[-1].probs for label, looks in course.seen.items()}
        features = {label: one.features for label, one in glimpse.outcomes.items()}
        return Looked(number, glimpse.batch, probs, features, work)
    if log.last is None or log.last.batch_number != number:
        return None
    outcomes = log.last.outcomes
    return Looked(
        number,
        log.last.batch,
        {label: one.probs for label, one in outcomes.items()},
        {label: one.features for label, one in outcomes.items()},
    )


def closer(
    log: RunLog, looked: Looked, index: int, memories: Mapping[str, Remembered] | None = None
) -> Closer | None:
    """Everything there is to say of a picture (0 for the first of its batch); None where there is no such."""
    batch = looked.batch
    if not 0 <= index < len(batch) or ZERO_SHOT not in looked.probs:
        return None
    label = -1 if batch.unknown[index] else int(batch.labels[index])
    names = log.class_names
    really = names[label] if label >= 0 else "outside the class list" if batch.unknown[index] else None
    own = {name: probs[index] for name, probs in looked.probs.items()}
    return Closer(
        batch=looked.number,
        index=index,
        name=batch.names[index] or f"Image {index + 1}",
        applied=batch.applied[index].replace("_", " "),
        really=really,
        image=data_url(_large(batch.images[index]), quality=90),
        methods=tuple(one for one in contenders(log) if one.name in own),
        under_way=looked.under_way,
        rows=tuple(
            ClassRow(names[k], k == label, {name: _rounded(row[k]) for name, row in own.items()})
            for k in _listed(own, label)
        ),
        pulls=tuple(_pull(title, of, looked.probs[ZERO_SHOT], index, label, names) for title, of in LOSSES),
        neighbours=_neighbours(log, looked, index, memories or {}),
    )


def _large(image: np.ndarray) -> Image.Image:
    """Enlarged by whole pixels, so that one sees what the model sees."""
    picture = Image.fromarray(image)
    times = max(1, -(-LARGE // picture.width))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def _listed(own: Mapping[str, np.ndarray], label: int) -> list[int]:
    """The classes that any method finds likely, and the true one; the likeliest first."""
    most = np.max(list(own.values()), axis=0)
    found = np.argsort(-most, kind="stable")[:ROWS].tolist()
    return found if label < 0 or label in found else [*found[:-1], label]


def _pull(
    title: str,
    of: Callable[[np.ndarray], np.ndarray],
    probs: np.ndarray,
    index: int,
    label: int,
    names: tuple[str, ...],
) -> Pull:
    """To which captions a loss pulls the picture, as zero-shot CLIP sees it in its batch, and from which."""
    pull = of(probs)
    order = np.argsort(-pull[index], kind="stable")
    to = [int(k) for k in order[:ARROWS] if pull[index][k] > WEAK]
    away = [int(k) for k in order[::-1][:ARROWS] if pull[index][k] < -WEAK]
    change = pulls.on_probs(probs, pull)[index][label] if label >= 0 else 0.0
    truth = None if label < 0 else 0 if abs(change) < WEAK else 1 if change > 0 else -1
    return Pull(
        title=title,
        to=tuple((names[k], _rounded(pull[index][k])) for k in to),
        away=tuple((names[k], _rounded(pull[index][k])) for k in away),
        truth=truth,
    )


def _neighbours(
    log: RunLog, looked: Looked, index: int, memories: Mapping[str, Remembered]
) -> tuple[Neighbour, ...]:
    """What is most like the picture in the first memory there is, by its own method's features."""
    for label, memory in memories.items():
        features = looked.features.get(label)
        if features is None:  # not done with this batch: the model as it was before the run comes nearest
            features = looked.features[ZERO_SHOT]
        cosines = memory.features @ features[index]
        order = np.argsort(-cosines, kind="stable")[:NEAREST]
        return tuple(
            Neighbour(
                of=log.titles.get(label, label),
                image=data_url(Image.fromarray(memory.images[k])),
                label=log.class_names[memory.labels[k]],
                near=_rounded(cosines[k]),
            )
            for k in order
        )
    return ()


def _rounded(value: float) -> float:
    return round(float(value), 4)
