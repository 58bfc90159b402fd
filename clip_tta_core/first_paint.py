"""Record what the page shows at first sight: python -m clip_tta_core.first_paint [--comparison]"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from clip_tta_core import comparison, engine, export
from clip_tta_core.logs import open_log
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig, RunLog, Standing

ASSETS = Path(__file__).parents[1] / "assets"
CONFIG = RunConfig(  # the page's first lesson; tests hold the two together
    methods={"zero_shot": {}, "tent": {"lr": 1e-3, "steps": 10}, "cliptta": {"lr": 1e-3, "steps": 10}},
    corruption="gaussian_noise",
)


def record(config: RunConfig) -> RunLog:
    """Run `config` to its end and keep every number."""
    log = open_log(config)
    start = time.perf_counter()
    for report in engine.run(config):
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparison", action="store_true", help="all methods in turn instead of one run")
    if parser.parse_args().comparison:
        target, text = ASSETS / "recorded_comparison.json", export.standings_to_json(compare(CONFIG))
    else:
        target, text = ASSETS / "recorded_run.json", export.to_json(record(CONFIG))
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
