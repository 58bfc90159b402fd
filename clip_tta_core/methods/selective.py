"""Methods that learn from pictures that are sure and unlike those before: what ETA and EATA share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.memory import MeanPrediction
from clip_tta_core.methods.base import GradientConfig, Method


@dataclass(frozen=True)
class SelectiveConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch; each selects afresh.")
    optimizer: optim.OptimizerName = knob("adam", help="The authors use sgd, with momentum 0.9.")
    margin: float = knob(0.4, 0.0, 1.5, help="Entropy below which a picture is reliable, as a share of ln K.")
    epsilon: float | Literal["auto"] = knob(
        "auto", 0.0, 2.0, help="Cosine with what was learned from which a picture is redundant."
    )


S = TypeVar("S", bound=SelectiveConfig)


class Selective(Method[S]):
    """Base of what lowers the entropy of reliable pictures that are not redundant; see `eta`."""

    def __init__(self, clip: ClipClassifier, config: S, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = optim.make_optimizer(config.optimizer, clip.trainable(), config.lr)
        self.learned = MeanPrediction()

    def adapt(self, images: Tensor) -> dict[str, float]:
        margin = self.config.margin * math.log(self.clip.num_classes)
        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            logits = self.clip.predict(images).logits  # (B, K)
            probs = logits.detach().softmax(dim=-1)
            reliable = losses.entropy(logits.detach()) < margin  # (B,)
            chosen = reliable & self.learned.novel(probs, self.config.epsilon)
            shares = torch.stack([reliable, chosen]).float().mean(dim=1).tolist()
            report |= dict(zip(("reliable", "selected"), shares, strict=True))
            if not report["selected"]:
                skipped += 1
                continue
            terms = self.terms(losses.reliable_entropy(logits[chosen], margin))
            self.show(logits, **terms)
            skipped += not optim.guarded_step(self.optimizer, terms["loss"])
            self.learned.update(probs[chosen])
            if terms["loss"].isfinite():  # the heaviest penalty on the largest steps is beyond float32
                report |= {name: term.item() for name, term in terms.items()}
        return report | {"skipped": float(skipped)}

    def terms(self, entropy: Tensor) -> dict[str, Tensor]:
        """The loss of a step, and its weighted terms where it has some.

        Args:
            entropy: () mean over the chosen pictures, weighted.
        """
        return {"loss": entropy}
