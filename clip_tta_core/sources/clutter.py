"""What systems leave beside people's pictures, and which files are pictures: one rule for all readers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI")
FOLDERS = frozenset(
    ("__macosx", "@eadir", "#recycle", "$recycle.bin", "recycler", "system volume information", "lost+found")
    + ("@recycle", "@recently-snapshot", "#snapshot", "@tmp", "__pycache__", "$windows.~bt")
    + ("@__thumb", "network trash folder", "temporary items", "_gsdata_", "paxheader", "gnusparsefile.0")
    + ("lost.dir", "~snapshot", "resource.frk", "@synoresource", "thefindbycontentfolder")
)
STREAMS = (
    ":zone.identifier",
    ":encryptable",
    "@synoeastream",
    "@synoresource",
)  # beside a file, under its name
FILES = frozenset(("", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "picasa.ini", "synofile_thumb"))


def is_clutter(name: str) -> bool:
    """Whether a file or folder, "cats/1.jpg", is a system's own, or hidden by its owner."""
    parts = [part.lower() for part in name.split("/")]
    if any(part.startswith((".", "paxheaders.", "found.00")) or part in FOLDERS for part in parts):
        return True
    return parts[-1] in FILES or parts[-1].startswith("~$") or parts[-1].endswith(("~", *STREAMS))


def pictures(folder: Path) -> Iterator[Path]:
    """The picture files below a folder by their ending, in order, clutter left out."""
    return (path for path in files(folder) if path.suffix.lower() in suffixes())


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order, clutter left out."""
    for path in sorted(folder.rglob("*")):
        if not is_clutter(path.relative_to(folder).as_posix()) and path.is_file():
            yield path


@lru_cache(maxsize=1)
def suffixes() -> frozenset[str]:
    """The endings of the formats that are read here, in small letters: ".jpg", ".jfif", ".avif" ..."""
    known = (ending for ending, kind in Image.registered_extensions().items() if kind in (*FORMATS, "MPO"))
    return frozenset((*known, ".jif", ".pjp", ".pjpeg"))  # JPEGs by old names
