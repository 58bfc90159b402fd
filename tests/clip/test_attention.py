"""Attention on contiguous layouts is open_clip's own: same names, same outputs, same gradients."""

from __future__ import annotations

import copy

import open_clip
import pytest
import torch
from torch import nn

from clip_tta_core.clip.attention import SelfAttention, make_contiguous
from tests.clip import families

TOWERS = [name for name in families.FAMILIES if name != "wide-text"]


@pytest.fixture(scope="module", autouse=True)
def known(tmp_path_factory):
    families.register(tmp_path_factory.mktemp("configs"))


def both(family: str) -> tuple[nn.Module, nn.Module]:
    """A model as open_clip builds it, and a copy on contiguous layouts; their norms have gradients."""
    model = open_clip_custom(family)
    ours = make_contiguous(copy.deepcopy(model))
    return model, ours


def open_clip_custom(family: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return open_clip.create_model(family, load_weights=False, force_custom_text=True).eval()


def first(output):
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("family", TOWERS)
def test_outputs_and_gradients_are_open_clips(family):
    theirs, ours = both(family)
    size = theirs.visual.image_size
    images = torch.randn(3, 3, *((size, size) if isinstance(size, int) else size))
    texts = open_clip.get_tokenizer(family)(["a photo of a cat", "a dog", ""])
    found = []
    for model in (theirs, ours):
        outputs = [first(model.visual(images)), first(model.text(texts))]
        sum(
            (out / out.norm(dim=-1, keepdim=True)).square().mul(torch.arange(out.shape[-1])).sum()
            for out in outputs
        ).backward()
        found.append((outputs, [p.grad for p in model.parameters() if p.grad is not None]))
    for got, expected in zip(*found, strict=True):
        for one, other in zip(got, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", TOWERS)
def test_names_and_values_of_weights_stay(family):
    theirs, ours = both(family)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    torch.testing.assert_close(theirs.state_dict(), ours.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("family", ["tiny-vit", "tiny-resnet", "tiny-coca"])
def test_no_block_that_attends_to_itself_is_left(family):
    _, ours = both(family)
    blocks = [m for m in ours.modules() if isinstance(m, open_clip.transformer.ResidualAttentionBlock)]
    plain = [block for block in blocks if not hasattr(block, "ln_1_kv")]
    assert plain and all(isinstance(block.attn, SelfAttention) for block in plain)


@pytest.mark.parametrize("of_every_head", [False, True])
def test_masks_hide_what_they_hide_from_pytorchs_attention(of_every_head):
    torch.manual_seed(0)
    original = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    tokens = torch.randn(3, 5, 8)
    mask = torch.full((5, 5), float("-inf")).triu(1)
    if of_every_head:
        mask = mask.expand(6, 5, 5)
    expected = original(tokens, tokens, tokens, need_weights=False, attn_mask=mask)[0]
    got = SelfAttention(original)(tokens, tokens, tokens, attn_mask=mask)[0]
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


def test_what_it_cannot_do_is_left_as_it_is():
    block = open_clip.transformer.ResidualAttentionBlock(8, 2)
    block.attn = nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True)
    assert isinstance(make_contiguous(block).attn, nn.MultiheadAttention)
