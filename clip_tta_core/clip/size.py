"""How large a model's image encoder is, known before its weights are."""

from __future__ import annotations

import functools
import logging

import open_clip
import torch
from torch.utils.flop_counter import FlopCounterMode

from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.loading import architecture_of

log = logging.getLogger(__name__)


@functools.lru_cache(64)
def operations(model: str) -> int:
    """Floating-point operations of one picture on its way through the image encoder; 0 where nobody knows.

    Nothing is fetched and no weight is made: the architecture is built of tensors without memory.

    Args:
        model: as `loading.load` takes it.
    """
    if model in EMBEDDED:
        return int(EMBEDDED[model].operations)
    architecture = architecture_of(model)
    if architecture not in open_clip.list_models():
        return 0
    config = open_clip.get_model_config(architecture)
    if config is None or "hf_model_name" in config["text_cfg"]:  # its text encoder is described on the hub
        return 0
    try:
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counted:
            towers = {name: config[name] for name in ("embed_dim", "vision_cfg", "text_cfg")}
            visual = open_clip.CustomTextCLIP(**towers).visual.eval()
            side = config["vision_cfg"].get("image_size", 224)
            visual(torch.zeros(1, 3, side, side))
        return counted.get_total_flops()
    except Exception as error:  # an architecture that cannot do without memory: then nothing is said of it
        log.info("The operations of %s cannot be counted beforehand (%s).", model, type(error).__name__)
        return 0
