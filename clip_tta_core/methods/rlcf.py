"""RLCF: adaptation with a CLIP's reward. Zhao et al., ICLR 2024, arXiv 2305.18010.

For every picture, of which V views are made:

    kept     the tenth of the views with the lowest entropy, chosen once
    sampled  the K likeliest classes of each kept view, in every step anew
    reward   2.5 max(0, cosine of the view and the class's text), by a judge: another CLIP, or several
    loss     mean over views and samples of (reward - its mean over the view's samples) * -log p
    step     AdamW, on the words of the prompt, on the image encoder or on its norms; then all is forgotten

"Sampling" is the K likeliest, nothing is drawn. With one sample there is nothing to compare, and only weight
decay moves anything; the released code then takes the bare reward instead. Several judges are averaged with
weights that are normalized and, as by the authors, rounded to two digits. A judge of another resolution is
shown the views resized (bicubic, corners aligned). With CLIP as its own judge the signal is weak, not zero.

The authors' prompt runs start from prompts learned on ImageNet; here every run starts from its template. They
also blend tuned weights into the start after every 64 pictures, if asked to; that is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import scores
from clip_tta_core.clip.classifier import ClipClassifier, Prediction, Train
from clip_tta_core.clip.loading import MODELS, classifier, load
from clip_tta_core.clip.views import encode_views, make_views
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import register
from clip_tta_core.methods.per_picture import PerPicture, PerPictureConfig, Study
from clip_tta_core.records import Cost

SHARPNESS = 2.5  # CLIPScore's factor: Hessel et al., EMNLP 2021
ITSELF = "itself"
if TYPE_CHECKING:  # a checker of types cannot run the code below, which says what words a knob takes
    Judge = More = str
else:
    Judge = Literal[(ITSELF, *MODELS)]
    More = Literal[("none", ITSELF, *MODELS)]
FORKS: dict[str, Train] = {"prompt": "context", "norms": "visual_norm", "image_encoder": "visual_tower"}


@dataclass(frozen=True)
class _Judge:
    """Who rewards, and with what say."""

    clip: ClipClassifier
    share: float  # of the say of all judges
    side: int | None  # of its pictures, in pixels; None is the run's own model, which has seen them


@dataclass(frozen=True)
class RlcfConfig(PerPictureConfig):
    tune: Literal["prompt", "norms", "image_encoder"] = knob("prompt", help="What learns from the rewards.")
    lr: float = knob(
        7e-3, 0.0, 1.0, log=True, help="Step size of AdamW; the authors take 1e-5 for the image encoder."
    )
    steps: int = knob(3, 1, 20, help="Steps per picture.")
    views: int = knob(64, 1, 128, help="Views of a picture, itself among them.")
    share: float = knob(0.1, 0.01, 1.0, help="Share of the views that are sure enough to count.")
    samples: int = knob(3, 1, 10, help="Likeliest classes of a view that are rewarded.")
    augmix: bool = knob(False, help="Also change the views' colours and shapes.")
    weight_decay: float = knob(5e-4, 0.0, 1.0, help="Shrinks what learns a little each step.")
    judge: Judge = knob(ITSELF, help="The CLIP whose similarity is the reward.")
    second: More = knob("none", help="Another judge.")
    third: More = knob("none", help="And another.")
    judge_weight: float = knob(10.0, 0.0, 100.0, help="Say of the first judge.")
    second_weight: float = knob(5.0, 0.0, 100.0, help="Say of the second judge.")
    third_weight: float = knob(3.0, 0.0, 100.0, help="Say of the third judge.")
    candidates: int | Literal["all"] = knob(
        "all", 2, 1000, help="Classes whose texts are tuned: a picture's likeliest ones, or all."
    )


@register
class Rlcf(PerPicture[RlcfConfig]):
    """Reward the classes that a judging CLIP finds to fit a picture's sure views, and learn from the rewards
    for this picture alone."""

    name, title, family = "rlcf", "RLCF", "prompts"
    citation = "Zhao et al., ICLR 2024, arXiv 2305.18010"
    views_answer = False
    needs = "texts"
    presets = {
        "authors, prompt": {},
        "authors, image encoder": {"tune": "image_encoder", "lr": 1e-5},
        "authors, fine-grained": {"steps": 5, "augmix": True},
        "quick": {"views": 16, "candidates": 20},
    }
    Config = RlcfConfig

    @classmethod
    def cost(cls, config: RlcfConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        if config.tune == "prompt":
            return Cost(config.views, texts=True)
        kept = max(1, int(config.share * config.views))
        return Cost(config.views + config.steps * kept + 1, config.steps * kept)

    def __init__(self, clip: ClipClassifier, config: RlcfConfig, rng: torch.Generator) -> None:
        self.weight_decay = config.weight_decay  # before the optimizer is made
        super().__init__(clip.source.fork(FORKS[config.tune]), config, rng)
        self.judges = self._judges()

    def _judges(self) -> list[_Judge]:
        """The judges that have a say."""
        config = self.config
        named = [(config.judge, config.judge_weight), (config.second, config.second_weight)]
        named = [*named, (config.third, config.third_weight)]
        named = [(name, weight) for name, weight in named if name != "none" and weight]
        if not named:
            raise ValueError("Rlcf: at least one judge must have a weight above 0, got none; raise a weight.")
        total = sum(weight for _, weight in named)
        return [self._judge(name, round(weight / total, 2)) for name, weight in named]

    def _judge(self, name: str, share: float) -> _Judge:
        if name == ITSELF:
            return _Judge(self.clip.source, share, None)
        loaded = load(name, str(self.clip.device))
        return _Judge(
            classifier(loaded, self.clip.class_names, self.clip.templates[0]), share, loaded.image_size
        )

    def studies(self, images: Tensor, source: Prediction) -> Iterator[Study]:
        config = self.config
        state = self.rng.get_state()
        features = encode_views(self.clip, images, config.views, self.rng, config.augmix)  # (B, V, D)
        kept = scores.surest(self.clip.classify(features), config.share)  # (B, n)
        pixels = self._pixels(images, kept, state)
        for number, zero_shot in enumerate(source.logits):
            unadapted = zero_shot, features[number, 0]
            chosen = features[number, kept[number]]  # (n, D)
            reward = self._reward(chosen, pixels[number])  # (n, K)
            if config.tune == "prompt":
                study = self._of_prompt(chosen, reward, unadapted)
            else:
                study = self._of_encoder(images[number : number + 1], pixels[number], reward, unadapted)
            numbers = {"reward": reward.nan_to_num().amax(dim=-1).mean().item()}
            yield dataclasses.replace(study, numbers=numbers)

    def _of_prompt(self, kept: Tensor, reward: Tensor, unadapted: tuple[Tensor, Tensor]) -> Study:
        """Of one picture's kept views (n, D), their rewards (n, K) and its zero-shot answer."""
        zero_shot, feature = unadapted
        classes = scores.likeliest(zero_shot, self.config.candidates)

        def loss() -> Tensor:
            logits = self.clip.classify(kept, self.clip.encode_classes(classes=classes))  # (n, c)
            return reward_loss(logits, reward[:, classes], self.config.samples)

        def answer() -> tuple[Tensor, Tensor]:
            answer = zero_shot.clone()
            if self.episode.moved:
                texts = self.clip.encode_classes(classes=classes)
                answer[classes] = self.clip.classify(feature[None], texts)[0]
            return answer, feature

        return Study(loss, answer)

    def _of_encoder(
        self, picture: Tensor, pixels: Tensor, reward: Tensor, unadapted: tuple[Tensor, Tensor]
    ) -> Study:
        """Of a picture (1, 3, H, W), its kept views (n, 3, H, W), rewards (n, K) and zero-shot answer."""

        def loss() -> Tensor:
            return reward_loss(self.clip.predict(pixels).logits, reward, self.config.samples)

        return Study(loss, lambda: self.look_again(picture, unadapted))

    def _pixels(self, images: Tensor, kept: Tensor, state: Tensor) -> Tensor:
        """The kept views themselves (B, n, 3, H, W); n is 0 where no encoder but the frozen one sees them."""
        if self.config.tune == "prompt" and all(judge.side is None for judge in self.judges):
            return images[:, None][:, :0]
        if self.config.views == 1:
            return images[:, None]
        rng = torch.Generator()
        rng.set_state(state)  # the same views again
        parts = [
            make_views(image[None], self.config.views, rng, self.config.augmix)[0, chosen]
            for image, chosen in zip(images, kept, strict=True)
        ]
        return torch.stack(parts)

    def _reward(self, features: Tensor, pixels: Tensor) -> Tensor:
        """Reward of every class for every kept view. (n, D), (n, 3, H, W) -> (n, K)"""
        total = torch.zeros((), device=features.device)
        for judge in self.judges:
            seen = features if judge.side is None else judge.clip.encode_image(resized(pixels, judge.side))
            total = total + judge.share * SHARPNESS * (seen @ judge.clip.text_features.T).clamp(min=0)
        return total


def reward_loss(logits: Tensor, reward: Tensor, samples: int) -> Tensor:
    """Policy gradient on each view's likeliest classes, against their mean reward. 2 x (n, K) -> ()"""
    sampled = logits.detach().topk(min(samples, logits.shape[-1]), dim=-1).indices  # (n, samples)
    found = reward.gather(-1, sampled)
    advantage = found - found.mean(dim=-1, keepdim=True)
    return -(advantage * logits.log_softmax(dim=-1).gather(-1, sampled)).mean()


def resized(images: Tensor, side: int) -> Tensor:
    """Pictures at the resolution a judge was trained for. (n, 3, H, W) -> (n, 3, side, side)"""
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, (side, side), mode="bicubic", align_corners=True)
