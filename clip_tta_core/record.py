"""Record the run that the page shows before anybody presses anything: python -m clip_tta_core.record"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from clip_tta_core import engine, export
from clip_tta_core.palette import ordered
from clip_tta_core.records import RunConfig, RunLog

TARGET = Path(__file__).parents[1] / "assets" / "recorded_run.json"
CONFIG = RunConfig(  # the page's first lesson; tests hold the two together
    methods={"zero_shot": {}, "tent": {"lr": 1e-3, "steps": 10}, "cliptta": {"lr": 1e-3, "steps": 10}},
    corruption="gaussian_noise",
)


def record(config: RunConfig) -> RunLog:
    """Run `config` to its end and keep every number."""
    titles = {card.name: card.title for card in engine.catalog().methods}
    log = RunLog(
        class_names=config.class_names or engine.catalog().task,
        titles={name: titles[name] for name in ordered({"zero_shot", *config.methods})},
        settings={"corruption": config.corruption, "severity": config.severity, "style": config.style},
    )
    start = time.perf_counter()
    for report in engine.run(config):
        log.append(report, time.perf_counter() - start)
        shown = {name: f"{outcome.metrics['accuracy']:.3f}" for name, outcome in report.outcomes.items()}
        print(f"batch {report.step} of {report.total}: {shown}", flush=True)
    return log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    args = parser.parse_args()
    args.out.write_text(export.to_json(record(CONFIG)), encoding="utf-8")


if __name__ == "__main__":
    main()
