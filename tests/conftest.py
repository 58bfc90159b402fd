"""What many tests need: a tiny random CLIP that runs in milliseconds, without downloads."""

from __future__ import annotations

import io
import os
import zipfile
from zlib import crc32

# Several workers share the cores: one thread each, for what they start as well. Threads that wait for each
# other cost far more than they bring. It has to be said before torch and NumPy are read.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import pytest  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from clip_tta_core.clip.classifier import ClipClassifier  # noqa: E402
from clip_tta_core.clip.learned import copy_tree  # noqa: E402


class TinyVisual(nn.Module):
    """Patchify, two normalized residual layers, project: a vision transformer's outline in 20 lines."""

    def __init__(self, width: int = 32, dim: int = 16) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, kernel_size=4, stride=4)
        self.norm_pre = nn.LayerNorm(width)
        self.norm_mid = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.norm_post = nn.LayerNorm(width)
        self.project = nn.Linear(width, dim, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.project(self._tokens(images).mean(dim=1))  # (B, dim)

    def forward_tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self._tokens(images)
        return self.project(tokens.mean(dim=1)), self.project(tokens)  # (B, dim), (B, N, dim)

    def with_prompts(self) -> TinyPrompted:
        return TinyPrompted(self)

    def _tokens(self, images: Tensor) -> Tensor:
        return self.block(self.norm_pre(self.patches(images).flatten(2).transpose(1, 2)))

    def block(self, tokens: Tensor) -> Tensor:
        return self.norm_post(tokens + self.mlp(self.norm_mid(tokens)))  # (B, N, width)


class TinyPrompted(nn.Module):
    """A tiny visual with two learned tokens behind the patches, of which there is one block to see."""

    def __init__(self, visual: TinyVisual) -> None:
        super().__init__()
        self.visual = copy_tree(visual)
        width = visual.patches.out_channels
        self.prompts = nn.ParameterList([nn.Parameter(torch.zeros(2, width))])

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_blocks(images)[0]

    def forward_blocks(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        patches = self.visual.patches(images).flatten(2).transpose(1, 2)  # (B, N, width)
        prompts = self.prompts[0].expand(len(patches), -1, -1)
        tokens = self.visual.norm_pre(torch.cat([patches, prompts], dim=1))
        return self.visual.project(self.visual.block(tokens).mean(dim=1)), [tokens]


class TinyText(nn.Module):
    """A text encoder with a norm of its own: every text is noise seeded by its letters, normalized,
    projected."""

    def __init__(self, dim: int = 16) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(32)
        self.project = nn.Linear(32, dim, bias=False)

    def forward(self, texts: list[str]) -> Tensor:
        rows = [torch.randn(32, generator=torch.Generator().manual_seed(crc32(t.encode()))) for t in texts]
        words = torch.stack(rows) + self._moved()
        return nn.functional.normalize(self.project(self.norm(words)), dim=-1)

    def with_context(self, words: str) -> TinyText:
        copied = copy_tree(self)
        copied.start = torch.randn(4, 32, generator=torch.Generator().manual_seed(crc32(words.encode())))
        copied.context = nn.Parameter(copied.start.clone())
        return copied

    def _moved(self) -> Tensor | float:
        """How far the learned words are from those they stand for."""
        return (self.context - self.start).mean(dim=0) if hasattr(self, "context") else 0.0


@pytest.fixture
def make_clip():
    """Build a tiny random classifier: make_clip(classes=5, seed=0, scale=100.0)."""

    def make(classes: int = 5, seed: int = 0, scale: float = 100.0) -> ClipClassifier:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            visual, text = TinyVisual(), TinyText()
            names = [f"thing {chr(97 + k % 26)}{k}" for k in range(classes)]
        with torch.no_grad():
            prompts = text([f"a photo of a {name}" for name in names])
            features = nn.functional.normalize(prompts, dim=-1)  # bit for bit what encode_classes gives
        return ClipClassifier(visual, features, scale, names, (0.5,) * 3, (0.25,) * 3, encode_text=text)

    return make


@pytest.fixture
def clip(make_clip) -> ClipClassifier:
    return make_clip()


@pytest.fixture
def make_images():
    """Random pictures in [0, 1] that differ from each other: make_images(batch=8, size=16, seed=0)."""

    def make(batch: int = 8, size: int = 16, seed: int = 0) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        base = torch.rand(batch, 3, 1, 1, generator=rng)
        return (base + 0.3 * torch.randn(batch, 3, size, size, generator=rng)).clamp(0, 1)

    return make


@pytest.fixture
def images(make_images) -> Tensor:
    return make_images()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive of {path inside: content}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
