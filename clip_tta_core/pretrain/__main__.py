"""Train an embedded CLIP from scratch: python -m clip_tta_core.pretrain [rendered | photo]"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

from clip_tta_core.clip import embedded
from clip_tta_core.pretrain import drawings, photographs
from clip_tta_core.pretrain.loop import Lessons, train


def main() -> None:
    parser = argparse.ArgumentParser(prog="clip_tta_core.pretrain", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("rendered", "photo"), default="rendered")
    parser.add_argument(
        "--steps", type=int, help="how long to train; as the member's recipe says, if not given"
    )
    parser.add_argument("--batch", type=int, help="pictures per step; likewise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="cuda, mps, cpu or auto")
    parser.add_argument("--out", type=Path, help="folder to write to, and to go on from; the member's own")
    parser.add_argument(
        "--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="processes that render objects"
    )
    parser.add_argument(
        "--data", type=Path, help="folder of the photographs, or to download them to (340 MB)"
    )
    parser.add_argument(
        "--bfloat16", action="store_true", help="on CPUs too: pays with AVX512-BF16 or AMX only"
    )
    args = parser.parse_args()
    if args.what == "photo" and args.data is None:
        parser.error("photo-CLIP is trained on photographs: --data must name a folder.")

    lessons = _lessons(args)
    out = args.out or lessons.member.folder
    for now in train(lessons, args.device, args.bfloat16, out):
        now.model.eval()
        accuracy = lessons.accuracy(now.model)
        told = "  ".join(f"{title} {share:.1%}" for title, share in accuracy.items())
        print(f"{now.step:6d}  loss {now.loss:.3f}  {told}  {now.minutes:.1f} min", flush=True)
        done = {
            "steps_done": now.step,
            "minutes": round(now.minutes, 1),
            "device": str(now.model.logit_scale.device),
            "bfloat16": args.bfloat16,
        }
        training = {**dataclasses.asdict(lessons.recipe), **done}
        embedded.save(now.model, out, training, lessons.member.stored)
        now.model.train()


def _lessons(args: argparse.Namespace) -> Lessons:
    given = {"steps": args.steps, "batch_size": args.batch, "seed": args.seed}
    given = {name: value for name, value in given.items() if value is not None}
    if args.what == "photo":
        return photographs.Photographs(photographs.Recipe(**given), args.data)
    return drawings.Drawings(drawings.Recipe(**given), args.workers)


if __name__ == "__main__":
    main()
