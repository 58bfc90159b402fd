"""ECALP: efficient and context-aware label propagation. Li et al., ICLR 2025, arXiv 2412.18303.

A graph grows with the stream: the texts of the classes, every picture so far, and a copy of the newest one,
which is read. With u the unit vector of the variances over the texts (by which directions tell classes
apart),

    picture to picture   unit(u * x_older) . x_newer, of the `neighbours` nearest, itself and copy included
    picture to text      cosine, of the `text_neighbours` nearest
    links                similarity^sharpness, made mutual, over the roots of both degrees
    labels               rounds x  Y <- alpha graph [identity of the texts; Y] + (1 - alpha) Y0
    answer               softmax(10,000 Y of the copy)
    Y0                   of each picture, for the next: a fifth of its largest label, else 0

one picture after the other, so order matters within a batch. `predict` gives a batch just adapted to its
answers at their turns; other pictures are answered as if they came next, and forgotten.

Of two equally near, the earlier is linked; the released code grows its lists step by step and takes either,
which moves its probabilities, not its answers. The factor of 10,000 makes nearly all probabilities 0 or 1:
calibration is destroyed (an error of 32 % where CLIP has 6, by the TTA-VLM benchmark), so read its confidence
as none. The authors' graph has no limit; here the newest `bank` pictures stay in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.assignment import nearest_links, normalized_graph, propagate
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import Method, register


@dataclass(frozen=True)
class EcalpConfig(hparams.Config):
    neighbours: int = knob(8, 1, 64, help="Nearest pictures each picture is linked to.")
    text_neighbours: int = knob(3, 1, 64, help="Nearest class texts each picture is linked to.")
    sharpness: int = knob(10, 1, 50, help="Power of a similarity that is its link's weight.")
    rounds: int = knob(3, 1, 20, help="Steps labels spread.")
    alpha: float = knob(1.0, 0.0, 1.0, help="Share of a label that comes from the neighbours.")
    factor: float = knob(1e4, 1.0, 1e6, log=True, help="From labels to logits.")
    bank: int = knob(1024, 1, 8192, log=True, help="Newest pictures that stay in the graph.")
    blend: float = knob(0.0, 0.0, 1.0, help="Share of the logits that is zero-shot's; the authors: 0.")


@register
class Ecalp(Method[EcalpConfig]):
    """Let labels spread from the texts over a growing graph of all pictures so far, and read the newest.
    Nothing is trained; its confidences mean nothing."""

    name, title, family = "ecalp", "ECALP", "training-free"
    citation = "Li et al., ICLR 2025, arXiv 2412.18303"
    presets = {"authors": {}}
    Config = EcalpConfig

    def __init__(self, clip: ClipClassifier, config: EcalpConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        classes, dim = clip.text_features.shape
        self.telling = F.normalize(clip.text_features.var(dim=0), dim=0)  # (D,)
        self.weighed = torch.zeros(0, dim, device=clip.device)  # (N, D) unit(u * x), oldest first
        self.cosines = torch.zeros(0, classes, device=clip.device)  # (N, K) with the texts
        self.similarity = torch.zeros(0, 0, device=clip.device)  # (N, N) between the pictures
        self.labels = torch.zeros(0, classes, device=clip.device)  # (N, K) Y0
        self._last = LastResult()

    @torch.no_grad()
    def adapt(self, images: Tensor) -> dict[str, float]:
        source = self.clip.zero_shot(images)
        answers = torch.stack(
            [self._answer(x, zero_shot, learn=True) for x, zero_shot in zip(*_rows(source), strict=True)]
        )
        self._last.keep(images, Prediction(answers, source.features))
        changed = (answers.argmax(dim=-1) != source.logits.argmax(dim=-1)).float().mean()
        return {
            "bank": float(len(self.labels)),
            "label_mass": self.labels.sum(dim=-1).mean().item() if len(self.labels) else 0.0,
            "changed": changed.item(),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._last.knows(images):
            return self._last.result
        source = self.clip.zero_shot(images)
        answers = [
            self._answer(x, zero_shot, learn=False) for x, zero_shot in zip(*_rows(source), strict=True)
        ]
        return Prediction(torch.stack(answers), source.features)

    def _answer(self, feature: Tensor, zero_shot: Tensor, learn: bool) -> Tensor:
        """Answer one picture as the newest; keep it in the graph if told to. (D,), (K,) -> (K,)"""
        if not feature.isfinite().all():
            return zero_shot
        config = self.config
        weighed = F.normalize(self.telling * feature, dim=0)  # (D,)
        cosines = torch.cat([self.cosines, (zero_shot / self.clip.scale)[None]])
        near, itself = self.weighed @ feature, (weighed @ feature)[None]  # (N,), (1,)
        column = torch.cat([near, itself])
        similarity = torch.cat([torch.cat([self.similarity, near[:, None]], dim=1), column[None]])
        graph = self._graph(similarity, cosines)
        start = F.pad(self.labels, (0, 0, 0, 2))  # the new picture and its copy have no label yet
        given = torch.eye(len(zero_shot), device=start.device)
        labels = propagate(graph, given, start, config.alpha, config.rounds)  # (N + 2, K)
        if learn:
            kept = slice(-config.bank, None)
            self.weighed = torch.cat([self.weighed, weighed[None]])[kept]
            self.cosines, self.similarity = cosines[kept], similarity[kept, kept]
            largest, which = labels[:-1][kept].max(dim=-1, keepdim=True)
            self.labels = torch.zeros_like(self.cosines).scatter(1, which, largest / 5)
        return torch.lerp(config.factor * labels[-1], zero_shot, config.blend)

    def _graph(self, similarity: Tensor, cosines: Tensor) -> Tensor:
        """Weights from pictures and copy to texts, pictures, copy. (N, N), (N, K) -> (N + 1, K + N + 1)"""
        config, classes = self.config, cosines.shape[1]
        twice = [*range(len(similarity)), len(similarity) - 1]  # the copy is as near to all as the original
        pictures = nearest_links(similarity[twice][:, twice], config.neighbours)
        texts = nearest_links(cosines[twice], config.text_neighbours)
        # The released code takes the power as it is: an even one, so that its sign does not matter.
        links = torch.cat([texts, pictures], dim=1).abs() ** config.sharpness
        return normalized_graph(F.pad(links, (0, 0, classes, 0)))[classes:]


def _rows(source: Prediction) -> tuple[Tensor, Tensor]:
    return source.features, source.logits
