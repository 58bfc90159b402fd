"""MTA: mean shift for test-time augmentation. Zanella & Ben Ayed, CVPR 2024, arXiv 2405.02266.

The robust mode of many views of a picture. With features x_v of the views, their probabilities p_v and
h_v^2 = half the mean squared distance to the nearest three tenths of the other views,

    5 x   y = softmax((K + affinity sum over views w of (p_v . p_w) y_w) / temperature),   5 times, K as it is
          m = unit(sum of y K x),   5 times, K following m

where K_v = exp(-|x_v - m|^2 / 2 h_v^2), y starts even and m at the picture itself. The answer is scale m' t.
No gradient and no threshold of confidence. The authors end the inner rounds when nothing moves by a
millionth, which is below what float32 keeps.

It asks views to agree, not to be right: where corruption misleads all of them alike, the mode is as wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.clip.classifier import Prediction
from clip_tta_core.clip.views import encode_views
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import register
from clip_tta_core.methods.forgetful import Forgetful
from clip_tta_core.records import Cost

ROUNDS = 5
LEAST = 1e-6  # squared bandwidth below which views are the same view


@dataclass(frozen=True)
class MtaConfig(hparams.Config):
    views: int = knob(64, 1, 128, help="Views of a picture, itself among them; 1 is zero-shot.")
    temperature: float = knob(0.2, 0.01, 10.0, log=True, help="Large: all views count alike.")
    affinity: float = knob(4.0, 0.0, 100.0, help="Pull between views that are predicted alike.")
    nearest: float = knob(0.3, 0.01, 1.0, help="Share of the other views that set a view's bandwidth.")


@register
class Mta(Forgetful[MtaConfig]):
    """Find the point around which most views of a picture gather, outliers left aside, and classify that.
    Nothing is trained."""

    name, title, family = "mta", "MTA", "many views"
    citation = "Zanella & Ben Ayed, CVPR 2024, arXiv 2405.02266"
    presets = {"authors": {}, "quick": {"views": 16}}
    Config = MtaConfig

    @classmethod
    def cost(cls, config: MtaConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.views)

    @torch.no_grad()
    def answer(self, images: Tensor) -> tuple[Prediction, dict[str, float]]:
        """Answers of a batch, and numbers worth plotting."""
        if self.config.views == 1:
            return self.clip.zero_shot(images), {"views": 1.0}
        views = encode_views(self.clip, images, self.config.views, self.rng)  # (B, V, D)
        probs = self.clip.classify(views).softmax(dim=-1)  # (B, V, K)
        mode, inliers = robust_mode(
            views, probs, self.config.temperature, self.config.affinity, self.config.nearest
        )
        sound = mode.isfinite().all(dim=-1)
        counted = torch.special.entr(inliers[sound]).sum(dim=-1).exp()  # views that count, effectively
        way = (1 - (mode * views[:, 0]).sum(dim=-1))[sound]
        report = {"views": counted, "moved": way, "own_share": inliers[sound, 0]}
        report = {name: values.mean().item() if len(values) else 0.0 for name, values in report.items()}
        return Prediction(self.clip.classify(mode), mode), report


def robust_mode(
    views: Tensor, probs: Tensor, temperature: float = 0.2, affinity: float = 4.0, nearest: float = 0.3
) -> tuple[Tensor, Tensor]:
    """Mode (B, D) of the views' features and how much each view counts (B, V), rows of sum 1.

    Args:
        views: (B, V, D) unit rows, the picture itself first; V is 2 or more.
        probs: (B, V, K).
        temperature, affinity, nearest: as in `MtaConfig`.
    """
    count = views.shape[1]
    width = _bandwidth(views, max(1, int(nearest * (count - 1))))  # (B, V)
    alike = affinity * probs @ probs.transpose(1, 2)  # (B, V, V)
    inliers = torch.full_like(width, 1 / count)
    mode = views[:, 0]
    for _ in range(ROUNDS):
        density = _density(views, mode, width)
        for _ in range(ROUNDS):
            inliers = ((density + (alike @ inliers[..., None])[..., 0]) / temperature).softmax(dim=-1)
        for _ in range(ROUNDS):
            weights = inliers * _density(views, mode, width)  # (B, V)
            mode = F.normalize((weights[..., None] * views).sum(dim=1), dim=-1)
    return mode, inliers


def _density(views: Tensor, mode: Tensor, width: Tensor) -> Tensor:
    """Gaussian kernel of each view at the mode. (B, V, D), (B, D), squared (B, V) -> (B, V)"""
    return (-(views - mode[:, None]).square().sum(dim=-1) / (2 * width)).exp()


def _bandwidth(views: Tensor, nearest: int) -> Tensor:
    """Squared: half the mean squared distance to the nearest other views. (B, V, D) -> (B, V)"""
    distance = torch.cdist(views, views, compute_mode="donot_use_mm_for_euclid_dist")  # (B, V, V)
    others = distance.masked_fill(torch.eye(views.shape[1], dtype=torch.bool, device=views.device), torch.inf)
    closest = others.topk(nearest, dim=-1, largest=False).values
    return (closest.square().mean(dim=-1) / 2).clamp(min=LEAST)
