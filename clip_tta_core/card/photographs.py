"""photo-CLIP's card."""

from __future__ import annotations

import json
import statistics
import textwrap
from dataclasses import dataclass
from functools import partial
from typing import Self

from clip_tta_core.card import layout
from clip_tta_core.card.layout import Cell
from clip_tta_core.clip.embedded import PHOTO
from clip_tta_core.sweep.tables import Numbers, Table


def card(known: Numbers) -> str:
    """The whole card as Markdown."""
    stored = json.loads((PHOTO.folder / "config.json").read_text(encoding="utf-8"))
    training, names = stored["training"], stored["model"]["names"]
    size = (PHOTO.folder / "model.safetensors").stat().st_size / 1e6
    parts = [INTRODUCTION.format(count=len(names), names=textwrap.fill(", ".join(names), 108), size=size)]
    parts.append(TRAINING.format(pairs=training["steps_done"] * training["batch_size"] / 1e6, **training))
    parts += [
        layout.section("photo-severities", known, SEVERITIES, layout.severities),
        layout.section("photo", known, FIELD + layout.THREE_COLUMNS, layout.field),
        layout.section("photo", known, layout.BY_ROW, layout.by_row),
        layout.section("photo-streams", known, STREAMS, layout.by_row),
        layout.section("photo-paper", known, PAPER, along_the_stream),
        layout.section("photo-parts", known, PARTS, partial(layout.grid, show=layout.percent)),
        layout.section("photo-unknown", known, UNKNOWN, partial(layout.grid, show=layout.detection)),
        layout.section("photo-starts", known, layout.STARTS + STARTS, partial(layout.by_row, spread=True)),
        layout.section("photo-attacks", known, layout.ATTACKS, partial(layout.grid, show=layout.percent)),
        LIMITS,
    ]
    return "\n".join(filter(None, parts))


def along_the_stream(table: Table, known: Numbers) -> str:
    """Courses of accuracy, and in words what of them is as CLIPTTA's paper saw it and what is not."""
    drawn = layout.grid(table, known, layout.course)
    whole, titles = {}, {}  # of contenders that are measured on every corruption
    for column in table.columns:
        cells = [layout.average(table, known, row, column) for row in table.rows]
        if all(cells):
            whole[column.contender.label] = cells
            titles[column.contender.label] = layout.title(column)
    if not {"zero_shot", "tent", "cliptta"} <= whole.keys():
        return drawn
    tent, cliptta = _Course.of(whole["tent"]), _Course.of(whole["cliptta"])
    frozen = whole["zero_shot"]
    gains = sum(
        after["accuracy"] > before["accuracy"] for before, after in zip(frozen, whole["cliptta"], strict=True)
    )
    said = [
        SHAPE.format(
            all=len(table.rows),
            climbs=cliptta.climbs,
            gains=gains,
            sinks=tent.sinks,
            peaks=tent.peaks,
            holds=len(table.rows) - tent.sinks,
        )
    ]
    if {"tent, chosen", "cliptta, chosen"} <= whole.keys():
        tent, cliptta = _Course.of(whole["tent, chosen"]), _Course.of(whole["cliptta, chosen"])
        said.append(RULE.format(climbs=cliptta.climbs, sinks=tent.sinks, peaks=tent.peaks))
    order = sorted(whole, key=lambda label: _mean(whole[label]), reverse=True)
    ranked = ", ".join(f"{titles[label]} {100 * _mean(whole[label]):.1f}" for label in order)
    said.append(f"Means over the corruptions, in percent: {ranked}.")
    return f"{drawn}\n{textwrap.fill(' '.join(text.strip() for text in said), 110)}\n"


@dataclass(frozen=True)
class _Course:
    """On how many corruptions accuracy behaves in a way along the stream, by its thirds."""

    climbs: int  # the last third is ahead of the first
    sinks: int  # the last third is behind the first
    peaks: int  # the second third is the best

    @classmethod
    def of(cls, cells: list[Cell]) -> Self:
        thirds = [(cell["third_1"], cell["third_2"], cell["third_3"]) for cell in cells]
        return cls(
            climbs=sum(last > first for first, _, last in thirds),
            sinks=sum(last < first for first, _, last in thirds),
            peaks=sum(middle > max(first, last) for first, middle, last in thirds),
        )


def _mean(cells: list[Cell]) -> float:
    return statistics.fmean(cell["accuracy"] for cell in cells)


SHAPE = """\
As in the paper, CLIPTTA climbs along the stream: its last third is ahead of its first on {climbs} of the
{all} corruptions, and the whole ahead of zero-shot CLIP on {gains}. TENT ends below where it began on
{sinks}, and on {peaks} it is at its best in between, as the paper's TENT, which rises, peaks and falls. Not
as there: on the other {holds} TENT does not fall below its first third; the paper's streams are twice as
long.
"""

RULE = """\
With the step that the common rule chooses, CLIPTTA's last third is ahead of its first on {climbs}, and TENT
ends below where it began on {sinks} and is at its best in between on {peaks}.
"""

INTRODUCTION = """\
# photo-CLIP

A small CLIP, trained from scratch for this project on photographs of 32 pixels, so that its page can adapt
to real pictures without a download or a GPU. Its weights take {size:.1f} MB. It reads the sentences of CLIP's
ImageNet ensemble about {count} things:

{names}.

Image tower: five 3x3 convolutions with LayerNorm over channels and GELU (32 channels at 32 pixels, 64 and 64
at 16, 128 and 128 at 8), 2x2 patches of what they give (16 tokens), a 2-layer, 192-wide vision transformer;
92 million operations a picture. Text tower: a 2-layer, 64-wide transformer over CLIP's own word pieces, of
which only those in use are stored. Transformers and tokenizer are open_clip's. Weights are stored in float16
and used in float32.
"""

TRAINING = """\
## Training

`python -m clip_tta_core.pretrain photo --data FOLDER --bfloat16`, seed {seed}: {steps_done:,} steps of
{batch_size} training photographs of CIFAR-10 and CIFAR-100 (Krizhevsky 2009; 50,000 each, as JPEG of quality
92) with captions ({pairs:.2f} million pairs, each picture 14 times), CLIP's symmetric contrastive loss in
which pictures with equal captions share the target, and a scale that rises from {first_scale:g} to 100 and
stays there; AdamW, learning rate {lr:g} after {warm_up} steps of warm-up, falling like a cosine, weight decay
{weight_decay:g}; {minutes:.0f} minutes of one thread, and for some of them two, of an AMD EPYC with
AVX512-BF16 that other programs kept busy. A class is told as a caption and in no other way. Pictures are
shifted by up to {shift} pixels, mirrored, and changed in brightness and contrast by up to {light:.0%}; none
is corrupted.

The learning rate was chosen over 2e-3 after three times through the pictures. This training was planned for
10,140 steps, and its length was set anew as the machine became slower and faster: at steps 2,340 (to 7,410),
2,730 (to 5,460), 3,120 (to 6,240) and 4,290 (to {steps:,}), the learning rate each time going over to the
cosine of the new length. The scale rose over the first 2,028 steps. The command trains as if {steps:,} steps
had been planned, with the scale rising over a fifth of them.
"""

SEVERITIES = """\
## Zero-shot accuracy

Prompt "a photo of a ...". CIFAR-10's ten names, 2,000 test pictures a cell, the fifteen standard corruptions,
severities across; clean, every second test picture of both sets (5,000 each).

"""

FIELD = """\
## The field

CIFAR-10, severity 5: the mean accuracy over the fifteen standard corruptions with its standard deviation over
seeds: streams of 4 batches of 64, started afresh for every corruption and seed; methods that start over at
every picture or batch are measured on the first batch. In brackets the classes in use at the end (e to the
entropy of the histogram of answers, of 10). Predictions after the update.

"""

STREAMS = """\
## Other streams

Every method as published, in percent: clean pictures, and fog at severity 5 in streams that are not shuffled.
Few classes at a time means 1 to 4 of the 10 in a batch.

"""

PAPER = """\
## CLIPTTA's protocol

As in CLIPTTA's paper (arXiv 2507.14312), on half as many pictures: batches of 128, Adam, 1e-4, 10 steps,
severity 5, weights reset for each corruption; each of the 5,000 test pictures at hand once, 40 batches in
place of 79. Then TENT, TENT with the bonus and CLIPTTA as the common rule sets them (1e-3, 10 steps;
for TENT that is what CLIPTTA's code runs it with). Accuracy over the stream, and the mean accuracy of a batch
in its first, second and last third.

"""

PARTS = """\
## The size of a batch, and the parts of the loss

Fog at severity 5, 512 pictures in batches of 1 to 512, 1e-4 and 10 steps a batch, so that small batches mean
more steps. CLIPTTA's contrastive loss alone, with the diversity bonus, and with the memory too, which is the
method as published; then the whole with the loss from texts to images, and both ways.

As in the paper (its ablation by batch size), in batches of one the loss alone is exactly zero-shot CLIP, the
memory is what makes them work, images to texts do better than both ways together, and TENT collapses; in
batches of 4 and 16 the bonus saves TENT. Not as there: accuracy does not rise with the batch. The paper's
streams go on for 10,000 pictures; here a batch of 512 is all there is, and gets ten steps in all.

"""

UNKNOWN = """\
## Unknown pictures

Half of the pictures come from the other set, none of whose classes are asked for; severity 5 where corrupted,
8 batches of 64, 1e-4 and 10 steps for all that learn, TENT with the diversity bonus as in CLIPTTA's open-set
tables. In each cell: AUROC / FPR95 (share of unknown pictures accepted where 95 % of the known are) /
calibration error / accuracy on the known. Methods without a score of their own get CLIPTTA's, the largest
log-probability at scale 1.

"""

STARTS = """\
Under blur every start but ULFine is ahead of zero-shot CLIP, in fog CLIPood and Core-tuning; under noise only
calibrated adversarial training is, and clean pictures lose with all but ULFine, which hardly moves.

"""

LIMITS = """\
## Limits

It knows the names above and nothing else: other words are refused, and whatever a picture shows, it gets one
of the names it is asked about. A photograph is reduced to the 32 pixels of its middle square, so a thing must
fill the picture; small, partly hidden or unusual ones are lost. Corruptions of a large photograph are applied
before it is reduced, which takes much of the noise away again. It is a teaching model: that a method helps it
says something about the method, and little about how much it helps a CLIP of a hundred times the size.

The training and test photographs are research data without a stated licence and are not part of this
project.

The tables are made by `python -m clip_tta_core.sweep TABLE --record` for each of photo-grid, photo,
photo-streams, photo-severities, photo-paper, photo-parts, photo-unknown, photo-starts and photo-attacks, in
hours, where CLIPTTA_DATA names a folder with CIFAR-10 and CIFAR-100, and this file from them by
`python -m clip_tta_core.card`.
"""
