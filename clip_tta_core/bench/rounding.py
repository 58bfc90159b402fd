"""What bfloat16 changes in a whole run: the same batches in both formats, answer by answer."""

from __future__ import annotations

import copy
import dataclasses
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core.bench import speed
from clip_tta_core.clip import loading, precision
from clip_tta_core.clip.loading import LoadedClip
from clip_tta_core.engine import to_tensor
from clip_tta_core.records import RunConfig
from clip_tta_core.stream import Stream

METHODS = ("zero_shot", "tent", "cliptta")
FORMS = (None, torch.bfloat16)


@dataclass(frozen=True)
class Difference:
    """One contender on one stream, in float32 and in bfloat16."""

    method: str
    accuracy: tuple[float, float]
    changed: float  # share of the pictures that get another answer
    cosine: float  # of a picture's features in the two formats: the smallest


def differences(
    model: str, batch: int, batches: int, methods: Sequence[str] = METHODS
) -> Iterator[Difference]:
    """Compare the formats on fog at severity 5, every method at its defaults.

    The pictures are the rendered task. Of a model with random weights, which gets classes that they show as
    for the timings, and of photo-CLIP the accuracy means nothing; the share of other answers does.
    """
    loaded = [_in_form(speed.load(model, "cpu", "float32"), form) for form in FORMS]
    names = speed.class_names(loaded[0].name)
    config = RunConfig(corruption="fog", batch_size=batch, batches=batches)
    shown = [*Stream(config, loaded[0].image_size)]
    labels = torch.cat([torch.from_numpy(one.labels) for one in shown])
    for method in methods:
        found = [_run(method, own, names, [one.images for one in shown]) for own in loaded]
        answers = [logits.argmax(dim=-1) for logits, _ in found]
        features = [F.normalize(own, dim=-1) for _, own in found]
        right = [(own == labels).float().mean().item() for own in answers]
        changed = (answers[0] != answers[1]).float().mean().item()
        cosine = (features[0] * features[1]).sum(dim=-1).min().item()
        yield Difference(method, (right[0], right[1]), changed, cosine)


def _in_form(loaded: LoadedClip, form: torch.dtype | None) -> LoadedClip:
    visual = precision.store(copy.deepcopy(loaded.visual), form)
    return dataclasses.replace(loaded, visual=visual, autocast=form, texts=OrderedDict())


def _run(method: str, loaded: LoadedClip, names: Sequence[str], batches: Sequence) -> tuple[Tensor, Tensor]:
    """Adapt to every batch and predict it. -> logits (N, K) and features (N, D)"""
    clip = loading.classifier(loaded, tuple(names))
    if loaded.name.endswith(speed.RANDOM):
        clip = speed.spread_classes(clip, speed.pictures(loaded, len(names), seed=1))
    adapting, logits, features = speed.build(method, clip), [], []
    for images in batches:
        pictures = to_tensor(images, loaded.image_size, loaded.device)
        adapting.adapt(pictures)
        prediction = adapting.predict(pictures)
        logits.append(prediction.logits.float())
        features.append(prediction.features.float())
    return torch.cat(logits), torch.cat(features)
