"""Measure how fast this machine adapts: python -m clip_tta_core.bench --help"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import textwrap
import threading
from pathlib import Path

import torch

from clip_tta_core.bench import corruptions, rounding, speed
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.loading import MINI
from clip_tta_core.methods import METHODS

PAIR_HEAD = "| model | precision | ours s | released s | times faster | range | ours MB | released MB |"
PAIR_RULE = "| --- | --- | --: | --: | --: | --- | --: | --: |"
HEAD = "| model | method | images/s | ms per step | peak MB | share of matmul | forwards | backwards |"
RULE = "| --- | --- | --: | --: | --: | --: | --: | --: |"


def main() -> None:
    arguments = parse()
    print(f"{machine()}, batches of {arguments.batch}.\n")
    if arguments.corruptions:
        print_corruptions()
        return
    if arguments.rounding:
        print_rounding(arguments)
        return
    if arguments.released:
        print_pairs(arguments)
        return
    print_speed(arguments)
    if MINI in arguments.models:
        print_whole_run(2 if arguments.quick else 16, arguments.device)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clip_tta_core.bench", description=__doc__)
    models = [*EMBEDDED, "ViT-B-32@random", "ViT-B-16@random"]
    parser.add_argument("--models", nargs="+", default=models, help="names; NAME@random needs no weights")
    methods = ["zero_shot", "tent", "cliptta", speed.RELEASED]
    parser.add_argument("--methods", nargs="+", default=methods, help=f"names, '{speed.RELEASED}', or all")
    parser.add_argument("--batch", type=int, default=64, help="pictures per batch")
    parser.add_argument("--batches", type=int, default=3, help="batches that are timed, after one to warm up")
    parser.add_argument(
        "--steps", type=int, default=0, help="steps per batch, 0 for each method's own; a step takes as long"
    )
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    parser.add_argument("--threads", type=int, default=0, help="threads of the CPU, 0 for PyTorch's choice")
    parser.add_argument("--quick", action="store_true", help="mini-CLIP and one batch only")
    parser.add_argument("--precision", default="auto", help="of large encoders: auto, float32 or bfloat16")
    parser.add_argument(
        "--released", action="store_true", help="time CLIPTTA and the released loop in turns instead"
    )
    parser.add_argument(
        "--rounding", action="store_true", help="say what bfloat16 changes in a whole run instead"
    )
    parser.add_argument("--corruptions", action="store_true", help="time the corruptions instead")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.models, arguments.batches = [MINI], 1
    if arguments.methods == ["all"]:
        arguments.methods = list(METHODS)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return arguments


def machine() -> str:
    """What this was measured on, in words."""
    gpu = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        processor = names[0] if names else processor
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{gpu}{processor}, {torch.get_num_threads()} threads{load}, torch {torch.__version__}"


def print_speed(arguments: argparse.Namespace) -> None:
    remarks = []
    print(f"{HEAD}\n{RULE}")
    rows = speed.sweep(
        arguments.models,
        arguments.methods,
        arguments.batch,
        arguments.batches,
        arguments.device,
        arguments.steps,
        arguments.precision,
    )
    for row in rows:
        if isinstance(row, str):
            remarks.append(row)
            continue
        print(
            f"| {row.model} | {row.method} | {row.images_per_second:.1f} | {row.step_ms:.1f} "
            f"| {row.peak_mb:,.0f} | {row.share:.0%} | {row.forwards:.1f} | {row.backwards:.1f} |",
            flush=True,
        )
    print("\n" + "\n".join(remarks))
    print(
        textwrap.fill(
            "Medians over batches, adapting and predicting together; peak is resident memory on a CPU and "
            "allocated memory on a GPU; forwards and backwards are pictures through the encoder per picture "
            "of the stream.",
            110,
        )
    )


def print_pairs(arguments: argparse.Namespace) -> None:
    print(f"{PAIR_HEAD}\n{PAIR_RULE}")
    for model in arguments.models:
        pair = speed.pair(
            model,
            arguments.batch,
            arguments.batches,
            arguments.device,
            arguments.steps,
            arguments.precision,
        )
        ratios = pair.ratios
        print(
            f"| {pair.model} | {pair.precision} | {statistics.median(pair.ours):.2f} "
            f"| {statistics.median(pair.released):.2f} | {statistics.median(ratios):.2f} "
            f"| {ratios[0]:.2f} to {ratios[-1]:.2f} | {pair.peaks_mb[0]:,.0f} | {pair.peaks_mb[1]:,.0f} |",
            flush=True,
        )
    print("\nMedians over rounds; in a round both take the same batch, one after the other, in turns first.")


def print_rounding(arguments: argparse.Namespace) -> None:
    print("| model | method | float32 | bfloat16 | other answers | smallest cosine |")
    print("| --- | --- | --: | --: | --: | --: |")
    for model in arguments.models:
        for one in rounding.differences(model, arguments.batch, arguments.batches):
            accuracy = " | ".join(f"{share:.1%}" for share in one.accuracy)
            print(
                f"| {model} | {one.method} | {accuracy} | {one.changed:.1%} | {one.cosine:.5f} |", flush=True
            )


def print_whole_run(batches: int, device: str) -> None:
    whole = speed.whole_run(batches, device)
    within = sum(whole.inside.values())
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in whole.inside.items())
    print(
        f"\nA default run on mini-CLIP, {batches} batches of 64, ten steps: {whole.seconds:.1f} s, the first "
        f"report after {whole.first:.1f} s; {parts}; {1 - within / whole.seconds:.0%} outside of the methods "
        f"({threading.active_count()} threads of Python at the end)."
    )


def print_corruptions() -> None:
    print("| corruption | ms per picture of 224 px |\n| --- | --: |")
    for name, milliseconds in corruptions.measure():
        print(f"| {name} | {milliseconds:.2f} |")
    rate = corruptions.throughput()
    print(f"\n{rate:,.0f} pictures of 64 px a second through the standard corruptions, one core.")


if __name__ == "__main__":
    main()
