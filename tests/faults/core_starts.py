"""Better starting points, and holding on to the source."""

from __future__ import annotations

from tests.faults import Fault

FAULTS = [
    Fault(
        "clipood-margin-without-likeness",
        "clip_tta_core/starts/clipood.py",
        "features @ texts.T - margin * alike",
        "features @ texts.T - margin",
        ("tests/starts/test_clipood.py",),
    ),
    Fault(
        "clipood-average-forgets-the-pretrained",
        "clip_tta_core/starts/clipood.py",
        "        self._taken = 1\n",
        "        self._taken = 0\n",
        ("tests/starts/test_clipood.py",),
    ),
    Fault(
        "orthsr-turn-that-stretches",
        "clip_tta_core/starts/orthsr.py",
        "    skew = free - free.mT\n",
        "    skew = free\n",
        ("tests/starts/test_orthsr.py",),
    ),
    Fault(
        "core-tuning-positives-as-released",
        "clip_tta_core/starts/core_tuning.py",
        "cosines.masked_fill(~same, torch.inf)",
        "cosines.masked_fill(~same, 0.0)",
        ("tests/starts/test_core_tuning.py",),
    ),
    Fault(
        "core-tuning-contrast-with-oneself",
        "clip_tta_core/starts/core_tuning.py",
        "(features @ features.T / temperature).masked_fill(itself, -torch.inf)",
        "(features @ features.T / temperature)",
        ("tests/starts/test_core_tuning.py",),
    ),
    Fault(
        "calibrated-prior-upside-down",
        "clip_tta_core/starts/calibrated.py",
        "model.predict(attacked).logits + prior",
        "model.predict(attacked).logits - prior",
        ("tests/starts/test_calibrated.py",),
    ),
    Fault(
        "calibrated-leaves-the-ball",
        "clip_tta_core/starts/calibrated.py",
        "torch.minimum(torch.maximum(moved, images - radius), images + radius)",
        "moved",
        ("tests/starts/test_calibrated.py",),
    ),
    Fault(
        "calibrated-clients-go-on-from-each-other",
        "clip_tta_core/starts/calibrated.py",
        "            optim.put_back(weights, common)\n            self._epoch",
        "            self._epoch",
        ("tests/starts/test_calibrated.py",),
    ),
    Fault(
        "ulfine-all-move-alike",
        "clip_tta_core/starts/ulfine.py",
        "mu * counts / counts.max().clamp(min=1)",
        "mu * torch.ones_like(counts)",
        ("tests/starts/test_ulfine.py",),
    ),
    Fault(
        "start-learns-from-what-the-stream-shows",
        "clip_tta_core/few_shots.py",
        "seed=config.seed + APART",
        "seed=config.seed",
        ("tests/test_engine_start.py",),
    ),
    Fault(
        "start-of-another-seed-is-taken",
        "clip_tta_core/starts/making.py",
        "clip.class_names, weights, seed, clip.device.type",
        "clip.class_names, weights, clip.device.type",
        ("tests/starts/test_making.py",),
    ),
    Fault(
        "held-to-nothing",
        "clip_tta_core/clip/classifier.py",
        "return gradient + ctx.saved_tensors[0], None",
        "return gradient, None",
        ("tests/methods/test_hold.py",),
    ),
    Fault(
        "a-table-of-starts-tells-of-zero-shot-clip",
        "clip_tta_core/sweep/cells.py",
        "report.outcomes[cell.label]",
        "report.outcomes[cell.method]",
        ("tests/sweep/test_cells.py",),
    ),
]
