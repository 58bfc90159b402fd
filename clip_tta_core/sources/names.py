"""When two names of a class are the same, for uploads, data sets and lists alike; and how folders are read.

Exact spelling comes first. Each laxer way of comparing decides only where it stays unambiguous: folders "-1"
and "1" are two classes, and "t-shirt" answers to "T shirt" only where no other folder could be meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence

from clip_tta_core.sources import wordnet

# "001.Black_footed_Albatross", "(12) cat", "n02085620-Chihuahua": a number or identifier, and its name.
COUNTED = r"(?:(?:class|label|category)[\s._\-]*)?"  # "class 1 - cat"
BEHIND = re.compile(COUNTED + r"[(\[]?(?:n\d{8}|\d+)[)\]]?[\s._\-:)]+(?=\D)(.*\w.*)", re.IGNORECASE)
KEYED = re.compile(r"[A-Za-z_]\w*=(.*\w.*)")  # "label=cat", as partitions of tables are called
BEFORE = re.compile(r"(.*\w)[\s._\-:(\[]+n\d{8}[)\]]?")  # "tabby_n02123045"


def spoken(name: str) -> str:
    """What CLIP reads: letters without case, an underscore as a space."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().replace("_", " ").split())


def letters(name: str) -> str:
    """What is left without spaces, hyphens, commas and the like; the name itself where nothing is."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-|,;、،؛፣፤.'’()/\[\]]+", "", plain) or plain


def unaccented(name: str) -> str:
    """The letters without their accents."""
    apart = unicodedata.normalize("NFKD", letters(name))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def meant(name: str) -> str:
    """The letters of the name behind a number or an identifier, of WordNet or written before it."""
    return letters(wordnet.name(name) or behind(name) or name)


def singular(name: str) -> str:
    """The letters of one of several: "Cats" is "cat", "Butterflies" is "butterfly"."""
    plain = meant(name)
    return re.sub(r"ies$", "y", plain) if plain.endswith("ies") else re.sub(r"(?<=[^s])s$", "", plain)


def behind(name: str) -> str:
    """ "Black_footed_Albatross" for "001.Black_footed_Albatross"; "" where no more stands there."""
    name = name.strip()
    found = BEHIND.fullmatch(name) or BEFORE.fullmatch(name) or KEYED.fullmatch(name)
    return found[1].strip(" ._-") if found else ""


def places(own: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where each of one's own names stands in the list `wanted`, -1 where nowhere. -> len(own) places"""
    found = [-1] * len(own)
    for form in (str, spoken):  # the same name: several folders may be called so, in "train" and in "test"
        known = _unique(form, wanted)
        found = [
            place if place >= 0 else known.get(form(name), -1) for place, name in zip(found, own, strict=True)
        ]
    for form in (
        letters,
        unaccented,
        meant,
        singular,
    ):  # a likeness: only where both sides have one candidate
        taken, known = set(found), _unique(form, wanted)
        rivals = defaultdict(set)
        for place, name in zip(found, own, strict=True):
            if place < 0:
                rivals[form(name)].add(spoken(name))
        for number, name in enumerate(own):
            key = form(name)
            if found[number] < 0 and len(rivals[key]) == 1 and known.get(key, -1) not in taken:
                found[number] = known.get(key, -1)
    known = _unique(letters, wanted)
    for number, name in enumerate(own):  # "tabby", where people say "tabby cat"
        meanings = {known.get(letters(one), -1) for one in wordnet.synonyms(name)} - {-1, *found}
        if found[number] < 0 and len(meanings) == 1:
            found[number] = meanings.pop()
    return found


def _unique(form: Callable[[str], str], names: Sequence[str]) -> dict[str, int]:
    """The places of names by their form, without forms that two names share."""
    seen: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        seen[form(name)].append(place)
    return {key: found[0] for key, found in seen.items() if len(found) == 1}


def unfound(own: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The names of the list that none of one's own answers to."""
    found = set(places(own, wanted))
    return tuple(name for place, name in enumerate(wanted) if place not in found)


def shown(folders: Sequence[str]) -> dict[str, str]:
    """Class names for folders that are classes: identifiers become words, a number before every name goes.

    What would make two folders one class is left as it is.
    """
    folders = list(dict.fromkeys(folders))
    numbered = len(folders) > 1 and all(behind(folder) for folder in folders)

    def readable(folder: str) -> str:
        identified = wordnet.WNID.match(folder) or BEFORE.fullmatch(folder)
        said = behind(folder).partition(",")[0] if identified else behind(folder) if numbered else ""
        plain = wordnet.name(folder) or said or folder
        return plain.replace("_", " ").strip() or folder

    said = {folder: readable(folder) for folder in folders}
    twice = defaultdict(list)
    for folder, name in said.items():
        twice[name].append(folder)
    return {folder: name if len(twice[name]) == 1 else folder for folder, name in said.items()}
