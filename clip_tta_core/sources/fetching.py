"""Published archives, by address and checksum: fetched in sight, ended at any moment, whole or not at all.

What is fetched and unpacked stands aside, in a folder of its own that goes whatever happens, until all of it
is known to be right. A fetch that was ended starts over.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.request import Request, urlopen

CHUNK = 2**20  # bytes between two looks at whether somebody has said Stop
PATIENCE = 20  # seconds without a byte after which a server counts as gone
WHO = "clip-tta-playground"  # some servers turn away what does not say who asks

Tell = Callable[[str, int, int], None]  # what is done, bytes that are done and in all; ends it by raising


@dataclass(frozen=True)
class Archive:
    """A tar with one folder of files, as its publisher offers it."""

    url: str
    md5: str  # as published
    folder: str  # the folder inside

    @property
    def file(self) -> str:
        """What it is called on a disk."""
        return self.url.rpartition("/")[2]


def bring(archive: Archive, root: Path, tell: Tell) -> None:
    """Put an archive's folder below `root`; fetch the archive where it does not lie in `root` already.

    Args:
        archive: which.
        root: a folder that can be written to.
        tell: told how far it is, every few moments; what it raises ends the attempt, and nothing is kept.

    Raises:
        OSError: the server, the line or the disk fails.
        ValueError: what came is not what was published.
    """
    with tempfile.TemporaryDirectory(prefix=f".{archive.folder}-", dir=root) as name:
        aside = Path(name)
        here = root / archive.file  # brought there by somebody, as one does without a network
        if not here.is_file() or _digest(here, tell) != archive.md5:
            here = aside / archive.file
            _fetch(archive, here, tell)
        unpacked = aside / archive.folder
        _unpack(here, archive.folder, unpacked, tell)
        (root / archive.folder).mkdir(exist_ok=True)
        for file in unpacked.iterdir():
            os.replace(file, root / archive.folder / file.name)


def _fetch(archive: Archive, file: Path, tell: Tell) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    with (
        urlopen(Request(archive.url, headers={"User-Agent": WHO}), timeout=PATIENCE) as answer,
        file.open("wb") as out,
    ):
        total = answer.length or 0
        tell("downloading", 0, total)
        while chunk := answer.read1(CHUNK):
            out.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            tell("downloading", done, total)
    if done < total:
        raise OSError(f"the connection broke off after {done / 1e6:.0f} of {total / 1e6:.0f} MB")
    if digest.hexdigest() != archive.md5:
        raise ValueError(f"{archive.file} does not have its published checksum")


def _digest(file: Path, tell: Tell) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as content:
        for chunk in _chunks(content, "checking", file.stat().st_size, tell):
            digest.update(chunk)
    return digest.hexdigest()


def _unpack(file: Path, folder: str, into: Path, tell: Tell) -> None:
    """The files that lie directly in a folder of a tar; no other path of the archive touches the disk."""
    into.mkdir()
    with tarfile.open(file) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            content = tar.extractfile(member) if path.parent == PurePosixPath(folder) else None
            if content is None:  # a folder, or something that lies elsewhere
                continue
            with (into / path.name).open("wb") as out:
                out.writelines(_chunks(content, "unpacking", member.size, tell))


def _chunks(content: IO[bytes], doing: str, total: int, tell: Tell) -> Iterator[bytes]:
    done = 0
    while chunk := content.read(CHUNK):
        yield chunk
        done += len(chunk)
        tell(doing, done, total)
