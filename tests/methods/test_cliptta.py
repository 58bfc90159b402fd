"""CLIPTTA against an independent step-by-step implementation of the released order, and its edge cases."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import scores
from clip_tta_core.bench.released import ReleasedLoop
from clip_tta_core.methods.cliptta import Cliptta
from tests.conftest import TinyVisual


def build(clip, seed=0, **knobs):
    return Cliptta(clip.fork("visual_norm"), Cliptta.Config(**knobs), torch.Generator().manual_seed(seed))


class Reference:
    """The released algorithm written plainly: batch and memory through the encoder one after the other, B x B
    logits built entry by entry, no tricks. Everything remembered is replayed at every step."""

    def __init__(self, clip, lr=1e-4, steps=10, shots=4, open_set=False, gamma=0.005, memory_only=False):
        self.visual = copy.deepcopy(clip.visual)
        self.mean, self.std = torch.full((1, 3, 1, 1), 0.5), torch.full((1, 3, 1, 1), 0.25)
        self.texts, self.steps, self.shots = clip.text_features, steps, shots
        self.open_set, self.gamma, self.memory_only = open_set, gamma, memory_only
        self.alpha = torch.nn.Parameter(torch.tensor(0.5))
        norms = [m for m in self.visual.modules() if isinstance(m, torch.nn.LayerNorm)]
        learned = [p.requires_grad_(True) for norm in norms for p in (norm.weight, norm.bias)]
        self.optimizer = torch.optim.Adam([*learned, *([self.alpha] if open_set else [])], lr=lr, eps=1e-6)
        self.memory = {k: [] for k in range(len(self.texts))}  # class -> [(confidence, image)]

    def encode(self, images):
        return F.normalize(self.visual((images - self.mean) / self.std), dim=-1)

    def soft_contrast(self, z):
        captions = [self.texts[k] for k in (z @ self.texts.T).argmax(dim=1)]
        rows = [torch.stack([100 * zi @ t for t in captions]).softmax(dim=0) for zi in z]
        return torch.stack([-(q * q.log()).nansum() for q in rows]).mean()

    def diversity(self, z):
        mean = (100 * z @ self.texts.T).softmax(dim=1).mean(dim=0)
        return -(mean * (mean + 1e-6).log()).sum()

    def id_scores(self, z):
        return (z @ self.texts.T).log_softmax(dim=1).max(dim=1).values

    def adapt(self, images):
        if self.open_set:
            with torch.no_grad():
                self.alpha.fill_(scores.otsu(self.id_scores(self.encode(images))))
        for step in range(self.steps):
            z = self.encode(images)
            s = self.id_scores(z)
            keep = s > self.alpha if self.open_set else torch.ones(len(z), dtype=torch.bool)
            loss = self.soft_contrast(z[keep]) - self.diversity(z)
            if self.open_set:
                w = torch.sigmoid((s - self.alpha) / self.gamma)
                inside, outside = (w * s).sum() / w.sum(), ((1 - w) * s).sum() / (1 - w).sum()
                loss = loss - (inside - outside) ** 2
            if step == 0:
                cosines = (z[keep] @ self.texts.T).detach()
                sure, labels = cosines.softmax(dim=1).max(dim=1)
                for image, c, k in zip(images[keep], sure.tolist(), labels.tolist(), strict=True):
                    self.memory[k] = sorted([*self.memory[k], (c, image)], key=lambda e: -e[0])[: self.shots]
            remembered = self.encode(
                torch.stack([image for slot in self.memory.values() for _, image in slot])
            )
            replay = self.soft_contrast(remembered) - self.diversity(remembered)
            loss = replay if self.memory_only else loss + replay
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def features(self, images):
        return self.encode(images)


def quantized(images):
    """Pictures as a stream delivers them: whole levels, which is what the memory keeps."""
    return (images * 255).round() / 255


@pytest.mark.parametrize(
    ("open_set", "composition"),
    [(False, "batch_and_memory"), (True, "batch_and_memory"), (False, "memory_only")],
)
def test_it_reproduces_the_released_order_of_operations_batch_by_batch(
    clip, make_images, open_set, composition
):
    ours = build(clip, lr=1e-3, open_set=open_set, composition=composition)
    reference = Reference(clip, lr=1e-3, open_set=open_set, memory_only=composition == "memory_only")
    for seed in range(4):
        images = quantized(make_images(batch=12, seed=seed))
        ours.adapt(images)
        reference.adapt(images)
        cosine = (ours.predict(images).features * reference.features(images)).sum(dim=1)
        assert cosine.min() > 1 - 1e-4
        for a, b in zip(ours.clip.trainable(), reference.optimizer.param_groups[0]["params"], strict=False):
            torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-3)
        assert ours.threshold.item() == pytest.approx(reference.alpha.item(), abs=1e-5) or not open_set


def test_the_benchmark_s_loop_of_two_calls_learns_the_same(clip, make_images):
    ours, loop = build(clip), ReleasedLoop(clip.fork("visual_norm"), torch.Generator().manual_seed(0))
    for seed in range(3):
        images = quantized(make_images(batch=12, seed=seed))
        ours.adapt(images)
        loop.adapt(images)
        torch.testing.assert_close(loop.predict(images).features, ours.predict(images).features)


def test_the_terms_by_definition(clip, make_images):
    """Every weight and word of the loss, at the source's weights: batch and memory hold the same pictures."""
    images = quantized(make_images(batch=16))
    knobs = {"beta_tta": 0.5, "beta_reg": 0.25, "beta_ood": 3.0, "gamma": 0.1, "kappa": 20.0, "shots": 16}
    words = {"loss": "hard", "direction": "symmetric", "score": "logsumexp", "oce": "inter_variance"}
    method = build(clip, open_set=True, sample_size=80, steps=1, lr=0.0, **knobs, **words)
    report = method.adapt(images)
    cosines = clip.encode_image(images) @ clip.text_features.T  # (16, 5)
    s = (20 * cosines).exp().sum(dim=1).log()
    kept = s > scores.otsu(s)
    assert 1 < kept.sum() < 16
    a = 100 * cosines[kept][:, cosines[kept].argmax(dim=1)]  # (N, N)
    contrast = -(a.log_softmax(dim=1).diagonal() + a.log_softmax(dim=0).diagonal()).mean()
    assert report["contrastive"] == pytest.approx(2 * 0.5 * contrast.item(), rel=1e-4)

    def spread(rows):
        mean = (100 * rows).softmax(dim=1).mean(dim=0)
        return torch.special.entr(mean).sum().item()

    expected = -0.25 * (spread(cosines) + spread(cosines[kept]))
    assert report["diversity"] == pytest.approx(expected, rel=1e-3)
    w = torch.sigmoid((s - scores.otsu(s)) / 0.1)
    gap = (w * s).sum() / w.sum() - ((1 - w) * s).sum() / (1 - w).sum()
    assert report["oce"] == pytest.approx(-3 * (w.mean() * (1 - w.mean()) * gap**2).item(), rel=1e-4)
    confidence = (20 * cosines).softmax(dim=1).amax(dim=1)[kept]
    stored = sorted(entry.confidence for entry in method.memory.entries)
    assert stored == pytest.approx(sorted(confidence.tolist()), rel=1e-4)


def test_the_paper_s_score_is_the_largest_probability_at_clip_s_scale_in_a_bare_sigmoid(
    make_clip, make_images
):
    clip, images = make_clip(scale=20.0), quantized(make_images(batch=16))
    knobs = Cliptta.presets["paper, open set"]
    method = build(clip, **{**knobs, "steps": 1, "lr": 0.0})
    report = method.adapt(images)
    s = clip.predict(images).logits.softmax(dim=1).max(dim=1).values
    alpha = scores.otsu(s)
    w = torch.sigmoid(s - alpha)
    assert 1 < (w > 0.5).sum() < 16
    gap = (w * s).sum() / w.sum() - ((1 - w) * s).sum() / (1 - w).sum()
    assert report["alpha"] == pytest.approx(alpha, abs=1e-6)
    assert report["oce"] == pytest.approx(-(gap**2).item(), rel=1e-4)
    assert len(method.memory) == (w > 0.5).sum()
    prediction = method.predict(images)
    torch.testing.assert_close(prediction.scores, s)
    assert torch.equal(prediction.scores > prediction.threshold, w > 0.5)


def test_each_step_draws_afresh_and_at_most_its_share_of_every_class(clip, make_images):
    method, drawn = build(clip, sample_size=10, steps=6, lr=0.0), []
    sample = method.memory.sample

    def watched(size, rng):
        drawn.append(sample(size, rng))
        return drawn[-1]

    method.memory.sample = watched
    method.adapt(make_images(batch=32))
    assert len(drawn) == 6 and len({tuple(e.key for e in one) for one in drawn}) > 1
    assert all(sum(e.label == k for e in one) <= 2 for one in drawn for k in range(5))


def test_each_picture_of_a_first_batch_goes_through_the_encoder_once_a_step(clip, make_images):
    method = build(clip, steps=3)
    seen = []
    method.clip.visual.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    method.adapt(make_images(batch=8))
    assert sum(seen) == 3 * 8  # everything in the memory is also in the batch


def test_permuting_a_batch_permutes_its_predictions(clip, make_images):
    images, order = make_images(), torch.tensor([5, 2, 7, 0, 1, 6, 3, 4])
    plain, permuted = build(clip), build(clip)
    plain.adapt(images)
    permuted.adapt(images[order])
    torch.testing.assert_close(
        permuted.predict(images[order]).logits, plain.predict(images).logits[order], atol=1e-3, rtol=1e-4
    )


def test_memory_only_never_lets_the_batch_itself_into_the_loss(clip, make_images):
    method = build(clip, composition="memory_only", shots=1, steps=2)
    seen = []
    method.clip.visual.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    method.adapt(make_images(batch=8))
    stored = len(method.memory)
    assert seen == [8, stored, stored]  # once to choose what to remember, then the memory alone


def test_batch_only_remembers_nothing(clip, make_images):
    method = build(clip, composition="batch_only")
    method.adapt(make_images())
    assert len(method.memory) == 0


@pytest.mark.parametrize("composition", ["batch_and_memory", "memory_only", "batch_only"])
def test_every_composition_changes_the_weights_and_stays_finite(clip, make_images, composition):
    method = build(clip, composition=composition, lr=1e-3)
    for seed in range(3):
        report = method.adapt(make_images(seed=seed))
        assert all(math.isfinite(value) for value in report.values())
    start = clip.fork("visual_norm").trainable()
    assert any(not torch.equal(a, b) for a, b in zip(method.clip.trainable(), start, strict=True))


def test_the_open_set_learns_from_accepted_pictures_only(clip, make_images):
    images = make_images(batch=16)
    method = build(clip, open_set=True, shots=16, steps=1, lr=0.0)
    method.adapt(images)
    prediction = method.predict(images)
    assert prediction.threshold == pytest.approx(scores.otsu(prediction.scores), abs=1e-6)
    accepted = prediction.scores > prediction.threshold
    assert 0 < accepted.sum() < 16
    assert sorted(entry.key for entry in method.memory.entries) == list(range(int(accepted.sum())))
    without = build(clip, open_set=True, shots=16, steps=1, lr=0.0, filter_unknown=False)
    without.adapt(images)
    assert len(without.memory) == 16


def test_the_open_set_reports_its_threshold_and_the_pull_of_every_term(clip, make_images):
    report = build(clip, open_set=True).adapt(make_images(batch=16))
    assert {"alpha", "oce", "grad_oce", "grad_contrastive", "grad_diversity"} <= report.keys()
    assert report["oce"] < 0 and report["grad_oce"] > 0


def test_an_automatic_gamma_is_a_fifth_of_the_scores_spread(clip, make_images):
    method = build(clip, open_set=True, gamma="auto", lr=0.0)
    method.adapt(make_images(batch=16))
    spread = method.predict(make_images(batch=16)).scores.std(correction=0).item()
    assert method.gamma == pytest.approx(0.2 * spread, rel=1e-4)


def test_equal_scores_are_all_accepted(clip, make_images):
    same = make_images(batch=1).expand(6, -1, -1, -1)
    method = build(clip, open_set=True)
    report = method.adapt(same)
    assert all(math.isfinite(value) for value in report.values())
    assert report["memory"] == 4  # one class, four shots
    assert report["pseudo_classes"] == 1  # a collapsed batch, which the contrast cannot mend
    assert report["grad_contrastive"] == pytest.approx(0, abs=1e-6)


def test_a_filter_that_rejects_everything_drops_the_contrast_and_goes_on(clip, make_images):
    method = build(clip, open_set=True, composition="batch_only")
    method._set_threshold = lambda features: method.threshold.data.fill_(99.0)
    method.gamma = 0.005
    report = method.adapt(make_images())
    assert "contrastive" not in report and all(math.isfinite(value) for value in report.values())


@pytest.mark.parametrize("open_set", [False, True])
@pytest.mark.parametrize("broken", [1, 8])
def test_a_picture_that_is_not_a_number_is_never_remembered(clip, make_images, open_set, broken):
    method = build(clip, open_set=open_set, filter_unknown=False, shots=8)
    before = [p.clone() for p in method.clip.trainable()]
    images = make_images()
    images[:broken] = math.nan
    assert method.adapt(images)["skipped"] == 10
    assert sorted(entry.key for entry in method.memory.entries) == list(range(8 - broken))
    assert all(math.isfinite(entry.confidence) for entry in method.memory.entries)
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))
    assert method.threshold.isfinite()


def test_a_batch_of_one_does_not_reward_doubt(clip, make_images):
    report = build(clip, composition="batch_only").adapt(make_images(batch=1))
    assert "diversity" not in report


def test_a_tiny_visual_has_three_norms_to_train(clip):
    assert len(clip.fork("visual_norm").trainable()) == 6
    assert sum(isinstance(m, torch.nn.LayerNorm) for m in TinyVisual().modules()) == 3
