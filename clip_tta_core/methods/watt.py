"""WATT: average the weights found with several prompts. Osowiechi et al., NeurIPS 2024, arXiv 2406.13875.

One batch; all steps share one optimizer, which only the templates of the parallel form's first round start
afresh:

    repeat `rounds` times
        for each template
            parallel: go back to the weights the round started from
            `steps` steps of CLIPArTT's loss, with the template's caption of each picture's likeliest class
            remember the weights
        continue from the average of the remembered weights

Step sizes are those of the authors' scripts: 1e-3 for the sequential form on CIFAR, 1e-4 elsewhere. All their
scripts of the parallel form ask for 50 rounds; their code's default, which none of them uses, is 5.

CLIPTTA's re-implementation takes the softmax over the pictures of a caption, and by default a single
template, which leaves nothing to average; its protocol here means rounds, steps, schedule and not starting
over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.prompts import TEMPLATES
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import DASHED, SKY, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class WattConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(2, 1, 20, help="Gradient steps each time a template has its turn.")
    rounds: int = knob(5, 1, 50, help="How often all templates have their turn.")
    templates: int = knob(8, 1, 8, help="Prompt templates, each with class texts of its own.")
    schedule: Literal["sequential", "parallel"] = knob(
        "sequential", help="Templates go on from each other's weights, or all start where the round did."
    )
    ensemble: bool = knob(
        False,
        help="Predict with the templates' average text, as the authors; off: as every other method.",
    )
    transposed: bool = knob(False, help="Take the targets by columns, as the released code does.")
    through_targets: bool = knob(
        False, help="Let gradients flow through the targets, as the released code does."
    )
    episodic: bool = knob(True, help="Start over at every batch, as the authors do.")


@register
class Watt(Method[WattConfig]):
    """Adapt with one prompt template after another (or each on its own) and go on from the average of the
    weights; the most expensive method that sees every picture once."""

    name, title, family = "watt", "WATT", "contrastive"
    citation = "Osowiechi et al., NeurIPS 2024, arXiv 2406.13875"
    look = Look(SKY, DASHED, "circle")
    train = "visual_norm"
    needs = "texts"
    episodic = True
    presets = {
        "authors": {"ensemble": True},
        "authors, larger data sets": {"lr": 1e-4, "ensemble": True},
        "authors, parallel": {"schedule": "parallel", "lr": 1e-4, "rounds": 50, "ensemble": True},
        "authors, released code": {"transposed": True, "through_targets": True, "ensemble": True},
        "CLIPTTA protocol": {"schedule": "parallel", "steps": 5, "rounds": 2, "episodic": False},
        "quick": {"steps": 1, "rounds": 1, "templates": 4},
    }
    Config = WattConfig

    @classmethod
    def cost(cls, config: WattConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        turns = config.rounds * config.templates * config.steps
        return Cost(turns + 1, turns)

    def __init__(self, clip: ClipClassifier, config: WattConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.episodic = config.episodic
        self.optimizer = self._fresh_optimizer()
        self.texts = clip.template_features(TEMPLATES["eight"][: config.templates])  # (T, K, D)

    def adapt(self, images: Tensor) -> dict[str, float]:
        config = self.config
        weights = self.clip.trainable()
        ticks = self.steps(config.rounds * len(self.texts) * config.steps)
        skipped, spread = 0, 0.0
        for round_ in range(config.rounds):
            start = average = optim.copies(weights)
            for turn, texts in enumerate(self.texts):
                if config.schedule == "parallel":
                    optim.put_back(weights, start)
                    if round_ == 0 and config.episodic:
                        self.optimizer = self._fresh_optimizer()
                for _ in range(config.steps):
                    next(ticks)
                    loss = self._loss(images, texts)
                    skipped += not optim.guarded_step(self.optimizer, loss)
                if turn == 0:
                    average = optim.copies(weights)
                else:
                    optim.ema_update(average, weights, 1 / (turn + 1))
            spread = optim.drift(weights, average)
            optim.put_back(weights, average)
        return {"loss": loss.item(), "spread": spread, "skipped": float(skipped)}

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if not self.config.ensemble:
            return self.clip.predict(images)
        features = self.clip.encode_image(images)
        texts = torch.nn.functional.normalize(self.texts.mean(dim=0), dim=-1)  # (K, D)
        return Prediction(self.clip.classify(features, texts), features)

    def _fresh_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.clip.trainable(), lr=self.config.lr, eps=1e-6)

    def _loss(self, images: Tensor, texts: Tensor) -> Tensor:
        """CLIPArTT's loss with the captions of the likeliest classes under one template's texts (K, D)."""
        features = self.clip.encode_image(images)  # (B, D)
        logits = self.clip.classify(features.detach(), texts)  # (B, K)
        captions = texts[logits.argmax(dim=-1)]  # (B, D)
        loss = losses.similarity_matching(
            features, captions, self.clip.scale, self.config.transposed, self.config.through_targets
        )
        self.show(logits, loss=loss)
        return loss
