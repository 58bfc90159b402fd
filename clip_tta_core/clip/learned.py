"""Prompts to learn: context words of the text encoder, extra tokens of the image encoder.

Both are copies of a tower in which only the prompts are new; every weight is shared with the original.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar, cast

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

VISUAL_TOKENS = 2  # learned tokens in each of the first blocks: Zhou et al., TAPT, arXiv 2411.13136
VISUAL_DEPTH = 9  # blocks that have tokens of their own


M = TypeVar("M", bound=nn.Module)


def copy_tree(module: M) -> M:
    """A copy of the module tree that shares every tensor: its layers can be exchanged."""
    return copy.deepcopy(module, {id(t): t for t in [*module.parameters(), *module.buffers()]})


class ContextEmbedding(nn.Module):
    """A word embedding in which some places of every text hold learned vectors instead.

    Args:
        embedding: int (N, L) -> (N, L, width).
        context: int (n,), the words to start from.
        first: the place of the first of them.
    """

    def __init__(self, embedding: nn.Module, context: Tensor, first: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.context = nn.Parameter(embedding(context).detach().clone())  # (n, width)
        self.first = first

    def forward(self, tokens: Tensor) -> Tensor:
        """int (N, L) -> (N, L, width)"""
        words = self.embedding(tokens)
        last = self.first + len(self.context)
        learned = self.context.to(words.dtype).expand(len(words), -1, -1)
        return torch.cat([words[:, : self.first], learned, words[:, last:]], dim=1)


def with_context(encoder: nn.Module, words: str) -> nn.Module:
    """A copy of a text encoder with learned vectors, `context`, in the place of these words.

    Texts must begin with the words. It starts from their own vectors, so that nothing changes before they are
    trained. An encoder of ours offers itself as `with_context`; of others, the embedding of words is the
    largest there is, and is watched reading them.
    """
    own: Callable[[str], nn.Module] | None = getattr(encoder, "with_context", None)
    if own is not None:
        return own(words)
    copied = copy_tree(encoder)
    found = [
        (part, name, child)
        for part in copied.modules()
        for name, child in part.named_children()
        if isinstance(child, nn.Embedding)
    ]
    if not found:
        raise ValueError(
            "ClipClassifier: fork('context') needs a text encoder with an embedding of words, got "
            f"{type(encoder).__name__}; choose a model such as ViT-B-32."
        )
    part, name, embedding = max(found, key=lambda item: item[2].num_embeddings)
    seen: list[Tensor] = []
    hook = embedding.register_forward_hook(lambda _, args, out: seen.append(args[0]))
    with torch.no_grad():
        copied([words, f"{words} {words}", ""])
    hook.remove()
    alone, followed, empty = torch.cat(seen)  # (L,) each
    same = (alone == followed).long().cumprod(dim=0).sum()  # the words, and a start of text where it is
    first = int(alone[0] == empty[0])
    learned = ContextEmbedding(embedding, alone[first:same], first)
    setattr(part, name, learned)
    copied.context = learned.context
    return copied


class Prompted(Protocol):
    """What an image encoder with learned tokens offers, besides being a module."""

    prompts: Iterable[nn.Parameter]  # (VISUAL_TOKENS, width) for each of the first blocks

    def forward_blocks(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, H, W) normalized -> (B, D), and what every block was given, (B, N, width)"""
        ...


def with_visual_prompts(visual: nn.Module) -> nn.Module:
    """A copy of an image encoder with learned tokens, all zero: a module that is also `Prompted`.

    An encoder of ours offers itself as `with_prompts`; of open_clip's, the vision transformers can be read.
    """
    offered: Callable[[], nn.Module] | None = getattr(visual, "with_prompts", None)
    if offered is not None:
        return offered()
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if blocks is None or not hasattr(visual, "ln_pre"):
        raise ValueError(
            "ClipClassifier: fork('visual_prompts') needs a vision transformer, got "
            f"{type(visual).__name__}; choose a model such as ViT-B-32."
        )
    return PromptedTransformer(cast(VisionTransformer, visual))  # or one built alike


class PromptedTransformer(nn.Module):
    """open_clip's vision transformer with learned tokens behind the patches.

    The first pair joins before the first normalization and has no place; before each of the next blocks, the
    last tokens make way for that block's own. Later blocks keep what they are given.
    """

    def __init__(self, visual: VisionTransformer) -> None:
        super().__init__()
        self.visual = copy_tree(visual)
        blocks = self.visual.transformer.resblocks
        width = visual.positional_embedding.shape[-1]
        depth = min(VISUAL_DEPTH, len(blocks))
        like = visual.positional_embedding
        self.prompts = nn.ParameterList(like.new_zeros(VISUAL_TOKENS, width) for _ in range(depth))
        self.visual.register_module("ln_pre", _Appended(self.visual.ln_pre, self.prompts[0]))
        batch_first = getattr(self.visual.transformer, "batch_first", True)
        for number in range(1, depth):
            blocks[number] = _Exchanged(blocks[number], self.prompts[number], batch_first)
        self._batch_first = batch_first

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalized -> (B, D)"""
        return self.visual(images)

    def forward_blocks(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, H, W) normalized -> (B, D), and what every block was given, with prompts, (B, N, width)"""
        with _watched(self.visual.transformer.resblocks) as seen:
            features = self.visual(images)
        return features, seen if self._batch_first else [x.transpose(0, 1) for x in seen]


class _Appended(nn.Module):
    """A layer that is given learned tokens besides. (B, N, width) -> (B, N + n, width)"""

    def __init__(self, layer: nn.Module, prompt: nn.Parameter) -> None:
        super().__init__()
        self.layer = layer
        self.prompt = prompt

    def forward(self, tokens: Tensor) -> Tensor:
        prompt = self.prompt.to(tokens.dtype).expand(len(tokens), -1, -1)
        return self.layer(torch.cat([tokens, prompt], dim=1))


class _Exchanged(nn.Module):
    """A block that is given its own learned tokens in the place of the last ones."""

    def __init__(self, block: nn.Module, prompt: nn.Parameter, batch_first: bool) -> None:
        super().__init__()
        self.block = block
        self.prompt = prompt
        self.dim = 1 if batch_first else 0  # which counts the tokens

    def forward(self, tokens: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        kept = tokens.narrow(self.dim, 0, tokens.shape[self.dim] - len(self.prompt))
        prompt = self.prompt.to(tokens.dtype).unsqueeze(1 - self.dim)
        shape = list(kept.shape)
        shape[self.dim] = len(self.prompt)
        return self.block(torch.cat([kept, prompt.expand(shape)], dim=self.dim), attn_mask=attn_mask)


@contextmanager
def _watched(blocks: nn.ModuleList) -> Iterator[list[Tensor]]:
    """What goes into each block while this lasts, in order."""
    seen: list[Tensor] = []
    inner = [block.block if isinstance(block, _Exchanged) else block for block in blocks]
    hooks = [block.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for block in inner]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
