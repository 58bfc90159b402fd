"""What is no picture of anybody's: one rule for uploads, one's own folder and published sets."""

# ruff: noqa: E501, a table
from __future__ import annotations

import pytest
from PIL import Image

from clip_tta_core.sources import clutter, readers


@pytest.mark.parametrize(
    "name",
    [
        *("__MACOSX/cat/._1.jpg", "cat/._1.jpg", ".DS_Store", "cat/.hidden.jpg", ".git/1.jpg"),
        *("@eaDir/cat/SYNOPHOTO_THUMB_M.jpg", "cat/@eaDir/0.jpg/x.jpg", "#recycle/1.jpg"),
        *("cat/#Recycle/1.jpg", "$RECYCLE.BIN/1.jpg", "System Volume Information/1.jpg", "lost+found/1.jpg"),
        *("desktop.ini", "cat/Thumbs.db", "cat/.ipynb_checkpoints/1-checkpoint.jpg", ".Trash-1000/1.jpg"),
        *("cat/@__thumb/1.jpg", "Network Trash Folder/1.jpg", "PaxHeaders.7/1.jpg", ".AppleDouble/1.jpg"),
        *("cat/1.jpg~", "cat/~$1.jpg", "cat/1.jpg:Zone.Identifier", "_gsdata_/1.jpg"),
        *("LOST.DIR/1.jpg", "~snapshot/1.jpg", "FOUND.003/1.jpg", "cat/1.jpg@SynoEAStream"),
        *("cat/Thumbs.db:encryptable", "cat/RESOURCE.FRK/1.jpg", ".Spotlight-V100/1.jpg"),
    ],
)  # fmt: skip
def test_what_systems_leave_is_clutter(name):
    assert clutter.is_clutter(name)


@pytest.mark.parametrize(
    "name",
    [
        "cat/1.jpg",
        "recycling bins/1.jpg",
        "a..b/1.jpg",
        "thumbs/1.jpg",
        "mac osx/1.jpg",
        "$5/1.jpg",
        "~/1.jpg",
    ],
)
def test_what_people_make_is_not(name):
    assert not clutter.is_clutter(name)


def test_pictures_of_every_ending_are_found_and_folders_are_none(tmp_path):
    for name in (
        "a.JPG",
        "b.gif",
        "c.jfif",
        "d.jpe",
        "e.jp2",
        "f.qoi",
        "g.webp",
        "h.tiff",
        "notes.txt",
        "x.heic",
    ):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "album.jpg").mkdir()
    (tmp_path / "album.jpg" / "i.png").write_bytes(b"")
    found = [path.name for path in clutter.pictures(tmp_path)]
    assert found == ["a.JPG", "i.png", "b.gif", "c.jfif", "d.jpe", "e.jp2", "f.qoi", "g.webp", "h.tiff"]


def test_published_sets_are_read_without_clutter(tmp_path):
    for name in (
        "cat/1.png",
        "@eaDir/cat/1.png",
        "cat/@eaDir/1.png/thumb.png",
        "dog/1.png",
        "lost+found/1.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    items = readers.tree(tmp_path)
    assert items.class_names == ("cat", "dog") and list(items.names) == ["cat/1.png", "dog/1.png"]
