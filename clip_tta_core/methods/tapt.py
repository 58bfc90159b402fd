"""TAPT: test-time adversarial prompt tuning. Wang et al., CVPR 2025, arXiv 2411.13136.

For every picture two learned tokens in each of the first nine blocks of the image encoder are tuned on many
views of it, and forgotten:

    kept   the tenth of the views with the lowest entropy, chosen once
    L_ent  entropy of the mean prediction of the kept views
    A(ref) sum over the first eight blocks of the mean absolute difference between the tokens' means and
           variances over the kept views and those of a reference, half each
    loss   L_ent + weight / 9 * (gamma A(attacked) + (1 - gamma) A(clean))
    step   AdamW on the tokens; the answer is that of the picture itself

The statistics are of what goes into a block, learned tokens included; over views their variance is divided
by their number, of the references by one less. Differences below 1e-6 count as none: a token that is the same
in all views and in the reference would otherwise move by the sign of rounding.

The authors start from tokens trained against attacks and hold them to statistics of ImageNet. Here tokens
start almost at zero, and the references are made from the pictures given to `see_source`: clean ones of the
stream's source, and the same attacked. Without them the loss is L_ent alone. As released, the trained tokens
are lost before the first picture, which its successor TAME mends (arXiv 2605.17577).
Where nothing was learned, the answer is CLIP's without any tokens.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import losses, scores
from clip_tta_core.attacks import Attack, pgd
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.views import make_views
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import register
from clip_tta_core.methods.per_picture import PerPicture, PerPictureConfig, Study
from clip_tta_core.records import Cost

ROUNDING = 1e-6  # differences of statistics that are none
Statistics = list[tuple[Tensor, Tensor]]  # per block: means and variances (N, width) of its tokens


@dataclass(frozen=True)
class TaptConfig(PerPictureConfig):
    lr: float = knob(5e-4, 0.0, 1.0, log=True, help="Step size of AdamW.")
    steps: int = knob(1, 1, 20, help="Steps per picture.")
    views: int = knob(64, 1, 128, help="Views of a picture, itself among them.")
    share: float = knob(0.1, 0.01, 1.0, help="Share of the views that are sure enough to learn from.")
    weight: float = knob(100.0, 0.0, 1000.0, help="Weight of the distance to the references.")
    gamma: float = knob(0.5, 0.0, 1.0, help="Share of the attacked reference; 0 is the clean one alone.")
    blocks: int = knob(8, 1, 32, help="Blocks whose tokens are compared.")
    divisor: float = knob(9.0, 1.0, 32.0, help="What the sum over blocks is divided by.")
    spread: float = knob(
        1e-4, 0.0, 1.0, help="Size of the tokens at the start; the authors' untrained ones have 0.02."
    )


@register
class Tapt(PerPicture[TaptConfig]):
    """Tune extra tokens of the image encoder for every picture until its sure views agree and look, inside
    the encoder, as clean and attacked pictures on average do."""

    name, title, family = "tapt", "TAPT", "prompts"
    citation = "Wang et al., CVPR 2025, arXiv 2411.13136"
    views_answer = False
    train = "visual_prompts"
    source_pictures = 256
    presets = {
        "authors": {"spread": 0.02},
        "TAME, one set of tokens": {"lr": 3.5e-3, "weight": 13.25, "blocks": 5, "divisor": 6.0},
        "quick": {"views": 16},
    }
    Config = TaptConfig

    @classmethod
    def cost(cls, config: TaptConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        kept = max(1, int(config.share * config.views))
        return Cost(1 + config.views + config.steps * kept + 1, config.steps * kept)

    def __init__(self, clip: ClipClassifier, config: TaptConfig, rng: torch.Generator) -> None:
        # Not of `rng`, whose numbers are the views': these must be the same for references and run.
        seeded = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for prompt in clip.trainable():
                prompt.copy_(config.spread * torch.randn(prompt.shape, generator=seeded))
        super().__init__(clip, config, rng)  # now that the tokens are what every picture starts from
        self.references: dict[str, Statistics] = {}

    def see_source(self, images: Tensor, labels: Tensor, attack: Attack | None = None) -> None:
        """Take the references from clean pictures, computed once for a model and these pictures.

        Args:
            images: (B, 3, H, W) in [0, 1], a hundred or more.
            labels: (B,) true classes; without one a picture counts for the clean reference only.
            attack: of the attacked reference.
        """
        clip, config = self.clip, self.config
        key = (id(images), config.spread, config.blocks, bool(config.gamma), attack)
        known = _REFERENCES.setdefault(clip.source, {})
        if key not in known or known[key][0]() is not images:
            found = {"clean": token_statistics(clip, images, config.blocks)}
            if config.gamma and (labels >= 0).any():
                attacked = pgd(
                    lambda pictures: clip.source.predict(pictures).logits,
                    images[labels >= 0],
                    labels[labels >= 0],
                    attack or Attack(),
                    torch.Generator().manual_seed(0),
                )
                found["attacked"] = token_statistics(clip, attacked, config.blocks)
            known[key] = (weakref.ref(images), found)
        self.references = known[key][1]

    def studies(self, images: Tensor, source: Prediction) -> Iterator[Study]:
        for number in range(len(images)):
            picture = images[number : number + 1]
            views = make_views(picture, self.config.views, self.rng)[0]  # (V, 3, H, W)
            yield self._study(picture, views, (source.logits[number], source.features[number]))

    def _study(self, picture: Tensor, views: Tensor, unadapted: tuple[Tensor, Tensor]) -> Study:
        """Of one picture (1, 3, H, W), its views and its zero-shot answer."""
        kept = views[scores.surest(self.clip.predict(views).logits, self.config.share)]

        def loss() -> Tensor:
            features, inputs = self.clip.encode_blocks(kept)
            return losses.view_entropy(self.clip.classify(features)) + self._alignment(inputs)

        return Study(loss, lambda: self.look_again(picture, unadapted))

    def _alignment(self, inputs: list[Tensor]) -> Tensor | float:
        """Weighted distance of the kept views' tokens to the references. (n, N, width) per block -> ()"""
        config = self.config
        seen = [(tokens.mean(dim=0), tokens.var(dim=0, correction=0)) for tokens in inputs[: config.blocks]]
        shares = {"clean": 1 - config.gamma, "attacked": config.gamma}
        total = torch.zeros(())
        for name, reference in self.references.items():
            total = total + shares[name] * statistics_distance(seen, reference)
        return config.weight / config.divisor * total


# Of a model, the references made from some pictures; gone with either.
_REFERENCES: weakref.WeakKeyDictionary[ClipClassifier, dict] = weakref.WeakKeyDictionary()


@torch.no_grad()
def token_statistics(clip: ClipClassifier, images: Tensor, blocks: int) -> Statistics:
    """Means and unbiased variances over pictures of what goes into the first blocks. (B, 3, H, W)"""
    count, sums, squares = 0, [], []
    for part in images.split(64):
        inputs = [tokens.double() for tokens in clip.encode_blocks(part)[1][:blocks]]
        sums = sums or [torch.zeros_like(tokens[0]) for tokens in inputs]
        squares = squares or [torch.zeros_like(tokens[0]) for tokens in inputs]
        for total, square, tokens in zip(sums, squares, inputs, strict=True):
            total += tokens.sum(dim=0)
            square += tokens.square().sum(dim=0)
        count += len(part)
    means = [total / count for total in sums]
    variances = [
        (square - count * mean.square()).clamp(min=0) / max(1, count - 1)
        for square, mean in zip(squares, means, strict=True)
    ]
    return [(mean.float(), variance.float()) for mean, variance in zip(means, variances, strict=True)]


def statistics_distance(seen: Statistics, reference: Statistics) -> Tensor:
    """Sum over blocks of half the mean absolute differences of means and of variances. -> ()"""
    total = torch.zeros(())
    for pair, other in zip(seen, reference, strict=True):
        for found, wanted in zip(pair, other, strict=True):
            difference = (found - wanted).abs()
            total = total + difference.where(difference > ROUNDING, 0.0).mean() / 2
    return total
