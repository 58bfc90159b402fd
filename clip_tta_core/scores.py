"""How much a picture looks like one of the classes: a number per picture, higher is more in-distribution.

Every score reads cosines (B, K) and a scale kappa of its own, because CLIP's factor of 100 saturates them:
CLIPTTA scores with kappa 1 (arXiv 2507.14312, released code).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import losses
from clip_tta_core.registry import unknown_name

ScoreName = Literal["max_prob", "max_log_prob", "max_logit", "logsumexp", "entropy"]

SCORES: dict[str, Callable[[Tensor], Tensor]] = {  # (B, K) kappa-scaled cosines -> (B,)
    # MCM at kappa 1: Ming et al., NeurIPS 2022.
    "max_prob": lambda logits: logits.softmax(dim=-1).amax(dim=-1),
    "max_log_prob": lambda logits: logits.log_softmax(dim=-1).amax(dim=-1),
    "max_logit": lambda logits: logits.amax(dim=-1),
    # Negative energy: Liu et al., NeurIPS 2020.
    "logsumexp": lambda logits: logits.logsumexp(dim=-1),
    "entropy": lambda logits: -losses.entropy(logits),
}


def score(cosines: Tensor, name: ScoreName = "max_log_prob", kappa: float = 1.0) -> Tensor:
    """In-distribution score of each picture, higher is more in-distribution. (B, K) cosines -> (B,)"""
    if name not in SCORES:
        raise ValueError(unknown_name("score", name, SCORES))
    return SCORES[name](kappa * cosines)


def otsu(scores: Tensor) -> float:
    """Otsu's threshold of one-dimensional scores, computed exactly. (N,) -> number

    Of all splits of the sorted scores, the one with the largest w_low w_high (mean_high - mean_low)^2; the
    threshold is the middle of its gap, and the middle one of equally good gaps. All scores equal: that value.
    Scores that are not finite do not count. Source: Otsu, IEEE Trans. SMC 1979, on the values themselves
    instead of a histogram.
    """
    found = scores.detach().flatten().cpu().double()  # on the CPU first: some devices have no double
    ordered = found[found.isfinite()].sort().values  # (N,)
    if len(ordered) == 0:
        raise ValueError(f"otsu: needs at least one finite score, got {len(found)} of which none is.")
    if ordered[0] == ordered[-1]:
        return ordered[0].item()
    n = len(ordered)
    low_count = torch.arange(1, n, dtype=torch.float64)  # (N-1,)
    low_sum = ordered.cumsum(dim=0)[:-1]
    gap = (ordered.sum() - low_sum) / (n - low_count) - low_sum / low_count
    variance = low_count * (n - low_count) * gap**2
    variance[ordered[1:] == ordered[:-1]] = -1  # a threshold cannot part equal scores
    best = (variance >= variance.max() * (1 - 1e-12)).nonzero().flatten()
    split = best[(len(best) - 1) // 2]
    return ((ordered[split] + ordered[split + 1]) / 2).item()


def two_gaussians(values: Tensor, tolerance: float = 1e-3, iterations: int = 100) -> Tensor | None:
    """How surely each value belongs to the lower of two Gaussians, fitted to all of them. (N,) -> (N,)

    Expectation-maximization from Otsu's split, which is the best in one dimension, until the mean
    log-likelihood gains less than the tolerance: nothing is random. As in scikit-learn, the Gaussians are
    fitted once more after that, and 1e-6 is added to both variances.

    Returns:
        posterior probabilities in the type of `values`, or None when there is nothing to tell apart: all
        values equal, or fewer than two in one of the Gaussians.
    """
    points = values.detach().flatten().cpu().double()  # (N,), a few hundred: faster here than on a device
    if len(points) < 4 or points.min() == points.max():
        return None
    low = (points < otsu(points)).double()
    gaussians = _fit(points, torch.stack([low, 1 - low]))
    before = -math.inf
    for _ in range(iterations):
        joint = _log_joint(points, *gaussians)  # (2, N)
        gaussians = _fit(points, joint.softmax(dim=0))
        now = joint.logsumexp(dim=0).mean().item()
        if abs(now - before) < tolerance:
            break
        before = now
    posterior = _log_joint(points, *gaussians).softmax(dim=0)
    if posterior.sum(dim=1).min() < 2:
        return None
    _, mean, _ = gaussians
    return posterior[mean.argmin()].to(values)


def _fit(points: Tensor, posterior: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Share, mean and variance of two Gaussians from who belongs to whom. (N,), (2, N) -> (2,) each"""
    weight = posterior.sum(dim=1) + 1e-12  # (2,)
    mean = posterior @ points / weight
    variance = (posterior * (points - mean[:, None]) ** 2).sum(dim=1) / weight + 1e-6
    return weight / weight.sum(), mean, variance


def _log_joint(points: Tensor, share: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Log-density of every value under either Gaussian, times its share. (N,), (2,) each -> (2, N)"""
    squared = (points - mean[:, None]) ** 2 / variance[:, None]  # (2, N)
    return share.log()[:, None] - (squared + (2 * math.pi * variance[:, None]).log()) / 2


def surest(logits: Tensor, share: float) -> Tensor:
    """Which views of a picture have the lowest entropy, the surest first. (..., V, K) -> (..., n)

    n = share x V rounded down, but at least one; of equals the earlier. TPT, arXiv 2209.07511, takes a tenth.
    """
    count = max(1, int(share * logits.shape[-2]))
    return losses.entropy(logits).sort(dim=-1, stable=True).indices[..., :count]


def likeliest(logits: Tensor, count: int | Literal["all"]) -> list[int]:
    """Numbers of a picture's likeliest classes, in order. (K,) -> `count` numbers, or all K of them"""
    if count == "all" or count >= len(logits):
        return list(range(len(logits)))
    return logits.topk(count).indices.sort().values.tolist()
