"""What the methods minimize: pure functions of logits and features, differentiable, in float32.

Letters: B batch, K classes, D embedding. `logits` are scaled similarities, `features` unit rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Direction = Literal["image_to_text", "text_to_image", "symmetric"]


def entropy(logits: Tensor) -> Tensor:
    """Entropy of each prediction, in nats. (..., K) -> (...)"""
    log_probs = logits.log_softmax(dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def marginal_entropy(logits: Tensor) -> Tensor:
    """Entropy of the batch-averaged prediction, in nats. (B, K) -> ()

    H(mean_i softmax(logits_i)). Large when the batch spreads over the classes, 0 when every image gets the
    same one: subtracting it from a loss discourages collapse. The 1e-6 inside the logarithm is the released
    CLIPTTA code's; it keeps the gradient finite for a class nobody predicts.

    Args:
        logits: (B, K) scaled similarities.

    Returns:
        () between 0 and ln K, differentiable.
    """
    mean = logits.softmax(dim=-1).mean(dim=0)  # (K,)
    return -(mean * (mean + 1e-6).log()).sum()


def view_entropy(logits: Tensor) -> Tensor:
    """Entropy of the mean prediction of a picture's views, in nats: what TPT lowers. (..., n, K) -> (...)

    Source: Shu et al., NeurIPS 2022, arXiv 2209.07511. In logarithms throughout;
    `marginal_entropy`, of a batch, has a constant inside its own.
    """
    log_mean = logits.log_softmax(dim=-1).logsumexp(dim=-2) - math.log(logits.shape[-2])  # (..., K)
    return -(log_mean.exp() * log_mean).sum(dim=-1)


def soft_cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy against a distribution: -sum_k target_k log softmax(logits)_k. 2 x (..., K) -> (...)"""
    return -(target * logits.log_softmax(dim=-1)).sum(dim=-1)


def caption_logits(logits: Tensor) -> Tensor:
    """Similarity of every image to every image's predicted caption. (B, K) -> (B, B)

    A_ij = logits[i, argmax_k logits[j, k]]: column j is the caption of the class predicted for image j.
    Images that share a class share a caption; such columns are kept apart (CLIPTTA, arXiv 2507.14312).
    """
    return logits[:, logits.argmax(dim=-1)]


def soft_contrastive(logits: Tensor, direction: Direction = "image_to_text") -> Tensor:
    """CLIPTTA's soft contrastive loss. (B, K) -> ()

    With A = caption_logits(logits), the mean entropy of softmax over the rows of A (image to text), over its
    columns (text to image), or the sum of both (symmetric, Eq. 3). Image to text equals entropy minimization
    under the batch's own class frequencies plus a penalty on over-represented classes, which is why it
    resists collapse; of itself, it never lowers a picture's predicted class, only pulls less where that class
    is frequent. Text to image can: it raises the pictures of a caption that stand out and lowers the others.
    One predicted class in the whole batch gives log B and, from image to text, no gradient.

    The paper's Eq. 3 sums over the batch; this is its mean, so that a step does not grow with the batch. The
    symmetric loss is about twice one direction: plain descent takes steps about twice as long, Adam does not,
    but beside it other terms of a loss weigh half.

    Source: CLIPTTA, arXiv 2507.14312. Main experiments and released code evaluate image to text only: hence
    the default.
    """
    captions = caption_logits(logits)  # (B, B)
    return _directed(lambda similarities: entropy(similarities).mean(), captions, direction)


def hard_contrastive(logits: Tensor, direction: Direction = "image_to_text") -> Tensor:
    """The contrastive loss with each image's own predicted caption as its only match. (B, K) -> ()

    Equals pseudo-label cross-entropy under the batch's class frequencies; the ablation of CLIPTTA,
    arXiv 2507.14312. Directions as in `soft_contrastive`.
    """
    captions = caption_logits(logits)  # (B, B)
    match = torch.arange(len(captions), device=captions.device)
    return _directed(lambda similarities: F.cross_entropy(similarities, match), captions, direction)


def _directed(loss: Callable[[Tensor], Tensor], captions: Tensor, direction: Direction) -> Tensor:
    """A loss of the rows of (B, B) similarities, of their columns, or both added up. -> ()"""
    if direction == "image_to_text":
        return loss(captions)
    if direction == "text_to_image":
        return loss(captions.T)
    return loss(captions) + loss(captions.T)


SourceForm = Literal["predictions", "features"]


def source_distance(
    features: Tensor, source: Tensor, texts: Tensor, scale: float, form: SourceForm = "predictions"
) -> Tensor:
    """How far a batch has moved from where the frozen model had it; where it has not, 0. -> ()

    KL(p0 || p) of the predictions, or 1 - z . z0 of the features, as a mean over the batch. Distillation to
    an earlier model without its pictures, as in Continual Panoptic Perception, arXiv 2407.14242.

    Args:
        features, source: (B, D) unit rows, now and of the frozen model.
        texts: (K, D) unit rows.
        scale: CLIP's.
    """
    if form == "features":  # for unit rows the same, and its gradient is 0 without rounding
        return (features - source).square().sum(dim=-1).mean() / 2
    before, now = ((scale * part @ texts.T).log_softmax(dim=-1) for part in (source, features))
    return F.kl_div(now, before, reduction="batchmean", log_target=True)


OceForm = Literal["contrastive", "inter_variance", "intra_variance"]


def outlier_weights(scores: Tensor, threshold: Tensor, gamma: float | Tensor) -> Tensor:
    """How much each picture counts as in-distribution: sigmoid((score - threshold) / gamma). (B,) -> (B,)"""
    return torch.sigmoid((scores - threshold) / gamma)


def outlier_contrastive_exposure(
    scores: Tensor, threshold: Tensor, gamma: float | Tensor, form: OceForm = "contrastive"
) -> Tensor | None:
    """CLIPTTA's OCE loss: push the scores above and below the threshold apart. (B,) -> ()

    With w = outlier_weights(...), p_in = mean w, and mean scores m_in (weighted by w) and m_out (by 1 - w):

        contrastive     -(m_in - m_out)^2                 every published script
        inter_variance  -p_in p_out (m_in - m_out)^2
        intra_variance  -p_in m_in^2 - p_out m_out^2      the released code's third form

    Gradients flow through the scores, the weights and the threshold. Source: CLIPTTA, arXiv 2507.14312.

    Args:
        scores: (B,) higher is more in-distribution.
        threshold: () learnable.
        gamma: width of the soft step, in units of the score.

    Returns:
        () at most 0, or None when one side holds under a thousandth of the weight: nothing to tell apart.
    """
    inside = outlier_weights(scores, threshold, gamma)
    outside = 1 - inside
    if min(inside.mean().item(), outside.mean().item()) < 1e-3:
        return None
    mean_in = (inside * scores).sum() / (inside.sum() + 1e-12)
    mean_out = (outside * scores).sum() / (outside.sum() + 1e-12)
    if form == "contrastive":
        return -((mean_in - mean_out) ** 2)
    if form == "inter_variance":
        return -inside.mean() * outside.mean() * (mean_in - mean_out) ** 2
    if form == "intra_variance":
        return -inside.mean() * mean_in**2 - outside.mean() * mean_out**2
    raise ValueError(f"outlier_contrastive_exposure: form must be one of the three OCE forms, got {form!r}.")


def similarity_targets(features: Tensor, captions: Tensor, scale: float) -> Tensor:
    """How alike a batch's pictures are, by eye and in their captions, as rows of sum 1. (B, D) -> (B, B)

    Rows of softmax(scale (Z Z' + T T') / 2), with picture features Z and the features T of each picture's own
    caption. Source: Vargas Hakim et al., WACV 2025, arXiv 2405.00754, whose temperature is 1 / scale.
    """
    return (scale * (features @ features.T + captions @ captions.T) / 2).softmax(dim=-1)


def similarity_matching(
    features: Tensor, captions: Tensor, scale: float, transposed: bool = False, through_targets: bool = False
) -> Tensor:
    """Pictures should resemble each other's captions as much as both resemble their own kind. -> ()

    Mean cross-entropy of the softmax over captions of scale Z T' against `similarity_targets`; of one picture
    alone it is 0.

    Args:
        features, captions: (B, D) unit rows.
        scale: CLIP's.
        transposed, through_targets: where the code of CLIPArTT and WATT leaves their papers: it takes
            the targets by columns, which do not sum to 1, and lets gradients flow through them.
    """
    targets = similarity_targets(features, captions, scale)  # (B, B)
    targets = targets.T if transposed else targets
    targets = targets if through_targets else targets.detach()
    return soft_cross_entropy(targets, scale * features @ captions.T).mean()


def redundancy(features: Tensor, centre: bool = False) -> Tensor:
    """How much the dimensions of a batch of features repeat each other, from 0 to 1. (B, D) -> ()

    Mean absolute cosine between two different dimensions, each a column over the batch; `centre` takes
    the columns' means off first, which makes it a correlation. With fewer pictures than dimensions it cannot
    reach 0: compare at equal batch sizes only. Source: FRET, arXiv 2505.10641, divided by D (D - 1).
    """
    columns = features - features.mean(dim=0) if centre else features
    columns = F.normalize(columns, dim=0)
    cosines = columns.T @ columns  # (D, D)
    dim = features.shape[1]
    return (cosines.abs().sum() - cosines.diagonal().abs().sum()) / (dim * (dim - 1))


def class_separation(means: Tensor, average: bool = False) -> Tensor:
    """Sum over ordered pairs of classes of 1 - cosine between their means; 0 for a single class. (C, D) -> ()

    Source: BATCLIP, arXiv 2412.02837. `average` divides by the number of pairs, which grows as C squared.
    """
    unit = F.normalize(means, dim=-1)
    apart = 1 - unit @ unit.T  # (C, C)
    total = apart.sum() - apart.diagonal().sum()
    return total / max(len(means) * (len(means) - 1), 1) if average else total


def reliable_entropy(logits: Tensor, margin: float) -> Tensor:
    """Mean of exp(margin - H) H over predictions of entropy H: the surer, the heavier. (N, K) -> ()

    The weights are not differentiated. Source: EATA, Niu et al., ICML 2022, arXiv 2204.02610.
    """
    doubt = entropy(logits)  # (N,)
    return ((margin - doubt.detach()).exp() * doubt).mean()


def timeliness(ages: Tensor) -> Tensor:
    """Weight by age, exp(-a) / (1 + exp(-a)), a half when new: RoTTA, arXiv 2303.13899. (S,) -> (S,)"""
    return torch.sigmoid(-ages)


def self_weighted_entropy(logits: Tensor, total: float, through_weights: bool = True) -> Tensor:
    """Mean of w H over predictions of entropy H, with w = total softmax(-H): the surest lead. (N, K) -> ()

    Source: STAMP, Yu et al., ECCV 2024, arXiv 2407.15773, whose weights add up to the size of its memory.

    Args:
        logits: (N, K) scaled similarities.
        total: what the weights add up to; N for a weighted mean.
        through_weights: whether gradients flow through the weights too, as in the released code.
    """
    doubt = entropy(logits)  # (N,)
    weights = total * (-doubt).softmax(dim=0)
    return ((weights if through_weights else weights.detach()) * doubt).mean()
