"""CLIPTTA: contrastive adaptation with pseudo-captions. Lafon et al., NeurIPS 2025, arXiv 2507.14312.

One batch, in the released order of operations:

    features of the batch, with the weights as they are
    open set: threshold <- Otsu of its scores
    repeat `steps` times
        open set: keep the pictures whose score is above the threshold
        first time only: offer the kept ones to the class-wise confident memory
        draw from the memory, afresh
        loss = beta_tta * (contrast(kept) + contrast(drawn))
               - beta_reg * (diversity(batch) + diversity(drawn)) + beta_ood * oce(scores of the batch)
        one step of Adam on the normalization layers (and the threshold)

The released code runs the encoder on the batch and on the memory separately. Both go through together here,
and a drawn picture that is also in the batch goes through once: layer normalization treats every image by
itself, so nothing changes; batch normalization, of ResNets, sees the statistics of both together. Otsu's
threshold is exact instead of the low edge of a histogram's gap, and of one image alone no diversity is asked.

The paper scores a picture by its largest probability at CLIP's own scale and weighs it by sigmoid(score -
threshold); the released code by its largest log-probability of bare cosines, in a sigmoid 200 times steeper.
The defaults are the code's; a preset has the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from clip_tta_core import losses, optim, scores
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.memory import ConfidentMemory, to_images
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import BLUE, SOLID, Look
from clip_tta_core.records import Cost, Remembered


@dataclass(frozen=True)
class ClipttaConfig(GradientConfig):
    lr: float = knob(1e-4, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(10, 1, 50, help="Gradient steps per batch.")
    loss: Literal["soft", "hard"] = knob(
        "soft",
        help="Contrast with the model's own soft assignment, or with the picture's own caption only.",
    )
    direction: losses.Direction = knob(
        "image_to_text",
        help="Contrast each picture over the captions, as released; each caption over the pictures; or "
        "the sum of both, Eq. 3 of the paper, beside which the other weights count half.",
    )
    composition: Literal["batch_and_memory", "memory_only", "batch_only"] = knob(
        "batch_and_memory", help="What enters the loss; memory only is what the ImageNet runs used."
    )
    shots: int = knob(4, 1, 64, help="Pictures the memory keeps per class.")
    sample_size: int = knob(
        40, 1, 2048, help="Pictures drawn from the memory each step, at least one a class."
    )
    beta_tta: float = knob(1.0, 0.0, 10.0, help="Weight of the contrastive loss.")
    beta_reg: float = knob(1.0, 0.0, 10.0, help="Weight of the diversity bonus against collapse.")
    open_set: bool = knob(False, help="Expect pictures of unknown classes.")
    beta_ood: float = knob(1.0, 0.0, 100.0, help="Weight of the loss that parts known from unknown.")
    oce: losses.OceForm = knob(
        "contrastive", help="How that loss measures the distance; every published run is contrastive."
    )
    score: scores.ScoreName = knob("max_log_prob", help="What counts as looking known.")
    kappa: float | Literal["model"] = knob(
        1.0,
        0.1,
        200.0,
        log=True,
        help="Scale of the cosines inside scores and confidences; model is CLIP's own, about 100.",
    )
    gamma: float | Literal["auto"] = knob(
        0.005,
        1e-5,
        10.0,
        log=True,
        help="Softness of the threshold; auto is 0.2 of the scores' spread, 1 the paper's sigmoid.",
    )
    filter_unknown: bool = knob(True, help="Learn only from pictures above the threshold.")


@register
class Cliptta(Method[ClipttaConfig]):
    """Contrast every image with the predicted captions of the whole batch, as CLIP was trained, so that
    classes stay apart; replay confident pictures; with an open set, also push scores of known and unknown
    pictures apart."""

    name, title, family = "cliptta", "CLIPTTA", "contrastive"
    citation = "Lafon et al., NeurIPS 2025, arXiv 2507.14312"
    look = Look(BLUE, SOLID, "circle", layer=2)
    train = "visual_norm"
    presets = {
        "authors": {},
        "authors, CIFAR-100": {"shots": 16, "sample_size": 128},
        "authors, memory only (ImageNet)": {"composition": "memory_only", "shots": 16, "sample_size": 64},
        "authors, open set": {"open_set": True, "shots": 16, "sample_size": 128},
        "authors, open set (CIFAR-10-C)": {
            "open_set": True,
            "shots": 16,
            "sample_size": 128,
            "beta_ood": 0.1,
        },
        "authors, open set (ImageNet)": {"open_set": True, "shots": 16, "sample_size": 64, "lr": 1e-5},
        "authors, open set (ImageNet-C)": {
            "open_set": True,
            "shots": 16,
            "sample_size": 64,
            "beta_reg": 0.5,
        },
        "paper, open set": {
            "open_set": True,
            "shots": 16,
            "sample_size": 128,
            "score": "max_prob",
            "kappa": "model",
            "gamma": 1.0,
        },
        "paper, both directions (Eq. 3)": {"direction": "symmetric"},
    }
    Config = ClipttaConfig

    @classmethod
    def cost(cls, config: ClipttaConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        drawn = config.sample_size / batch_size
        if config.composition == "memory_only":  # the batch itself is looked at once, to fill the memory
            return Cost(1 + config.steps * drawn + 1, config.steps * drawn)
        trained = config.steps * (1 + (drawn if config.composition == "batch_and_memory" else 0))
        return Cost(trained + 1, trained)

    def __init__(self, clip: ClipClassifier, config: ClipttaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.steps_on = "memory" if config.composition == "memory_only" else "batch"
        self.memory = ConfidentMemory(clip.num_classes, config.shots)
        self.stored: dict[int, Tensor] = {}  # {memory key: (D,)} features of what it holds, as stored
        self.threshold = nn.Parameter(torch.zeros((), device=clip.device))  # Otsu sets it before its use
        self.gamma = 1.0  # likewise
        learned = [*clip.trainable(), *([self.threshold] if config.open_set else [])]
        self.optimizer = torch.optim.Adam(learned, lr=config.lr, eps=1e-6)

    def adapt(self, images: Tensor) -> dict[str, float]:
        uses_batch = self.config.composition != "memory_only"
        shown = images if uses_batch else images[:0]  # what enters the loss besides the memory
        skipped = 0
        for step in self.steps(self.config.steps):
            if step == 0:
                with torch.set_grad_enabled(uses_batch):
                    features = self.clip.encode_image(images)  # (B, D)
                known = None if uses_batch else self.clip.classify(features)  # (B, K)
                if self.config.open_set:
                    self._set_threshold(features.detach())
                stored = self._remember(images, features.detach())
                rows = stored if uses_batch else {}
                fresh, drawn = self._draw(rows, shown)
                parts = [features if uses_batch else features[:0]]
                if len(fresh):
                    parts.append(self.clip.encode_image(fresh))
                features = torch.cat(parts)  # (B + fresh, D)
            else:
                fresh, drawn = self._draw(rows, shown)
                features = self.clip.encode_image(torch.cat([shown, fresh]))  # (B + fresh, D)
            logits = self.clip.classify(features)  # (B + fresh, K)
            terms = self._terms(features, logits, len(shown), drawn)
            if step == 0:
                measured = self._gradient_norms(terms, features)
                measured["pseudo_classes"] = float(len(self._labels(features).unique()))
            loss = sum(terms.values(), features.new_zeros(()))
            self.show(logits[: len(shown)] if known is None else known, loss=loss, **terms)
            skipped += not optim.guarded_step(self.optimizer, loss)
        report = {"loss": loss.item(), **{name: term.item() for name, term in terms.items()}, **measured}
        report |= {"memory": float(len(self.memory)), "skipped": float(skipped)}
        if self.config.open_set:
            report |= {"alpha": self.threshold.item()}
        return report

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        prediction = self.clip.predict(images)
        if not self.config.open_set:
            return prediction
        score = self._score(prediction.features)
        return Prediction(prediction.logits, prediction.features, score, self.threshold.item())

    def _score(self, features: Tensor) -> Tensor:
        """In-distribution scores. (N, D) -> (N,)"""
        return scores.score(features @ self.clip.text_features.T, self.config.score, self._kappa())

    def _kappa(self) -> float:
        """Scale of the cosines inside scores and confidences."""
        return self.clip.scale if self.config.kappa == "model" else self.config.kappa

    def _labels(self, features: Tensor) -> Tensor:
        """Pseudo-classes; where all are the same one, the contrast pulls nowhere. (N, D) -> (N,)"""
        return self.clip.classify(features.detach()).argmax(dim=-1)

    def _set_threshold(self, features: Tensor) -> None:
        """Start the batch from Otsu's threshold of its scores: the released code does so for every batch."""
        score = self._score(features)
        score = score[score.isfinite()]
        if not len(score):  # no step will be taken on such a batch
            return
        with torch.no_grad():
            self.threshold.fill_(scores.otsu(score))
        spread = score.std(correction=0).item()
        # Without any spread the width means nothing; 1 keeps the step finite, and the loss skips itself.
        self.gamma = (0.2 * spread or 1.0) if self.config.gamma == "auto" else self.config.gamma

    def _accepted(self, features: Tensor) -> Tensor:
        """Which pictures to learn from. (B, D) -> bool (B,)"""
        everything = torch.ones(len(features), dtype=torch.bool, device=features.device)
        if not (self.config.open_set and self.config.filter_unknown):
            return everything
        score = self._score(features.detach())
        if score.min() == score.max():  # nothing to tell apart
            return everything
        return score > self.threshold

    def _remember(self, images: Tensor, features: Tensor) -> dict[int, int]:
        """Offer the accepted pictures to the memory. -> {memory key: row of the batch}"""
        if self.config.composition == "batch_only":
            return {}
        sound = features.isfinite().all(dim=-1)
        kept = (self._accepted(features) & sound).nonzero().flatten()  # (N,)
        cosines = features[kept] @ self.clip.text_features.T  # (N, K)
        confidence = scores.score(cosines, "max_prob", self._kappa())
        keys = self.memory.insert(images[kept], cosines.argmax(dim=-1), confidence)
        rows = dict(zip(keys, kept.tolist(), strict=True))
        # A view would keep the whole batch.
        self.stored = {
            one.key: features[rows[one.key]].clone() if one.key in rows else self.stored[one.key]
            for one in self.memory.entries
        }
        return rows

    def remembered(self) -> Remembered | None:
        entries = self.memory.entries
        if not entries:
            return None
        return Remembered(
            torch.stack([one.image for one in entries]).permute(0, 2, 3, 1).numpy(),
            np.array([one.label for one in entries]),
            np.array([one.confidence for one in entries], dtype=np.float32),
            torch.stack([self.stored[one.key] for one in entries]).float().cpu().numpy(),
        )

    def _draw(self, rows: dict[int, int], shown: Tensor) -> tuple[Tensor, list[int]]:
        """Draw from the memory. -> pictures to encode besides `shown` (F, 3, H, W), rows of the drawn"""
        if self.config.composition == "batch_only":
            return shown[:0], []
        drawn, fresh = [], []
        for entry in self.memory.sample(self.config.sample_size, self.rng):
            if entry.key in rows:
                drawn.append(rows[entry.key])
            else:
                drawn.append(len(shown) + len(fresh))
                fresh.append(entry.image)
        return (to_images(fresh, shown) if fresh else shown[:0]), drawn

    def _terms(self, features: Tensor, logits: Tensor, batch: int, drawn: list[int]) -> dict[str, Tensor]:
        """The weighted terms of the loss; what has nothing to work on is left out.

        Args:
            features, logits: (B + F, D) and (B + F, K), the batch first.
            batch: B, 0 when only the memory enters.
            drawn: rows of the pictures drawn from the memory.
        """
        config = self.config
        contrast = losses.soft_contrastive if config.loss == "soft" else losses.hard_contrastive
        terms: dict[str, Tensor] = {}

        def add(name: str, term: Tensor) -> None:
            terms[name] = terms[name] + term if name in terms else term

        if batch:
            kept = logits[:batch][self._accepted(features[:batch])]
            if len(kept):
                add("contrastive", config.beta_tta * contrast(kept, config.direction))
        if drawn:
            add("contrastive", config.beta_tta * contrast(logits[drawn], config.direction))
        for group in (logits[:batch], logits[drawn]):
            if config.beta_reg and len(group) > 1:  # of one image alone it would reward doubt
                add("diversity", -config.beta_reg * losses.marginal_entropy(group))
        if config.open_set and batch:
            score = self._score(features[:batch])
            oce = losses.outlier_contrastive_exposure(score, self.threshold, self.gamma, config.oce)
            if oce is not None:
                add("oce", config.beta_ood * oce)
        return terms

    def _gradient_norms(self, terms: dict[str, Tensor], features: Tensor) -> dict[str, float]:
        """How hard each term pulls on the features: Frobenius norm of its gradient."""
        norms = {}
        for name, term in terms.items():
            (gradient,) = torch.autograd.grad(term, features, retain_graph=True)
            norms[f"grad_{name}"] = gradient.norm().item()
        return norms
