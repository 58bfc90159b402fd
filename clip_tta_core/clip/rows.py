"""Normalization weights of one's own for every picture of a batch, and their gradients in one backward."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from clip_tta_core.clip.classifier import AMPLIFICATION, ClipClassifier


class NormRows:
    """Runs a fork's image encoder with a row of normalization weights per picture.

    A normalization layer computes x -> n(x) * weight + bias. Here weight and bias are rows, one per picture,
    so that the gradient of a sum of losses has a row per picture: as many backward passes in one. Pictures
    must not meet in the encoder otherwise; where batch normalization couples them through its statistics, a
    row is the gradient of all losses with respect to one picture's own weights.

    Args:
        clip: a fork that trains normalization layers of the image encoder. It is never changed.
    """

    def __init__(self, clip: ClipClassifier) -> None:
        self.clip = clip
        self.weights = clip.trainable()
        self.start = torch.cat([p.detach().flatten() for p in self.weights])  # (P,) the fork's own
        self._batch_dims: list[int] = []  # which dimension of the input counts the pictures, for each weight

    def encode(self, images: Tensor, rows: Tensor) -> Tensor:
        """Unit features of pictures, each with its own weights. (B, 3, H, W), (B, P) -> (B, D)"""
        if not self._batch_dims:
            self._look_where_pictures_are(images)
        features = [self._encode(*part) for part in self._pieces(images, rows)]
        return torch.cat(features)

    def gradients(self, images: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Features of a batch and the gradient of every picture's own loss. -> (B, D), (B, P)

        Args:
            images: (B, 3, H, W).
            loss: unit features (b, D) -> a loss per picture (b,).
        """
        features, gradients = [], []
        for part, start in self._pieces(images, self.start.expand(len(images), -1)):
            rows = start.clone().requires_grad_()
            seen = self.encode(part, rows)
            (gradient,) = torch.autograd.grad(loss(seen).sum(), rows)
            if self.clip.autocast is torch.float16:
                gradient = gradient / AMPLIFICATION
            features.append(seen.detach())
            gradients.append(gradient)
        return torch.cat(features), torch.cat(gradients)

    def _pieces(self, images: Tensor, rows: Tensor) -> list[tuple[Tensor, Tensor]]:
        """As many pictures as the encoder takes at once, with their rows."""
        size = self.clip.micro_batch or len(images)
        return list(zip(images.split(size), rows.split(size), strict=True))

    def _encode(self, images: Tensor, rows: Tensor) -> Tensor:
        own = rows.split([p.numel() for p in self.weights], dim=1)
        places = {  # by identity, and so anew each time: a copy of this object has other weights
            id(p): (part.unflatten(1, p.shape), dim)
            for p, part, dim in zip(self.weights, own, self._batch_dims, strict=True)
        }
        with _Substituted(lambda x, weight: _placed(x, *places[id(weight)]), places):
            return self.clip.encode_image(images)

    @torch.no_grad()
    def _look_where_pictures_are(self, images: Tensor) -> None:
        """Find which dimension grows with the batch: transformers count tokens or pictures first."""
        shapes: list[dict[int, torch.Size]] = []
        for count in (2, 3):
            shapes.append({})

            def note(x: Tensor, weight: Tensor, seen: dict[int, torch.Size] = shapes[-1]) -> Tensor:
                seen[id(weight)] = x.shape
                return weight

            with _Substituted(note, {id(p) for p in self.weights}):
                self.clip.encode_image(torch.zeros_like(images[:1]).expand(count, -1, -1, -1))
        two, three = shapes
        missing = len(self.weights) - len(two)
        if missing:
            raise ValueError(
                f"NormRows: every normalization layer of the image encoder must call torch's functions, got "
                f"{missing} weights that were not seen; choose another model."
            )
        for p in self.weights:
            sizes = list(zip(two[id(p)], three[id(p)], strict=True))
            self._batch_dims.append(sizes.index((2, 3)))


class _Substituted(TorchFunctionMode):
    """While active, layer and batch normalization multiply and add what `substitute` gives for their weights.

    Args:
        substitute: (input, weight) -> what takes the weight's place, to be multiplied with the input.
        known: ids of the weights it is asked about; layers with others work as ever.
    """

    def __init__(self, substitute: Callable[[Tensor, Tensor], Tensor], known: Container[int]) -> None:
        super().__init__()
        self.substitute = substitute
        self.known = known

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.layer_norm:
            return self._layer_norm(*args, **kwargs)
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        return func(*args, **kwargs)

    def _layer_norm(
        self,
        input: Tensor,  # noqa: A002 - torch calls it so, and callers may name it
        normalized_shape: Sequence[int],
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> Tensor:
        if weight is None or id(weight) not in self.known:
            return F.layer_norm(input, normalized_shape, weight, bias, eps)
        return self._scaled(F.layer_norm(input, normalized_shape, None, None, eps), weight, bias)

    def _batch_norm(
        self,
        input: Tensor,  # noqa: A002
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        rest = (training, momentum, eps)
        if weight is None or id(weight) not in self.known:
            return F.batch_norm(input, running_mean, running_var, weight, bias, *rest)
        out = F.batch_norm(input, running_mean, running_var, None, None, *rest)
        return self._scaled(out.movedim(1, -1), weight, bias).movedim(-1, 1)

    def _scaled(self, out: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out = out * self.substitute(out, weight)
        return out if bias is None else out + self.substitute(out, bias)


def _placed(x: Tensor, rows: Tensor, batch_dim: int) -> Tensor:
    """Rows (B, ...) shaped to meet the last dimensions of x, and its pictures where these are counted."""
    shape = [1] * x.dim()
    shape[batch_dim] = len(rows)
    shape[x.dim() - (rows.dim() - 1) :] = rows.shape[1:]
    return rows.reshape(shape)
