"""Which of the folders above a picture is its class: one rule for uploads and for data folders.

A level of folders is how far below the top it lies. Levels with one name are wrappers ("dataset/") or say
nothing ("images/"), levels that hold splits ("train", "test") are no classes. Of the others the deepest that
most pictures have is taken, except where its names repeat below the level above, as "front" and "side" do
below every animal: then the level with more names is taken, or the one whose names are not counted through,
as "fold 1" and "2024-05-01" are. Whoever looks may choose another level.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clip_tta_core.sources import names, wordnet

Path = tuple[str, ...]  # the folders above a picture, the outermost first

SPLITS = frozenset(
    "train training trainset trn val valid validation valset test testing testset eval evaluation dev "
    "pred prediction predict query gallery holdout labeled labelled unlabeled unlabelled".split()
)
CONTENTS = frozenset("image images img imgs pic pics jpeg jpegs jpegimages".split())
# What folders are called that tell kinds of files apart: no classes where another level could be.
VIEWS = CONTENTS | frozenset(
    "jpg png bmp gif tif tiff webp rgb rgba depth mask masks raw processed original originals augmented "
    "small large thumb thumbs thumbnail thumbnails crop crops cropped".split()
)
CLASSY = frozenset("class classes label category klasse classe clase c".split())  # "class 1" may be one
MOST = 0.75  # of the pictures of the best level: pictures beside the classes do not make theirs the level


def few(names: Sequence[str]) -> str:
    """The first three of some names."""
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


@dataclass(frozen=True)
class Level:
    """Folders that could be the classes."""

    depth: int  # 0 for the outermost
    folders: tuple[str, ...]
    pictures: int  # that lie in them


@dataclass(frozen=True)
class Labels:
    """What the folders of some pictures say about them."""

    labels: np.ndarray  # int64 (N,), -1 where unknown
    class_names: tuple[str, ...]
    levels: tuple[Level, ...] = ()  # between which a visitor may choose, the outermost first
    level: Level | None = None  # the one that was taken
    numbered: bool = False  # its folders are places in the list of names
    unfound: tuple[str, ...] = ()  # names of the list that no folder answers to

    def counts(self) -> tuple[int, ...]:
        """Pictures of each class."""
        known = self.labels[self.labels >= 0]
        return tuple(np.bincount(known, minlength=len(self.class_names)).tolist())

    def sentences(self) -> tuple[str, ...]:
        """What the page should say of it; nothing where nothing had to be decided."""
        said = []
        if self.level is not None and (len(self.levels) > 1 or self.level.depth):
            where = f"level {self.level.depth + 1} from the top"
            said.append(f"Classes are the folders {few(self.level.folders)}, {where}.")
        if self.numbered:
            said.append("The folders are numbers: each is a place in the list of classes.")
        if self.unfound:
            count = f"{len(self.unfound)} of {len(self.class_names)}"
            said.append(f"{count} names found no folder: {few(self.unfound)}.")
        return tuple(said)


def label(paths: Sequence[Path], class_names: Sequence[str] = (), depth: int | None = None) -> Labels:
    """Label pictures by their folders.

    Without `class_names`, the folders of the level that is taken are the classes, if there are two or more.
    With them, a picture belongs to the innermost of its folders that is on the list.

    Args:
        paths: the folders above each picture. (N,)
        class_names: the list to choose between, empty for the folders' own.
        depth: the level to take, as a visitor chose it; by itself where None or where there is no such level.
    """
    levels = _levels(paths)
    level = next((one for one in levels if one.depth == depth), None) or _choose(levels, paths)
    choice = tuple(one for one in levels if one.depth == depth or not _is_split(one)) or levels
    if not class_names:
        return _by_level(paths, choice, level)
    wanted = tuple(class_names)
    chosen = level if depth is not None else None
    found = _on_list(paths, wanted, {one.depth for one in levels if _is_split(one)}, chosen)
    if not found.any():
        for one in (chosen,) if chosen else choice:
            if placed := _numbered(one.folders, len(wanted)):
                labels = np.array([_at(path, one.depth, placed) for path in paths], dtype=np.int64)
                return Labels(labels, wanted, choice, one, numbered=True)
    labels = np.array([found.label(path) for path in paths], dtype=np.int64)
    seen = set(labels.tolist())
    unfound = tuple(name for place, name in enumerate(wanted) if place not in seen)
    if chosen is None:  # where all names of the list stand; several levels are none
        likely = (level, *choice) if level else choice
        level = next((one for one in likely if found.place.keys() <= set(one.folders)), None)
    return Labels(labels, wanted, choice, level, unfound=unfound)


def _by_level(paths: Sequence[Path], levels: tuple[Level, ...], level: Level | None) -> Labels:
    """The folders of a level as classes."""
    if level is None:
        return Labels(np.full(len(paths), -1, dtype=np.int64), (), levels)
    shown = names.shown(level.folders)
    groups: dict[str, str] = {}  # folder -> class: "Cat" in "train" and "cat" in "test" are one
    first: dict[str, str] = {}
    beside = _siblings(paths, level.depth)
    for folder in level.folders:
        spoken = names.spoken(folder)
        other = first.setdefault(spoken, folder)
        groups[folder] = shown[folder if other != folder and other in beside[folder] else other]
    class_names = tuple(sorted(set(groups.values()), key=str.casefold))
    place = {folder: class_names.index(name) for folder, name in groups.items()}
    labels = np.array([_at(path, level.depth, place) for path in paths], dtype=np.int64)
    return Labels(labels, class_names, levels, level)


def _at(path: Path, depth: int, place: dict[str, int]) -> int:
    return place.get(path[depth], -1) if len(path) > depth else -1


def _siblings(paths: Sequence[Path], depth: int) -> dict[str, set[str]]:
    """For every folder of a level, those that lie beside it."""
    below = defaultdict(set)
    for path in paths:
        if len(path) > depth:
            below[path[:depth]].add(path[depth])
    beside: dict[str, set[str]] = defaultdict(set)
    for folders in below.values():
        for folder in folders:
            beside[folder] |= folders
    return beside


@dataclass(frozen=True)
class _OnList:
    """Folder names that stand on a list of classes."""

    place: dict[str, int]
    passed_over: set[int]  # depths of splits
    level: Level | None  # the only one that counts, where a visitor chose

    def any(self) -> bool:
        return bool(self.place)

    def label(self, path: Path) -> int:
        """The innermost folder on the list."""
        depths = range(len(path)) if self.level is None else [self.level.depth]
        known = (
            self.place[path[depth]]
            for depth in reversed(depths)
            if depth < len(path) and depth not in self.passed_over and path[depth] in self.place
        )
        return next(known, -1)


def _on_list(
    paths: Sequence[Path], wanted: tuple[str, ...], splits: set[int], level: Level | None
) -> _OnList:
    depths = None if level is None else {level.depth}
    own = dict.fromkeys(
        folder
        for path in paths
        for depth, folder in enumerate(path)
        if depth not in splits and (depths is None or depth in depths)
    )
    place = zip(own, names.places(list(own), wanted), strict=True)
    return _OnList({folder: k for folder, k in place if k >= 0}, splits, level)


def _numbered(folders: Sequence[str], count: int) -> dict[str, int]:
    """Places in a list of `count` names for folders called 0 to count - 1, or 1 to count; else {}.

    One word may stand before all numbers, "class_0", and of those from 0 some may be missing.
    """
    found = [re.fullmatch(r"(\D*)(\d{1,9})", folder) for folder in folders]
    if not all(found) or len({one[1] for one in found if one}) > 1:
        return {}
    numbers = {folder: int(one[2]) for folder, one in zip(folders, found, strict=True) if one}
    first, last = min(numbers.values()), max(numbers.values())
    complete = len(set(numbers.values())) == len(numbers) == count == last + 1 - first and first in (0, 1)
    if not complete and not (first == 0 and last < count and len(set(numbers.values())) == len(numbers)):
        return {}
    return {folder: number - first for folder, number in numbers.items()}


def _levels(paths: Sequence[Path]) -> tuple[Level, ...]:
    """Levels at which there are two folders or more."""
    counts: list[dict[str, int]] = []
    for path in paths:
        for depth, folder in enumerate(path):
            if depth == len(counts):
                counts.append(defaultdict(int))
            counts[depth][folder] += 1
    levels = []
    for depth, folders in enumerate(counts):
        classes = [folder for folder in folders if folder.lower() not in CONTENTS]
        kept = classes if len(classes) > 1 else list(folders)  # "images" beside "n01440764" is no class
        if len(kept) > 1:
            levels.append(Level(depth, tuple(sorted(kept)), sum(folders[one] for one in kept)))
    return tuple(levels)


def _choose(levels: Sequence[Level], paths: Sequence[Path]) -> Level | None:
    levels = [level for level in levels if not _is_split(level)]
    levels = [level for level in levels if {one.lower() for one in level.folders} - VIEWS] or levels
    for level in levels:
        if all(wordnet.WNID.match(folder) for folder in level.folders):
            return level
    most = max((level.pictures for level in levels), default=0)
    chosen = None
    for level in levels:  # from the outermost inwards
        if level.pictures >= MOST * most and (chosen is None or _better(level, chosen, paths)):
            chosen = level
    return chosen


def _better(inner: Level, outer: Level, paths: Sequence[Path]) -> bool:
    """Whether the classes are at the inner of two levels."""
    if _numbers(inner) and not _numbers(outer):  # albums, sessions, years
        return False
    above = defaultdict(set)
    for path in paths:
        if len(path) > inner.depth:
            above[path[inner.depth]].add(path[outer.depth])
    if all(folder.startswith(tuple(above[folder])) for folder in inner.folders):
        return False  # "cat/cat_1": things of a class
    repeated = sum(len(above[folder]) > 1 for folder in inner.folders)
    few = 2 * repeated <= len(inner.folders)
    return few or len(inner.folders) >= len(outer.folders) or (_counted(outer) and not _counted(inner))


def _numbers(level: Level) -> bool:
    return all(re.fullmatch(r"[\d\W_]+", folder) for folder in level.folders)


def _counted(level: Level) -> bool:
    """Whether all folders are one word, or none, with a number: "fold 1", "2024-05-01"; not "class 1"."""
    found = [re.fullmatch(r"(\D*)\d[\d\W_]*", folder) for folder in level.folders]
    words = {re.sub(r"[\W_]", "", one[1]).lower() for one in found if one}
    return all(found) and len(words) == 1 and not words & CLASSY


def _is_split(level: Level) -> bool:
    """Whether folders part a data set for training and testing; "train" alone may be a vehicle."""
    splits = sum(re.sub(r"[\W\d_]|images|data|set", "", one.lower()) in SPLITS for one in level.folders)
    words = [re.findall("[a-z]+", folder.lower()) for folder in level.folders]
    around = {tuple(word for word in folder if word not in SPLITS) for folder in words}
    return splits > 1 or (len(around) == 1 and all(SPLITS & set(folder) for folder in words))  # "seg_train"
