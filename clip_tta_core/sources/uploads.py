"""Pictures that visitors bring: image files, and zip or tar archives of them.

Everything that arrives is hostile until proven otherwise: `archives` reads within the `limits`, `decoding`
opens, and here what cannot be used is listed with the reason while its neighbours go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clip_tta_core.records import Pictures
from clip_tta_core.sources import folders
from clip_tta_core.sources.archives import display_name, files
from clip_tta_core.sources.decoding import SIZE, decode_beside
from clip_tta_core.sources.folders import Labels, Level
from clip_tta_core.sources.limits import LIMITS, Ended, Full, Limits, Meter, Unusable

FRAME = 48  # pixels a side of the whole pictures, which are kept to be looked at
NONE = np.zeros((0, FRAME, FRAME, 3), dtype=np.uint8)


@dataclass(frozen=True)
class Upload:
    """What could be read, and what could not."""

    pictures: Pictures | None  # None when nothing was usable
    class_names: tuple[str, ...]  # the list the visitor gave, else the folders that hold pictures
    counts: tuple[int, ...]  # pictures of each class
    skipped: tuple[tuple[str, str], ...]  # (name, reason in one sentence)
    levels: tuple[Level, ...] = ()  # levels of folders that could be the classes
    depth: int | None = None  # of the level that the visitor chose; None for the likeliest
    wholes: np.ndarray = field(
        default_factory=lambda: NONE
    )  # uint8 (N, FRAME, FRAME, 3), the pictures before their middle was cut out
    notes: tuple[str, ...] = ()  # sentences on how what was used was read

    def __len__(self) -> int:
        return 0 if self.pictures is None else len(self.pictures)

    @property
    def unlabelled(self) -> int:
        """Pictures of which no class is known."""
        return len(self) - sum(self.counts)

    def usable(self) -> Pictures:
        """The pictures, or a ValueError with the sentence that says why there are none."""
        if self.pictures is None:
            name, reason = self.skipped[0] if self.skipped else ("The archive", "It holds no pictures.")
            raise ValueError(f"Upload: at least one picture must be readable, got none. {name}: {reason}")
        return self.pictures


def read(
    paths: Sequence[str | Path],
    class_names: Sequence[str] = (),
    *,
    size: int = SIZE,
    progress: Callable[[float, str], None] | None = None,
    limits: Limits = LIMITS,
    patient: bool = True,
) -> Upload:
    """Read image files, archives and folders; the folders inside archives and folders become labels.

    Which folders are classes is for `folders` to say, and whether one is on the list of `class_names` for
    `names`.

    Args:
        paths: files on this machine. Their own names are shown, their folders are not.
        class_names: the visitor's class list; empty to take the folders'.
        size: side of the square pictures, in pixels.
        progress: called with the share that is done, in [0, 1], and the name being read.
        limits: what the upload may cost.
        patient: wait for one's turn to decode a large picture for as long as it takes; see `decoding`.

    Returns:
        the pictures that could be used and, for each file that could not, its name and one sentence.
    """
    paths = [Path(path) for path in paths]
    if not paths:
        raise ValueError("Upload: at least one file is needed, got none; add pictures or a zip of them.")
    album, skipped, meter = _Album(size), [], Meter(limits)
    notes: dict[str, None] = {}  # each once
    for number, path in enumerate(paths):
        try:
            for file in files(path, meter, notes.setdefault):
                meter.check(len(album))
                if progress is not None:
                    progress((number + file.share) / len(paths), file.name)
                try:
                    album.add(file.name, *decode_beside(file.load(), size, FRAME, limits, patient))
                except Unusable as problem:
                    skipped.append((file.name, str(problem)))
        except (Unusable, Ended) as problem:
            skipped.append((display_name(path.name), str(problem)))
        except Full as problem:
            skipped.append(("The rest", str(problem)))
            break
    if progress is not None:
        progress(1.0, "")
    if len(skipped) > limits.listed:
        more = len(skipped) - limits.listed
        skipped = [*skipped[: limits.listed], ("More", f"{more:,} more files were skipped.")]
    return replace(album.close(class_names, tuple(skipped)), notes=tuple(notes))


class _Album:
    """Squares in one growing array, with the names and the whole pictures that go with them."""

    def __init__(self, size: int) -> None:
        self.images = np.empty((0, size, size, 3), dtype=np.uint8)
        self.names: list[str] = []
        self.wholes: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.names)

    def add(self, name: str, image: np.ndarray, whole: np.ndarray) -> None:
        if len(self) == len(self.images):
            self._resize(max(16, len(self) * 3 // 2))
        self.images[len(self)] = image
        self.names.append(name)
        self.wholes.append(whole)

    def _resize(self, count: int) -> None:
        # In place: a second array would double the memory at its peak. Nobody else holds this one yet.
        self.images.resize((count, *self.images.shape[1:]), refcheck=False)

    def close(self, class_names: Sequence[str], skipped: tuple[tuple[str, str], ...]) -> Upload:
        self._resize(len(self))
        found = labels(self.names, class_names)
        classes, counts = found.class_names, found.counts()
        names = tuple(_told_apart(self.names))
        pictures = Pictures(self.images, found.labels, names, classes) if len(self) else None
        wholes = np.stack(self.wholes) if len(self) else NONE
        return Upload(pictures, classes, counts, skipped, found.levels, wholes=wholes)


def _told_apart(names: Sequence[str]) -> Iterator[str]:
    """The names, with a number after those that came before."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"


def label(
    names: Sequence[str], class_names: Sequence[str] = (), depth: int | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels from the folders in names. -> int64 (N,), -1 where unknown, and the class list they index"""
    found = labels(names, class_names, depth)
    return found.labels, found.class_names


def labels(names: Sequence[str], class_names: Sequence[str] = (), depth: int | None = None) -> Labels:
    """What the folders in the names of pictures say of them: labels, levels to choose from, what to tell.

    Args:
        names: "dataset/train/cat/1.jpg". (N,)
        class_names: the visitor's list, empty for the folders' own names.
        depth: the level of folders that the visitor chose, one of `Labels.levels`; None for the likeliest.
    """
    return folders.label([tuple(name.split("/")[:-1]) for name in names], class_names, depth)


def at_level(upload: Upload, depth: int) -> Upload:
    """The same pictures, their classes the folders at one of its levels; as it was where there is no such."""
    if depth not in [level.depth for level in upload.levels]:
        return upload
    pictures = upload.usable()
    found = labels(pictures.names, (), depth)
    pictures = replace(pictures, labels=found.labels, class_names=found.class_names)
    own = {"class_names": found.class_names, "counts": found.counts()}
    return replace(upload, pictures=pictures, depth=depth, **own)
