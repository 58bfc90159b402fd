"""Names of models as people have them, turned into the one that `loading` uses: no file is looked at."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import open_clip

HUB, FOLDER = "hf-hub:", "local-dir:"
MINI = "mini-clip"
ALIASES = {  # as OpenAI calls its models, in its code and on the hub
    "openai/clip-vit-base-patch32": "ViT-B-32/openai",
    "openai/clip-vit-base-patch16": "ViT-B-16/openai",
    "openai/clip-vit-large-patch14": "ViT-L-14/openai",
    "openai/clip-vit-large-patch14-336": "ViT-L-14-336/openai",
    "vit-l/14@336px": "ViT-L-14-336/openai",
    "vit-l-14@336px": "ViT-L-14-336/openai",
    "vit-l/14-336px": "ViT-L-14-336/openai",
    "vit-l-14-336px": "ViT-L-14-336/openai",
    "mini": MINI,
    "mini clip": MINI,
    "miniclip": MINI,
    "mini_clip": MINI,
}
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def canonical(name: str) -> str:
    """The name of a model, without what people paste around it, in the spelling of open_clip.

    "ViT-B/32" and "vit-b-32/OpenAI" are "ViT-B-32/openai", an address on the hub and "org/name" become
    "hf-hub:org/name", a folder "local-dir:/folder", "~" the home folder. What means nothing stays as it is.
    """
    name = _bare(name)
    if name.lower() in ALIASES:
        return ALIASES[name.lower()]
    if name.lower() == MINI:
        return MINI
    if address := re.fullmatch(
        r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([^/\s]+/[^/\s?#]+).*", name
    ):
        return _repository(address[1])
    for prefix in (HUB, FOLDER):
        if name.lower().startswith(prefix):
            rest = _bare(name[len(prefix) :])
            return _repository(rest.strip("/")) if prefix == HUB else prefix + _path(rest)
    if _is_path(name):
        return FOLDER + _path(name)
    if "@" in name:
        architecture, _, path = name.partition("@")
        return f"{_architecture(_bare(architecture))}@{_path(_bare(path))}"
    return _tagged(name)


def _bare(name: str) -> str:
    return name.strip().strip("\"'`“”‘’").strip()


def _repository(name: str) -> str:
    return ALIASES.get(name.lower(), HUB + name)


def _is_path(name: str) -> bool:
    return name.startswith(("/", "~", "./", "../", "file://")) or bool(re.match(r"[A-Za-z]:[\\/]", name))


def _path(path: str) -> str:
    """A path as people paste it, with the home folder for "~"."""
    path = path.removeprefix("file://")
    try:
        return str(Path(path).expanduser())
    except RuntimeError:  # somebody's home that this machine does not know
        return path


def _tagged(name: str) -> str:
    """Architecture and tag, whatever stands between them."""
    slashed = _architecture(name)
    if slashed in _architectures().values():  # "ViT-B/32" alone means OpenAI's, who write it so
        return f"{slashed}/openai" if "/" in name and _tag(slashed, "openai") else slashed
    for cut in [found.start() for found in re.finditer(r"[/:,\s]", name)][::-1]:
        architecture = _architecture(_bare(name[:cut].strip(" ,:/('")))
        if architecture in _architectures().values():
            rest = name[cut + 1 :].strip(" ,:/)'\"")
            return f"{architecture}/{_tag(architecture, rest) or rest}"
    if REPOSITORY.fullmatch(name) and not _misspelt(name):
        return _repository(name)
    return name


def _misspelt(name: str) -> bool:
    """Whether a name with a slash is rather an architecture with an error in it than a hub repository."""
    architecture, _, tag = name.partition("/")
    if tag.lower() in {one.lower() for _, one in open_clip.list_pretrained()}:
        return True
    return bool(closest(architecture, open_clip.list_models(), cutoff=0.8))


@lru_cache(maxsize=8)
def _by_small_letters(names: tuple[str, ...]) -> dict[str, str]:
    return {name.lower().replace("_", "-"): name for name in names}


def _architectures() -> dict[str, str]:
    return _by_small_letters(tuple(open_clip.list_models()))


def _architecture(name: str) -> str:
    """An architecture as open_clip spells it; "ViT-B/32" is "ViT-B-32"."""
    return _architectures().get(name.lower().replace("/", "-").replace("_", "-").replace(" ", "-"), name)


def _tag(architecture: str, tag: str) -> str:
    """A tag as open_clip spells it, "" for one that the architecture lacks."""
    tags = tuple(open_clip.list_pretrained_tags_by_model(architecture))
    return _by_small_letters(tags).get(tag.lower().replace("-", "-").replace("_", "-"), "")


def closest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The known name that is spelt most like `name`, whatever its case; "" where none is."""
    known = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=cutoff)
    return known[found[0]] if found else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist: the nearest one, and how names are written."""
    close = closest(name, known)
    hint = f" Did you mean '{close}'?" if close else ""
    return (
        f"Unknown {kind} '{name[:80]}'.{hint} A model is architecture/pretraining as open_clip lists them, "
        "hf-hub:org/name, or architecture@/path/to/weights.safetensors."
    )
