"""Tiny random members of every family of CLIPs that open_clip can build, and files with their weights."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16}


def timm(name: str, size: int, pool: str = "avg", proj: str = "linear") -> dict:
    return {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": size}


FAMILIES = {
    "tiny-vit": {"embed_dim": 16, "vision_cfg": VIT, "text_cfg": TEXT},
    "tiny-vit-quickgelu": {"embed_dim": 16, "quick_gelu": True, "vision_cfg": VIT, "text_cfg": TEXT},
    "wide-text": {  # a file of 25 MB: the hub's client tells its progress every 10 MB
        "embed_dim": 16,
        "vision_cfg": VIT,
        "text_cfg": TEXT | {"width": 128},
    },
    "tiny-resnet": {  # batch normalization, as RN50
        "embed_dim": 16,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64},
        "text_cfg": TEXT,
    },
    "tiny-sigmoid": {  # a bias beside the scale, as SigLIP
        "embed_dim": 64,
        "custom_text": True,
        "init_logit_bias": -10,
        "vision_cfg": timm("test_vit", 160, pool="map", proj="none"),
        "text_cfg": TEXT | {"no_causal_mask": True, "proj_bias": True, "pool_type": "last"},
    },
    "tiny-coca": {  # towers that also give their tokens
        "embed_dim": 16,
        "custom_text": True,
        "vision_cfg": VIT | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        "text_cfg": TEXT | {"embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    },
    "tiny-mobile": {  # a convolutional hybrid with batch normalization, as MobileCLIP
        "embed_dim": 16,
        "custom_text": True,
        "vision_cfg": timm("fastvit_t8", 64),
        "text_cfg": TEXT,
    },
    "tiny-convnext": {"embed_dim": 16, "vision_cfg": timm("test_convnext", 160), "text_cfg": TEXT},
}


def register(folder: Path) -> None:
    """Make open_clip know the families by name."""
    for name, config in FAMILIES.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)


def build(name: str, seed: int = 0) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return open_clip.create_model(name, load_weights=False).eval()


def save(model: torch.nn.Module, path: Path) -> Path:
    state = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path
