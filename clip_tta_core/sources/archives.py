"""The files inside an upload's file: members of archives, read into memory and never unpacked to the disk.

Names are text to show, not paths. Sizes are counted while reading, because headers may lie.
"""

from __future__ import annotations

import bz2
import gzip
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from clip_tta_core.sources import texts
from clip_tta_core.sources.clutter import is_clutter
from clip_tta_core.sources.limits import MEGA, Limits, Meter, Unusable

SIGNATURES = {
    "zip": (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"),
    "gzip": (b"\x1f\x8b",),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zXZ\x00",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "7z": (b"7z\xbc\xaf\x27\x1c",),
    "rar": (b"Rar!\x1a\x07",),
}
# What zipfile and tarfile raise on damage; both document the first, the others come from the parts they use.
DAMAGE = (OSError, EOFError, ValueError, LookupError, OverflowError, RuntimeError, struct.error, zlib.error)
EMPTY = "The archive holds no pictures."
GUESSED = (
    "An archive does not say in which encoding its names are; they were read as {codec}. If they look wrong, "
    "pack it again with names in UTF-8."
)
UNKNOWN = (
    "The names in this archive are in an encoding that is not known here, so they are shown wrong; pack it "
    "again with names in UTF-8."
)
NO_TEXT = "\ufffd"  # for a byte that is no letter
LONGEST = 255  # characters of a folder's or file's name, as systems have it: none is cut to be another's
ZIP_DAMAGE = (zipfile.BadZipFile, *DAMAGE)
TAR_DAMAGE = (tarfile.TarError, *DAMAGE)


@dataclass(frozen=True)
class File:
    """A file that may be a picture."""

    name: str  # as shown: clean, with its folders
    share: float  # of its upload file, read so far
    load: Callable[[], bytes]  # to be called before the next file is asked for; raises Unusable


def files(path: Path, meter: Meter, tell: Callable[[str], None] = lambda note: None) -> Iterator[File]:
    """The files in an upload's file: itself, an archive's members, or a folder's content.

    Args:
        path: of the upload's file.
        meter: counts what it costs.
        tell: called with what the visitor should know although all can be used.

    Raises:
        Unusable: nothing, or nothing more, can be had from this file.
        Ended: the same, from inside `load`.
        Full: a limit of the whole upload is reached.
    """
    if path.is_dir():
        yield from _folder(path, meter)
        return
    try:
        own_bytes = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise Unusable("The file could not be opened.") from error
    meter.arrive(own_bytes)
    kind = archive_kind(head) or ("tar" if path.suffix.lower() == ".tar" else "")
    if kind == "zip":
        yield from _zip(path, own_bytes, meter, tell)
    elif kind in ("tar", "gzip", "bzip2"):
        yield from _tar(path, kind, own_bytes, meter)
    elif kind:
        raise Unusable(f"Archives must be zip, tar, tar.gz or tar.bz2; this is {kind}.")
    else:
        yield File(display_name(path.name) or "unnamed", 0.0, lambda: _read_path(path, meter.limits))


def archive_kind(head: bytes) -> str:
    """What kind of archive begins with these bytes, by its signature and not its name; "" for none."""
    for kind, signatures in SIGNATURES.items():
        if head.startswith(signatures):
            return kind
    return "tar" if head[257:262] == b"ustar" else ""


def _read_path(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as file:
            return _read_all(file, limits)
    except OSError as error:
        raise Unusable("The file could not be read.") from error


def _read_all(file: IO[bytes], limits: Limits, count: Callable[[int], None] = lambda more: None) -> bytes:
    data = file.read(limits.picture_bytes + 1)
    count(len(data))
    if len(data) > limits.picture_bytes:
        raise Unusable(_too_large(limits))
    return data


def _too_large(limits: Limits) -> str:
    return f"A picture may have {limits.picture_bytes // MEGA} MB; this file has more."


def _folder(path: Path, meter: Meter) -> Iterator[File]:
    found = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    for number, file in enumerate(found):
        name = display_name(str(file.relative_to(path)))
        if not is_clutter(name):
            meter.arrive(file.stat().st_size)
            yield File(name, number / len(found), lambda file=file: _read_path(file, meter.limits))


def _zip(path: Path, own_bytes: int, meter: Meter, tell: Callable[[str], None]) -> Iterator[File]:
    count = meter.archive(own_bytes)
    try:
        _count_zip_entries(path, meter.limits)
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            names = _zip_names(infos, tell)
            given = 0
            for number, info in enumerate(infos):
                name = display_name(names[number] if names else info.filename)
                if not is_clutter(name):
                    given += 1
                    yield File(
                        name,
                        number / len(infos),
                        lambda info=info: _zip_member(archive, info, meter.limits, count),
                    )
            if not given or names is None:
                raise Unusable(UNKNOWN if given else EMPTY)
    except ZIP_DAMAGE as error:
        raise Unusable("The zip archive is damaged or incomplete.") from error


def _count_zip_entries(path: Path, limits: Limits) -> None:
    """Refuse an archive with too many entries before zipfile makes an object of each.

    Every entry of the directory starts with these four bytes, whatever the header says about their number.
    """
    entries, tail = 0, b""
    with path.open("rb") as file:
        while block := file.read(MEGA):
            entries += (tail + block).count(b"PK\x01\x02")
            tail = block[-3:]
    if entries > limits.entries:
        raise Unusable(f"An archive may have {limits.entries:,} entries; this one has {entries:,}.")


def _zip_names(infos: Sequence[zipfile.ZipInfo], tell: Callable[[str], None]) -> list[str] | None:
    """The names in their own script; None where that is not known. A guess is told.

    Many tools write UTF-8 or a code page without saying which.
    """
    silent = {id(info) for info in infos if not info.flag_bits & 0x800 and not info.filename.isascii()}
    packed = [_as_packed(info) for info in infos if id(info) in silent]
    codec = texts.code_page(packed)
    if not codec:
        return None
    if texts.is_guess(packed, codec):
        tell(GUESSED.format(codec=codec.upper()))
    return [_as_packed(info).decode(codec) if id(info) in silent else info.filename for info in infos]


def _as_packed(info: zipfile.ZipInfo) -> bytes:
    return info.filename.encode("cp437")  # which zipfile takes for granted where the archive says nothing


def _zip_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits, count: Callable[[int], None]
) -> bytes:
    mode = info.external_attr >> 16  # of the system that packed it; 0 where it has none
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Unusable("Links and devices in archives are not followed.")
    if info.flag_bits & 0x1:
        raise Unusable("The file is encrypted; pack it without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unusable("The file is packed by an uncommon method; pack it with 'deflate'.")
    if info.file_size > limits.picture_bytes:  # a header may lie the other way, which is counted below
        raise Unusable(_too_large(limits))
    try:
        with archive.open(info) as file:
            return _read_all(file, limits, count)
    except ZIP_DAMAGE as error:
        raise Unusable("The file is damaged inside its archive.") from error


class TarEntry(tarfile.TarInfo):
    """A header that may not ask for much: tarfile reads long names and attributes into memory whole."""

    MOST = 2**14
    EXTRA = (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        entry = super().frombuf(buf, encoding, errors)
        if entry.size < 0 or (entry.type in cls.EXTRA and entry.size > cls.MOST):
            raise Unusable("The tar archive has an impossible header; what came before it was used.")
        return entry


class _Counted:
    """A stream that says how much was read from it."""

    def __init__(self, file: IO[bytes], count: Callable[[int], None]) -> None:
        self.file, self.count = file, count
        self.ended = False

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        self.count(len(data))
        if not data and self.ended:  # tarfile would go on, for as long as a header's size has blocks
            raise EOFError
        self.ended = not data
        return data


def _tar(path: Path, kind: str, own_bytes: int, meter: Meter) -> Iterator[File]:
    count, limits = meter.archive(own_bytes), meter.limits
    try:
        with path.open("rb") as raw:
            file = {"gzip": gzip.GzipFile(fileobj=raw), "bzip2": bz2.BZ2File(raw)}.get(kind, raw)
            # As a stream: every byte passes the counter once, also those of members that are passed over.
            stream = cast(IO[bytes], _Counted(file, count))  # the stubs ask for more than "r|" does: read
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=TarEntry) as archive:
                given, strange = 0, False
                for number, entry in enumerate(archive):
                    if number >= limits.entries:
                        raise Unusable(f"An archive may have {limits.entries:,} entries; this one has more.")
                    name = display_name(entry.name)
                    if not entry.isdir() and not is_clutter(name):
                        given += 1
                        strange = strange or NO_TEXT in name
                        share = raw.tell() / max(1, own_bytes)
                        yield File(name, share, lambda entry=entry: _tar_member(archive, entry, limits))
                if strange or not given:
                    raise Unusable(UNKNOWN if given else EMPTY)
    except TAR_DAMAGE as error:
        raise Unusable("The file is no tar archive, or damaged; what came before was used.") from error


def _tar_member(archive: tarfile.TarFile, entry: tarfile.TarInfo, limits: Limits) -> bytes:
    member = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
    if member is None:
        raise Unusable("Links and devices in archives are not followed.")
    try:
        with member as file:
            return _read_all(file, limits)
    except TAR_DAMAGE as error:
        raise Unusable("The file is damaged inside its archive.") from error


def display_name(name: str) -> str:
    """A name from anywhere as text for a page: no root, no way up, no control characters; never a path."""
    letters = []
    for letter in unicodedata.normalize("NFC", name[:4096]):
        category = unicodedata.category(letter)
        if category == "Cs":
            letters.append(NO_TEXT)  # half a character, from bytes that are no text
        elif letter in "\u200c\u200d":  # some scripts need the two joiners
            letters.append(letter)
        elif not category.startswith("C") and category not in ("Zl", "Zp"):  # no controls, no line breaks
            letters.append(letter)
    parts = [part.strip()[:LONGEST] for part in re.split(r"[/\\]+", "".join(letters))]
    parts = [part for part in parts if part not in ("", ".", "..") and not re.fullmatch("[A-Za-z]:", part)]
    return "/".join(parts[-6:])
