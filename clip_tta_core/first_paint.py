"""Record what the page shows before anybody waits: python -m clip_tta_core.first_paint [lesson ...]

Without names, every lesson; with --comparison, the table of all methods instead. With --seeds 3 nothing is
recorded: each lesson runs with three seeds, and its text, its sentences and its tables are printed together;
--numbers FOLDER keeps the numbers of these runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import time
from pathlib import Path

from clip_tta_core import comparison, engine, export
from clip_tta_core.control import Control
from clip_tta_core.logs import open_log
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig, RunLog, Standing
from clip_tta_core.ui.session import recordings
from clip_tta_core.ui.session.lessons import FIRST, LESSONS, Lesson
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.words.run import summary, value_at

ASSETS = Path(__file__).parents[1] / "assets"
TABLE = ("accuracy", "effective_classes", "effective_classes_run", "ece", "auroc", "fpr95", "gained", "lost")


def record(config: RunConfig, inside: bool = True) -> RunLog:
    """Run `config` to its end and keep every number; `inside`, also those of the tab Look inside."""
    log = open_log(config)
    control, start = Control(), time.perf_counter()
    control.inside = inside
    for report in engine.run(config, control):
        log.append(report, time.perf_counter() - start)
        shown = {name: f"{outcome.metrics['accuracy']:.3f}" for name, outcome in report.outcomes.items()}
        print(f"batch {report.batch_number} of {report.total}: {shown}", flush=True)
    return log


def compare(config: RunConfig) -> list[Standing]:
    """Every method at its defaults on the stream of `config`, the best first."""
    last = {}
    for standing in comparison.in_turns(config, {name: {} for name in METHODS}):
        last[standing.label] = standing
        if standing.done == standing.total or standing.problem:
            print(standing.label, standing.metrics.get("accuracy"), standing.problem, flush=True)
    return comparison.ranked(last.values())


def agreement(lesson: Lesson, seeds: int, folder: Path | None = None) -> str:
    """What a lesson says before it runs, and what its sentence and its table say after each of its seeds.

    Args:
        lesson: to run.
        seeds: how many, from 0.
        folder: where each run is kept as lesson-seed, without its pictures; None for nowhere.
    """
    lines = [f"{lesson.title}: {lesson.look_for}"]
    for seed in range(seeds):
        log = record(dataclasses.replace(to_config(lesson.settings()), seed=seed), inside=False)
        if folder is not None:
            numbers = export.to_json(dataclasses.replace(log, sheets=[], last=None))
            path = folder / f"{lesson.name}-{seed}{recordings.ENDING}"
            path.write_bytes(gzip.compress(numbers.encode(), mtime=0))
        lines.append(f"  seed {seed}: {summary(log)}")
        for label in log.series:
            last = {name: value_at(log, label, name, len(log) - 1) for name in TABLE}
            shown = ", ".join(f"{name} {value:.3f}" for name, value in last.items() if value == value)
            lines.append(f"    {log.titles[label]}: {shown}")
    return "\n".join(lines)


def main() -> None:
    lessons = {lesson.name: lesson for lesson in LESSONS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lesson", nargs="*", help=f"of {', '.join(lessons)}; all where none is named")
    parser.add_argument("--comparison", action="store_true", help="all methods in turn instead of lessons")
    parser.add_argument("--seeds", type=int, default=0, help="how many, to print instead of to record")
    parser.add_argument("--numbers", type=Path, help="folder for the runs of --seeds, without pictures")
    wanted = parser.parse_args()
    if unknown := set(wanted.lesson) - lessons.keys():
        parser.error(f"lesson must be one of {', '.join(lessons)}, got {', '.join(sorted(unknown))}.")
    if wanted.comparison:
        text = export.standings_to_json(compare(to_config(FIRST.settings())))
        (ASSETS / "recorded_comparison.json").write_text(text, encoding="utf-8")
        return
    for name in wanted.lesson or lessons:
        if wanted.seeds:
            print(agreement(lessons[name], wanted.seeds, wanted.numbers), flush=True)
            continue
        path = recordings.write(name, record(to_config(lessons[name].settings())))
        print(f"{name}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
