"""Patch tokens in the space that images share with texts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

TokenReader = Callable[[Tensor], tuple[Tensor, Tensor]]


def has_tokens(visual: nn.Module) -> bool:
    """Whether `token_reader` can read patch tokens out of this image encoder."""
    return hasattr(visual, "forward_tokens") or _is_plain_transformer(visual)


def token_reader(visual: nn.Module) -> TokenReader:
    """A function from normalized images (B, 3, H, W) to features (B, D) and projected patch tokens (B, N, D).

    It shares all weights with `visual` and runs it once. An encoder of ours offers itself as
    `forward_tokens`; of open_clip's, the vision transformers that pool a token (or all of them) and project
    can be read.
    """
    offered: TokenReader | None = getattr(visual, "forward_tokens", None)
    if offered is not None:
        return offered
    if not _is_plain_transformer(visual):
        raise ValueError(
            f"encode_tokens: the image encoder must be a vision transformer with patch tokens, got "
            f"{type(visual).__name__}; choose a model such as ViT-B-32."
        )
    reader: Any = copy.copy(visual)  # the same layers; only the switch below is its own
    reader.output_tokens = True

    def read(images: Tensor) -> tuple[Tensor, Tensor]:
        features, tokens = reader(images)  # (B, D), (B, N, width)
        if reader.final_ln_after_pool:  # otherwise the tokens have been through it
            tokens = reader.ln_post(tokens)
        return features, tokens if reader.proj is None else tokens @ reader.proj

    return read


def _is_plain_transformer(visual: nn.Module) -> bool:
    """open_clip's VisionTransformer without attention pooling, which mixes the tokens into others."""
    parts = ("output_tokens", "final_ln_after_pool", "ln_post", "proj")
    return all(hasattr(visual, part) for part in parts) and getattr(visual, "attn_pool", None) is None
