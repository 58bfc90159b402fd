"""The CLIPs that ship with the project: who they are, what they know, and how they are kept on the disk.

Each is declared once, as a `Member`; menus, errors, notes and training read it from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from clip_tta_core.clip.towers import Config, TwoTowers
from clip_tta_core.clip.vocabulary import Vocabulary, words_of
from clip_tta_core.registry import Registry

ASSETS = Path(__file__).parents[2] / "assets"


@dataclass(frozen=True)
class Member:
    """One of the family."""

    name: str  # in settings and links
    title: str
    help: str  # one sentence, for the menu
    folder: Path  # config.json, model.safetensors and the card
    subject: str  # what its words name
    at_home: tuple[str, ...]  # kinds of sources whose pictures are like those it was trained on
    abroad: str  # one sentence about its answers to pictures from elsewhere
    operations: float  # floating-point operations of one picture forward, as torch counts them
    stored: torch.dtype = torch.float32  # of the weights on the disk; in memory they are float32

    def is_at_home(self, source: str) -> bool:
        """Whether it was trained on pictures like those of `source`, as RunConfig names it."""
        return source.partition(":")[0] in self.at_home


EMBEDDED: Registry[Member] = Registry("embedded CLIP")
MINI = EMBEDDED.register(
    Member(
        "mini-clip",
        "mini-CLIP",
        "Ships with this page and knows the rendered objects; 64 px.",
        ASSETS / "mini_clip",
        "rendered objects",
        ("rendered",),
        "mini-CLIP has seen nothing but drawings of its own world, so its answers to other pictures mean "
        "little; choose a larger CLIP under Model and classes.",
        38e6,
    )
)
PHOTO = EMBEDDED.register(
    Member(
        "photo-clip",
        "photo-CLIP",
        "Ships with this page and knows photographs of 110 kinds of things, animals and vehicles; 32 px.",
        ASSETS / "photo_clip",
        "classes of CIFAR-10 and CIFAR-100",
        ("dataset", "upload"),
        "photo-CLIP has seen nothing but photographs, so its answers to drawings mean little; choose "
        "photographs, or mini-CLIP under Model and classes.",
        92e6,
        torch.float16,
    )
)


def save(model: TwoTowers, folder: Path, training: Mapping[str, object], stored: torch.dtype) -> None:
    """Write config.json, with how the model was trained, and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"model": asdict(model.config), "training": dict(training)}
    (folder / "config.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    # The scale is a single number, of which half precision would keep three digits.
    weights = {
        name: (value.to(stored) if value.ndim else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(weights, folder / "model.safetensors")


def load(member: Member, folder: Path | None = None) -> TwoTowers:
    """Read what `save` wrote, in the member's own folder or another; float32 on the CPU, ready to predict."""
    folder = folder or member.folder
    model = TwoTowers(read_config(folder))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()


def read_config(folder: Path) -> Config:
    """The configuration in a folder that `save` wrote."""
    stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"]
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
    }
    return Config(**settings)


@cache
def vocabulary(name: str) -> Vocabulary:
    """What the member called `name` can read."""
    member = EMBEDDED[name]
    return _config(name).vocabulary(member.title, member.subject)


def tokenize(name: str, texts: str | Sequence[str]) -> Tensor:
    """See Vocabulary.tokenize; with the words of the member called `name`."""
    return vocabulary(name).tokenize(texts)


def known(names: Sequence[str], model: str) -> tuple[str, ...]:
    """Those of the class names that `model` can name; of a CLIP that is not ours, all of them.

    photo-CLIP knows whole names: "sea lion" consists of words that it has met, and is no class it could know.
    mini-CLIP's words combine freely, a colour and an object.
    """
    if model not in EMBEDDED:
        return tuple(names)
    whole, words = set(_config(model).names), set(_config(model).words)
    return tuple(
        name
        for name in names
        if (_plain(name) in whole if whole else words.issuperset(words_of(_plain(name))))
    )


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())


@cache
def _config(name: str) -> Config:
    folder = EMBEDDED[name].folder
    try:
        return read_config(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Model '{name}': its config.json is missing or damaged; fetch the folder assets/{folder.name} "
            "again."
        ) from error
