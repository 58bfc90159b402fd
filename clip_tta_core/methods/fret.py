"""FRET: feature redundancy elimination. You et al., arXiv 2505.10641.

Reconstructed from public notes. S-FRET lowers the redundancy between the dimensions of a batch of features.
G-FRET splits the Gram matrix of the dimensions, G = Z'Z, into its diagonal G_A and the rest G_R, and sends
the features through both, normalized by their degrees: R_A = Z D_A^-1/2 G_A D_A^-1/2, which is Z itself,
and R_R likewise. With the centroids o of the pseudo-classes and P_A, P_R the class probabilities of either
(rows of R_R made unit),

    representation   -log [ e^cos(R_A, o_own) / (sum over classes of e^cos(R_A, o) + e^cos(R_A, R_R)) ]
    prediction       H(P_A) - sum P_R log(1 - P_A)
    loss             mean of representation + weight_prediction * prediction

Degrees sum absolute values, which keeps them positive (ours). Centroids are means over the stream, without
gradients; a class not seen yet has its text instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import DASH_DOT, ORANGE, Look


@dataclass(frozen=True)
class FretConfig(GradientConfig):
    lr: float = knob(1e-4, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch.")
    form: Literal["simple", "graph"] = knob("simple", help="S-FRET or G-FRET.")
    centre: bool = knob(
        False, help="S-FRET: take the batch's mean off first; CLIP's features share a large one."
    )
    sharpness: float = knob(
        1.0, 0.1, 200.0, log=True, help="G-FRET: factor on the cosines between features and centroids."
    )
    weight_prediction: float = knob(1.0, 0.0, 10.0, help="G-FRET: weight of the loss on predictions.")


@register
class Fret(Method[FretConfig]):
    """Make the dimensions of the features repeat each other less, directly (S-FRET) or through a graph of the
    dimensions that also keeps classes apart (G-FRET). Reconstructed from public notes, without the authors'
    code."""

    name, title, family = "fret", "FRET", "feature statistics"
    citation = "You et al., arXiv 2505.10641"
    look = Look(ORANGE, DASH_DOT, "diamond")
    train = "visual_norm"
    presets = {
        "reconstruction": {},
        "centred": {"centre": True},
        "G-FRET": {"form": "graph"},
    }
    Config = FretConfig

    def __init__(self, clip: ClipClassifier, config: FretConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=config.lr, eps=1e-6)
        self.sums = torch.zeros_like(clip.text_features)  # (K, D) features of each pseudo-class so far

    def adapt(self, images: Tensor) -> dict[str, float]:
        skipped = 0
        for step in self.steps(self.config.steps):
            prediction = self.clip.predict(images)
            redundancy = losses.redundancy(prediction.features, self.config.centre)
            if self.config.form == "simple":
                # The columns of a single picture are all alike, whatever it shows.
                loss = redundancy if len(images) > 1 else redundancy.detach()
            else:
                if step == 0:
                    self._remember(prediction.features.detach(), prediction.logits.detach())
                loss = self._graph_loss(prediction.features, prediction.logits)
            self.show(prediction.logits, loss=loss)
            skipped += not optim.guarded_step(self.optimizer, loss)
        return {"loss": loss.item(), "redundancy": redundancy.item(), "skipped": float(skipped)}

    def _remember(self, features: Tensor, logits: Tensor) -> None:
        """Add a batch to the sums of its pseudo-classes. (B, D), (B, K)"""
        sound = features.isfinite().all(dim=-1)
        self.sums.index_add_(0, logits.argmax(dim=-1)[sound], features[sound])

    def _graph_loss(self, features: Tensor, logits: Tensor) -> Tensor:
        """G-FRET's loss. (B, D) unit rows, (B, K) -> ()"""
        seen = self.sums.any(dim=-1, keepdim=True)  # (K, 1)
        centroids = torch.where(seen, F.normalize(self.sums, dim=-1), self.clip.text_features)
        rest = F.normalize(graph_features(features), dim=-1)  # (B, D) R_R; R_A is `features`
        apart = self.config.sharpness * torch.cat(
            [features @ centroids.T, (features * rest).sum(dim=-1, keepdim=True)], dim=1
        )  # (B, K + 1)
        representation = F.cross_entropy(apart, logits.detach().argmax(dim=-1))
        unlikely = torch.log1p(-logits.softmax(dim=-1).clamp(max=1 - 1e-6))  # (B, K)
        negative = -(self.clip.classify(rest).softmax(dim=-1) * unlikely).sum(dim=-1)
        prediction = (losses.entropy(logits) + negative).mean()
        return representation + self.config.weight_prediction * prediction


def graph_features(features: Tensor) -> Tensor:
    """Features sent through the off-diagonal of their dimensions' Gram matrix: R_R. (B, D) -> (B, D)"""
    gram = features.T @ features  # (D, D)
    gram = gram - torch.diag(gram.diagonal())
    degree = gram.abs().sum(dim=1).clamp(min=1e-12).rsqrt()  # (D,)
    return features @ (degree[:, None] * gram * degree)
