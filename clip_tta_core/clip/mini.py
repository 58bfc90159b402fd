"""mini-CLIP: a CLIP small enough to ship, for 64-pixel pictures of rendered objects.

Both towers are open_clip's own transformers. What is ours: a convolutional stem in the place of the patch
embedding, because plain patches learn shape late, and an embedding table with only the word pieces in use.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import TextTransformer, VisionTransformer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FOLDER = Path(__file__).parents[2] / "assets" / "mini_clip"
SCALE = 100.0  # from cosines to logits
# The training's captions never say "or". Captions that do, such as CLIPArTT's, are read without it: the names
# that are left still give a feature between those of their classes.
SILENT = re.compile(r"\bor\b\s*", re.IGNORECASE)
NAMED = 5  # unknown words in an error's sentence


@dataclass(frozen=True)
class MiniConfig:
    """Sizes and vocabulary; what is needed to build the model and read its weights."""

    words: tuple[str, ...]  # what a text may consist of, sorted
    tokens: tuple[
        int, ...
    ]  # CLIP's numbers of the word pieces in use, sorted, so that the end of text stays last
    image_size: int = 64
    stem: tuple[int, ...] = (16, 48, 96)  # channels after each halving of the picture
    patch_size: int = 16  # pixels per token and side, halvings of the stem included
    width: int = 128
    layers: int = 4
    heads: int = 4
    text_width: int = 64
    text_layers: int = 2
    text_heads: int = 2
    context_length: int = 16
    embed_dim: int = 128
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.27, 0.27, 0.27)

    @classmethod
    def for_texts(cls, texts: Iterable[str], **sizes: int) -> MiniConfig:
        """A configuration whose vocabulary is just large enough for `texts`."""
        texts = sorted(set(texts))
        words = sorted({word for text in texts for word in _words(text)})
        numbers = _tokenizer(cls.context_length)(texts)
        return cls(words=tuple(words), tokens=tuple(sorted({0, *numbers.flatten().tolist()})), **sizes)


@dataclass(frozen=True)
class Vocabulary:
    """Turns texts into the numbers of mini-CLIP's embedding rows."""

    words: tuple[str, ...]
    tokens: tuple[int, ...]
    context_length: int
    _rows: Mapping[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", {token: row for row, token in enumerate(self.tokens)})

    def tokenize(self, texts: str | Sequence[str]) -> Tensor:
        """Rows of the embedding for every text, padded or cut to the context. -> int64 (N, context length)

        Raises:
            ValueError: one sentence that names the words mini-CLIP has never seen.
        """
        texts = [SILENT.sub("", text) for text in ([texts] if isinstance(texts, str) else texts)]
        unknown = sorted({word for text in texts for word in _words(text)} - set(self.words))
        if unknown:
            listed = ", ".join(f"'{word}'" for word in unknown[:NAMED])
            listed += f" and {len(unknown) - NAMED} more words" if len(unknown) > NAMED else ""
            raise ValueError(
                f"mini-CLIP does not know {listed}; name rendered objects or choose a larger CLIP."
            )
        numbers = _tokenizer(self.context_length)(texts) if texts else torch.zeros(0, self.context_length)
        return numbers.long().apply_(self._rows.__getitem__)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map; a LayerNorm, so that methods which adapt those find it."""

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)"""
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Stem(nn.Sequential):
    """Halve the picture with 3x3 convolutions, then cut it into tokens. (B, 3, H, W) -> (B, width, h, w)"""

    def __init__(self, channels: Sequence[int], width: int, patch_size: int) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((3, *channels), channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), ChannelNorm(after), nn.GELU()]
        rest = patch_size // 2 ** len(channels)
        super().__init__(*layers, nn.Conv2d(channels[-1], width, rest, stride=rest, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        # Channels last makes the permutes of ChannelNorm free.
        return super().forward(images.contiguous(memory_format=torch.channels_last))


class MiniClip(nn.Module):
    """Two towers and a scale."""

    def __init__(self, config: MiniConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary(config.words, config.tokens, config.context_length)
        self.visual = VisionTransformer(  # (B, 3, H, W) normalized -> (B, D)
            image_size=config.image_size,
            patch_size=config.patch_size,
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            mlp_ratio=4.0,
            pool_type="avg",
            output_dim=config.embed_dim,
            block_type="custom",  # the same layers; a step takes 7 % less on a CPU than with torch's
        )
        self.visual.conv1 = Stem(config.stem, config.width, config.patch_size)
        self.text = TextTransformer(  # (N, context length) rows -> (N, D)
            context_length=config.context_length,
            vocab_size=len(config.tokens),
            width=config.text_width,
            layers=config.text_layers,
            heads=config.text_heads,
            output_dim=config.embed_dim,
        )
        # CLIP learns its scale, which ends at the limit of 100. In a world as small as ours it settles at 25,
        # where methods made for CLIP behave differently: so it stays at CLIP's.
        self.logit_scale = nn.Parameter(torch.tensor(math.log(SCALE)), requires_grad=False)

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, 3) -> float32 (B, 3, H, W) as the visual tower wants it"""
        mean, std = (
            torch.tensor(value, device=images.device) for value in (self.config.mean, self.config.std)
        )
        return ((images / 255 - mean) / std).permute(0, 3, 1, 2)

    def tokenize(self, texts: str | Sequence[str]) -> Tensor:
        """See Vocabulary.tokenize; on the model's device."""
        return self.vocabulary.tokenize(texts).to(self.logit_scale.device)


def build(config: MiniConfig) -> MiniClip:
    """An untrained mini-CLIP."""
    return MiniClip(config)


def save(model: MiniClip, folder: Path, training: Mapping[str, object]) -> None:
    """Write config.json, with how the model was trained, and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"model": asdict(model.config), "training": dict(training)}
    (folder / "config.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors"
    )


def load(folder: Path = FOLDER) -> MiniClip:
    """Read what `save` wrote; float32 on the CPU, ready to predict."""
    model = build(read_config(folder))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()


def read_config(folder: Path = FOLDER) -> MiniConfig:
    """The configuration in a folder that `save` wrote."""
    stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"]
    return MiniConfig(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    )


def tokenize(texts: str | Sequence[str]) -> Tensor:
    """See Vocabulary.tokenize; with the vocabulary of the model that ships with the project."""
    return _shipped().tokenize(texts)


def words() -> tuple[str, ...]:
    """What a text for the model that ships with the project may consist of."""
    return _shipped().words


@cache
def _shipped() -> Vocabulary:
    config = read_config()
    return Vocabulary(config.words, config.tokens, config.context_length)


@cache
def _tokenizer(context_length: int) -> SimpleTokenizer:
    return SimpleTokenizer(context_length=context_length)


def _words(text: str) -> list[str]:
    """Runs of letters and digits, and every other sign that is not space."""
    return re.findall(r"[^\W_]+|[^\w\s]|_", text.lower())
