"""mini-CLIP's card."""

from __future__ import annotations

import json
from pathlib import Path

from clip_tta_core.card.cells import (
    SEED,
    SEVERITY,
    STANDARD,
    Column,
    Plan,
    Results,
    Row,
    Wanted,
    both,
    detection,
    mean,
    percent,
    table,
)
from clip_tta_core.clip.embedded import MINI
from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES
from clip_tta_core.methods import METHODS
from clip_tta_core.sources.rendered import COLOURS, OBJECTS, STYLES, TASK, UNKNOWN_SOURCES

ZERO_SHOT = Column("zero-shot", "zero_shot", batches=16, batch_size=250)
QUICK = Column("zero-shot", "zero_shot", batches=4, batch_size=250)
REFERENCE = Column("zero-shot", "zero_shot")  # on the stream the adapting methods see
TENT = Column("TENT, lr 1e-3", "tent", {"lr": 1e-3, "steps": 10})
CLIPTTA = Column("CLIPTTA, lr 1e-3", "cliptta", {"lr": 1e-3, "steps": 10})
ADAPTED = (REFERENCE, TENT, Column("CLIPTTA, lr 1e-4", "cliptta", {"lr": 1e-4, "steps": 10}), CLIPTTA)
OPEN_SET = Column("CLIPTTA open set, lr 1e-3", "cliptta", {"lr": 1e-3, "steps": 10, "open_set": True})
OPEN = (REFERENCE, TENT, CLIPTTA, OPEN_SET)
FIELD = tuple(
    Column(cls.title, name) for name, cls in METHODS.items() if name not in ("zero_shot", "tent", "cliptta")
)


CLEAN = Row("clean")
CORRUPTED = {name: Row(item.title.lower(), corruption=name) for name, item in CORRUPTIONS.items()}
STYLED = {name: Row(item.title.lower(), style=name) for name, item in STYLES.items() if name != "none"}
MIXED = tuple(
    Row(
        f"{source.title.lower()}, {change.replace('_', ' ') if change != 'none' else 'clean'}",
        change,
        unknown=name,
    )
    for name, source in UNKNOWN_SOURCES.items()
    for change in ("none", "gaussian_noise", "defocus_blur", "fog")
)


def weaker(name: str, severity: int) -> Row:
    """A corruption at less than full severity."""
    return Row(f"{CORRUPTED[name].title} {severity}", corruption=name, severity=severity)


TABLES: dict[str, list[Wanted]] = {  # what each table needs, what is quick first
    "zero_shot": [(row, ZERO_SHOT) for row in (CLEAN, *CORRUPTED.values(), *STYLED.values())],
    "adapted": [(row, column) for row in (CLEAN, *CORRUPTED.values()) for column in ADAPTED],
    "severities": [(weaker(name, s), QUICK) for name in CORRUPTED for s in SEVERITIES if s < SEVERITY],
    "unknown": [(row, column) for row in MIXED for column in OPEN],
    "methods": [(row, column) for column in FIELD for row in CORRUPTED.values()],
}


def card(folder: Path, results: Results) -> str:
    """The whole card as Markdown."""
    training = json.loads((folder / "config.json").read_text(encoding="utf-8"))["training"]
    size = sum(file.stat().st_size for file in folder.glob("*.*")) / 1e6
    parts = [INTRODUCTION.format(objects=len(OBJECTS), colours=len(COLOURS), task=", ".join(TASK), size=size)]
    parts.append(TRAINING.format(pictures=training["steps_done"] * training["batch_size"] / 1e6, **training))
    parts.append(_zero_shot_section(results))
    for name, section in SECTIONS.items():
        if any(results.get(*cell) for cell in TABLES[name]):
            parts.append(section(results))
    parts.append(LIMITS)
    return "\n".join(parts)


def _zero_shot_section(results: Results) -> str:
    count = f"{ZERO_SHOT.batches * ZERO_SHOT.batch_size:,}"
    lines = [f"| Pictures ({count} each, 20 classes) | accuracy |", "| --- | ---: |"]
    for row in (CLEAN, *CORRUPTED.values()):
        lines.append(f"| {row.title} | {percent(results.get(row, ZERO_SHOT))} |")
    standard = [results.get(CORRUPTED[name], ZERO_SHOT) for name in STANDARD]
    lines.append(f"| **mean of the {len(standard)} standard corruptions** | {percent(mean(standard))} |")
    every = [results.get(row, ZERO_SHOT) for row in CORRUPTED.values()]
    lines.append(f"| **mean of all {len(every)}** | {percent(mean(every))} |")
    lines += [f"| style: {row.title} | {percent(results.get(row, ZERO_SHOT))} |" for row in STYLED.values()]
    return ZERO_SHOT_TEXT.format(severity=SEVERITY, seed=SEED) + "\n".join(lines) + "\n"


def _adapted_section(results: Results) -> str:
    return ADAPTED_TEXT.format(batches=TENT.batches, size=TENT.batch_size) + table(
        results, (CLEAN, *CORRUPTED.values()), ADAPTED, both, "mean of the corruptions"
    )


def _severities_section(results: Results) -> str:
    lines = ["| |" + "".join(f" {s} |" for s in SEVERITIES), "| --- |" + " ---: |" * len(SEVERITIES)]
    for name, row in CORRUPTED.items():
        cells = [results.get(weaker(name, s), QUICK) for s in SEVERITIES[:-1]] + [results.get(row, ZERO_SHOT)]
        lines.append(f"| {row.title} |" + "".join(f" {percent(cell)} |" for cell in cells))
    return SEVERITIES_TEXT.format(count=f"{QUICK.batches * QUICK.batch_size:,}") + "\n".join(lines) + "\n"


def _unknown_section(results: Results) -> str:
    return UNKNOWN_TEXT.format(batches=TENT.batches, size=TENT.batch_size) + table(
        results, MIXED, OPEN, detection, "mean"
    )


def _methods_section(results: Results) -> str:
    rows = tuple(CORRUPTED.values())
    columns = (*ADAPTED, *(column for column in FIELD if any(results.get(row, column) for row in rows)))
    return METHODS_TEXT + table(results, rows, columns, both, "mean")


SECTIONS = {
    "adapted": _adapted_section,
    "severities": _severities_section,
    "unknown": _unknown_section,
    "methods": _methods_section,
}


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

ZERO_SHOT_TEXT = """\
## Zero-shot accuracy

Prompt "a photo of a ...", severity {severity}, seed {seed}, which training never used.

"""

ADAPTED_TEXT = """\
## Adapted

Accuracy over a stream of {batches} batches of {size} pictures, in brackets the effective number of classes
(of 20) in the last 4 batches. 10 steps of Adam a batch, predictions after the update, weights carried on
from batch to batch.

"""

SEVERITIES_TEXT = """\
## Zero-shot accuracy at every severity

{count} pictures each; severity 5 as above.

"""

UNKNOWN_TEXT = """\
## Unknown pictures

Half of the pictures show none of the 20 classes, severity 5 where corrupted, {batches} batches of {size}. In
each cell: AUROC / FPR95 (share of unknown pictures accepted where 95 % of the known are) / accuracy on the
known ones. Methods without a score of their own get CLIPTTA's, the largest log-probability at scale 1.

"""

METHODS_TEXT = """\
## The field

Every method on the streams of "Adapted", all but TENT and CLIPTTA at their default settings: accuracy, and in
brackets the effective classes at the end. Predictions after the update for all.

"""

LIMITS = """\
## Limits

It knows nothing but rendered objects: on photographs its answers mean nothing, and other words are refused.
It is a teaching model; how methods rank on it says little about how they rank on real CLIPs.

`python -m clip_tta_core.card` measures what is missing from the tables and writes this file, in hours.
"""


PLAN = Plan(MINI, TABLES, card)
