"""CLIPood: fine-tuning that keeps what CLIP knows of other domains. Shu et al., ICML 2023, arXiv 2302.00864.

    loss     cross-entropy of s (z . t_c - margin t_y . t_c): class c is asked to stay margin
             s (1 - t_y . t_c) below the true class y, more the less the two texts are alike
    weights  the mean along the way from theta_0 to theta_T, weighted by the density of Beta(beta, beta)
             at (k + 1/2) / (T + 1); with beta below 1 both ends count most

The whole image encoder learns, by AdamW with a weight decay of 0.1 and steps that fall along a cosine; the
texts stay. The authors take steps of 5e-6 on a ViT-B/16, 5,000 of them on batches of 36; a CLIP as small as
those that ship here learns nothing from steps so small, hence the other default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_tta_core import hparams, optim
from clip_tta_core.hparams import knob
from clip_tta_core.starts.base import Shots, Start, frozen, register


@dataclass(frozen=True)
class ClipoodConfig(hparams.Config):
    lr: float = knob(3e-4, 0.0, 1e-2, log=True, help="Step size of AdamW; the authors' is 5e-6.")
    steps: int = knob(60, 0, 10_000, help="Optimization steps.")
    batch_size: int = knob(36, 2, 512, help="Pictures a step.")
    margin: float = knob(0.3, 0.0, 1.0, help="How far unlike classes are to stay apart; 0 is cross-entropy.")
    beta: float = knob(0.5, 0.05, 10.0, log=True, help="Which weights count: below 1 first and last, 1 all.")
    weight_decay: float = knob(0.1, 0.0, 1.0, help="AdamW's pull of all weights to 0.")


@register
class Clipood(Start[ClipoodConfig]):
    """Fine-tune the image encoder with margins that are wider between less similar classes, and take the mean
    of the weights along the way, the pretrained ones included."""

    name, title = "clipood", "CLIPood"
    citation = "Shu et al., ICML 2023, arXiv 2302.00864"
    fails = (
        "With few pictures it learns their domain as well as their classes: fog and blur gain, while line "
        "drawings and, on photo-CLIP, clean and noisy pictures lose."
    )
    Config = ClipoodConfig

    def make(self, shots: Shots) -> nn.Module:
        model = self.clip.fork("visual_tower")
        weights = model.trainable()
        mean = BetaAverage(weights, self.config.steps, self.config.beta)
        optimizer = torch.optim.AdamW(weights, lr=self.config.lr, weight_decay=self.config.weight_decay)
        batches = self.batches(shots.images, shots.labels, self.config.batch_size)

        def loss() -> Tensor:
            images, labels = next(batches)
            return margin_softmax(
                model.encode_image(images), labels, model.text_features, model.scale, self.config.margin
            )

        for _ in self.descend(optimizer, self.config.steps, loss):
            mean.add(weights)
        optim.put_back(weights, mean.values)
        return frozen(model.visual)


def margin_softmax(features: Tensor, labels: Tensor, texts: Tensor, scale: float, margin: float) -> Tensor:
    """Margin metric softmax: cross-entropy of s (z . t_c - margin t_y . t_c). -> ()

    Args:
        features: (B, D) unit rows.
        labels: (B,) true classes.
        texts: (K, D) unit rows.
        scale: CLIP's, s.
        margin: lambda of the paper.
    """
    alike = texts[labels] @ texts.T  # (B, K)
    return F.cross_entropy(scale * (features @ texts.T - margin * alike), labels)


def beta_weights(steps: int, beta: float) -> Tensor:
    """Density of Beta(beta, beta), up to a factor, at (k + 1/2) / (T + 1) for k = 0 .. T. -> (T + 1,)"""
    place = (torch.arange(steps + 1, dtype=torch.float64) + 0.5) / (steps + 1)
    return (place * (1 - place)) ** (beta - 1)


class BetaAverage:
    """The weighted mean of the weights along a training of `steps` steps, built up as it goes."""

    def __init__(self, weights: Sequence[Tensor], steps: int, beta: float) -> None:
        self.values = optim.copies(weights)  # theta_0 has part in it
        self._shares = beta_weights(steps, beta)
        self._taken = 1

    def add(self, weights: Sequence[Tensor]) -> None:
        """Take in the weights after the next step."""
        total = self._shares[: self._taken + 1].sum()
        optim.ema_update(self.values, weights, (self._shares[self._taken] / total).item())
        self._taken += 1
