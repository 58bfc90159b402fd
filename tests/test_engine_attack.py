"""Runs over attacked pictures, and clean pictures shown to the methods that ask for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clip_tta_core import engine
from clip_tta_core.attacks import Attack
from clip_tta_core.clip.loading import load
from clip_tta_core.records import Pictures, RunConfig
from clip_tta_core.stream import Stream
from clip_tta_core.validation import attack_of


def small(**changes):
    return RunConfig(**{"methods": {"zero_shot": {}}, "batch_size": 16, "batches": 2, "seed": 3} | changes)


def pictures_of(config):
    reports = list(engine.run(config))
    return np.concatenate([report.batch.images for report in reports]), reports


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_radius_of_zero_is_the_clean_run_bit_for_bit(norm):
    clean, without = pictures_of(small(corruption="fog"))
    same, attacked = pictures_of(small(corruption="fog", attack=norm, attack_epsilon=0.0))
    assert np.array_equal(clean, same)
    for a, b in zip(without, attacked, strict=True):
        assert np.array_equal(a.outcomes["zero_shot"].probs, b.outcomes["zero_shot"].probs)


def test_attacked_pictures_stay_within_the_radius_and_unknown_ones_stay():
    config = small(attack="linf", attack_epsilon=4, unknown_source="characters", unknown_share=0.25)
    clean, _ = pictures_of(dataclasses.replace(config, attack="none"))
    seen, reports = pictures_of(config)
    unknown = np.concatenate([report.batch.unknown for report in reports])
    change = np.abs(seen.astype(int) - clean).max(axis=(1, 2, 3))
    assert unknown.any() and not change[unknown].any() and (change[~unknown] == 4).all()
    applied = [text for report in reports for text in report.batch.applied]
    assert [text == "linf 4/255" for text in applied] == (~unknown).tolist()


def test_a_picture_is_attacked_alike_whatever_the_batches_and_the_company():
    config = small(attack="linf", attack_epsilon=2, attack_iterations=3)
    seen, _ = pictures_of(config)
    other = dataclasses.replace(config, batch_size=8, batches=4)
    parts, _ = pictures_of(dataclasses.replace(other, methods={"tent": {"lr": 0.01}}))
    assert (seen != parts).mean() < 0.01  # but for the sign of rounding


def test_mini_clip_falls_to_a_small_attack_and_views_bring_part_of_it_back():
    methods = {"r_tpt": {"views": 32}, "zero_shot": {}}
    config = small(methods=methods, batch_size=24, batches=1, attack="linf")
    last = {}
    for name, radius in (("clean", 0.0), ("attacked", 4.0)):
        *_, report = engine.run(dataclasses.replace(config, attack_epsilon=radius, attack_iterations=20))
        last[name] = {label: outcome.metrics["accuracy"] for label, outcome in report.outcomes.items()}
    assert last["clean"]["zero_shot"] > 0.7 and last["attacked"]["zero_shot"] < 0.1
    assert last["attacked"]["r_tpt"] > last["attacked"]["zero_shot"] + 0.1


def test_the_preview_shows_the_attacked_picture():
    config = small(attack="linf", attack_epsilon=8)
    clean = engine.preview(dataclasses.replace(config, attack="none"))
    assert np.abs(engine.preview(config).astype(int) - clean).max() == 8


def test_a_sudden_change_brings_the_attack_and_other_schedules_lay_it_over_all():
    config = small(attack="linf", attack_epsilon=2, schedule="change", batches=2, batch_size=8)
    clean, _ = pictures_of(dataclasses.replace(config, attack="none"))
    seen, reports = pictures_of(config)
    change = np.abs(seen.astype(int) - clean).max(axis=(1, 2, 3))
    assert change.tolist() == [0] * 8 + [2] * 8
    assert [report.batch.applied[0] for report in reports] == ["", "linf 2/255"]
    _, mixed = pictures_of(dataclasses.replace(config, schedule="mixed", batches=1))
    applied = mixed[0].batch.applied
    assert all(text.endswith(" 5, linf 2/255") for text in applied) and len(set(applied)) > 3


def test_pictures_without_a_class_cannot_be_attacked():
    images = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    unlabelled = Pictures(images, np.array([-1, -1]), ("a", "b"))
    config = small(source="upload", pictures=unlabelled, class_names=("owl", "cat"), attack="linf")
    with pytest.raises(ValueError, match="Attack: the class of every picture must be known"):
        engine.check(config)


def test_settings_of_an_attack_are_checked_before_anything_runs():
    with pytest.raises(ValueError, match="Attack: norm must be one of linf, l2"):
        engine.check(small(attack="l1"))
    assert attack_of(small()) == Attack(epsilon=0.0)
    assert attack_of(small(attack="l2", attack_epsilon=51)) == Attack("l2", 0.2)
    with pytest.raises(ValueError, match=r"Run: attack_iterations must be in \[1, 200\], got 0"):
        engine.check(small(attack="l2", attack_iterations=0))


def test_who_asks_for_clean_pictures_sees_others_than_the_stream_s(monkeypatch):
    seen = []
    tapt = engine.check(small(methods={"tapt": {}})).entries[-1].method
    monkeypatch.setattr(tapt, "see_source", lambda self, images, labels: seen.append((images, labels)))
    monkeypatch.setattr(tapt, "source_pictures", 12)
    config = small(methods={"tapt": {"views": 2}}, corruption="fog", batch_size=4, batches=1, episodic=True)
    list(engine.run(config))
    ((images, labels),) = seen
    assert images.shape == (12, 3, 64, 64) and (labels >= 0).all()
    size = load("mini-clip").image_size
    clean = Stream(dataclasses.replace(config, corruption="none", batches=3), size).batch(0).images
    shown = (images * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert not any(np.array_equal(a, b) for a in shown for b in clean)


def test_methods_that_draw_views_share_them_in_a_run():
    encoded = []
    loaded = load("mini-clip")
    hook = loaded.visual.register_forward_hook(lambda _, args, out: encoded.append(len(out)))
    try:
        methods = {"zero": {"views": 8}, "tpt": {"views": 8}, "r_tpt": {"views": 8}, "tps": {"views": 8}}
        list(engine.run(small(methods=methods, batch_size=4, batches=1)))
    finally:
        hook.remove()
    assert sum(encoded) == 4 * 8 + 4  # the views once for all four, and zero-shot
