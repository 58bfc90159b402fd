"""ZERO: a vote of sure views at temperature zero. Farina et al., NeurIPS 2024, arXiv 2405.18330.

For every picture, of V views the share with the lowest entropy is kept, each kept view votes for its
likeliest class, and the class with most votes wins: the limit of the mean prediction as its temperature goes
to zero.

Of classes with equally many votes, the one wins that the surest view which was not kept names first, by one
vote. Where none names one of them, it is that for which the surest of these views has the largest logit. The
released code means to do so too, but strikes out other classes than it should there, and usually takes the
lowest number.

The answer is log(votes / kept), with classes nobody voted for far below, in the zero-shot order. The scores
of known and unknown are the zero-shot ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import hparams, scores
from clip_tta_core.clip.classifier import Prediction
from clip_tta_core.clip.views import encode_views
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import register
from clip_tta_core.methods.forgetful import Forgetful
from clip_tta_core.records import Cost

LEAD = 1.0  # votes the winner of a tie is given besides
UNNAMED = 1e-4  # of a vote, shared by the classes without one


@dataclass(frozen=True)
class ZeroConfig(hparams.Config):
    views: int = knob(64, 1, 128, help="Views of a picture, itself among them.")
    share: float = knob(0.3, 0.01, 1.0, help="Share of the views that are sure enough to vote.")


@register
class Zero(Forgetful[ZeroConfig]):
    """Look at every picture in many views and let the sure ones vote; nothing is trained or remembered."""

    name, title, family = "zero", "ZERO", "many views"
    citation = "Farina et al., NeurIPS 2024, arXiv 2405.18330"
    presets = {"authors": {}, "quick": {"views": 16}}
    Config = ZeroConfig

    @classmethod
    def cost(cls, config: ZeroConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.views)

    @torch.no_grad()
    def answer(self, images: Tensor) -> tuple[Prediction, dict[str, float]]:
        """Answers of a batch, and numbers worth plotting."""
        source = self.clip.zero_shot(images)
        if self.config.views == 1:
            return source, {"agreement": 1.0, "ties": 0.0}
        features = encode_views(self.clip, images, self.config.views, self.rng)  # (B, V, D)
        logits = self.clip.classify(features)  # (B, V, K)
        order = scores.surest(logits, 1.0)  # (B, V), the surest first
        logits = logits.take_along_dim(order[..., None], dim=1)
        kept = max(1, int(self.config.share * self.config.views))
        votes, tied = count_votes(logits, kept)
        unnamed = UNNAMED * source.logits.softmax(dim=-1)
        answer = ((votes + unnamed) / kept).log()
        # Of a picture that is no picture, neither is the answer.
        answer = torch.where(source.logits.isfinite().all(dim=-1, keepdim=True), answer, source.logits)
        report = {"agreement": (votes.amax(dim=-1) / kept).clamp(max=1).mean().item()}
        report["ties"] = tied.float().mean().item()
        return Prediction(answer, features[:, 0], scores.score(source.logits / self.clip.scale)), report


def count_votes(logits: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """Votes of the first views for each class, ties broken by the others. (B, V, K) -> (B, K), bool (B,)

    Args:
        logits: the surest view first.
        kept: how many views vote.
    """
    batch, _, classes = logits.shape
    choices = logits.argmax(dim=-1)  # (B, V)
    votes = torch.zeros(batch, classes, device=logits.device)
    votes.scatter_add_(1, choices[:, :kept], torch.ones_like(choices[:, :kept], dtype=votes.dtype))
    most = votes == votes.amax(dim=-1, keepdim=True)  # (B, K)
    tied = most.sum(dim=-1) > 1
    for row in tied.nonzero().flatten().tolist():
        votes[row, _winner(most[row], choices[row, kept:], logits[row, kept:])] += LEAD
    return votes, tied


def _winner(candidates: Tensor, choices: Tensor, logits: Tensor) -> int:
    """Of tied classes, bool (K,), the one that other views, (R,) and (R, K), prefer, the surest first."""
    named = candidates[choices]
    if named.any():
        return int(choices[named.int().argmax()])
    if len(logits):
        return int(logits[0].masked_fill(~candidates, -torch.inf).argmax())
    return int(candidates.int().argmax())
