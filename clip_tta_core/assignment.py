"""Who belongs with whom: soft assignments of a batch from how its pictures relate. Pure functions, float32.

Letters: B batch, K classes, D embedding, N candidates. `features` are unit rows.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Affinity = Literal["rbf", "knn", "linear"]


def affinity(features: Tensor, kind: Affinity = "rbf", neighbours: int = 5) -> Tensor:
    """How much each picture should agree with each other one: LAME's three kernels. (B, D) -> (B, B)

    rbf: exp(-d^2 / 2 sigma^2), where sigma is the mean distance to the `neighbours`-th nearest, a picture
    being its own first. knn: 1 for the `neighbours` nearest others. linear: the cosine. Not symmetrized.
    Source: Boudiaf et al., CVPR 2022, arXiv 2201.05718.
    """
    cosines = features @ features.T  # (B, B)
    if kind == "linear":
        return cosines
    squared = (2 - 2 * cosines).clamp(min=0)
    if kind == "rbf":
        nearest = squared.topk(min(neighbours, len(features)), largest=False).values  # (B, k)
        sigma = nearest[:, -1].sqrt().mean()
        return (-squared / (2 * sigma**2).clamp(min=1e-12)).exp()
    if kind == "knn":
        others = squared.masked_fill(
            torch.eye(len(features), dtype=torch.bool, device=features.device), math.inf
        )
        nearest = others.topk(min(neighbours, len(features) - 1), largest=False).indices  # (B, k)
        return torch.zeros_like(cosines).scatter_(1, nearest, 1.0)
    raise ValueError(f"affinity: kind must be one of {', '.join(Affinity.__args__)}, got {kind!r}.")


def laplacian_smoothing(
    log_probs: Tensor, weights: Tensor, iterations: int = 100, tolerance: float = 1e-8
) -> tuple[Tensor, int]:
    """Assignments near `log_probs` on which neighbours agree. (B, K), (B, B) -> logits (B, K), rounds taken

    Fixed point of Y = softmax(log_probs + weights Y) from Y = softmax(log_probs); it lowers
    sum_i KL(y_i | p_i) - sum_ij weights_ij y_i . y_j. Ends when that energy changes by less than
    `tolerance`, relative. Source: Boudiaf et al., CVPR 2022, arXiv 2201.05718.

    Args:
        log_probs: (B, K).
        weights: (B, B) affinity, times its weight in the energy.
        iterations: at most so many rounds.
        tolerance: 0 runs them all.
    """
    logits = log_probs
    assignment = logits.softmax(dim=-1)  # (B, K)
    before = math.inf
    for done in range(1, iterations + 1):
        pairwise = weights @ assignment  # (B, K)
        logits = log_probs + pairwise
        assignment = logits.softmax(dim=-1)
        drawn = assignment.clamp(min=1e-20).log() - log_probs - pairwise
        energy = (assignment * drawn).sum().item()
        if done > 2 and abs(energy - before) <= tolerance * abs(before):
            return logits, done
        before = energy
    return logits, iterations


def sinkhorn(logits: Tensor, iterations: int = 3) -> Tensor:
    """Codes that share a batch out evenly over the classes, by optimal transport. (B, K) -> rows of sum 1

    Starts from softmax(logits), then alternately gives every class a mass of B / K and every picture a mass
    of 1, pictures last, in the log domain: at CLIP's scale the exponentials themselves come near the end of
    float32. The softmax matters: a few rounds from the raw exponentials stay far from the plan, for a picture
    whose cosines are all a little larger takes a class to itself. Source: Cuturi, NeurIPS 2013; as in the
    code of Mishra et al., arXiv 2411.17002.
    """
    logits = logits.log_softmax(dim=-1)
    share = math.log(len(logits) / logits.shape[1])
    for _ in range(iterations):
        logits = logits - logits.logsumexp(dim=0, keepdim=True) + share
        logits = logits - logits.logsumexp(dim=1, keepdim=True)
    return logits.softmax(dim=-1)


def mean_shift(
    features: Tensor, candidates: Tensor, neighbours: int, bandwidth: float, centre: Tensor | None = None
) -> Tensor:
    """Move features to the weighted means of their nearest candidates. (B, D), (N, D) -> (B, D)

    A neighbour weighs exp(-(1 - cosine) / bandwidth). What is moved should be among the candidates itself.

    Args:
        features, candidates: unit rows.
        neighbours: how many; all where there are fewer candidates.
        bandwidth: larger counts far neighbours more.
        centre: (D,) taken off before cosines are measured. CLIP's images share a large common direction;
            with it every picture is everyone's neighbour.

    Returns:
        unit rows.
    """
    seen, others = features, candidates
    if centre is not None:
        seen, others = F.normalize(seen - centre, dim=-1), F.normalize(others - centre, dim=-1)
    cosines, nearest = (seen @ others.T).topk(min(neighbours, len(candidates)), dim=-1)  # (B, k)
    weights = (cosines / bandwidth).softmax(dim=-1)  # the common factor cancels in the mean
    return F.normalize((weights[..., None] * candidates[nearest]).sum(dim=1), dim=-1)


def nearest_links(similarity: Tensor, neighbours: int) -> Tensor:
    """Of every row the largest entries, the rest 0; of equals the earlier stay. (B, N) -> (B, N)"""
    order = similarity.sort(dim=-1, descending=True, stable=True).indices
    nearest = order[:, : min(neighbours, similarity.shape[1])]
    return torch.zeros_like(similarity).scatter(1, nearest, similarity.gather(1, nearest))


def normalized_graph(links: Tensor) -> Tensor:
    """Links made mutual and divided by the roots of both ends' degrees. (N, N) -> (N, N)

    W = links + links', then D^-1/2 W D^-1/2 with the degrees D of W; a link both ways counts twice.
    """
    weights = links + links.T
    root = weights.sum(dim=-1).sqrt() + 1e-6  # the released ECALP's guard, arXiv 2412.18303
    return weights / root[:, None] / root


def propagate(graph: Tensor, given: Tensor, start: Tensor, alpha: float = 1.0, rounds: int = 3) -> Tensor:
    """Labels that spread from nodes that have them over a graph. -> (N, K)

    rounds x  Y <- alpha graph [given; Y] + (1 - alpha) start, from Y = start.

    Args:
        graph: (N, M + N) weights of the nodes' links to the labelled nodes and to one another.
        given: (M, K) labels that stay.
        start: (N, K) labels at first.
    """
    labels = start
    for _ in range(rounds):
        labels = alpha * graph @ torch.cat([given, labels]) + (1 - alpha) * start
    return labels
