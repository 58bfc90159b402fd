"""Where losses pull a picture: the way down of each loss on the picture's own logits, in closed form.

Every function takes the class probabilities of a batch, (B, K), and gives minus the gradient of the *sum* of
a loss over the batch, so that a picture's row does not shrink with the batch. Logits count as free: what
really moves is shared by all pictures, so a picture may go elsewhere than its own row points. Numpy
counterparts of `losses`, which a test compares by autograd.
"""

from __future__ import annotations

import numpy as np

TINY = 1e-300  # keeps the logarithm of a probability that is 0 finite; it is multiplied by that 0
SMALL = 1e-6  # inside the logarithm of `losses.marginal_entropy`


def entropy(probs: np.ndarray) -> np.ndarray:
    """TENT's: d_c = p_c (log p_c + H), which raises what a picture already leans to. (B, K) -> (B, K)"""
    return _sharper(probs.astype(np.float64), np.ones(probs.shape[1]))


def contrast(probs: np.ndarray) -> np.ndarray:
    """CLIPTTA's, image to text: d_c = pi_c (log(pi_c / n_c) + H), pi_c ~ n_c p_c. (B, K) -> (B, K)

    n_c pictures of the batch answer class c; a class nobody answers has no caption there and is not pulled.
    The class that a picture answers is never lowered, only raised less where it is frequent. Source: CLIPTTA,
    arXiv 2507.14312, Prop. 3.1.
    """
    counts = np.bincount(probs.argmax(axis=1), minlength=probs.shape[1]).astype(np.float64)
    weighted = probs.astype(np.float64) * counts
    return _sharper(weighted / weighted.sum(axis=1, keepdims=True), np.maximum(counts, 1))


def diversity(probs: np.ndarray) -> np.ndarray:
    """That of the diversity bonus, minus the entropy of the batch's mean prediction. (B, K) -> (B, K)"""
    probs = probs.astype(np.float64)
    mean = probs.mean(axis=0)
    slope = np.log(mean + SMALL) + mean / (mean + SMALL)  # (K,) of the sum of m log(m + SMALL)
    return -probs * (slope - (probs @ slope)[:, None])


def _sharper(probs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """p_c (log(p_c / n_c) - sum_k p_k log(p_k / n_k)): (B, K), (K,) -> (B, K)"""
    logs = np.log(np.maximum(probs, TINY) / counts)
    return probs * (logs - (probs * logs).sum(axis=1, keepdims=True))


def on_probs(probs: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """How a small step along a pull changes the probabilities: dp_c = p_c (d_c - sum_k p_k d_k). (B, K)"""
    probs = probs.astype(np.float64)
    return probs * (pull - (probs * pull).sum(axis=1, keepdims=True))
