"""One picture under all corruptions and an attack, and one of them at every severity.

Pictures are made when the browser asks for them and kept, a bounded number of them, for whoever asks next.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from clip_tta_core import engine, plots
from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from clip_tta_core.records import RunConfig
from clip_tta_core.sources import rendered, uploads
from clip_tta_core.sources.limits import LIMITS
from clip_tta_core.ui.wire import parts
from clip_tta_core.ui.wire.encode import data_url, plain
from clip_tta_core.ui.wire.parts import CorruptionFamily, CorruptionTile, SubjectStart

View = dict[str, Any]

SIDE = 224  # pixels: the size for which the most quoted severities are defined, so nothing is resized
SEED = 0  # one seed for all: severities can be compared, and one texture of frost is drawn rather than four
QUALITY = 80  # 230 KB a sheet
ATTACK_QUALITY = 95  # of what moves by a few levels
KEPT_TILES = 1000  # 50 sheets, 12 MB
KEPT_SHEETS = 10  # as files, 2 MB each
KEPT_UPLOADS = 32  # 150 KB each
START = SubjectStart("cat", seed=4, severity=3)
FAMILIES = {
    "noise": ("Noise", "errors of the sensor"),
    "blur": ("Blur", "light that lands beside its place"),
    "weather": ("Weather", "what stands before the camera, or on its lens"),
    "digital": ("Digital", "what processing and storing do"),
}
ATTACK, NORM = "attack", "linf"
RADII = (1.0, 2.0, 4.0, 8.0, 16.0)  # levels of 255, by severity
MISLEADS = CorruptionFamily(
    "attack",
    "Attack",
    "what somebody does who knows mini-CLIP and what the picture shows: not for pictures of yours, which "
    "have no label here",
    (
        CorruptionTile(
            ATTACK,
            "Adversarial",
            "Every pixel moves by 1 to 16 of 255 levels, where it misleads mini-CLIP most, at the 64 pixels "
            "a side that it sees.",
            extra=False,
            takes=tuple({"attack": NORM, "attack_epsilon": r, "corruption": "none"} for r in RADII),
        ),
    ),
)
FORGOTTEN = "Your picture is no longer kept here; please add it again."


@dataclass(frozen=True)
class Subject:
    """The picture that everything happens to; equal pixels are equal subjects."""

    key: str
    title: str = field(compare=False)
    image: np.ndarray = field(compare=False, repr=False)  # uint8 (SIDE, SIDE, 3)
    shows: str = field(default="", compare=False)  # its class, where that is known

    @classmethod
    def of(cls, title: str, image: np.ndarray, shows: str = "") -> Subject:
        return cls(hashlib.sha256(image.tobytes()).hexdigest(), title, image, shows)


@lru_cache(maxsize=64)
def draw(name: str, seed: int) -> Subject:
    """Picture `seed` of an object."""
    return Subject.of(name, rendered.render([name], seed, [0], size=SIDE)[0], name)


@lru_cache(maxsize=KEPT_TILES)
def tile(subject: Subject, name: str, severity: int) -> str:
    """A subject under one corruption or attacked, as a JPEG data address; severity 0 leaves it as it is."""
    if name == ATTACK:
        return data_url(Image.fromarray(mislead(subject, severity)), ATTACK_QUALITY)
    image = corrupt(subject.image, name, severity, SEED) if severity else subject.image
    return data_url(Image.fromarray(image), QUALITY)


@lru_cache(maxsize=KEPT_SHEETS)
def sheet_png(subject: Subject, severity: int) -> bytes:
    """A subject under all nineteen, with their titles, as a PNG file."""
    pictures = {name: corrupt(subject.image, name, severity, SEED) for name in _by_family()}
    return plots.figure_png(plots.corruption_sheet(subject.image, pictures, severity))


def mislead(subject: Subject, severity: int) -> np.ndarray:
    """A subject whose class is known, attacked at the side that mini-CLIP sees. -> uint8 (SIDE, SIDE, 3)"""
    config = RunConfig(methods={"zero_shot": {}}, attack=NORM, attack_epsilon=RADII[severity - 1], seed=SEED)
    small = Image.fromarray(engine.mislead(subject.image, subject.shows, config))
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.NEAREST))


def families() -> tuple[CorruptionFamily, ...]:
    """The nineteen by family and the attack, with what the page says of each."""
    corruptions = (
        CorruptionFamily(
            family,
            title,
            meaning,
            tuple(
                CorruptionTile(c.name, c.title, c.meaning, not c.standard, _takes(c.name))
                for c in CORRUPTIONS.values()
                if c.family == family
            ),
        )
        for family, (title, meaning) in FAMILIES.items()
    )
    return (*corruptions, MISLEADS)


def _takes(name: str) -> tuple[dict[str, Any], ...]:
    """What Play is set to for a corruption at each severity, and that nothing is attacked."""
    return tuple({"corruption": name, "severity": severity, "attack": "none"} for severity in SEVERITIES)


class Corruptions:
    """Answers what the browser asks for, and keeps the pictures that visitors brought last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one sheet at a time: the second visitor finds it made
        self._uploads: OrderedDict[str, Subject] = OrderedDict()
        self._owners: defaultdict[str, set[str]] = defaultdict(set)  # of a picture: sessions

    def sheet(self, wanted: Mapping[str, Any]) -> View:
        """All at one severity, and the picture itself: {clean, tiles: {name: data address}}.

        The attack is among them where the class of the picture is known.
        """

        def make(subject: Subject) -> View:
            severity = _severity(wanted)
            names = (*CORRUPTIONS, *([ATTACK] if subject.shows else []))
            tiles = {name: tile(subject, name, severity) for name in names}
            return {"clean": tile(subject, "", 0), "tiles": tiles}

        return self._answer(wanted, make)

    def ladder(self, wanted: Mapping[str, Any]) -> View:
        """One corruption at every severity, mild to severe: {tiles: [data address]}."""

        def make(subject: Subject) -> View:
            asked = str(wanted.get("corruption"))
            chosen = ATTACK if asked == ATTACK and subject.shows else CORRUPTIONS[asked].name
            return {"tiles": [tile(subject, chosen, severity) for severity in SEVERITIES]}

        return self._answer(wanted, make)

    def keep(self, wanted: Mapping[str, Any]) -> View:
        """The sheet as a PNG file: {name, kind, data in base64}."""

        def make(subject: Subject) -> View:
            severity = _severity(wanted)
            png = base64.b64encode(sheet_png(subject, severity)).decode()
            return plain(parts.KeptFile(f"corruptions-severity-{severity}.png", "image/png", png))

        return self._answer(wanted, make)

    def read(self, path: str | None, session: str = "") -> parts.Subject:
        """A visitor's own picture, or what is wrong with it; neither where it was removed."""
        self.leave(session)
        if not path:
            return parts.Subject()
        try:
            upload = uploads.read([path], size=SIDE, limits=replace(LIMITS, pictures=1), patient=False)
            pictures = upload.usable()
        except ValueError as problem:
            return parts.Subject(problem=str(problem))
        subject = Subject.of(pictures.names[0], pictures.images[0].copy())
        with self._lock:
            self._uploads[subject.key] = subject
            self._uploads.move_to_end(subject.key)
            self._owners[subject.key].add(session)
            while len(self._uploads) > KEPT_UPLOADS:
                self._owners.pop(self._uploads.popitem(last=False)[0], None)
        return parts.Subject(subject.key, subject.title)

    def leave(self, session: str) -> None:
        """Forget the picture that a visitor brought, unless somebody else brought the same."""
        with self._lock:
            for key in [key for key, sessions in self._owners.items() if session in sessions]:
                self._owners[key].discard(session)
                if not self._owners[key]:
                    del self._owners[key], self._uploads[key]

    def subject(self, wanted: Mapping[str, Any]) -> Subject:
        """The picture that is asked for: a visitor's own by its key, or a drawn one by object and seed."""
        if key := wanted.get("key"):
            with self._lock:
                if str(key) not in self._uploads:
                    raise ValueError(FORGOTTEN)
                return self._uploads[str(key)]
        seed = wanted.get("seed", START.seed)
        if type(seed) is not int or not 0 <= seed < 2**32:
            raise ValueError(f"Picture number: must be a whole number in [0, 2^32), got {seed!r:.60}.")
        return draw(str(wanted.get("object", START.object)), seed)

    def _answer(self, wanted: Any, make: Callable[[Subject], View]) -> View:
        try:
            if not isinstance(wanted, Mapping):
                raise ValueError(f"Corruptions: a request must be a mapping, got {type(wanted).__name__}.")
            with self._turn:
                return make(self.subject(wanted))
        except ValueError as problem:
            return {"problem": str(problem)}


def _severity(wanted: Mapping[str, Any]) -> int:
    severity = wanted.get("severity")
    if type(severity) is not int or severity not in SEVERITIES:
        raise ValueError(f"Severity: must be a whole number from 1 to 5, got {severity!r:.60}.")
    return severity


def _by_family() -> list[str]:
    """The nineteen in the order of the page."""
    return sorted(CORRUPTIONS, key=lambda name: list(FAMILIES).index(CORRUPTIONS[name].family))
