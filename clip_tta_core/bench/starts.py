"""What starts are worth: python -m clip_tta_core.bench.starts [start ...]

Accuracy of zero-shot CLIP and of every start as it is, on shifted streams that share no picture with what the
start saw: a table in Markdown, mean and range over seeds. With --save, the last start made is written as a
checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from clip_tta_core import engine
from clip_tta_core.clip.loading import MINI
from clip_tta_core.records import RunConfig
from clip_tta_core.starts import STARTS
from clip_tta_core.validation import ZERO_SHOT, start_label

SHIFTS: dict[str, Mapping[str, str]] = {
    "clean": {},
    "gaussian noise 5": {"corruption": "gaussian_noise"},
    "defocus blur 5": {"corruption": "defocus_blur"},
    "fog 5": {"corruption": "fog"},
    "line drawing": {"style": "line_drawing"},
}
NONE = "zero-shot CLIP"


def accuracies(config: RunConfig) -> dict[str, float]:
    """Accuracy of zero-shot CLIP and of the start over a stream."""
    *_, report = engine.run(config)
    label = start_label(config)
    return {
        NONE: report.outcomes[ZERO_SHOT].metrics["accuracy"],
        STARTS[config.start].title: report.outcomes[label].metrics["accuracy"],
    }


def measure(config: RunConfig, starts: list[str], seeds: range) -> Iterator[tuple[str, str, float]]:
    """(who, shift, accuracy), one at a time; zero-shot CLIP's come once a seed and shift."""
    for seed in seeds:
        for number, start in enumerate(starts):
            began = time.perf_counter()
            for shift, fields in SHIFTS.items():
                own = dataclasses.replace(config, start=start, seed=seed, **dict(fields))  # pyright: ignore
                for who, accuracy in accuracies(own).items():
                    if who != NONE or number == 0:
                        yield who, shift, accuracy
            print(f"{start}, seed {seed}: {time.perf_counter() - began:.0f} s", flush=True)


def table(found: Mapping[tuple[str, str], list[float]]) -> str:
    """Markdown: a row for each, mean over seeds and, behind it, the lowest and the highest."""
    rows = list(dict.fromkeys(who for who, _ in found))
    lines = [f"| | {' | '.join([*SHIFTS, 'mean'])} |", "| --- |" + " ---: |" * (len(SHIFTS) + 1)]
    for who in rows:
        cells = []
        for shift in SHIFTS:
            values = [100 * value for value in found[who, shift]]
            cells.append(f"{statistics.mean(values):.1f} ({min(values):.1f}-{max(values):.1f})")
        every = [100 * value for shift in SHIFTS for value in found[who, shift]]
        lines.append(f"| {who} | {' | '.join(cells)} | {statistics.mean(every):.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", nargs="*", help=f"of {', '.join(STARTS)}; all where none is named")
    parser.add_argument("--model", default=MINI)
    parser.add_argument("--source", default="rendered")
    parser.add_argument("--shots", type=int, default=16, help="labelled pictures per class")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--save", type=Path, help="a file for the last start made, ending in .safetensors")
    wanted = parser.parse_args()
    config = RunConfig(
        methods={ZERO_SHOT: {}},
        model=wanted.model,
        source=wanted.source,
        shots=wanted.shots,
        batch_size=128,
        batches=4,
    )
    found: dict[tuple[str, str], list[float]] = {}
    starts = [STARTS[name].name for name in wanted.start or STARTS]
    for who, shift, accuracy in measure(config, starts, range(wanted.seeds)):
        found.setdefault((who, shift), []).append(accuracy)
    print(f"{wanted.model}, {wanted.shots} shots, {wanted.seeds} seeds, {4 * 128} pictures a stream")
    print(table(found))
    if wanted.save:
        engine.save_start(dataclasses.replace(config, start=starts[-1], seed=wanted.seeds - 1), wanted.save)


if __name__ == "__main__":
    main()
