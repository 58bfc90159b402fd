"""Methods that take gradient steps for one picture alone, answer it, and forget what they learned.

for each picture of the batch
    steps times: AdamW on the loss of its views
    answer it with what was learned, as unadapted CLIP does where nothing was
    give every weight its value back
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from clip_tta_core import hparams, optim
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.methods.forgetful import Forgetful


class PerPictureConfig(hparams.Config):
    """What every one of them takes; order, defaults and ranges are its own, so no fields are made here."""

    lr: float
    steps: int


P = TypeVar("P", bound=PerPictureConfig)


@dataclass(frozen=True)
class Study:
    """What is done with one picture."""

    loss: Callable[[], Tensor]  # () with the weights as they are
    answer: Callable[[], tuple[Tensor, Tensor]]  # logits (K,) and feature (D,) once it has been learned from
    numbers: Mapping[str, float] = field(default_factory=dict)  # worth plotting, as means over the batch


class PerPicture(Forgetful[P]):
    """Base of methods that tune something for every single picture."""

    steps_on = "picture"
    weight_decay = 0.01  # of AdamW

    def __init__(self, clip: ClipClassifier, config: P, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.episode = optim.Episode(clip.trainable(), config.lr, self.weight_decay)

    def studies(self, images: Tensor, source: Prediction) -> Iterator[Study]:
        """One study for each picture, made when its turn comes.

        Args:
            images: (B, 3, H, W) in [0, 1].
            source: what unadapted CLIP says of them.
        """
        raise NotImplementedError

    def look_again(self, picture: Tensor, unadapted: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """A picture (1, 3, H, W) through the encoder as it has learned. -> logits (K,), feature (D,)

        Args:
            picture: the one.
            unadapted: the answer where nothing was learned.
        """
        if not self.episode.moved:
            return unadapted
        seen = self.clip.predict(picture)
        return seen.logits[0], seen.features[0]

    @torch.no_grad()
    def answer(self, images: Tensor) -> tuple[Prediction, dict[str, float]]:
        config = self.config
        source = self.clip.zero_shot(images)
        logits, features = source.logits.clone(), source.features.clone()  # (B, K), (B, D), row by row
        ticks = self.steps(len(images) * config.steps)
        taken: list[float] = []
        numbers: dict[str, list[float]] = {}

        def show(loss: Tensor) -> None:
            self.show(logits, loss=loss)

        for number, study in enumerate(self.studies(images, source)):
            taken += self.episode.learn(study.loss, islice(ticks, config.steps), show)
            logits[number], features[number] = study.answer()
            self.episode.forget()
            for name, value in study.numbers.items():
                numbers.setdefault(name, []).append(value)
        report = {"loss": sum(taken) / max(1, len(taken))}
        report |= {name: sum(values) / len(values) for name, values in numbers.items()}
        report["skipped"] = float(len(images) * config.steps - len(taken))
        return Prediction(logits, features), report
