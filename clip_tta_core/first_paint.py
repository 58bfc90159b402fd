"""Record what the page shows before anybody waits: python -m clip_tta_core.first_paint [lesson ...]

Without names, every lesson; with --comparison, the table of all methods instead.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from clip_tta_core import comparison, engine, export
from clip_tta_core.control import Control
from clip_tta_core.logs import open_log
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig, RunLog, Standing
from clip_tta_core.ui.session import recordings
from clip_tta_core.ui.session.lessons import FIRST, LESSONS
from clip_tta_core.ui.session.settings import to_config

ASSETS = Path(__file__).parents[1] / "assets"


def record(config: RunConfig) -> RunLog:
    """Run `config` to its end and keep every number."""
    log = open_log(config)
    control, start = Control(), time.perf_counter()
    control.inside = True
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


def main() -> None:
    lessons = {lesson.name: lesson for lesson in LESSONS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lesson", nargs="*", help=f"of {', '.join(lessons)}; all where none is named")
    parser.add_argument("--comparison", action="store_true", help="all methods in turn instead of lessons")
    wanted = parser.parse_args()
    if unknown := set(wanted.lesson) - lessons.keys():
        parser.error(f"lesson must be one of {', '.join(lessons)}, got {', '.join(sorted(unknown))}.")
    if wanted.comparison:
        text = export.standings_to_json(compare(to_config(FIRST.settings())))
        (ASSETS / "recorded_comparison.json").write_text(text, encoding="utf-8")
        return
    for name in wanted.lesson or lessons:
        path = recordings.write(name, record(to_config(lessons[name].settings())))
        print(f"{name}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
