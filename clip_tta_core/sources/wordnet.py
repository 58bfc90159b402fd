"""What WordNet's identifiers, by which ImageNet and its relatives call their folders, mean in words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

WNID = re.compile(r"[nN]\d{8}")  # a noun
# open_clip calls two pairs of classes by one name each, which would tie them.
IMAGENET_TWINS = {744: "projectile", 836: "sunglass"}


@lru_cache(maxsize=1)
def imagenet_names() -> dict[str, str]:
    """The names people use for ImageNet's 1,000 classes, by their WordNet identifiers, in their order."""
    from open_clip import IMAGENET_CLASSNAMES
    from timm.data.imagenet_info import ImageNetInfo

    names = [IMAGENET_TWINS[k] if k in IMAGENET_TWINS else name for k, name in enumerate(IMAGENET_CLASSNAMES)]
    return dict(zip(ImageNetInfo("imagenet-1k").label_names(), names, strict=True))


@lru_cache(maxsize=1)
def _full_imagenet() -> dict[str, str]:
    """What stands behind each of the full ImageNet's 21,841 identifiers: synonyms, the usual one first."""
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo("imagenet-22k")
    return {wnid: info.label_name_to_description(wnid, detailed=False) for wnid in info.label_names()}


def name(wnid: str) -> str:
    """The name that people use, or "" for what is no identifier or one that ImageNet does not know."""
    if not WNID.fullmatch(wnid):
        return ""
    wnid = wnid.lower()
    return imagenet_names().get(wnid) or _full_imagenet().get(wnid, "").partition(",")[0].strip()


@lru_cache(maxsize=1)
def _meanings() -> dict[str, set[str]]:
    """The identifiers that each name may mean."""
    found = defaultdict(set)
    for wnid, words in _full_imagenet().items():
        for word in words.casefold().split(","):
            found[word.strip()].add(wnid)
    return found


def are_one(words: Iterable[str]) -> bool:
    """Whether all of the words are names of one thing, as "tench" and "Tinca tinca" are."""
    meanings = [_meanings().get(word.strip().casefold(), set()) for word in words]
    return bool(meanings) and bool(set.intersection(*meanings))


def synonyms(wnid: str) -> tuple[str, ...]:
    """All names of what an identifier means, the usual one first; none for what is no identifier."""
    if not WNID.fullmatch(wnid):
        return ()
    found = (name(wnid), *_full_imagenet().get(wnid.lower(), "").split(","))
    return tuple(dict.fromkeys(one.strip() for one in found if one.strip()))
