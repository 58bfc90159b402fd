"""What systems leave beside people's pictures, and which files are pictures: one rule for all readers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI")
FOLDERS = frozenset(
    ("__macosx", "@eadir", "#recycle", "$recycle.bin", "recycler", "system volume information", "lost+found")
    + ("@recycle", "@recently-snapshot", "#snapshot", "@tmp", "__pycache__", "found.000")
)
FILES = frozenset(("", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "picasa.ini", "synofile_thumb"))


def is_clutter(name: str) -> bool:
    """Whether a file or folder, "cats/1.jpg", is a system's own, or hidden by its owner."""
    parts = [part.lower() for part in name.split("/")]
    return any(part.startswith(".") or part in FOLDERS for part in parts) or parts[-1] in FILES


def pictures(folder: Path) -> Iterator[Path]:
    """The picture files below a folder by their ending, in order, clutter left out."""
    endings = suffixes()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.suffix.lower() in endings and not is_clutter(inside) and path.is_file():
            yield path


@lru_cache(maxsize=1)
def suffixes() -> frozenset[str]:
    """The endings of the formats that are read here, in small letters: ".jpg", ".jfif", ".avif" ..."""
    return frozenset(
        suffix for suffix, format in Image.registered_extensions().items() if format in (*FORMATS, "MPO")
    )
