"""Classes as clouds of features: running means, covariances and how well a picture fits. Pure torch.

Letters: B batch, K classes, D embedding.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Covariance = Literal["auto", "per_class", "pooled"]
ROOM = 2**28  # bytes that covariances of single classes may take where the choice is "auto"
AT_ONCE = 2**24  # numbers of a (B, k, D) table; more classes are taken in turns
NEGLIGIBLE = 1e-9  # a share of a picture too small to move a class


class ClassMeans:
    """Sums and counts of the features of each (predicted) class so far."""

    def __init__(self, num_classes: int, dim: int, device: torch.device) -> None:
        self.sums = torch.zeros(num_classes, dim, device=device)  # (K, D)
        self.counts = torch.zeros(num_classes, device=device)  # (K,)

    @property
    def total(self) -> float:
        """Pictures so far."""
        return self.counts.sum().item()

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Count pictures in. (N, D), (N,)"""
        self.sums.index_add_(0, labels, features)
        self.counts.index_add_(0, labels, torch.ones_like(features[:, 0]))

    def means(self) -> Tensor:
        """Mean of each class, 0 for a class that was never seen. -> (K, D)"""
        return self.sums / self.counts.clamp(min=1)[:, None]

    def mean(self) -> Tensor:
        """Mean of all pictures. -> (D,)"""
        return self.sums.sum(dim=0) / self.counts.sum().clamp(min=1)


class ClassGaussians:
    """Means of the classes and a covariance they share, from pictures that belong to classes by shares.

    With c the shares so far, at first 1 for every class:

        S <- (c S + sum of p (x - m)(x - m)') / (c + sum of p)      m being the mean before
        m <- (c m + sum of p x) / (c + sum of p)
        c <- c + sum of p

    Source: DOTA, Han et al., NeurIPS 2025, arXiv 2409.19375. What is shared is the mean of the covariances
    S of the classes; that takes a covariance of every class, K D^2 numbers. "pooled" weighs the classes by
    their shares instead, as linear discriminant analysis does, and keeps one (ours).

    Args:
        means: (K, D) to start from.
        variance: of every class in every direction at first.
        covariance: "per_class", "pooled", or "auto": pooled where the classes' own need more than 256 MB.
    """

    def __init__(self, means: Tensor, variance: float, covariance: Covariance = "auto") -> None:
        classes, dim = means.shape
        self.means = means.clone()  # (K, D)
        self.counts = torch.ones(classes, device=means.device)  # (K,)
        self.shared = variance * torch.eye(dim, device=means.device)  # (D, D)
        self.single: Tensor | None = None  # (K, D, D)
        if covariance == "per_class" or (covariance == "auto" and 4 * classes * dim**2 <= ROOM):
            self.single = self.shared.repeat(classes, 1, 1)

    def add(self, features: Tensor, shares: Tensor) -> None:
        """Take pictures in together. (N, D), shares of each in the classes (N, K)"""
        added = shares.sum(dim=0)  # (K,)
        counts = self.counts + added
        moved = (added > NEGLIGIBLE).nonzero().flatten()
        scatter = torch.zeros_like(self.shared)
        for k in moved.tolist():
            apart = features - self.means[k]  # (N, D)
            spread = (shares[:, k, None] * apart).T @ apart  # (D, D)
            if self.single is None:
                scatter += spread
            else:
                step = (spread - added[k] * self.single[k]) / counts[k]
                self.single[k] += step
                scatter += step
        if self.single is None:
            total = self.counts.sum()
            self.shared = (total * self.shared + scatter) / (total + added[moved].sum())
        else:
            self.shared = self.shared + scatter / len(counts)
        self.means = (self.counts[:, None] * self.means + shares.T @ features) / counts[:, None]
        self.counts = counts

    def precision(self, ridge: float = 0.0) -> Tensor:
        """Inverse of (1 - ridge) times the shared covariance plus ridge times identity. -> (D, D)"""
        eye = torch.eye(len(self.shared), dtype=torch.float64)
        covariance = (1 - ridge) * self.shared.cpu().double() + ridge * eye
        return torch.cholesky_inverse(torch.linalg.cholesky(covariance)).to(self.shared)

    def scores(self, features: Tensor, precision: Tensor) -> Tensor:
        """Linear discriminant x' P m - m' P m / 2 of every class, with P the precision. (B, D) -> (B, K)"""
        pulled = self.means @ precision  # (K, D)
        return features @ pulled.T - (pulled * self.means).sum(dim=-1) / 2


def log_density(features: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """Log of normal densities with diagonal covariances, but the constant. (B, D), 2 x (K, D) -> (B, K)"""
    parts = []
    for mean, variance in zip(_in_turns(features, means), _in_turns(features, variances), strict=True):
        distance = ((features[:, None] - mean) ** 2 / variance).sum(dim=-1)  # (B, k)
        parts.append(-(distance + variance.log().sum(dim=-1)) / 2)
    return torch.cat(parts, dim=1)


def squared_deviation(features: Tensor, means: Tensor, weights: Tensor) -> Tensor:
    """Sum over pictures of weight (x - m)^2, by class and direction. (B, D), (K, D), (B, K) -> (K, D)"""
    parts = []
    for mean, weight in zip(_in_turns(features, means), _in_turns(features, weights.T), strict=True):
        parts.append((weight.T[..., None] * (features[:, None] - mean) ** 2).sum(dim=0))
    return torch.cat(parts)


def _in_turns(features: Tensor, rows: Tensor) -> tuple[Tensor, ...]:
    """Rows of classes, so many at once that a table of them by pictures and directions fits into memory."""
    return rows.split(max(1, AT_ONCE // features.numel()))
