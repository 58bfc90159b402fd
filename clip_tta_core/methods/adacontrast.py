"""AdaContrast: contrastive test-time adaptation. Chen et al., CVPR 2022, arXiv 2204.10377.

One step, with w a light view of each picture and q, k two strong ones:

    refined label  class of the mean prediction of the 10 nearest of a bank of past pictures, by cosine of the
                   slow encoder's features
    L_cls          cross-entropy of q's prediction with the refined label
    L_ins          -log [ e^(q k / 0.07) / (e^(q k / 0.07) + sum of e^(q k_j / 0.07) over queued k_j whose
                   picture had another label) ], with k and the queue by the slow encoder
    L_div          minus the entropy of the mean prediction of q
    slow           0.999 slow + 0.001 adapted, after every step

Then the slow encoder's feature and prediction of w join the bank, k and its label the queue, and the oldest
leave. The first batch is its own bank, and its queue is empty: L_ins is 0 in the very first step.

The original trains all weights of a ResNet by momentum descent over several epochs; the norms by Adam are
ours, for CLIP. CLIPTTA's re-implementation never updates the slow encoder and has the batch for a bank; its
protocol here means the weights of the terms, three neighbours, and the number of steps. The adapted encoder
predicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from clip_tta_core import augment, losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class AdacontrastConfig(GradientConfig):
    lr: float = knob(1e-4, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch.")
    neighbours: int = knob(10, 1, 100, help="Past pictures whose predictions refine a label.")
    bank: int = knob(16384, 16, 65536, log=True, help="Past predictions kept to find neighbours in.")
    queue: int = knob(16384, 16, 65536, log=True, help="Past views kept to be told apart from.")
    temperature: float = knob(0.07, 0.01, 10.0, log=True, help="Softness of the contrast between pictures.")
    momentum: float = knob(0.999, 0.0, 1.0, help="How much the slow encoder keeps of itself each step.")
    beta_ins: float = knob(1.0, 0.0, 10.0, help="Weight of the contrast between pictures.")
    beta_reg: float = knob(1.0, 0.0, 10.0, help="Weight of the diversity bonus against collapse.")


@register
class Adacontrast(Method[AdacontrastConfig]):
    """Refine labels by the vote of past pictures that look alike, learn them on changed views, and keep two
    views of a picture together and those of other classes apart."""

    name, title, family = "adacontrast", "AdaContrast", "contrastive"
    citation = "Chen et al., CVPR 2022, arXiv 2204.10377"
    train = "visual_norm"
    steps_on = "views"
    presets = {
        "for CLIP": {},
        "CLIPTTA protocol": {"steps": 10, "neighbours": 3, "beta_ins": 0.1, "beta_reg": 0.1},
        "short stream": {"momentum": 0.99, "lr": 1e-3},
    }
    Config = AdacontrastConfig

    @classmethod
    def cost(cls, config: AdacontrastConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(3 * config.steps + 1, config.steps)

    def __init__(self, clip: ClipClassifier, config: AdacontrastConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=config.lr, eps=1e-6)
        self.slow = clip.fork("visual_norm")
        dim = clip.text_features.shape[1]
        self.past = torch.zeros(0, dim, device=clip.device)  # (S, D), oldest first
        self.past_probs = torch.zeros(0, clip.num_classes, device=clip.device)  # (S, K)
        self.keys = torch.zeros(0, dim, device=clip.device)  # (Q, D)
        self.key_labels = torch.zeros(0, dtype=torch.long, device=clip.device)  # (Q,)

    def adapt(self, images: Tensor) -> dict[str, float]:
        skipped = 0
        for step in self.steps(self.config.steps):
            light = augment.crop_flip(images, self.rng)
            strong, other = (augment.strong(images, self.rng) for _ in range(2))
            with torch.no_grad():
                seen = self.slow.predict(light)
                keys = self.slow.encode_image(other)  # (B, D)
            probs = seen.logits.softmax(dim=-1)
            labels = self._refined(seen.features, probs)  # (B,)
            logits, terms = self._terms(strong, keys, labels)
            loss = reduce(torch.add, terms.values())
            self.show(logits, loss=loss, **terms)
            if optim.guarded_step(self.optimizer, loss):
                optim.ema_update(self.slow.trainable(), self.clip.trainable(), 1 - self.config.momentum)
            else:
                skipped += 1
            if step == 0:  # a batch is remembered once, however many steps it is worth
                fresh = seen.features, probs, keys, labels
        self._remember(*fresh)
        agreed = (labels == probs.argmax(dim=-1)).float().mean()
        report = {name: term.item() for name, term in terms.items()}
        return {"loss": loss.item(), **report, "agreed": agreed.item(), "skipped": float(skipped)}

    def _refined(self, features: Tensor, probs: Tensor) -> Tensor:
        """Labels by the vote of the nearest in the bank; of the first batch, in the batch. (B, D), (B, K)"""
        bank, votes = (self.past, self.past_probs) if len(self.past) else (features, probs)
        nearest = (features @ bank.T).topk(min(self.config.neighbours, len(bank)), dim=-1).indices  # (B, n)
        return votes[nearest].mean(dim=1).argmax(dim=-1)

    def _terms(self, strong: Tensor, keys: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (B, K) of the views, and the weighted terms of the loss. (B, 3, H, W), (B, D), (B,)"""
        config = self.config
        seen = self.clip.predict(strong)
        terms = {"classes": torch.nn.functional.cross_entropy(seen.logits, labels)}
        if config.beta_ins:
            own = (seen.features * keys).sum(dim=-1, keepdim=True) / config.temperature  # (B, 1)
            others = seen.features @ self.keys.T / config.temperature  # (B, Q)
            others = others.masked_fill(labels[:, None] == self.key_labels, -torch.inf)
            together = torch.cat([own, others], dim=1).logsumexp(dim=1)
            terms["instances"] = config.beta_ins * (together - own[:, 0]).mean()
        if config.beta_reg and len(strong) > 1:  # of one image alone it would reward doubt
            terms["diversity"] = -config.beta_reg * losses.marginal_entropy(seen.logits)
        return seen.logits, terms

    def _remember(self, features: Tensor, probs: Tensor, keys: Tensor, labels: Tensor) -> None:
        """What is a number joins bank and queue; the oldest leave."""
        sound = (features.isfinite().all(dim=-1) & keys.isfinite().all(dim=-1)).nonzero().flatten()
        self.past = torch.cat([self.past, features[sound]])[-self.config.bank :]
        self.past_probs = torch.cat([self.past_probs, probs[sound]])[-self.config.bank :]
        self.keys = torch.cat([self.keys, keys[sound]])[-self.config.queue :]
        self.key_labels = torch.cat([self.key_labels, labels[sound]])[-self.config.queue :]
