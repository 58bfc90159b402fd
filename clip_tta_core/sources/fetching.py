"""Published archives, by address and checksum: fetched in sight, ended at any moment, whole or not at all.

What is fetched and unpacked stands aside, in a folder of its own that goes whatever happens, until all of it
is known to be right. A fetch that was ended starts over.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.request import Request, urlopen

CHUNK = 2**20  # bytes
MOMENT = 0.2  # seconds between two looks at whether somebody has said Stop
PATIENCE = 20  # seconds without a byte after which a server counts as gone
WHO = "clip-tta-playground"  # some servers turn away what does not say who asks

Tell = Callable[[str, int, int], None]  # what is done, bytes that are done and in all; ends it by raising


@dataclass(frozen=True)
class Archive:
    """A tar, a zip or a plain file, as its publisher offers it."""

    url: str
    md5: str  # as published
    folder: str = ""  # the folder inside that is wanted; "" where the file itself is
    into: str = ""  # where in the data folder that belongs

    @property
    def file(self) -> str:
        """What it is called on a disk."""
        return self.url.rpartition("/")[2]

    @property
    def place(self) -> Path:
        """Where in the data folder what is wanted ends up."""
        return Path(self.into, self.folder or self.file)


def bring(archives: Sequence[Archive], root: Path, tell: Tell) -> None:
    """Put what archives hold below `root`; fetch those that do not lie there already.

    Args:
        archives: all that a set consists of.
        root: a folder that can be written to.
        tell: told how far it is, every few moments; what it raises ends the attempt, and nothing is kept.

    Raises:
        OSError: the server, the line or the disk fails.
        ValueError: what came is not what was published.
    """
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=root, ignore_cleanup_errors=True) as name:
        aside = Path(name)
        for number, archive in enumerate(archives):
            file = _lying_there(archive, root, tell)
            if file is None:
                file = aside / archive.file
                _fetch(archive, file, tell)
            _unpack(file, archive.folder, aside / str(number), tell)
        for number, archive in enumerate(archives):
            _put(aside / str(number), root / archive.place)


def _lying_there(archive: Archive, root: Path, tell: Tell) -> Path | None:
    """The archive where somebody has brought it, as one does without a network."""
    places = dict.fromkeys((root / archive.file, root / archive.into / archive.file))
    return next((file for file in places if file.is_file() and _digest(file, tell) == archive.md5), None)


class _Transfer(threading.Thread):
    """A file on its way in a thread of its own, so that a silent server does not keep Stop waiting."""

    def __init__(self, url: str, file: Path) -> None:
        super().__init__(name="fetching", daemon=True)
        self.url, self.file = url, file
        self.done, self.total = 0, 0
        self.digest = hashlib.md5(usedforsecurity=False)
        self.wanted = True
        self.problem: Exception | None = None

    def run(self) -> None:
        try:
            self._receive()
        except Exception as problem:  # for whoever waits
            self.problem = problem

    def _receive(self) -> None:
        asking = Request(self.url, headers={"User-Agent": WHO})
        with urlopen(asking, timeout=PATIENCE) as answer, self.file.open("wb") as out:
            self.total = answer.length or 0
            while self.wanted and (chunk := answer.read1(CHUNK)):
                out.write(chunk)
                self.digest.update(chunk)
                self.done += len(chunk)
        if self.done < self.total:
            said = f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB"
            raise OSError(f"the connection broke off after {said}")


def _fetch(archive: Archive, file: Path, tell: Tell) -> None:
    transfer = _Transfer(archive.url, file)
    transfer.start()
    try:
        while transfer.is_alive():
            tell("downloading", transfer.done, transfer.total)
            transfer.join(MOMENT)
    finally:
        transfer.wanted = False
    if transfer.problem is not None:
        raise transfer.problem
    tell("downloading", transfer.done, transfer.total)
    if transfer.digest.hexdigest() != archive.md5:
        raise ValueError(f"{archive.file} does not have its published checksum")


def _digest(file: Path, tell: Tell) -> str:
    digest, size, done = hashlib.md5(usedforsecurity=False), file.stat().st_size, 0
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            tell("checking", done, size)
    return digest.hexdigest()


def _unpack(file: Path, folder: str, into: Path, tell: Tell) -> None:
    """The files below a folder of an archive, or a plain file; no other path of it touches the disk."""
    if not folder:
        shutil.copyfile(file, into)
        return
    size = file.stat().st_size
    with file.open("rb") as packed:
        for name, content in _members(packed):
            path = PurePosixPath(name)
            if path.parent.parts[:1] != (folder,) or ".." in path.parts:
                continue
            unpacked = into.joinpath(*path.parts[1:])
            unpacked.parent.mkdir(parents=True, exist_ok=True)
            with unpacked.open("wb") as out:
                while chunk := content.read(CHUNK):
                    out.write(chunk)
                    tell("unpacking", min(packed.tell(), size), size)


def _members(packed: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """The plain files of a zip or tar, one after the other as they lie in it: (name, content)."""
    if zipfile.is_zipfile(packed):
        with zipfile.ZipFile(packed) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    with archive.open(info) as content:
                        yield info.filename, content
        return
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content


def _put(unpacked: Path, place: Path) -> None:
    """Move what is right to its place; what is there of it already gives way, all else stays."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if unpacked.is_file() or not place.exists():
        os.replace(unpacked, place)
        return
    for file in [path for path in unpacked.rglob("*") if path.is_file()]:
        there = place / file.relative_to(unpacked)
        there.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, there)
