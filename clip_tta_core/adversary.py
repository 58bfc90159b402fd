"""Whom an attack is made for: the model that was loaded, or each method as it has adapted.

Pictures that mislead the loaded model may fail to mislead weights that have moved since, or an answer taken
from many views. A method can so look robust because nobody attacked it, only the model it began with (Croce
et al., ICML 2022, arXiv 2202.13711). The stronger protocol gives every contender an attacker who knows it:

    rehearse  a copy of the method adapts to the batch as it was attacked for the loaded model
    attack    the same pictures anew from their clean form, with the gradients of the copy
    answer    the method itself, from where it stood, adapts to these pictures and predicts them

The gradients go through the copy's image encoder and, where it answers from views, through views drawn anew
at every step (expectation over transformation, Athalye et al., ICML 2018, arXiv 1707.07397). They do not go
through the adaptation itself, through what a method learned about texts, or through what it does to logits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.clip.views import make_views
from clip_tta_core.methods import Method

VIEWS = 4  # of a picture at every step, itself among them, of a method that answers from more


def views_of(cls: type[Method], config: hparams.Config) -> int:
    """How many views of a picture an attacker who knows a method looks at."""
    return min(VIEWS, getattr(config, "views", 1)) if cls.views_answer else 1


def learns(cls: type[Method]) -> bool:
    """Whether a method's image encoder is another at the end of a batch."""
    return bool(cls.train) and not cls.forgets


def knows_more(cls: type[Method], config: hparams.Config) -> bool:
    """Whether there is something to know of a method besides the model it began with."""
    return learns(cls) or views_of(cls, config) > 1


def aim(method: Method, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
    """What to climb against a method as it stands: (B, 3, H, W) in [0, 1] -> (B, K), differentiable.

    Args:
        method: frozen from here on, for whoever attacks.
        rng: of the views, on the CPU.
    """
    clip, count = method.clip.fork(""), views_of(type(method), method.config)

    def logits(images: Tensor) -> Tensor:
        views = make_views(images, count, rng)  # (B, V, 3, H, W)
        return clip.predict(views.flatten(0, 1)).logits.unflatten(0, (len(images), count)).mean(dim=1)

    return logits
