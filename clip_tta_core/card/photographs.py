"""photo-CLIP's card."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from clip_tta_core.card.cells import (
    SEVERITY,
    STANDARD,
    Cell,
    Column,
    Plan,
    Results,
    Row,
    Wanted,
    both,
    mean,
    percent,
    table,
)
from clip_tta_core.clip.embedded import PHOTO
from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES

TEN, HUNDRED = "dataset:cifar10", "dataset:cifar100"

WHOLE = Column("zero-shot", "zero_shot", batches=20, batch_size=250)  # every second test picture
PART = Column("zero-shot", "zero_shot", batches=8, batch_size=250)
REFERENCE = Column("zero-shot", "zero_shot")  # on the stream the adapting methods see
TENT = Column("TENT, lr 1e-3", "tent", {"lr": 1e-3, "steps": 10})
PUBLISHED = Column("CLIPTTA, lr 1e-4", "cliptta", {"lr": 1e-4, "steps": 10})
CLIPTTA = Column("CLIPTTA, lr 1e-3", "cliptta", {"lr": 1e-3, "steps": 10})
ADAPTED = (REFERENCE, TENT, PUBLISHED, CLIPTTA)
OPEN_SET = Column("CLIPTTA open set, lr 1e-3", "cliptta", {"lr": 1e-3, "steps": 10, "open_set": True})
OPEN = (REFERENCE, TENT, CLIPTTA, OPEN_SET)

LONG = dict(batches=20, batch_size=128)  # the paper's batches, over a quarter of its pictures
STREAM = (
    Column("zero-shot", "zero_shot", {}, **LONG),
    Column("TENT, lr 1e-4", "tent", {"lr": 1e-4, "steps": 10}, **LONG),
    Column("TENT, lr 1e-3", "tent", {"lr": 1e-3, "steps": 10}, **LONG),
    Column("CLIPTTA, lr 1e-4", "cliptta", {"lr": 1e-4, "steps": 10}, **LONG),
    Column("CLIPTTA, lr 1e-3", "cliptta", {"lr": 1e-3, "steps": 10}, **LONG),
)
SIZES = (1, 8, 64, 256)  # of a batch
ALONE = {"composition": "batch_only", "beta_reg": 0.0}
BATCHES = {
    size: (
        Column("zero-shot", "zero_shot", batches=512 // size, batch_size=size),
        *(
            Column(title, method, {"lr": 1e-3, "steps": 10, **knobs}, 512 // size, size)
            for title, method, knobs in (
                ("TENT", "tent", {}),
                ("loss alone", "cliptta", ALONE),
                ("with bonus", "cliptta", {"composition": "batch_only"}),
                ("with memory", "cliptta", {}),
                ("symmetric", "cliptta", {"direction": "symmetric"}),
            )
        ),
    )
    for size in SIZES
}

CLEAN = Row("clean", source=TEN)
CLEAN_HUNDRED = Row("CIFAR-100, clean", source=HUNDRED)


def corrupted(name: str, severity: int = SEVERITY, unknown: str = "none") -> Row:
    """CIFAR-10 under a corruption."""
    return Row(CORRUPTIONS[name].title.lower(), name, severity=severity, unknown=unknown, source=TEN)


ROWS = tuple(corrupted(name) for name in STANDARD)
MIXED = (
    Row("clean", unknown=HUNDRED, source=TEN),
    *(corrupted(name, unknown=HUNDRED) for name in ("gaussian_noise", "defocus_blur", "fog")),
)
STREAMED = tuple(corrupted(name) for name in ("fog", "gaussian_noise"))

TABLES: dict[str, list[Wanted]] = {  # what each table needs, what matters most first
    "zero_shot": [(row, WHOLE) for row in (CLEAN, CLEAN_HUNDRED)],
    "severities": [(corrupted(name, s), PART) for s in reversed(SEVERITIES) for name in STANDARD],
    "adapted": [(row, column) for row in (CLEAN, *ROWS) for column in ADAPTED],
    "unknown": [(row, column) for row in MIXED for column in OPEN],
    "stream": [(row, column) for row in STREAMED for column in STREAM],
    "batches": [(corrupted("fog"), column) for columns in BATCHES.values() for column in columns],
}


def card(folder: Path, results: Results) -> str:
    """The whole card as Markdown."""
    stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    training, names = stored["training"], stored["model"]["names"]
    size = (folder / "model.safetensors").stat().st_size / 1e6
    pairs = training["steps_done"] * training["batch_size"] / 1e6
    parts = [INTRODUCTION.format(count=len(names), names=textwrap.fill(", ".join(names), 108), size=size)]
    parts.append(TRAINING.format(pairs=pairs, **training))
    parts += [text for section in SECTIONS if (text := section(results))]
    return "\n".join([*parts, LIMITS])


def _zero_shot_section(results: Results) -> str:
    lines = ["| Pictures | accuracy |", "| --- | ---: |"]
    for title, row in (("CIFAR-10, of ten names", CLEAN), ("CIFAR-100, of a hundred names", CLEAN_HUNDRED)):
        lines.append(f"| {title} | {percent(results.get(row, WHOLE))} |")
    return ZERO_SHOT_TEXT + "\n".join(lines) + "\n"


def _severities_section(results: Results) -> str:
    lines = ["| |" + "".join(f" {s} |" for s in SEVERITIES), "| --- |" + " ---: |" * len(SEVERITIES)]
    for name in STANDARD:
        cells = [results.get(corrupted(name, s), PART) for s in SEVERITIES]
        lines.append(f"| {corrupted(name).title} |" + "".join(f" {percent(cell)} |" for cell in cells))
    means = [mean([results.get(corrupted(name, s), PART) for name in STANDARD]) for s in SEVERITIES]
    lines.append("| **mean** |" + "".join(f" {percent(cell)} |" for cell in means))
    return SEVERITIES_TEXT.format(count=f"{PART.batches * PART.batch_size:,}") + "\n".join(lines) + "\n"


def _adapted_section(results: Results) -> str:
    rows = _measured(results, (CLEAN, *ROWS), ADAPTED)
    text = ADAPTED_TEXT.format(batches=TENT.batches, size=TENT.batch_size)
    return text + table(results, rows, ADAPTED, both, "mean of these corruptions") if rows else ""


def _unknown_section(results: Results) -> str:
    columns = OPEN if _measured(results, MIXED, OPEN) else OPEN[:-1]
    rows = _measured(results, MIXED, columns)
    text = UNKNOWN_TEXT.format(batches=TENT.batches, size=TENT.batch_size)
    return text + table(results, rows, columns, _detection, "mean") if rows else ""


def _stream_section(results: Results) -> str:
    rows = _measured(results, STREAMED, STREAM)
    text = STREAM_TEXT.format(**LONG)
    return text + table(results, rows, STREAM, _course, "mean") + PAPER_TEXT if rows else ""


def _batches_section(results: Results) -> str:
    row, titles = corrupted("fog"), [column.title for column in BATCHES[SIZES[0]]]
    lines = ["| batch |" + "".join(f" {title} |" for title in titles), "| ---: |" + " ---: |" * len(titles)]
    for size, columns in BATCHES.items():
        if _measured(results, (row,), columns):
            cells = (percent(results.get(row, column)) for column in columns)
            lines.append(f"| {size} | " + " | ".join(cells) + " |")
    return BATCHES_TEXT + "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _measured(results: Results, rows: Sequence[Row], columns: Sequence[Column]) -> tuple[Row, ...]:
    """Those rows of which every column is measured."""
    return tuple(row for row in rows if all(results.get(row, column) for column in columns))


SECTIONS = (  # each is "" as long as no row of it is measured
    _zero_shot_section,
    _severities_section,
    _adapted_section,
    _unknown_section,
    _stream_section,
    _batches_section,
)


def _course(cell: Cell | None) -> str:
    return (
        f"{cell['accuracy']:.1%}: " + " → ".join(f"{cell[f'third_{k}']:.1%}" for k in (1, 2, 3))
        if cell
        else "-"
    )


def _detection(cell: Cell | None) -> str:
    return " / ".join(f"{cell[name]:.1%}" for name in ("auroc", "fpr95", "ece", "accuracy")) if cell else "-"


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

ZERO_SHOT_TEXT = """\
## Zero-shot accuracy

Prompt "a photo of a ...", on every second test picture of both sets, 5,000 each.

"""

SEVERITIES_TEXT = """\
## Zero-shot accuracy on corrupted pictures

CIFAR-10's ten names, {count} test pictures a cell, the fifteen standard corruptions at every severity.

"""

ADAPTED_TEXT = """\
## Adapted

CIFAR-10, severity 5: accuracy over a stream of {batches} batches of {size} pictures, in brackets the
effective number of classes (of 10) in the last 4 batches, e to the entropy of the mean prediction. 10 steps
of Adam a batch, predictions after the update, weights carried on from batch to batch. Only corruptions that
were measured for all columns are shown.

"""

UNKNOWN_TEXT = """\
## Unknown pictures

Half of the pictures are CIFAR-100's, which show none of CIFAR-10's ten classes; severity 5 where corrupted,
{batches} batches of {size}. In each cell: AUROC / FPR95 (share of unknown pictures accepted where 95 % of the
known are) / calibration error on the known / accuracy on the known. Methods without a score of their own get
CLIPTTA's, the largest log-probability at scale 1.

"""

STREAM_TEXT = """\
## Along a long stream

The protocol of CLIPTTA's paper on a smaller scale: batches of {batch_size}, 10 steps, severity 5, {batches}
batches instead of 79, and the corruptions shown instead of fifteen, starting afresh at each. Accuracy over
the stream, and the mean accuracy of a batch in its first, second and last third.

"""

PAPER_TEXT = """
The shape agrees with the paper's figures: CLIPTTA climbs all along the stream and ends with all ten classes
in use, also at its published step of 1e-4, while TENT at the same step ends lower than it began and below
zero-shot. What does not agree: TENT's rise at the beginning of the stream is not to be seen in thirds of this
one, and a step ten times as large as published serves CLIPTTA better here and ruins TENT, so the distance
between the two at 1e-3 says little about the methods at their published settings. One corruption on a
quarter of the pictures is no replication.
"""

BATCHES_TEXT = """\
## The size of a batch, and the parts of the loss

Fog, severity 5, 512 pictures in batches of 1 to 256, lr 1e-3, 10 steps a batch, so that small batches mean
more steps. CLIPTTA's contrastive loss alone, with the diversity bonus, and with the memory too, which is the
method as published; the last column is that with the loss in both directions.

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

`python -m clip_tta_core.card --model photo-clip` measures what is missing from the tables and writes this
file, where CLIPTTA_DATA names a folder with CIFAR-10 and CIFAR-100.
"""

PLAN = Plan(PHOTO, TABLES, card)
