"""Checkpoint files as people have them: what they are, by their content, and the weights in any wrapping.

Nothing in a file is executed. A file is loaded as a whole or not at all.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")
CONFIG = "open_clip_config.json"
AVERAGED = re.compile("ema|avg|average|teacher|momentum|shadow")  # weights that follow those that are trained
WRAPPERS = {"module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
ANCHOR = "logit_scale"  # a weight of every CLIP, beside its towers
# What training scripts keep beside the weights: their arguments and best scores.
HARMLESS = [argparse.Namespace, np.dtype, *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?"))]
_MAKES_SCALARS: Any = np.float64(0).__reduce__()[0]
SCALARS = [(_MAKES_SCALARS, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
OPENAI = {"input_resolution", "context_length", "vocab_size"}  # numbers that only OpenAI's files hold
DEEPEST = 8  # wrappings inside each other


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
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
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
    if start.startswith(b"{") and b'"weight_map"' in path.read_bytes()[:1_000_000]:
        raise Unreadable("the file is the index of weights in several files; save them as one")
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
    with path.open("rb") as file, torch.serialization.safe_globals([*HARMLESS, *SCALARS]):
        # By its content: of a path, torch looks at the ending.
        return torch.load(file, map_location="cpu", weights_only=True)


def unwrapped(found: object) -> dict[str, Tensor]:
    """The weights of a CLIP in what a checkpoint holds, by the names that open_clip gives them.

    Raises:
        Unreadable: where there are none.
    """
    states = [state for layer in _layers(found) if (state := _weights(layer))]
    if not states:
        raise Unreadable("the file holds no weights, only other things")
    for state in states:
        prefixes = [name.removesuffix(ANCHOR) for name in state if name.endswith(ANCHOR)]
        for prefix in sorted(prefixes, key=_is_averaged):
            bare = {_plain(name, prefix): t for name, t in state.items() if name.startswith(prefix)}
            if _is_clip(bare):
                return bare
    if any(re.search(r"\b(vision_model|text_model)\.", name) for state in states for name in state):
        raise Unreadable(
            "its weights are in the layout of the package transformers; take the model from a repository "
            "for open_clip, or under a name such as ViT-B-32/openai"
        )
    if any(".lora_" in name for state in states for name in state):
        raise Unreadable("its weights are a LoRA adapter; merge it into its model and save that")
    return max(states, key=len)  # other layouts are for open_clip to convert, and else for it to refuse


def _layers(found: object) -> Iterator[Mapping]:
    """A checkpoint and all that is wrapped in it: the outermost first, averages of weights last."""
    level = [found]
    for _ in range(DEEPEST):
        mappings = [layer for layer in level if isinstance(layer, Mapping) and "param_groups" not in layer]
        yield from mappings
        inside = [(str(name), value) for layer in mappings for name, value in layer.items()]
        inside = [(name, value) for name, value in inside if "optim" not in name.lower()]
        inside.sort(key=lambda pair: _is_averaged(pair[0]))
        level = [value for layer in level if isinstance(layer, list | tuple) for value in layer]
        level += [value for _, value in inside]


def _is_averaged(name: str) -> bool:
    """Whether weights under this name follow those that are trained."""
    return AVERAGED.search(name.lower()) is not None


def _weights(layer: Mapping) -> dict[str, Tensor]:
    return {name: t for name, t in layer.items() if isinstance(name, str) and isinstance(t, Tensor)}


def _plain(name: str, prefix: str) -> str:
    """A weight's own name, without what parallel training and compilation put into it."""
    return ".".join(part for part in name.removeprefix(prefix).split(".") if part not in WRAPPERS)


def _is_clip(names: Mapping[str, Tensor] | list[str]) -> bool:
    """Whether the names are those of open_clip's towers, with nothing in front."""
    return ANCHOR in names and any(name.startswith("visual.") for name in names)
