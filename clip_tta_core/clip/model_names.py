"""Names of models as people have them, turned into the one that `loading` uses: no file is looked at."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import open_clip

HUB, FOLDER = "hf-hub:", "local-dir:"
MINI = "mini-clip"
OPENAI = {  # as OpenAI calls its models on the hub, and in its code where open_clip has another name
    "clip-vit-base-patch32": "ViT-B-32/openai",
    "clip-vit-base-patch16": "ViT-B-16/openai",
    "clip-vit-large-patch14": "ViT-L-14/openai",
    "clip-vit-large-patch14-336": "ViT-L-14-336/openai",
    "vit-l/14@336px": "ViT-L-14-336/openai",
    "vit-l-14@336px": "ViT-L-14-336/openai",
    "vit-l/14-336px": "ViT-L-14-336/openai",
    "vit-l-14-336px": "ViT-L-14-336/openai",
    "vit-l/14@336": "ViT-L-14-336/openai",
    "vit-l-14@336": "ViT-L-14-336/openai",
    **{name.lower(): f"{name}/openai" for name in ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64")},
}
ALIASES = {
    **OPENAI,
    **{f"openai/{name}": model for name, model in OPENAI.items() if name.startswith("clip-")},
    **{name: MINI for name in ("mini", "mini clip", "miniclip", "mini_clip")},
    **{name: "photo-clip" for name in ("photo", "photo clip", "photoclip", "photo_clip")},
}
AROUND = " ,:=|/／()[]'\""
BEFORE_PATH = re.compile(r"[:,=|\s]+(?=~|\.{1,2}/|/[^/\s]+/|file:)")
CALL = re.compile(r"[\w.]*\((.+)\)")  # "create_model('ViT-B-32', 'openai')"
LIBRARY = re.compile(
    r"(?:open_?clip|clip)(?:[:/\s]+|-(?=(?:vit|rn)\b|rn\d))", re.IGNORECASE
)  # "CLIP ViT-B/32"
HOME = re.compile(r"\$(?:HOME|\{HOME\})(?=/|$)")
WEIGHTS = re.compile(r"[^@=\s]+\.(?:safetensors|pth?|bin|ckpt)", re.IGNORECASE)
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
ADDRESS = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)/|hf://|hf_hub:/*)"
    r"([^/\s]+/[^/\s?#]+).*"
)


def canonical(name: str) -> str:
    """The name of a model, without what people paste around it, in the spelling of open_clip.

    "ViT-B/32" and "vit-b-32/OpenAI" are "ViT-B-32/openai", an address on the hub and "org/name" become
    "hf-hub:org/name", a folder "local-dir:/folder", "~" the home folder. What means nothing stays as it is.
    """
    name = _bare(name)
    if called := CALL.fullmatch(name):
        name = re.sub(r"\w+=", "", called[1])
    if name.lower().rstrip("/") in ALIASES:
        return ALIASES[name.lower().rstrip("/")]
    if name.lower() == MINI:
        return MINI
    if address := ADDRESS.fullmatch(name):
        return _repository(address[1])
    for prefix in (HUB, FOLDER):
        if name.lower().startswith(prefix):
            rest = _bare(name[len(prefix) :])
            return _repository(rest.strip("/")) if prefix == HUB else prefix + _path(rest)
    if _is_path(name):
        return FOLDER + _path(name)
    if "@" in name:
        architecture, _, path = name.partition("@")
        architecture, path = _architecture(_bare(architecture)), _bare(path)
        if tag := _tag(architecture, path):  # "ViT-B-32@openai"
            return f"{architecture}/{tag}"
        return f"{architecture}@{_path(path)}"
    return _tagged(name)


def _bare(name: str) -> str:
    return name.strip().strip("\"'`“”‘’").strip()


def _repository(name: str) -> str:
    return ALIASES.get(name.lower(), HUB + name)


def _is_path(name: str) -> bool:
    if name.startswith(("/", "~", "./", "../", "file://", "\\\\")) or re.match(r"[A-Za-z]:[\\/]", name):
        return True
    return bool(HOME.match(name) or WEIGHTS.fullmatch(name))


def _path(path: str) -> str:
    """A path as people paste it, with the home folder for "~"."""
    if path.startswith("file://"):
        path = unquote(path.removeprefix("file://"))
    path = HOME.sub("~", path, count=1)  # and no other variable: what is in them is not for visitors to see
    try:
        return str(Path(path).expanduser())
    except RuntimeError:  # somebody's home that this machine does not know
        return path


def _tagged(name: str) -> str:
    """Architecture and tag, whatever stands between them, and whichever comes first."""
    bare = LIBRARY.sub("", name, count=1) if LIBRARY.match(name) else name
    first = re.split(r"[:,|\s]", bare)[0]
    known = (_architecture(first), _architecture(first.rpartition("/")[0]))
    name = bare if any(one in _architectures().values() for one in known) else name
    slashed = _architecture(name)
    if slashed in _architectures().values():  # "ViT-B/32" alone means OpenAI's, who write it so
        return f"{slashed}/openai" if "/" in name and _tag(slashed, "openai") else slashed
    if before := BEFORE_PATH.search(name):  # "ViT-B-32: ~/weights.pt"
        architecture = _architecture(_bare(name[: before.start()]))
        if architecture in _architectures().values():
            return f"{architecture}@{_path(_bare(name[before.end() :]))}"
    for cut in [found.start() for found in re.finditer(r"[/／:,|\s]", name)][::-1]:
        architecture = _architecture(_bare(name[:cut].strip(AROUND)))
        if architecture in _architectures().values():
            rest = re.sub("^(pretrained|tag)=", "", name[cut + 1 :].strip(AROUND))
            return f"{architecture}/{_tag(architecture, rest) or rest}"
    for cut in re.finditer("[-/:]", name):  # "ViT-B-32-openai", "openai/ViT-B-32"
        for one, other in (
            (name[: cut.start()], name[cut.end() :]),
            (name[cut.end() :], name[: cut.start()]),
        ):
            if (architecture := _architecture(one)) in _architectures().values() and _tag(
                architecture, other
            ):
                return f"{architecture}/{_tag(architecture, other)}"
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


@lru_cache(maxsize=2)
def _compact(names: tuple[str, ...]) -> dict[str, str]:
    """Names by their letters and digits alone, those that two share left out."""
    letters = [_letters(name) for name in names]
    return {key: name for key, name in zip(letters, names, strict=True) if letters.count(key) == 1}


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _architectures() -> dict[str, str]:
    return _by_small_letters(tuple(open_clip.list_models()))


def _architecture(name: str) -> str:
    """An architecture as open_clip spells it; "ViT-B/32" and "vitb32" are "ViT-B-32"."""
    spelt = _architectures().get(re.sub("[/_ ‐-―−]", "-", name.lower()))
    return spelt or _compact(tuple(open_clip.list_models())).get(_letters(name), name)


def _tag(architecture: str, tag: str) -> str:
    """A tag as open_clip spells it, "" for one that the architecture lacks."""
    tags = tuple(open_clip.list_pretrained_tags_by_model(architecture))
    return _by_small_letters(tags).get(tag.lower().replace("_", "-"), "")


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
