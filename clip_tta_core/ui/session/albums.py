"""Visitors' own pictures: decoded once, kept for each visitor and purpose, freed when the visitor leaves."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clip_tta_core import thumbnails
from clip_tta_core.clip import embedded
from clip_tta_core.clip.embedded import EMBEDDED, MINI, PHOTO
from clip_tta_core.corruptions import corrupt_batch
from clip_tta_core.corruptions.schedule import UNTOUCHED, plan
from clip_tta_core.records import Pictures, RunConfig
from clip_tta_core.sources import datasets, folders, uploads
from clip_tta_core.sources.class_lists import SEPARATORS
from clip_tta_core.sources.folders import Labels
from clip_tta_core.sources.uploads import Upload
from clip_tta_core.ui.wire import parts as wire
from clip_tta_core.ui.wire.encode import jpeg_url
from clip_tta_core.ui.wire.parts import Purpose
from clip_tta_core.ui.words import upload as words
from clip_tta_core.ui.words.stream import corruptions

KEPT_BYTES = 2**30  # of decoded pictures, those of all visitors together; 2,000 of 224 px are 0.3 of it
THUMBNAILS, COLUMNS, THUMBNAIL = 24, 8, 48  # of an upload, in a row, pixels a side
CHANCE = re.compile("^[0-9a-f]{16}-")  # see `apart` in upload.js


class Left(Exception):
    """The visitor for whom files are being read has gone."""


class Albums:
    """Every visitor's uploads; the purpose of one is "pictures" or "unknowns"."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, str], Upload] = OrderedDict()  # the one used last at the end
        self._users: Counter[str] = Counter()  # of a file as it arrived: equal files share one path
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def keep(self, session: str, purpose: str, upload: Upload) -> None:
        """Keep an upload in the place of the one before; those used longest ago make room."""
        with self._lock:
            self._kept.pop((session, purpose), None)
            self._kept[session, purpose] = upload
            while len(self._kept) > 1 and sum(map(_bytes, self._kept.values())) > self._most_bytes:
                self._kept.popitem(last=False)

    def get(self, session: str, purpose: str) -> Upload | None:
        """A visitor's upload, None where there is none or no longer one."""
        with self._lock:
            if (session, purpose) in self._kept:
                self._kept.move_to_end((session, purpose))
            return self._kept.get((session, purpose))

    def drop(self, session: str, purpose: str) -> None:
        """Forget an upload."""
        with self._lock:
            self._kept.pop((session, purpose), None)

    def leave(self, session: str) -> None:
        """Forget all that a visitor brought."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == session]:
                del self._kept[key]

    def pictures(self, session: str, purpose: str, class_names: Sequence[str] = ()) -> Pictures:
        """A visitor's pictures, labelled for a class list; a sentence where there are none."""
        upload = self.get(session, purpose)
        if upload is None:
            what = "picture" if purpose == "pictures" else "picture of something unknown"
            raise ValueError(f"Upload: at least one {what} is needed, got none; add some first.")
        return labelled(upload, class_names)

    @contextlib.contextmanager
    def files(self, paths: Sequence[str]) -> Iterator[None]:
        """Use files as they arrived; afterwards those that nobody else is reading are deleted."""
        with self._lock:
            self._users.update(paths)
        try:
            yield
        finally:
            with self._lock:
                self._users.subtract(paths)
                for path in {path for path in paths if not self._users[path]}:
                    del self._users[path]
                    Path(path).unlink(missing_ok=True)
                    with contextlib.suppress(OSError):  # others may have put more into the folder
                        Path(path).parent.rmdir()


class Reading:
    """An upload that is being read, in a thread of its own."""

    def __init__(self, albums: Albums, paths: Sequence[str]) -> None:
        self.upload: Upload | None = None
        self.problem = ""  # the sentence, if nothing could be read
        self.ended = threading.Event()
        self.share, self.name = 0.0, ""
        self._albums, self._paths = albums, list(paths)
        self._abandoned = False

    def start(self) -> None:
        threading.Thread(target=self._work, name="upload", daemon=True).start()

    def abandon(self) -> None:
        """End it at the next file."""
        self._abandoned = True

    def _work(self) -> None:
        try:
            with self._albums.files(self._paths):
                self.upload = _as_called(uploads.read(self._paths, progress=self._advance))
        except Left:
            pass
        except ValueError as error:
            self.problem = str(error)
        finally:
            self.ended.set()

    def _advance(self, share: float, name: str) -> None:
        if self._abandoned:
            raise Left
        self.share, self.name = share, name


def _as_called(upload: Upload) -> Upload:
    """An upload without what its browser put before the names of files."""
    skipped = tuple((CHANCE.sub("", name), reason) for name, reason in upload.skipped)
    pictures = upload.pictures
    if pictures is not None:
        names = tuple(CHANCE.sub("", name) for name in pictures.names)
        pictures = dataclasses.replace(pictures, names=names)
    return dataclasses.replace(upload, pictures=pictures, skipped=skipped)


def labelled(upload: Upload, class_names: Sequence[str] = ()) -> Pictures:
    """The pictures with labels for `class_names`, or for the upload's own folders where the list is empty."""
    found = _labels(upload, class_names)
    return dataclasses.replace(upload.usable(), labels=found.labels, class_names=found.class_names)


def _labels(upload: Upload, class_names: Sequence[str]) -> Labels:
    return uploads.labels(upload.usable().names, class_names, upload.depth)


def own_classes(found: Upload | Labels) -> tuple[str, ...]:
    """Folders as class names that can be typed: a separator would make two of one."""
    return tuple(" ".join(re.sub(f"[{SEPARATORS}]", " ", name).split()) for name in found.class_names)


def reading_view(share: float, name: str) -> wire.Upload:
    """What the page shows while files are read."""
    return wire.Upload(f"Reading {name}" if name else "Reading", share=round(share, 3))


def view(
    upload: Upload,
    purpose: Purpose,
    class_names: Sequence[str] = (),
    model: str = "",
    shift: RunConfig | None = None,
) -> wire.Upload:
    """What was read, how it fits the class list and the chosen model, and what a run makes of it.

    Args:
        shift: the settings whose corruption the pictures are shown under; None for none.
    """
    if upload.pictures is None:
        return wire.Upload("None of these could be read.", skipped=upload.skipped)
    images = upload.pictures.images
    shown = np.linspace(0, len(images) - 1, min(THUMBNAILS, len(images))).astype(int)
    seen = wire.Upload(
        f"{_count(len(images), 'picture')}.",
        kept=True,
        skipped=upload.skipped,
        thumbnails=jpeg_url(thumbnails.sheet(upload.wholes[shown], COLUMNS, THUMBNAIL)),
        shown=len(shown),
    )
    if purpose == "unknowns":
        return seen
    names = class_names or _labels(upload, ()).class_names
    fit = _fit(_labels(upload, class_names), own_classes(upload), class_names)
    fit["notes"] = (*upload.notes, *fit["notes"])
    seen = dataclasses.replace(seen, **fit, offer=offer(names, model))
    taken, said = images[shown], _said(shift)
    if shift is not None and said:
        shown = shown[:COLUMNS]  # a row is enough of what takes a while
        taken = _corrupted(images, shown, shift)
    if model in EMBEDDED:
        side = embedded.read_config(EMBEDDED[model].folder).image_size
        taken = thumbnails.coarse(taken, side, THUMBNAIL)
    elif not said:  # no other than what was read
        return seen
    sheet = jpeg_url(thumbnails.sheet(taken, COLUMNS, THUMBNAIL))
    return dataclasses.replace(seen, seen=sheet, sees=words.sees(model, said))


def _said(shift: RunConfig | None) -> str:
    """What corrupts the pictures, in words; nothing where that is impossible, which Run will say."""
    try:
        return ", ".join(corruptions(shift)) if shift else ""
    except ValueError:
        return ""


def _corrupted(images: np.ndarray, places: np.ndarray, shift: RunConfig) -> np.ndarray:
    """Some of the pictures as the stream corrupts them, did they come in this order. uint8 (B, S, S, 3)"""
    steps = plan(shift.schedule, shift.corruption, shift.severity, len(images), shift.seed)
    found = images[places].copy()
    for k, place in enumerate(places):
        if steps[place] != UNTOUCHED:
            name, severity = steps[place]
            found[k] = corrupt_batch(found[k : k + 1], name, severity, shift.seed, int(place))[0]
    return found


def offer(class_names: Sequence[str], model: str) -> wire.Offer | None:
    """photo-CLIP in the place of mini-CLIP, which knows drawings alone, where it knows two of the classes."""
    known = embedded.known(class_names, PHOTO.name)
    if model != MINI.name or len(known) < 2:
        return None
    settings = {"model": PHOTO.name, "class_names": "\n".join(known), "lesson": ""}
    return wire.Offer(words.offer(len(known), len(class_names)), settings)


def suits(class_names: Sequence[str], model: str) -> bool:
    """Whether photo-CLIP takes the place of mini-CLIP unasked: where it has words for all of the classes."""
    made = offer(class_names, model)
    return made is not None and len(embedded.known(class_names, PHOTO.name)) == len(class_names)


def folder_view(class_names: Sequence[str] = ()) -> wire.Upload:
    """One's own data folder, and how it fits the class list; the sentence where it cannot be read."""
    try:
        found, own = datasets.own_labels(tuple(class_names)), datasets.own_labels()
    except ValueError as problem:
        return wire.Upload(str(problem))
    fit = _fit(found, own_classes(own), class_names)
    return wire.Upload(**{**fit, "said": f"In the data folder: {fit['said']}"})


def _fit(found: Labels, own: tuple[str, ...], class_names: Sequence[str]) -> dict[str, Any]:
    """Which classes have how many pictures, where they were found, and folders that could be classes.

    Args:
        found: what the folders say, given the list.
        own: the folders that would be the classes without one.
        class_names: the list.
    """
    counts, total = found.counts(), len(found.labels)
    known = sum(counts)
    what = "all with a label" if known == total else f"{known} with a label" if known else "none with a label"
    said = f"{_count(total, 'picture')}, {what}."
    if len(class_names or found.class_names) < 2:
        said += " Type your classes under Model and classes."
    return {
        "said": said,
        "counts": tuple((name, n) for name, n in zip(found.class_names, counts, strict=True) if n),
        "notes": found.sentences() if known else (),
        "levels": tuple((level.depth, folders.few(level.folders)) for level in found.levels),
        "level": found.level.depth if found.level else None,
        "folders": () if set(own) == set(class_names) else own,
    }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _bytes(upload: Upload) -> int:
    return 0 if upload.pictures is None else upload.pictures.images.nbytes + upload.wholes.nbytes
