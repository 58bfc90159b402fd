"""Where a published data set lies below a data folder, whatever its folders are called there.

Archives, toolkits and papers spell one layout in several ways: "Real World" and "Real_World", "caltech101"
and "caltech-101", with a folder of the set's own name around it. Readers know the published one; a view shows
them that.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from clip_tta_core.sources.clutter import is_clutter
from clip_tta_core.sources.names import letters


def variants(path: str) -> list[str]:
    """Where an archive's content lies when it was unpacked into a folder of its own name, or of pictures."""
    top, *rest = Path(path).parts
    below = "/".join(rest)
    return [f"{top}/{top}/{below}", f"{path}/{rest[-1] if rest else top}", f"{top}/images/{below}"]


def find(root: Path, path: str) -> list[Path]:
    """What lies at `path` below `root`, folders compared without case, space, hyphen and underscore."""
    found = [root]
    for part in Path(path).parts:
        found = [below for here in found for below in _called(here, part)]
    return found


def _called(folder: Path, name: str) -> list[Path]:
    """The entry of that name, else those that are spelt like it."""
    if (folder / name).exists():
        return [folder / name]
    if not folder.is_dir():
        return []
    alike = _plain(name)
    return sorted(
        entry for entry in folder.iterdir() if not is_clutter(entry.name) and _plain(entry.name) == alike
    )


def packed(folder: Path, names: set[str]) -> Path | None:
    """An archive that is called by one of the names, "EuroSAT.zip" or "dtd-r1.0.1.tar.gz"; None for none."""
    wanted = {_plain(name) for name in names if not name.isdecimal() or len(name) > 3}
    for entry in sorted(folder.iterdir()):
        stem, *endings = re.split(r"\.(?=zip$|tar|tgz$|tbz2$|7z$|rar$)", entry.name.lower())
        if endings and _plain(re.sub(r"[-_.]r?\d+(\.\d+)+$", "", stem)) in wanted:
            return entry
    return None


def _plain(name: str) -> str:
    """What of a folder's name tells sets apart: "PACS_dataset" is "pacs"."""
    plain = letters(name)
    return re.sub("(dataset|data|main|master)$", "", plain) or plain


def has(place: Path, pattern: str) -> bool:
    """Whether anything below `place` matches; of "" the place itself must be there."""
    return any(place.glob(pattern)) if pattern else place.exists()


@contextlib.contextmanager
def view(root: Path, base: str, place: Path) -> Iterator[Path]:
    """A data folder in which the set at `place` lies at `base`: `root` itself where it does already.

    Readers must resolve the paths that they keep: the view goes when the block ends.
    """
    if root / base == place:
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="layout-") as name:
        folder, top = Path(name), Path(base).parts[0]
        for entry in root.iterdir():
            if entry.name != top:
                (folder / entry.name).symlink_to(entry.resolve())
        (folder / base).parent.mkdir(parents=True, exist_ok=True)
        (folder / base).symlink_to(place.resolve())
        yield folder


@contextlib.contextmanager
def rewritten(root: Path, files: Mapping[Path, bytes]) -> Iterator[Path]:
    """A data folder in which some files, by their paths below it, have another content; `root` for none."""
    if not files:
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="layout-") as name:
        folder = Path(name)
        own = {
            above for path in files for above in path.parents
        }  # folders that hold one of them, at any depth
        for above in own:
            (folder / above).mkdir(parents=True, exist_ok=True)
        for above in own:
            for entry in (root / above).iterdir():
                path = above / entry.name
                if path in files:
                    (folder / path).write_bytes(files[path])
                elif path not in own:
                    (folder / path).symlink_to(entry.resolve())
        yield folder
