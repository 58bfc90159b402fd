"""Visitors' pictures: read once, within bounds, labelled for any list typed, gone with the visitor."""

import threading

import numpy as np
import pytest
from PIL import Image

from clip_tta_core.records import Pictures
from clip_tta_core.sources import class_lists, uploads
from clip_tta_core.sources.uploads import Upload
from clip_tta_core.ui.session import albums
from clip_tta_core.ui.session.albums import Albums, Reading
from clip_tta_core.ui.wire.encode import plain


def upload(*names: str, side: int = 8) -> Upload:
    labels, classes = uploads.label(names)
    images = np.zeros((len(names), side, side, 3), dtype=np.uint8)
    found, pictures = uploads.labels(names), Pictures(images, labels, names, classes)
    return Upload(pictures, classes, found.counts(), (), found.levels, wholes=images)


def shown(*args) -> dict:
    """The view as it travels."""
    return plain(albums.view(*args))


def png(path, colour: int = 90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10), (colour, 30, 30)).save(path)
    return str(path)


def finished(reading: Reading) -> Reading:
    reading.start()
    assert reading.ended.wait(20)
    return reading


def test_each_visitor_and_purpose_has_its_own():
    room = Albums()
    mine, yours, odd = upload("a.png"), upload("b.png"), upload("c.png")
    room.keep("me", "pictures", mine)
    room.keep("me", "unknowns", odd)
    room.keep("you", "pictures", yours)
    assert room.get("me", "pictures") is mine and room.get("you", "pictures") is yours
    assert room.get("you", "unknowns") is None
    room.leave("me")
    assert room.get("me", "pictures") is None and room.get("me", "unknowns") is None
    assert room.get("you", "pictures") is yours


def test_those_used_longest_ago_make_room():
    one = upload("a.png")
    room = Albums(most_bytes=2 * (one.pictures.images.nbytes + one.wholes.nbytes))
    room.keep("first", "pictures", one)
    room.keep("second", "pictures", upload("a.png"))
    room.get("first", "pictures")  # used again
    room.keep("third", "pictures", upload("a.png"))
    assert [room.get(name, "pictures") is not None for name in ("first", "second", "third")] == [
        True,
        False,
        True,
    ]


def test_the_newest_stays_even_if_it_alone_is_too_large():
    room = Albums(most_bytes=1)
    room.keep("me", "pictures", upload("a.png"))
    assert room.get("me", "pictures") is not None


def test_labels_follow_the_list_that_is_typed():
    tree = upload("pets/Black_Cat/1.jpg", "pets/dog/2.jpg", "pets/dog/3.jpg", "loose.jpg")
    own = albums.labelled(tree)
    assert own.class_names == ("Black Cat", "dog") and own.labels.tolist() == [0, 1, 1, -1]
    typed = albums.labelled(tree, ("horse", "DOG"))
    assert typed.class_names == ("horse", "DOG") and typed.labels.tolist() == [-1, 1, 1, -1]


def test_another_level_of_folders_can_be_the_classes():
    tree = upload("pets/cat/1.jpg", "pets/dog/2.jpg", "cars/van/3.jpg")
    seen = shown(tree, "pictures")
    assert seen["levels"] == [[0, "cars, pets"], [1, "cat, dog, van"]] and seen["level"] == 1
    assert seen["notes"] == ["Classes are the folders cat, dog, van, level 2 from the top."]
    outer = uploads.at_level(tree, 0)
    assert outer.class_names == ("cars", "pets") and outer.counts == (1, 2)
    assert albums.labelled(outer).labels.tolist() == [1, 1, 0]
    assert albums.labelled(outer, ("pets", "cars")).labels.tolist() == [0, 0, 1]
    seen = shown(outer, "pictures")
    assert seen["level"] == 0 and seen["counts"] == [["cars", 1], ["pets", 2]]
    assert uploads.at_level(outer, 1).class_names == ("cat", "dog", "van")
    assert uploads.at_level(tree, 7) is tree is uploads.at_level(tree, None)


def test_no_level_is_named_where_names_of_the_list_stand_at_several():
    tree = upload("pets/cat/1.jpg", "pets/dog/2.jpg", "cars/van/3.jpg")
    seen = shown(tree, "pictures", ("cat", "cars"))
    assert seen["counts"] == [["cat", 1], ["cars", 1]] and not seen["notes"] and "level" not in seen


@pytest.mark.parametrize("separator", class_lists.SEPARATORS)
def test_a_folder_with_a_separator_can_be_typed_as_a_class(separator):
    tree = upload(f"terrapin{separator} small/1.jpg", "mud/2.jpg")
    names = albums.own_classes(tree)
    assert class_lists.parse("\n".join(names)) == names
    assert sorted(albums.labelled(tree, names).labels.tolist()) == [0, 1]


def test_the_page_is_told_counts_and_what_the_folders_offer():
    tree = upload("cat/1.jpg", "dog/2.jpg", "dog/3.jpg")
    seen = shown(tree, "pictures", ("dog", "horse"))
    assert seen["counts"] == [["dog", 2]] and seen["folders"] == ["cat", "dog"]
    assert seen["said"] == "3 pictures, 2 with a label." and seen["shown"] == 3
    assert seen["notes"] == ["1 of 2 names found no folder: horse."]
    agreed = shown(tree, "pictures", ("cat", "dog"))
    assert agreed["folders"] == [] and agreed["said"] == "3 pictures, all with a label."
    loose = shown(upload("1.jpg"), "pictures")
    assert loose["said"].startswith("1 picture, none with a label. Type your classes")
    assert not shown(tree, "unknowns")["counts"], "nobody asks an unknown picture for its class"


def test_files_are_deleted_once_they_are_read(tmp_path):
    room, path = Albums(), png(tmp_path / "hash" / "a.png")
    reading = finished(Reading(room, [path]))
    assert len(reading.upload) == 1 and reading.share == 1
    assert not (tmp_path / "hash").exists()


def test_names_are_shown_as_their_visitor_knows_them(tmp_path):
    paths = [png(tmp_path / "0123456789abcdef-cat.png"), tmp_path / "0123456789abcdef-cut.zip"]
    paths[1].write_bytes(b"PK\x03\x04")
    reading = finished(Reading(Albums(), list(map(str, paths))))
    assert reading.upload.pictures.names == ("cat.png",)
    assert [name for name, reason in reading.upload.skipped] == ["cut.zip"]


def test_a_file_that_somebody_else_reads_stays_until_then(tmp_path):
    room, path = Albums(), tmp_path / "hash" / "a.png"
    png(path)
    with room.files([str(path)]):
        finished(Reading(room, [str(path)]))
        assert path.exists()
    assert not path.exists()


def test_a_reading_without_its_visitor_ends_and_leaves_no_file(tmp_path, monkeypatch):
    paths = [png(tmp_path / str(k) / "a.png", k) for k in range(5)]
    room, at_first, go_on = Albums(), threading.Event(), threading.Event()
    decode = uploads.decode_beside

    def slow(*args):
        at_first.set()
        assert go_on.wait(20)
        return decode(*args)

    monkeypatch.setattr(uploads, "decode_beside", slow)
    reading = Reading(room, paths)
    reading.start()
    assert at_first.wait(20)
    reading.abandon()
    go_on.set()
    assert reading.ended.wait(20) and reading.upload is None
    assert not any((tmp_path / str(k)).exists() for k in range(5))


def test_missing_pictures_are_asked_for():
    with pytest.raises(ValueError, match="at least one picture of something unknown is needed"):
        Albums().pictures("me", "unknowns")
