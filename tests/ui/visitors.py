"""Figures of a page under load: python -m tests.ui.visitors [--clients 40] [--sessions 300] [--stops 300]

Starts the real page and visits it by HTTP: so many clients at once, each with a run of its own; so many
sessions that come for a run and go; so many runs that are stopped once they have begun. Tells how each ended,
and the memory, threads and open files of the page before and after. Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.ui.started import Started

AT_ONCE = 4  # of the sessions that come and go
SHORT = {"batches": 2, "batch_size": 8, "methods": {"tent": {"steps": 1}}}
LONG = SHORT | {"batches": 1000}  # as many pictures as a public page takes in one run


def visit(page: Started, session: str, settings: dict) -> str:
    """A run to its end, or to the sentence that refuses it. -> how it ended"""
    with page.present(session):
        answer = page.join("run", [page.settings | settings], session)
        if answer.status_code != 200:
            return f"HTTP {answer.status_code}"
        board: dict = {}
        for said in page.answers(session, 1800):
            output = (said.get("output") or {}).get("data") or []
            if output and isinstance(output[0], dict):
                board = output[0]
        return ended(board)


def stop(page: Started, session: str) -> str:
    """A run that is stopped once it has begun. -> how it ended"""
    with page.present(session):
        page.join("run", [page.settings | LONG], session)
        board, pressed = {}, False
        for said in page.answers(session, 1800):
            output = (said.get("output") or {}).get("data") or []
            if output and isinstance(output[0], dict):
                board = output[0]
            if said.get("msg") == "process_generating" and not pressed:
                pressed = True
                page.post("run/stop", {"data": [], "session_hash": session})
        return ended(board)


def ended(board: dict) -> str:
    """How a run ended, or the sentence for what was not begun: the board is then as it was before."""
    said = board.get("message", {}).get("text", "")
    return said or board.get("status", {}).get("state", "nothing")


def state(page: Started) -> str:
    """Memory, threads and open files of the page."""
    process = Path("/proc") / str(page.process.pid)
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    memory = int(lines["VmRSS"].split()[0]) // 1024
    return f"{memory} MB, {lines['Threads'].strip()} threads, {len(os.listdir(process / 'fd'))} open files"


def tell(page: Started, title: str, work: list, at_once: int) -> None:
    before, begun = state(page), time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        ended = Counter(pool.map(lambda one: one[0](page, *one[1:]), work))
    seconds = time.monotonic() - begun
    print(f"{title}: {dict(ended)} in {seconds:.0f} s; {before}, then {state(page)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures of a page under load.")
    for name, usual in (("clients", 40), ("sessions", 300), ("stops", 300)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Started(Path(folder), SPACE_ID="x/y") as page:
        visit(page, "first", SHORT)  # loads the model
        tell(
            page,
            f"{args.clients} clients at once",
            [(visit, f"client{k}", SHORT | {"seed": k}) for k in range(args.clients)],
            args.clients,
        )
        tell(
            page,
            f"{args.sessions} sessions",
            [(visit, f"session{k}", SHORT | {"seed": k}) for k in range(args.sessions)],
            AT_ONCE,
        )
        tell(page, f"{args.stops} stops", [(stop, f"stop{k}") for k in range(args.stops)], 1)


if __name__ == "__main__":
    main()
