"""Measure what is missing from a card's tables and write the card: python -m clip_tta_core.card"""

from __future__ import annotations

import argparse

from clip_tta_core.card import drawings, photographs
from clip_tta_core.card.cells import Results, fill
from clip_tta_core.clip.embedded import MINI
from clip_tta_core.registry import unknown_name

PLANS = {plan.member.name: plan for plan in (drawings.PLAN, photographs.PLAN)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="clip_tta_core.card", description=__doc__)
    parser.add_argument("tables", nargs="*", help="which ones; all unless named")
    parser.add_argument("--model", choices=PLANS, default=MINI.name)
    parser.add_argument("--jobs", type=int, default=1, help="cells measured at once, a core each")
    args = parser.parse_args()
    plan = PLANS[args.model]
    for name in args.tables:
        if name not in plan.tables:
            parser.error(unknown_name("table", name, plan.tables))
    folder = plan.member.folder
    results = Results(folder)
    wanted = [cell for name in args.tables or plan.tables for cell in plan.tables[name]]
    try:
        for line in fill(args.model, results, wanted, args.jobs):
            print(line, flush=True)
    finally:
        (folder / "README.md").write_text(plan.write(folder, results), encoding="utf-8")


if __name__ == "__main__":
    main()
