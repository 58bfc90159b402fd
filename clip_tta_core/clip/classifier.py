"""CLIP as a zero-shot classifier: a frozen model that many runs share, and cheap forks to be trained."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clip_tta_core import losses
from clip_tta_core.clip.learned import Prompted, with_context, with_visual_prompts
from clip_tta_core.clip.prompts import SINGLE, fill
from clip_tta_core.clip.tokens import has_tokens, token_reader

Train = Literal[
    "",
    "visual_norm",
    "visual_norm_lower",
    "visual_norm_but_top",
    "norm",
    "visual_tower",
    "context",
    "visual_prompts",
]
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NORMS = (nn.LayerNorm, *BATCH_NORMS)
T = TypeVar("T")
EncodeText = Callable[[Sequence[str]], Tensor]
AMPLIFICATION = 1024.0  # gradients of unit features stay below 1, fp16 ends at 65,504
TEXTS_KEPT = 20_000  # 40 MB of 512 numbers each


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of a batch."""

    logits: Tensor  # (B, K) scaled similarities, or log-probabilities where a method makes its own
    features: Tensor  # (B, D) unit rows
    scores: Tensor | None = None  # (B,) a method's own in-distribution score, higher is more in-distribution
    threshold: float | None = None  # accept where score > threshold; None: nobody has set one


class ClipClassifier:
    """Image encoder, class texts and scale; everything frozen until `fork` makes private copies to train.

    Args:
        visual: module, (B, 3, H, W) normalized images -> (B, D). It is frozen and set to eval mode in place.
        text_features: (K, D), one unit row per class.
        scale: CLIP's factor from cosines to logits, exp(logit_scale), about 100.
        class_names: K names.
        mean, std: per channel, of the normalization the encoder was trained with.
        encode_text: texts -> (N, D) unit rows; a module where its own norms may be trained. Optional.
        templates: prompt templates with one `{}` each; what the class texts were made with.
        micro_batch: at most so many images go through the encoder at once; of more, all but the last piece
            are recomputed in the backward pass, trading a forward for memory. None: no limit. Batch
            normalization then sees the statistics of a piece.
        autocast: dtype of the encoder under autocast, None for float32. Features and logits are float32.
    """

    _micro_batch: int | None  # of a frozen classifier

    def __init__(
        self,
        visual: nn.Module,
        text_features: Tensor,
        scale: float = 100.0,
        class_names: Sequence[str] = (),
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        encode_text: EncodeText | None = None,
        templates: Sequence[str] = (SINGLE,),
        micro_batch: int | None = None,
        autocast: torch.dtype | None = None,
    ) -> None:
        if text_features.ndim != 2 or len(text_features) < 2:
            raise ValueError(
                "ClipClassifier: text_features must be (K, D) with two classes or more, "
                f"got {tuple(text_features.shape)}."
            )
        if class_names and len(class_names) != len(text_features):
            raise ValueError(
                f"ClipClassifier: class_names must name all {len(text_features)} rows of text_features, "
                f"got {len(class_names)}."
            )
        for tower in (visual, encode_text):
            if isinstance(tower, nn.Module):
                tower.requires_grad_(False).eval()
        self.visual = visual
        self.text_features = text_features.detach().float()
        self.scale = float(scale)
        self.class_names = tuple(class_names) or tuple(f"class {k}" for k in range(len(text_features)))
        self.encode_text = encode_text
        self.templates = tuple(templates)
        self.autocast = autocast
        self.source = self  # the frozen classifier a fork was made from
        self.micro_batch = micro_batch
        self._mean = torch.tensor(mean, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(std, device=self.device).view(1, 3, 1, 1)
        self._trainable: list[nn.Parameter] = []
        self._last: tuple[weakref.ref, Prediction] | None = None
        self.last_views: tuple | None = None  # kept by `views.encode_views`, of a frozen classifier only
        self._held: tuple[float, losses.SourceForm] | None = None  # see `hold_to_source`
        self._texts: dict[str, Tensor] = {}  # prompt -> (D,), of the frozen text encoder; shared by all forks

    @property
    def device(self) -> torch.device:
        """Where the encoder lives; images must come there."""
        return self.text_features.device

    @property
    def num_classes(self) -> int:
        return len(self.text_features)

    @property
    def micro_batch(self) -> int | None:
        """One limit for a frozen classifier and all its forks: they share the memory it is about."""
        return self.source._micro_batch

    @micro_batch.setter
    def micro_batch(self, size: int | None) -> None:
        self.source._micro_batch = size

    def encode_image(self, images: Tensor, unit: bool = True) -> Tensor:
        """Unit features of images in [0, 1], normalized inside. (B, 3, H, W) -> (B, D) float32

        Args:
            images: (B, 3, H, W).
            unit: False leaves the rows as long as the encoder makes them.
        """
        _check_images(images)
        *others, last = self._pieces(images)
        if self._trainable and torch.is_grad_enabled():
            features = [checkpoint(self._encode, piece, use_reentrant=False) for piece in others]
        else:
            features = [self._encode(piece) for piece in others]
        # Going backward, the last piece comes first and is gone before another needs the memory it keeps.
        features.append(self._encode(last))
        features = torch.cat(features) if others else features[0]
        if self._held and features.requires_grad:
            features = _Pulled.apply(features, self._pull(images, features.detach()))
        return F.normalize(features, dim=-1) if unit else features

    def hold_to_source(self, strength: float, form: losses.SourceForm = "predictions") -> None:
        """Let every gradient that passes an encoding of this fork also lower `losses.source_distance`.

        The same as adding strength times that distance, over the pictures of each encoding, to whatever loss
        is made of it. Values stay as they are.
        """
        self._held = (strength, form)

    @torch.enable_grad()
    def _pull(self, images: Tensor, features: Tensor) -> Tensor:
        """Gradient of the distance to the source by the encoder's rows. (B, 3, H, W), (B, D) -> (B, D)"""
        assert self._held is not None
        strength, form = self._held
        rows = features.requires_grad_()
        source = self.zero_shot(images).features
        distance = losses.source_distance(
            F.normalize(rows, dim=-1), source, self.text_features, self.scale, form
        )
        return torch.autograd.grad(strength * distance, rows)[0]

    def _pieces(self, images: Tensor) -> tuple[Tensor, ...]:
        """Equal pieces within the micro-batch; a lone picture at the end would starve batch normalization."""
        return images.tensor_split(-(-len(images) // (self.micro_batch or len(images))))

    def _encode(self, images: Tensor) -> Tensor:
        features = self._run(self.visual, images).float()
        return _Amplify.apply(features) if self.autocast is torch.float16 else features

    def _run(self, encoder: Callable[[Tensor], T], images: Tensor) -> T:
        with torch.autocast(self.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            return encoder((images - self._mean) / self._std)

    @property
    def has_tokens(self) -> bool:
        """Whether `encode_tokens` works with this image encoder."""
        return has_tokens(self.visual)

    def encode_tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Unit features of the images and of their patches, in the space shared with the texts; one forward.

        (B, 3, H, W) -> (B, D), the same as `encode_image`'s, and (B, N, D), the patch tokens through the
        final norm and the projection.
        """
        _check_images(images)
        read = token_reader(self.visual)
        pieces = [self._run(read, piece) for piece in self._pieces(images)]
        features, tokens = (torch.cat(part).float() for part in zip(*pieces, strict=True))
        return F.normalize(features, dim=-1), F.normalize(tokens, dim=-1)

    def classify(self, features: Tensor, text_features: Tensor | None = None) -> Tensor:
        """Scaled logits of unit features, against the class texts or given ones. (B, D) -> (B, K)"""
        texts = self.text_features if text_features is None else text_features
        return self.scale * features @ texts.T

    def predict(self, images: Tensor) -> Prediction:
        """Logits and features of images in [0, 1]. (B, 3, H, W); keeps gradients where they are enabled."""
        features = self.encode_image(images)
        return Prediction(self.classify(features), features)

    def zero_shot(self, images: Tensor) -> Prediction:
        """The frozen model's prediction; computed once for all who ask about the same tensor."""
        source = self.source
        if source._last is None or source._last[0]() is not images:
            with torch.no_grad():
                source._last = (weakref.ref(images), source.predict(images))
        return source._last[1]

    def encode_blocks(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Unit features of images, and what goes into every block of an encoder with learned tokens.

        (B, 3, H, W) -> (B, D), and (B, N, width) per block; only of a fork made with "visual_prompts".
        """
        _check_images(images)
        features, inputs = self._run(cast(Prompted, self.visual).forward_blocks, images)
        return F.normalize(features.float(), dim=-1), inputs

    def encode_classes(
        self, templates: Sequence[str] | None = None, classes: Sequence[int] | None = None
    ) -> Tensor:
        """Unit text feature of every class, averaged over the templates, by the fork's own tower. -> (K, D)

        Each prompt is normalized before averaging and the mean once more after (Radford et al., ICML 2021).

        Args:
            templates: instead of the classifier's.
            classes: numbers of the classes to encode, all if None.
        """
        encode = self._text_encoder("encode_classes")
        names = self.class_names if classes is None else [self.class_names[k] for k in classes]
        total = reduce(torch.add, (encode(fill(t, names)) for t in templates or self.templates))
        return F.normalize(total.float(), dim=-1)

    def template_features(self, templates: Sequence[str]) -> Tensor:
        """Frozen unit text features of every class in each of T templates, remembered. -> (T, K, D)"""
        return torch.stack([self.encode_prompts(fill(t, self.class_names)) for t in templates])

    def ensemble_features(self, templates: Sequence[str]) -> Tensor:
        """Frozen unit text feature of every class, averaged over the templates, remembered. -> (K, D)"""
        return F.normalize(self.template_features(templates).mean(dim=0), dim=-1)

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Frozen unit text features of any prompts; each is encoded once and remembered. -> (N, D)"""
        known = self.source._texts
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        if new:
            features = self.source._text_encoder("encode_prompts")(new).to(self.device).float()
            if not features.isfinite().all():
                raise ValueError(
                    f"encode_prompts: the text encoder must give finite features, got others for '{new[0]}' "
                    "or a prompt with it; choose other class names or another model."
                )
            known.update(zip(new, F.normalize(features, dim=-1), strict=True))
        rows = torch.stack([known[prompt] for prompt in prompts])
        while len(known) > TEXTS_KEPT:
            del known[next(iter(known))]
        return rows

    def _text_encoder(self, caller: str) -> EncodeText:
        if self.encode_text is None:
            raise ValueError(f"ClipClassifier: {caller} needs a text encoder; pass encode_text.")
        return self.encode_text

    def fork(self, train: Train = "visual_norm") -> ClipClassifier:
        """A private classifier with its own copies of what is trained; everything else is shared and frozen.

        Args:
            train: "visual_norm", weight and bias of every normalization layer of the image encoder; batch
                normalization also switches to the statistics of the batch, as Tent does (arXiv 2006.10726).
                "visual_norm_lower" leaves out the last quarter of the blocks and the final normalization
                (SAR, arXiv 2302.12400), "visual_norm_but_top" the last quarter of the blocks only. "norm"
                adds the text encoder's. "visual_tower" trains the whole image encoder. "context" learns the
                words before the class name in the first template, with which `encode_classes` then reads;
                "visual_prompts" learns tokens in the first blocks of the image encoder, zero at first. ""
                trains nothing.

        Returns:
            a classifier whose `source` is the frozen one it came from. Costs milliseconds.
        """
        forked = copy.copy(self)
        forked._last, forked._held = None, None
        if self.source is self and not train:
            return forked
        if train in ("visual_tower", "context", "visual_prompts"):
            return forked._train_other_than_norms(train)
        forked.visual = _copy_norms(self.visual)
        chosen = _norms(forked.visual)
        if train == "visual_norm_lower":
            chosen = _lower(chosen)
        elif train == "visual_norm_but_top":
            chosen = [*_lower(chosen), *chosen[-1:]]
        elif train == "norm":
            if not isinstance(self.encode_text, nn.Module):
                raise ValueError(
                    "ClipClassifier: fork('norm') needs a text encoder that is a module; pass encode_text."
                )
            forked.encode_text = _copy_norms(self.encode_text)
            chosen = chosen + _norms(forked.encode_text)
        elif train not in ("", "visual_norm"):
            raise ValueError(f"ClipClassifier: train must be one of {Train.__args__}, got {train!r}.")
        if train and not chosen:
            raise ValueError(
                "ClipClassifier: the image encoder has no normalization layer to train; choose another model."
            )
        forked._trainable = []
        for norm in chosen if train else []:
            if isinstance(norm, BATCH_NORMS):
                norm.train()
                norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
            for parameter in norm.parameters(recurse=False):
                parameter.requires_grad_(True)
                forked._trainable.append(parameter)
        forked._undo_amplification()
        return forked

    def _train_other_than_norms(self, train: Train) -> ClipClassifier:
        """Make this fork learn a whole tower, or prompts."""
        if train == "context":
            if not isinstance(self.encode_text, nn.Module):
                raise ValueError(
                    "ClipClassifier: fork('context') needs a text encoder that is a module; pass encode_text."
                )
            template = self.templates[0]
            if not template.partition("{}")[0].strip():
                template = SINGLE
            self.templates = (template,)
            tower = with_context(self.encode_text, template.partition("{}")[0].strip())
            self.encode_text = tower
            learned = [tower.get_parameter("context")]
        elif train == "visual_prompts":
            self.visual = with_visual_prompts(self.visual)
            learned = list(cast(Prompted, self.visual).prompts)
        else:
            self.visual = copy.deepcopy(self.visual)
            learned = list(self.visual.parameters())
        for parameter in learned:
            parameter.requires_grad_(True)
        self._trainable = learned
        self._undo_amplification()
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> ClipClassifier:
        """One that goes its own way from here: what is trained is copied, what is frozen stays shared."""
        if not self._trainable:
            return self
        private = {id(parameter) for parameter in self._trainable}
        towers = [tower for tower in (self.visual, self.encode_text) if isinstance(tower, nn.Module)]
        for tower in towers:
            memo |= {id(t): t for t in [*tower.parameters(), *tower.buffers()] if id(t) not in private}
        copied = memo[id(self)] = copy.copy(self)
        copied._last = None
        copied.visual = copy.deepcopy(self.visual, memo)
        if any(id(parameter) in private for tower in towers[1:] for parameter in tower.parameters()):
            copied.encode_text = copy.deepcopy(self.encode_text, memo)
        copied._trainable = [copy.deepcopy(parameter, memo) for parameter in self._trainable]
        copied._undo_amplification()
        return copied

    def _undo_amplification(self) -> None:
        """Bring gradients that were amplified for fp16 back to their size before anyone sees them."""
        if self.autocast is torch.float16:
            own = {id(parameter) for parameter in self.visual.parameters()}
            for parameter in self._trainable:
                if id(parameter) in own:
                    parameter.register_hook(lambda gradient: gradient / AMPLIFICATION)

    def trainable(self) -> list[nn.Parameter]:
        """The private parameters of a fork, in a fixed order; empty for a frozen classifier."""
        return list(self._trainable)


class _Pulled(torch.autograd.Function):
    """Identity whose gradient has another one added."""

    @staticmethod
    def forward(ctx, features: Tensor, pull: Tensor) -> Tensor:
        ctx.save_for_backward(pull)
        return features.view_as(features)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient + ctx.saved_tensors[0], None


class _Amplify(torch.autograd.Function):
    """Identity with gradients larger by AMPLIFICATION, so that fp16, which ends at 6e-8, can carry them."""

    @staticmethod
    def forward(ctx, features: Tensor) -> Tensor:
        return features.view_as(features)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient * AMPLIFICATION


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(
            "encode_image: images must be float (B, 3, H, W) in [0, 1], "
            f"got {images.dtype} {tuple(images.shape)}."
        )
    if len(images) == 0:
        raise ValueError("encode_image: needs at least one image, got an empty batch.")


def _norms(module: nn.Module) -> list[nn.Module]:
    """Normalization layers with weights, in module order."""
    return [
        m
        for m in module.modules()
        if isinstance(m, NORMS) and next(m.parameters(recurse=False), None) is not None
    ]


def _lower(norms: list[nn.Module]) -> list[nn.Module]:
    """Without the norms of the last quarter of the blocks (two a block) and the final one."""
    blocks = max(1, (len(norms) - 2) // 2)
    dropped = 2 * max(1, round(blocks / 4)) + 1
    return norms[: max(1, len(norms) - dropped)]


def _copy_norms(module: nn.Module) -> nn.Module:
    """A copy of the module tree in which only the tensors of the normalization layers are new."""
    private = {
        id(t)
        for norm in _norms(module)
        for t in [*norm.parameters(recurse=False), *norm.buffers(recurse=False)]
    }
    tensors = [*module.parameters(), *module.buffers()]
    copied = copy.deepcopy(module, {id(t): t for t in tensors if id(t) not in private})
    for norm in _norms(copied):
        norm.requires_grad_(False)  # trained in a fork is not yet trained in a fork of it
    return copied
