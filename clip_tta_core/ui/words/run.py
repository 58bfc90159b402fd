"""One to three sentences on a run, computed from its numbers: of what is recent, and of all of it at its end.

All methods answer the same pictures, so they are ranked by a paired test (`RunLog.paired`) or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clip_tta_core import metrics
from clip_tta_core.records import RunLog
from clip_tta_core.ui.words.numbers import DASH, SURE, has_collapsed, in_points, listed, percent

FEW = 10  # pictures, known or unknown, of which an AUROC says little
SURE_Z = 2.58  # two-sided, the same certainty as SURE
FROZEN = "zero_shot"
ALREADY_RIGHT = 0.9  # accuracy of zero-shot CLIP that leaves a method nothing to do but no harm
HARMLESS = 0.01  # net loss of accuracy


def value_at(log: RunLog, method: str, curve: str, step: int) -> float:
    """A curve's value at a step (0 for the first batch), NaN where there is none."""
    values = log.series.get(method, {}).get(curve, ())
    return values[step] if 0 <= step < len(values) else math.nan


def sentence(log: RunLog, step: int) -> str:
    """One or two sentences on the last `metrics.WINDOW` pictures at a step (0 for the first batch)."""
    return " ".join(_said(log, step, recent=True)[:2])


def summary(log: RunLog) -> str:
    """Up to three sentences on a whole run."""
    return " ".join(_said(log, len(log) - 1, recent=False)[:3])


def _said(log: RunLog, step: int, recent: bool) -> list[str]:
    """What there is to say, the most important first."""
    adapted = [label for label in log.series if label != FROZEN]
    if not log.series or not 0 <= step < len(log):
        return []
    if not adapted:
        return [_alone(log, step, recent)]
    unknowns, fell = _unknowns(log, adapted, step)
    accuracy = _accuracy(_Span(log, step + 1, recent), adapted)
    collapse = _collapse(log, adapted, step, "now uses" if recent else "ended up using")
    parts = [collapse, *([unknowns, accuracy] if fell else [accuracy, unknowns])]
    return [part for part in parts if part] or [part for part in [_changes(log, adapted, step)] if part]


@dataclass(frozen=True)
class _Span:
    """The labelled pictures that a sentence is about."""

    log: RunLog
    batches: int
    recent: bool

    @property
    def size(self) -> int:
        return len(self.log.right(FROZEN, self.batches, self.recent))

    @property
    def words(self) -> str:
        return f"{'the last' if self.recent else 'all'} {self.size:,} pictures"

    def share(self, label: str) -> float:
        return float(self.log.right(label, self.batches, self.recent).mean())

    def is_ahead(self, label: str, of: str) -> bool:
        """Whether the pictures suffice to say that one is better than the other."""
        pair = self.log.paired(of, label, self.batches, self.recent)
        return pair.gained > pair.lost and pair.p < SURE


def _alone(log: RunLog, step: int, recent: bool) -> str:
    accuracy, span = value_at(log, FROZEN, "accuracy", step), _Span(log, step + 1, recent=False)
    if math.isfinite(accuracy):
        pictures = "the pictures so far" if recent or not span.size else span.words
        return f"Zero-shot CLIP is right on {percent(accuracy)} of {pictures}."
    return f"Zero-shot CLIP uses {_classes(log, FROZEN, step)}."


def _collapse(log: RunLog, adapted: list[str], step: int, verb: str) -> str:
    """Name the method that answers with fewest classes, when they are less than half of those there were."""
    before = value_at(log, FROZEN, "effective_classes", step)
    there = _classes_there(log, step)
    used = {label: value_at(log, label, "effective_classes", step) for label in adapted}
    fallen = [label for label in adapted if has_collapsed(used[label], before, there)]
    if not fallen:
        return ""
    if len(fallen) > 1:
        few = "now use" if verb == "now uses" else verb
        return f"{_names(log, fallen)} {few} less than half of the classes that were shown."
    shown = f" of the {there:.0f} that were shown" if there < 0.5 * len(log.class_names) else ""
    said = f"{used[fallen[0]]:.0f}{shown}" if shown else _classes(log, fallen[0], step)
    return f"{log.titles[fallen[0]]} {verb} {said}."


def _classes_there(log: RunLog, step: int) -> float:
    """How many classes the recent pictures were spread over: few where the stream is sorted."""
    truth = log.truth[: step + 1][-log.recent :]
    there = metrics.effective(np.sum(truth, axis=0)) if truth else math.nan
    return there if math.isfinite(there) else len(log.class_names)


def _accuracy(span: _Span, adapted: list[str]) -> str:
    """Who is right more often than zero-shot CLIP, who less often, and what cannot be told."""
    if not span.size:
        return _unpaired(span, adapted)
    shares = {label: span.share(label) for label in (FROZEN, *adapted)}
    ranked = sorted(adapted, key=shares.__getitem__, reverse=True)
    said = _Shares(span, shares)
    ahead = [label for label in ranked if span.is_ahead(label, FROZEN)]
    behind = [label for label in ranked if span.is_ahead(FROZEN, label)]
    if ahead:
        return _led_by(said, ahead[0], ranked, behind)
    if behind:
        return _harmed(said, ranked, behind)
    return _open(said, ranked)


@dataclass(frozen=True)
class _Shares:
    """Accuracies as a sentence says them, all with the same number of digits."""

    span: _Span
    shares: Mapping[str, float]

    @property
    def digits(self) -> int:
        values = set(self.shares.values())
        near = max(values) - min(values) < 0.05 or len({round(100 * one) for one in values}) < len(values)
        almost_whole = any("." in percent(one) for one in values)
        return 1 if almost_whole or (near and len(values) > 1) else 0

    def of(self, label: str) -> str:
        return percent(self.shares[label], self.digits)

    def title(self, label: str) -> str:
        return "zero-shot CLIP" if label == FROZEN else self.span.log.titles[label]

    def from_frozen(self, label: str) -> str:
        """How far from zero-shot CLIP, as the percentages shown have it."""
        own, frozen = (round(100 * self.shares[one], self.digits) for one in (label, FROZEN))
        return in_points(abs(round(own - frozen, self.digits)))

    def each(self, labels: Sequence[str]) -> str:
        return listed([f"{self.title(label)} on {self.of(label)}" for label in labels])


def _led_by(said: _Shares, best: str, ranked: list[str], behind: list[str]) -> str:
    """A method is better than zero-shot CLIP; what of the others?"""
    span = said.span
    text = (
        f"{said.title(best)} is right on {said.of(best)} of {span.words}, "
        f"{said.from_frozen(best)} above zero-shot CLIP"
    )
    others = [label for label in ranked if label != best]
    level = [label for label in others if said.shares[label] == said.shares[best]]
    close = [label for label in others if label not in level and not span.is_ahead(best, label)]
    if level:
        text += f"; {_names(span.log, level)} {'is' if len(level) == 1 else 'are'} level with it"
    if close:
        with_shares = listed([f"{said.title(label)} ({said.of(label)})" for label in close])
        text += f"; too few pictures to tell it from {with_shares}"
    rest = [label for label in others if label not in (*level, *close)]
    if rest and not level and not close and rest[0] not in behind:
        text += f", and ahead of {said.title(rest[0])} ({said.of(rest[0])})"
    if behind:
        text += f"; {said.title(behind[-1])} on {said.of(behind[-1])}, {said.from_frozen(behind[-1])} below"
    return text + "."


def _harmed(said: _Shares, ranked: list[str], behind: list[str]) -> str:
    """No method is better than zero-shot CLIP, and some are worse."""
    span = said.span
    if len(behind) == len(ranked) > 1:
        return f"Zero-shot CLIP does best: right on {said.of(FROZEN)} of {span.words}, {said.each(ranked)}."
    worst = behind[-1]
    text = (
        f"{said.title(worst)} is right on {said.of(worst)} of {span.words}, "
        f"{said.from_frozen(worst)} below zero-shot CLIP"
    )
    unsure = [label for label in ranked if label not in behind]
    if unsure:
        text += f"; too few pictures to tell {_names(span.log, unsure)} from zero-shot CLIP"
    return text + "."


def _open(said: _Shares, ranked: list[str]) -> str:
    """No difference from zero-shot CLIP that the pictures support."""
    span, frozen = said.span, said.shares[FROZEN]
    everyone = said.each((FROZEN, *ranked))
    if all(said.shares[label] == frozen for label in ranked):
        both = "are both" if len(ranked) == 1 else "are all"
        names = listed([said.title(label) for label in (*ranked, FROZEN)])
        return f"Nothing gained, nothing lost: {names} {both} right on {said.of(FROZEN)} of {span.words}."
    enough = span.size >= metrics.WINDOW and frozen >= ALREADY_RIGHT
    if enough and all(frozen - said.shares[label] <= HARMLESS for label in ranked):
        return f"No harm done: of {span.words}, {_right_first(everyone)}."
    return f"Too few pictures to tell: of {span.words}, {_right_first(everyone)}."


def _right_first(everyone: str) -> str:
    return everyone.replace(" on ", " is right on ", 1)


def _unpaired(span: _Span, adapted: list[str]) -> str:
    """A file of an earlier version holds no single answers: its numbers without a ranking."""
    values = {one: value_at(span.log, one, "accuracy", span.batches - 1) for one in (FROZEN, *adapted)}
    if not all(map(math.isfinite, values.values())):
        return ""
    return f"So far {_right_first(_Shares(span, values).each(list(values)))} of the pictures."


def _unknowns(log: RunLog, adapted: list[str], step: int) -> tuple[str, bool]:
    """How well known and unknown images are told apart, and whether a method has made that worse."""
    scores = {label: value_at(log, label, "auroc", step) for label in (FROZEN, *adapted)}
    counts = (_count(log.known, step), _count(log.unknown, step))
    if not all(map(math.isfinite, scores.values())) or min(counts) < FEW:
        return "", False
    errors = {label: metrics.auroc_error(score, *counts) for label, score in scores.items()}
    # As if the two had seen different images: on the same ones they differ less by chance.
    sure = {label: SURE_Z * math.hypot(errors[label], errors[FROZEN]) for label in adapted}
    ranked = sorted(adapted, key=scores.__getitem__, reverse=True)
    fell = [label for label in ranked if scores[FROZEN] - scores[label] > sure[label]]
    frozen = percent(scores[FROZEN])
    if fell:
        worst = fell[-1]
        others = [f"{log.titles[x]}'s is {percent(scores[x])}" for x in ranked if x != worst]
        text = f"{log.titles[worst]}'s AUROC fell to {percent(scores[worst])}, from zero-shot CLIP's {frozen}"
        return "; ".join([text, *others[:1]]) + ".", True
    best = ranked[0]
    if scores[best] - scores[FROZEN] > sure[best]:
        return (
            f"{log.titles[best]} separates known from unknown pictures better than zero-shot CLIP: "
            f"AUROC {percent(scores[best])} against {frozen}."
        ), False
    return (
        f"In separating known from unknown pictures no method can be told from zero-shot CLIP (AUROC "
        f"{frozen})."
    ), False


def _count(scores: Mapping[str, Sequence[Sequence[float]]], step: int) -> int:
    """Pictures that have been scored up to a step; every method scores the same ones."""
    return sum(len(batch) for batch in next(iter(scores.values()), ())[: step + 1])


def _changes(log: RunLog, adapted: list[str], step: int) -> str:
    shares = {label: value_at(log, label, "changed", step) for label in adapted}
    shares = {label: share for label, share in shares.items() if math.isfinite(share)}
    if not shares:
        return ""
    most = max(shares, key=shares.__getitem__)
    return (
        f"{log.titles[most]} has changed {percent(shares[most])} of zero-shot CLIP's predictions "
        f"and uses {_classes(log, most, step)}."
    )


def _names(log: RunLog, labels: Sequence[str]) -> str:
    return listed([log.titles[label] for label in labels])


def _classes(log: RunLog, label: str, step: int) -> str:
    used, total = value_at(log, label, "effective_classes", step), len(log.class_names)
    return f"{used:.0f} of {total} classes" if math.isfinite(used) else f"{DASH} of {total} classes"
