"""CLIPArTT: prompts that name several classes. Vargas Hakim et al., WACV 2025, arXiv 2405.00754.

The released code takes a forward of its own to choose the classes; the weights are the same, so one forward
serves both here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.clip.prompts import SINGLE, fill
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import SKY, SOLID, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class CliparttConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(10, 1, 50, help="Gradient steps per batch.")
    top: int = knob(3, 1, 10, help="Classes named in a picture's caption, the likeliest first.")
    transposed: bool = knob(False, help="Take the targets by columns, as the released code does.")
    through_targets: bool = knob(
        False, help="Let gradients flow through the targets, as the released code does."
    )
    episodic: bool = knob(True, help="Start over at every batch, as the authors do.")


@register
class Clipartt(Method[CliparttConfig]):
    """Caption every picture with its likeliest classes together, as "a photo of a cat or dog or fox", and
    teach pictures to resemble these captions as much as pictures and captions resemble each other."""

    name, title, family = "clipartt", "CLIPArTT", "contrastive"
    citation = "Vargas Hakim et al., WACV 2025, arXiv 2405.00754"
    look = Look(SKY, SOLID, "square")
    train = "visual_norm"
    needs = "texts"
    episodic = True
    presets = {
        "authors": {},
        "authors, released code": {"transposed": True, "through_targets": True},
        "CLIPTTA protocol": {"episodic": False},
    }
    Config = CliparttConfig

    @classmethod
    def cost(cls, config: CliparttConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.steps + 1, config.steps, texts=config.top > 1)

    def __init__(self, clip: ClipClassifier, config: CliparttConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.episodic = config.episodic
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=config.lr, eps=1e-6)

    def adapt(self, images: Tensor) -> dict[str, float]:
        skipped = 0
        for _ in self.steps(self.config.steps):
            prediction = self.clip.predict(images)
            loss = losses.similarity_matching(
                prediction.features,
                self._captions(prediction.logits.detach()),
                self.clip.scale,
                self.config.transposed,
                self.config.through_targets,
            )
            self.show(prediction.logits, loss=loss)
            skipped += not optim.guarded_step(self.optimizer, loss)
        entropy = losses.entropy(prediction.logits.detach()).mean()
        return {"loss": loss.item(), "entropy": entropy.item(), "skipped": float(skipped)}

    def _captions(self, logits: Tensor) -> Tensor:
        """Text feature of each picture's combined caption. (B, K) -> (B, D)"""
        chosen = logits.topk(min(self.config.top, logits.shape[1]), dim=-1).indices  # (B, top)
        if chosen.shape[1] == 1:
            return self.clip.text_features[chosen[:, 0]]
        names = self.clip.class_names
        captions = fill(SINGLE, [" or ".join(names[k] for k in row) for row in chosen.tolist()])
        try:
            return self.clip.encode_prompts(captions)
        except ValueError as error:  # a model with a small vocabulary
            raise ValueError(
                f"CLIPArTT: the model cannot read captions such as '{captions[0]}' ({error}); set top to 1 "
                "or choose another CLIP."
            ) from error
