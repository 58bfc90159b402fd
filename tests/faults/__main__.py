"""Plant every fault of a table in a copy of the project, run its tests, and print which were found."""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import Fault

ROOT = Path(__file__).parents[2]
TABLES = {"js": "javascript", "methods": "core_methods", "sources": "core_sources", "views": "core_views"}
LEFT_OUT = shutil.ignore_patterns(".git", "node_modules", "__pycache__", ".*_cache")
FAILED = 1  # pytest's code for tests that failed; others are errors of its use, and prove nothing


def main(arguments: list[str] | None = None) -> int:
    """The number of faults that no test found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("ids", nargs="*", help="only these")
    chosen = parser.parse_args(arguments)
    faults: list[Fault] = importlib.import_module(f"tests.faults.{TABLES[chosen.table]}").FAULTS
    faults = [fault for fault in faults if not chosen.ids or fault.id in chosen.ids]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        found = [_found(fault, copy) for fault in faults]
    print(f"{len(faults)} planted, {sum(found)} found")
    return found.count(False)


def _found(fault: Fault, copy: Path) -> bool:
    path = copy / fault.file
    clean = path.read_text("utf-8")
    if clean.count(fault.before) != 1:
        raise ValueError(f"Fault {fault.id}: {fault.file} must hold once: {fault.before}")
    path.write_text(clean.replace(fault.before, fault.after), "utf-8")
    try:
        alone = ["-n0", "-m", ""]  # without workers, the slow tests too
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *alone, *fault.tests]
        ended = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    finally:
        path.write_text(clean, "utf-8")
    if ended.returncode not in (0, FAILED):
        raise RuntimeError(f"Fault {fault.id}: pytest could not run its tests.\n{ended.stdout[-2000:]}")
    failures = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    said = failures[0][:110] if failures else "NOT FOUND"
    print(f"{fault.id:5} {Path(fault.file).name:16} {said}", flush=True)
    return ended.returncode == FAILED


if __name__ == "__main__":
    sys.exit(main())
