"""ETA: efficient entropy minimization. Niu et al., ICML 2022, arXiv 2204.02610.

    reliable        H_i < E0, with E0 = margin ln K
    not redundant   |cos(m, p_i)| < epsilon, with m the running mean of the probabilities trained on
    loss            mean over both of exp(E0 - H_i) H_i, the weight not differentiated
    m               <- 0.9 m + 0.1 mean of those p_i

Probabilities are those of the scaled logits: of unscaled cosines, which CLIPTTA's re-implementation reads,
all are alike and nothing is ever new. Its diversity bonus is not the authors' and is left out.
"""

from __future__ import annotations

from clip_tta_core.methods.base import register
from clip_tta_core.methods.selective import Selective, SelectiveConfig
from clip_tta_core.palette import ORANGE, SOLID, Look


@register
class Eta(Selective[SelectiveConfig]):
    """Lower the entropy of pictures that are already fairly sure and unlike what was learned before; the
    surer, the more they count."""

    name, title, family = "eta", "ETA", "entropy minimization"
    citation = "Niu et al., ICML 2022, arXiv 2204.02610"
    look = Look(ORANGE, SOLID, "triangle")
    train = "visual_norm"
    presets = {
        "authors": {"optimizer": "sgd", "lr": 2.5e-4, "epsilon": 0.05},
        "authors, CIFAR": {"optimizer": "sgd", "lr": 5e-3, "epsilon": 0.4},
        "CLIPTTA protocol": {"steps": 10},
    }
    Config = SelectiveConfig
