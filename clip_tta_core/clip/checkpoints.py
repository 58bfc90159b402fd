"""Checkpoint files as people have them: what they are, by their content, and the weights in any wrapping.

Nothing in a file is executed. A file is loaded as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import pickle
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
CONFIG = "open_clip_config.json"
# Under what training scripts keep the weights: those that were trained first, then their moving average.
WRAPPINGS = (
    *("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "clip"),
    *("ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "ema", "model_ema_state_dict"),
)
# What parallel training, compilation and modules around a CLIP put before the names of weights.
PREFIXES = ("module.", "_orig_mod.", "model.", "clip_model.", "clip.", "net.", "ema_model.", "backbone.")
OPENAI = {"input_resolution", "context_length", "vocab_size"}  # numbers that only OpenAI's files hold
DEEPEST = 4  # wrappings and prefixes inside each other


class Unreadable(ValueError):
    """A file that is no checkpoint of a CLIP; the text says why, as half a sentence."""


@dataclass(frozen=True)
class Prepared:
    """Weights as open_clip reads them."""

    file: Path
    openai: bool  # OpenAI's own, whose activation is QuickGELU


def check(path: Path) -> None:
    """Raise one sentence unless `path` is a file of a kind that can be read without running code in it."""
    try:
        there = path.is_file()
    except OSError:  # a name too long, a folder one may not look into
        there = False
    if not there:
        raise ValueError(f"Model: the checkpoint must be a file on this machine, got '{path}'.")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Model: a checkpoint must end in {', '.join(SUFFIXES)}, got '{path.name}'.")


def kind(path: Path) -> str:
    """ "safetensors" or "torch", by the first bytes.

    Raises:
        Unreadable: for anything else, with what it is instead.
    """
    with path.open("rb") as file:
        head = file.read(512)
    start = head.lstrip().lower()
    if not head:
        raise Unreadable("the file is empty, so its download is damaged or was cut short")
    if head.startswith(b"version https://git-lfs"):
        raise Unreadable(
            "the file is a Git LFS pointer, a few lines of text that stand for the weights; fetch them with "
            "'git lfs pull'"
        )
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise Unreadable("the file is a web page, as a login or an error leaves it; fetch the weights again")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if head[:1] == b"\x80" or head[257:262] == b"ustar":
        return "torch"
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")):
        raise Unreadable("the file is a packed archive; unpack it first")
    if head.startswith(b"\x89HDF") or head.startswith(b"GGUF") or head.startswith(b"\x93NUMPY"):
        raise Unreadable("the file is in the format of another library; save it as safetensors")
    with contextlib.suppress(UnicodeDecodeError):
        if all(letter.isprintable() or letter.isspace() for letter in head[:256].decode("utf-8")):
            raise Unreadable("the file holds text, not weights, so it is no checkpoint")
    raise Unreadable("the file is damaged or no checkpoint")


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise Unreadable("the file is damaged or cut short") from error
    if "constants.pkl" in names:
        raise Unreadable(
            "the file is a TorchScript archive, a program, which this page does not execute; OpenAI's models "
            "come under their names, as in ViT-B-32/openai, and others are to be saved as a state dict"
        )
    if "data.pkl" not in names:
        raise Unreadable("the file is a zip archive and no checkpoint; unpack it first")
    return "torch"


@contextlib.contextmanager
def prepared(path: Path) -> Iterator[Prepared]:
    """A checkpoint as a file that open_clip reads: itself, or plain weights in a file for the time being.

    Raises:
        Unreadable: with what is wrong.
    """
    form = kind(path)
    names = _names(path) if form == "safetensors" else None
    if names is not None and path.suffix.lower() == ".safetensors" and _is_clip(names):
        yield Prepared(path, False)
        return
    state = unwrapped(_read(path, form))
    numbers = OPENAI & state.keys()
    with tempfile.TemporaryDirectory(prefix="weights-") as folder:
        file = Path(folder) / "weights.safetensors"
        plain = {name: t.contiguous().clone() for name, t in state.items() if name not in numbers}
        save_file(plain, file)
        del plain, state
        yield Prepared(file, numbers == OPENAI)


def _names(path: Path) -> list[str]:
    try:
        with safe_open(path, "pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise Unreadable(f"the file is damaged or no safetensors file ({str(error)[:120]})") from error


def _read(path: Path, form: str) -> object:
    if form == "safetensors":
        return load_file(path)
    try:
        return _load(path)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        TypeError,
        LookupError,
        OSError,
    ) as error:
        if isinstance(error, pickle.UnpicklingError) and "weights_only" in str(error).lower():
            raise Unreadable(
                "the file holds more than plain weights, which this page does not execute; load it where you "
                "trust it and save model.state_dict() with safetensors"
            ) from error
        raise Unreadable("the file is damaged or cut short") from error


def _load(path: Path) -> object:
    with path.open("rb") as file:  # by its content: of a path, torch looks at the ending
        return torch.load(file, map_location="cpu", weights_only=True)


def unwrapped(found: object) -> dict[str, Tensor]:
    """The weights of a CLIP in what a checkpoint holds, by the names that open_clip gives them.

    Raises:
        Unreadable: where there are none.
    """
    layers = [found]
    states: list[dict[str, Tensor]] = []
    for _ in range(DEEPEST):
        layers = [layer for layer in layers if isinstance(layer, Mapping)]
        states += [
            {name: t for name, t in layer.items() if isinstance(name, str) and isinstance(t, Tensor)}
            for layer in layers
        ]
        layers = [layer[name] for layer in layers for name in WRAPPINGS if name in layer]
    states = [state for state in states if state]
    if not states:
        raise Unreadable("the file holds no weights, only other things")
    bare = [one for state in states for one in _without_prefixes(state)]
    for state in bare:
        if _is_clip(state):
            return state
    if any(name.startswith(("vision_model.", "text_model.")) for state in bare for name in state):
        raise Unreadable(
            "its weights are in the layout of the package transformers; take the model from a repository "
            "for open_clip, or under a name such as ViT-B-32/openai"
        )
    return max(states, key=len)  # other layouts are for open_clip to convert, and else for it to refuse


def _without_prefixes(state: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The state itself, then what lies below prefixes, in any order."""
    level = [state]
    for _ in range(DEEPEST):
        yield from level
        level = [
            {name.removeprefix(prefix): t for name, t in one.items() if name.startswith(prefix)}
            for one in level
            for prefix in PREFIXES
            if any(name.startswith(prefix) for name in one)
        ]


def _is_clip(names: Mapping[str, Tensor] | list[str]) -> bool:
    """Whether the names are those of open_clip's towers, with nothing in front."""
    return "logit_scale" in names and any(name.startswith("visual.") for name in names)
