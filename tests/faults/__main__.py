"""Plant every fault of a table in a copy of the project, run its tests, and print which were found."""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from tests.faults import Fault

ROOT = Path(__file__).parents[2]
TABLES = {
    "engine": "core_engine",
    "js": "javascript",
    "methods": "core_methods",
    "page": "core_page",
    "sources": "core_sources",
    "starts": "core_starts",
    "views": "core_views",
}
LEFT_OUT = shutil.ignore_patterns(".git", "node_modules", "__pycache__", ".*_cache")
SLOW = ("gradio", "open_clip", "playwright.sync_api", "sklearn.metrics", "torch", "torchvision")  # imports
QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # of what is imported already
ALONE = ("-n0", "-m", "")  # in this process, without workers; the slow tests too
PASSED, FAILED = 0, 1  # pytest's codes; others are errors of its use, and prove nothing


def main(arguments: list[str] | None = None) -> int:
    """The number of faults that no test found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("ids", nargs="*", help="only these")
    parser.add_argument(
        "--copies", type=int, default=1, help="how many to work in at once, each with one fault"
    )
    chosen = parser.parse_args(arguments)
    faults: list[Fault] = importlib.import_module(f"tests.faults.{TABLES[chosen.table]}").FAULTS
    faults = [fault for fault in faults if not chosen.ids or fault.id in chosen.ids]
    for fault in faults:
        if (ROOT / fault.file).read_text("utf-8").count(fault.before) != 1:
            raise ValueError(f"Fault {fault.id}: {fault.file} must hold once: {fault.before}")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    for name in SLOW:
        importlib.import_module(name)
    tests = sorted({test for fault in faults for test in fault.tests})
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder, fork.Pool(chosen.copies, _settle, (folder,)) as pool:
        clean = pool.apply_async(_run, (tests,))
        found = list(pool.imap(_found, faults, chunksize=1))
        code, said = clean.get()
    if code != PASSED:
        raise RuntimeError(f"Without a fault all tests must pass.\n{said[-2000:]}")
    print(f"{len(faults)} planted, {sum(found)} found")
    return found.count(False)


def _settle(folder: str) -> None:
    """Work in a copy of the project from here on."""
    copy = Path(folder) / str(os.getpid())
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    os.chdir(copy)


def _found(fault: Fault) -> bool:
    path = Path(fault.file)
    clean = path.read_text("utf-8")
    path.write_text(clean.replace(fault.before, fault.after), "utf-8")
    try:
        code, said = _run(fault.tests)
    finally:
        path.write_text(clean, "utf-8")
    if code not in (PASSED, FAILED):
        raise RuntimeError(f"Fault {fault.id}: pytest could not run its tests.\n{said[-2000:]}")
    failures = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    said = failures[0][:110] if failures else "NOT FOUND"
    print(f"{fault.id}: {said}\n", end="", flush=True)  # at once: others write beside it
    return code == FAILED


def _run(tests: Sequence[str]) -> tuple[int, str]:
    """pytest's code and what it said, in a fork, which has all that is slow to import already."""
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if not child:
            _become_pytest(tests, file.fileno())
        _, status = os.waitpid(child, 0)
        file.seek(0)
        return os.waitstatus_to_exitcode(status), file.read().decode("utf-8", "replace")


def _become_pytest(tests: Sequence[str], said: int) -> NoReturn:
    """From here on the folder that it works in is the project, and this process has nothing else to do."""
    code = 3  # an internal error of pytest's
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.path[:] = [os.getcwd(), *(place for place in sys.path if place not in ("", str(ROOT)))]
        for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
            del sys.modules[name]
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *ALONE, *QUIET, *tests]))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
