"""Self-attention on contiguous layouts, for open_clip's transformers.

PyTorch's nn.MultiheadAttention transposes a batch-first input; on the transposed layout F.linear expands its
weight and multiplies picture by picture, which takes a third of a ViT's time on a CPU. The same arithmetic on
(B, L, D) as it comes needs one large product. Weights, their names and the numbers stay what they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """What open_clip's blocks ask of nn.MultiheadAttention, with the weights of an existing one.

    Args:
        original: batch first, without dropout, biases of keys, or an attention over zeros.
    """

    def __init__(self, original: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads = original.num_heads
        self.in_proj_weight, self.in_proj_bias = original.in_proj_weight, original.in_proj_bias
        self.out_proj = original.out_proj

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Attend from a sequence to itself. (B, L, D) three times the same -> (B, L, D) and no weights

        The mask is added to the scores, as open_clip's blocks hand it on: (L, L) or (B * heads, L, L).
        """
        batch, length, width = query.shape
        joint = F.linear(query, self.in_proj_weight, self.in_proj_bias)  # (B, L, 3 D)
        heads = joint.view(batch, length, 3, self.num_heads, width // self.num_heads)
        if attn_mask is not None and attn_mask.ndim == 3:
            attn_mask = attn_mask.view(batch, self.num_heads, length, length)
        if query.device.type == "cpu":  # no faster at this in bfloat16, and rounds more
            heads = heads.float()
        with torch.autocast("cpu", enabled=False):
            q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, L, D / heads) each
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        return self.out_proj(mixed.transpose(1, 2).reshape(batch, length, width)), None


def make_contiguous(tower: nn.Module) -> nn.Module:
    """Give every self-attention block of an open_clip tower a SelfAttention, in place; the weights stay."""
    for block in tower.modules():
        if isinstance(block, ResidualAttentionBlock) and _plain(block):
            block.register_module("attn", SelfAttention(block.attn))
    return tower


def _plain(block: ResidualAttentionBlock) -> bool:
    """Whether a block attends to itself, with nothing SelfAttention leaves out."""
    attn = block.attn
    return (
        isinstance(attn, nn.MultiheadAttention)
        and not hasattr(block, "ln_1_kv")  # attends to another sequence
        and attn.batch_first
        and attn.in_proj_weight is not None
        and attn.bias_k is None
        and not attn.add_zero_attn
        and not attn.dropout
    )
