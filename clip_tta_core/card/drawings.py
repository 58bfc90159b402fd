"""mini-CLIP's card."""

from __future__ import annotations

import json
from functools import partial

from clip_tta_core.card import layout
from clip_tta_core.clip.embedded import MINI
from clip_tta_core.sources.rendered import COLOURS, OBJECTS, TASK
from clip_tta_core.sweep.tables import Numbers


def card(known: Numbers) -> str:
    """The whole card as Markdown."""
    training = json.loads((MINI.folder / "config.json").read_text(encoding="utf-8"))["training"]
    size = (MINI.folder / "model.safetensors").stat().st_size / 1e6
    parts = [INTRODUCTION.format(objects=len(OBJECTS), colours=len(COLOURS), task=", ".join(TASK), size=size)]
    parts.append(TRAINING.format(pictures=training["steps_done"] * training["batch_size"] / 1e6, **training))
    parts += [
        layout.section("mini-severities", known, SEVERITIES, layout.severities),
        layout.section("mini", known, FIELD + layout.THREE_COLUMNS, layout.field),
        layout.section("mini", known, layout.BY_ROW, layout.by_row),
        layout.section("mini-streams", known, STREAMS, layout.by_row),
        layout.section("mini-unknown", known, UNKNOWN, partial(layout.grid, show=layout.detection)),
        layout.section("mini-starts", known, layout.STARTS + STARTS, partial(layout.by_row, spread=True)),
        layout.section("mini-attacks", known, layout.ATTACKS, partial(layout.grid, show=layout.percent)),
        LIMITS,
    ]
    return "\n".join(filter(None, parts))


INTRODUCTION = """\
# mini-CLIP

A small CLIP, trained from scratch for this project, so that its page works without a download. It sees
64-pixel pictures of {objects} rendered objects in {colours} colours and reads their English names. The
default task is 20 of them: {task}. The folder holds {size:.1f} MB.

Image tower: three 3x3 convolutions of stride 2 with LayerNorm and GELU, 2x2 patches of what they give (16
tokens), a 4-layer, 128-wide vision transformer. Text tower: a 2-layer, 64-wide transformer over CLIP's own
word pieces, of which only those in use are stored. Transformers and tokenizer are open_clip's.
"""

TRAINING = """\
## Training

`python -m clip_tta_core.pretrain --steps {steps} --seed {seed}`: {steps_done:,} steps of {batch_size} fresh
pictures with captions ({pictures:.2f} million pairs, none twice), CLIP's symmetric contrastive loss in
which pictures with equal captions share the target, and a scale fixed at 100; AdamW, learning rate {lr:g}
after {warm_up} steps of warm-up, falling like a cosine, weight decay {weight_decay:g}; {minutes:.0f} minutes
on {device}. No class labels and no corrupted pictures were used. Pictures have slight blur, grain,
compression and uneven light, all well below severity 1.
"""

SEVERITIES = """\
## Zero-shot accuracy

Prompt "a photo of a ...", 20 classes, 2,000 pictures each, of a seed that training never used; severities
across.

"""

FIELD = """\
## The field

Accuracy on the fifteen standard corruptions at severity 5, their mean with its standard deviation over seeds:
streams of 4 batches of 64, started afresh for every corruption and seed; methods that start over at every
picture or batch are measured on the first batch. In brackets the classes in use at the end (e to the entropy
of the histogram of answers, of 20). Predictions after the update.

"""

STREAMS = """\
## Other streams

Every method as published, in percent: clean pictures and styles, and fog at severity 5 in streams that are
not shuffled. Few classes at a time means 1 to 4 of the 20 in a batch.

"""

UNKNOWN = """\
## Unknown pictures

Half of the pictures show none of the 20 classes, severity 5 where corrupted, 8 batches of 64, 1e-4 and 10
steps for all that learn, TENT with the diversity bonus as in CLIPTTA's open-set tables. In each cell: AUROC /
FPR95 (share of unknown pictures accepted where 95 % of the known are) / calibration error / accuracy on the
known ones. Methods without a score of their own get CLIPTTA's, the largest log-probability at scale 1.

"""

STARTS = """\
In fog every start but ULFine is ahead of zero-shot CLIP; under noise only calibrated adversarial training is,
on line drawings none is, and clean pictures have nothing to gain.

"""

LIMITS = """\
## Limits

It knows nothing but rendered objects: on photographs its answers mean nothing, and other words are refused.
It is a teaching model; how methods rank on it says little about how they rank on real CLIPs.

The tables are made by `python -m clip_tta_core.sweep TABLE --record` for each of mini-grid, mini,
mini-streams, mini-severities, mini-unknown, mini-starts and mini-attacks, in hours, and this file from them
by `python -m clip_tta_core.card`.
"""
