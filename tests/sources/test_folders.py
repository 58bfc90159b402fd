"""Which folders are the classes: in uploads and in one's own data folder alike."""

# ruff: noqa: E501, a table
from __future__ import annotations

import numpy as np
import pytest

from clip_tta_core.sources import folders, names
from clip_tta_core.sources.uploads import label, labels

LAYOUTS = {  # paths of pictures -> the classes in them
    "a folder for each class": (["cat/1.jpg", "dog/1.jpg"], ("cat", "dog")),
    "a wrapper": (["set/cat/1.jpg", "set/dog/1.jpg"], ("cat", "dog")),
    "two wrappers and a stray picture": (["a/b/cat/1.jpg", "a/b/dog/1.jpg", "cover.jpg"], ("cat", "dog")),
    "splits above": (["train/cat/1.jpg", "val/dog/1.jpg", "val/cat/2.jpg"], ("cat", "dog")),
    "splits below": (["cat/train/1.jpg", "cat/test/1.jpg", "dog/train/1.jpg"], ("cat", "dog")),
    "a constant level below": (["cat/images/1.jpg", "dog/images/1.jpg"], ("cat", "dog")),
    "both": (["train/cat/images/1.jpg", "train/dog/images/1.jpg", "val/images/2.jpg"], ("cat", "dog")),
    "years of splits": (["train2017/cat/1.jpg", "val2017/dog/1.jpg"], ("cat", "dog")),
    "albums below": (["cat/001/1.jpg", "cat/002/1.jpg", "dog/003/1.jpg"], ("cat", "dog")),
    "views below": ([f"{k}/{v}/1.jpg" for k in ("cat", "dog", "fox") for v in ("l", "r")],
                    ("cat", "dog", "fox")),
    "domains above": ([f"{d}/{k}/1.jpg" for d in ("photo", "art") for k in ("a", "b", "c")], ("a", "b", "c")),
    "families above": (["pets/cat/1.jpg", "pets/dog/1.jpg", "cars/van/1.jpg"], ("cat", "dog", "van")),
    "other pictures beside": ([f"set/{k}/{i}.jpg" for k in ("cat", "dog") for i in range(3)] + ["old/x.jpg"],
                              ("cat", "dog")),
    "a vehicle called train": (["car/1.jpg", "train/1.jpg"], ("car", "train")),
    "one folder": (["holiday/1.jpg", "holiday/2.jpg"], ()),
    "splits alone": (["train/1.jpg", "test/2.jpg"], ()),
    "WordNet's identifiers": (["n02123045/1.jpg", "n02099601/1.jpg"], ("Golden Retriever", "tabby cat")),
    "identifiers with names": (["n02085620-Chihuahua/1.jpg", "n02088364-beagle/1.jpg"],
                               ("beagle", "Chihuahua")),
    "numbered": (["001.ak47/1.jpg", "002.american-flag/1.jpg"], ("ak47", "american-flag")),
    "a name that begins with a number": (["7 up/1.jpg", "cola/1.jpg"], ("7 up", "cola")),
    "splits with a word": (["seg_train/seg_train/sea/1.jpg", "seg_train/seg_train/ice/1.jpg",
                            "seg_test/seg_test/sea/1.jpg", "seg_pred/seg_pred/1.jpg"], ("ice", "sea")),
    "splits inside splits": ([f"{s}/{s}/{k}/1.jpg" for s in ("training_set", "test_set") for k in ("cat", "dog")],
                             ("cat", "dog")),
    "a station and a tube": (["train station/1.jpg", "test tube/1.jpg"], ("test tube", "train station")),
    "things of a class": ([f"{k}/{k}_{n}/1.jpg" for k in ("cup", "pan") for n in (1, 2, 3)], ("cup", "pan")),
    "sessions by date": ([f"{k}/2024-0{n}-01/1.jpg" for k in ("ann", "bob") for n in (1, 2, 3)], ("ann", "bob")),
    "an unlabelled test split": (["train/cat/1.jpg", "train/dog/1.jpg", *[f"test/{i}.jpg" for i in range(30)]],
                                 ("cat", "dog")),
    "identifiers in splits": (["train/n02123045/images/1.JPEG", "train/n02099601/images/1.JPEG",
                               "val/images/1.JPEG"], ("Golden Retriever", "tabby cat")),
    "identifiers and words": (["n02123045/1.jpg", "dog/1.jpg"], ("dog", "tabby cat")),
    "identifiers behind names": (["tabby_n02123045/1.jpg", "golden (n02099601)/1.jpg"], ("golden", "tabby")),
    "numbers in brackets": (["(1) cat/1.jpg", "[2] dog/1.jpg", "3) fox/1.jpg"], ("cat", "dog", "fox")),
    "signs that tell apart": (["C/1.jpg", "C++/1.jpg", "C#/1.jpg"], ("C", "C#", "C++")),
    "decimals": (["1.5/1.jpg", "15/1.jpg", "<5/1.jpg"], ("1.5", "15", "<5")),
    "numbers before one name": (["1.cat/1.jpg", "2.cat/1.jpg"], ("1.cat", "2.cat")),
    "minus": (["-1/1.jpg", "1/1.jpg"], ("-1", "1")),
    "hyphens that tell apart": (["re-sign/1.jpg", "resign/1.jpg"], ("re-sign", "resign")),
    "folds above": ([f"fold_{n}/{k}/1.jpg" for n in range(5) for k in ("cat", "dog")], ("cat", "dog")),
    "dates above": ([f"2024-01-0{n}/{k}/1.jpg" for n in (1, 2, 3) for k in ("cat", "dog")], ("cat", "dog")),
    "sessions above": ([f"session {n}/{k}/1.jpg" for n in range(3) for k in ("cat", "dog")], ("cat", "dog")),
    "classes that are counted": ([f"class_{n}/{v}/1.jpg" for n in range(3) for v in ("l", "r")],
                                 ("class 0", "class 1", "class 2")),
    "with labels and without": (["labeled/cat/1.jpg", "labeled/dog/1.jpg", "unlabeled/1.jpg"], ("cat", "dog")),
    "kinds of files below": ([f"{k}/{v}/1.jpg" for k in ("cat", "dog") for v in ("jpg", "png")], ("cat", "dog")),
    "a camera's two pictures": ([f"{k}/{v}/1.jpg" for k in ("cat", "dog") for v in ("rgb", "depth")], ("cat", "dog")),
    "two words for pictures": (["cat/images/1.jpg", "dog/img/1.jpg"], ("cat", "dog")),
    "sizes alone": (["small/1.jpg", "large/1.jpg"], ("large", "small")),
    "a class called mask": (["mask/1.jpg", "hat/1.jpg", "scarf/1.jpg"], ("hat", "mask", "scarf")),
    "identifiers in capitals": (["N02123045/1.jpg", "N02099601/1.jpg"], ("Golden Retriever", "tabby cat")),
    "an identifier with synonyms": (["n02123045 tabby, tabby cat/1.jpg", "n02099601 golden/1.jpg"], ("golden", "tabby")),
    "counted and named": (["class 0 - cat/1.jpg", "Class 1 - dog/1.jpg"], ("cat", "dog")),
    "partitions of a table": (["label=cat/1.jpg", "label=dog/1.jpg"], ("cat", "dog")),
    "names that differ at their ends": ([f"{'x' * 150} {k}/1.jpg" for k in "ab"], tuple(f"{'x' * 150} {k}" for k in "ab")),
    "one class in two splits": (["train/Cat/1.jpg", "test/cat/1.jpg", "test/dog/1.jpg"], ("Cat", "dog")),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_level_at_which_folders_tell_pictures_apart_is_the_class(layout):
    paths, classes = LAYOUTS[layout]
    assert label(paths)[1] == classes


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_picture_belongs_to_a_folder_above_it_or_to_none(layout):
    paths, _ = LAYOUTS[layout]
    found = labels(paths)
    for path, place in zip(paths, found.labels, strict=True):
        if place >= 0:
            own = [names.letters(part) for part in path.split("/")[:-1]]
            shown = [names.letters(name) for name in names.shown(path.split("/")[:-1]).values()]
            assert any(names.letters(found.class_names[place]) in one for one in (*own, *shown))


def test_a_visitor_may_choose_another_level():
    paths = ["pets/cat/1.jpg", "pets/dog/1.jpg", "cars/van/1.jpg"]
    found = labels(paths)
    assert [level.folders for level in found.levels] == [("cars", "pets"), ("cat", "dog", "van")]
    assert found.level is found.levels[1] and "cat, dog, van" in found.sentences()[0]
    other = labels(paths, depth=found.levels[0].depth)
    assert other.class_names == ("cars", "pets") and other.labels.tolist() == [1, 1, 0]
    assert labels(paths, ("pets", "cars"), depth=0).labels.tolist() == [0, 0, 1]


def test_typed_names_label_by_the_innermost_folder_and_not_by_splits():
    assert label(["Cat/Lion/1.jpg"], ("cat", "lion"))[0].tolist() == [1]
    paths = ["train/dog/1.jpg", "test/train/1.jpg", "train/train/1.jpg"]
    assert label(paths, ("dog", "train"))[0].tolist() == [0, 1, 1]


def test_numbered_folders_are_places_in_a_list_of_as_many_names():
    for first in (0, 1):
        found = labels([f"{first + k}/a.jpg" for k in (2, 0, 1)], ("cat", "dog", "horse"))
        assert found.labels.tolist() == [2, 0, 1] and found.numbered
        assert "numbers" in " ".join(found.sentences())
    assert labels(["00/a.jpg", "01/a.jpg"], ("cat", "dog")).labels.tolist() == [0, 1]
    assert labels(["0/a.jpg", "2/a.jpg"], ("cat", "dog", "fox")).labels.tolist() == [0, 2], "one is missing"
    for word in ("class_", "c", "Label "):
        paths = [f"train/{word}{k}/{part}/1.jpg" for k in (1, 2) for part in "ab"]
        assert labels(paths, ("cat", "dog")).labels.tolist() == [0, 0, 1, 1]
    assert labels(["3/a.jpg", "7/a.jpg"], tuple("abcdefghij")).labels.tolist() == [-1, -1], "from 0 or 1?"
    assert labels(["0/a.jpg", "5/a.jpg"], ("cat", "dog")).labels.tolist() == [-1, -1], "no such places"
    assert labels(["1/a.jpg", "0/a.jpg"], ("0", "1")).labels.tolist() == [1, 0], "names before places"


def test_names_that_found_nothing_are_counted():
    found = labels(["cat/1.jpg", "dog/1.jpg"], ("cat", "unicorn", "dragon"))
    assert found.unfound == ("unicorn", "dragon") and found.labels.tolist() == [0, -1]
    assert "2 of 3 names found no folder: unicorn, dragon." in found.sentences()


@pytest.mark.parametrize(
    ("own", "wanted", "place"),
    [
        (["cat"], ["dog", "cat"], [1]),
        (["POLAR_bear"], ["polar bear"], [0]),
        (["T-shirt"], ["t shirt"], [0]),
        (["-1", "1"], ["1"], [-1, 0]),
        (["re-sign", "resign"], ["re sign"], [-1, -1]),  # either could be meant
        (["a-b"], ["ab", "a b"], [-1]),  # here, too
        (["001.Laysan_Albatross"], ["Laysan Albatross"], [0]),
        (["n01440764"], ["tench"], [0]),
        (["n02085620-Chihuahua"], ["chihuahua"], [0]),
        (["train cat", "Train_Cat"], ["train cat"], [0, 0]),  # one name in two spellings
        (["1 cat", "2 cat"], ["cat"], [-1, -1]),
        (["Café"], ["cafe\u0301"], [0]),
        (["café", "thé"], ["Cafe", "The"], [0, 1]),
        (["pêche", "péché"], ["peche"], [-1, -1]),
        (["PolarBear"], ["polar bear"], [0]),
        (["apse_indoor", "crane (bird)"], ["apse/indoor", "crane bird"], [0, 1]),
        (["n02123045", "n02099601"], ["tabby", "golden retriever"], [0, 1]),  # as WordNet says
        (["n02123045", "tabby"], ["tabby"], [-1, 0]),
        (["(3) Laysan Albatross"], ["laysan-albatross"], [0]),
        (["C", "C++"], ["C++", "C"], [1, 0]),
        (["Cats", "Butterflies"], ["cat", "butterfly"], [0, 1]),
        (["glasses", "glass"], ["glass"], [-1, 0]),
        (["label=cat"], ["cat"], [0]),
    ],
)  # fmt: skip
def test_names_are_the_same_where_no_other_could_be_meant(own, wanted, place):
    assert names.places(own, wanted) == place


def test_no_pictures_have_no_classes():
    found = folders.label([])
    assert found.labels.shape == (0,) and found.labels.dtype == np.int64 and found.class_names == ()
