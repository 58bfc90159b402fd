"""Fill a folder with the cells that are missing: processes of this machine, or many machines through dask."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from clip_tta_core.sweep.cells import Cell, measure
from clip_tta_core.sweep.folder import Folder

LOCAL = "local"
TRIES = 3  # times in a row that all workers may die with nothing done in between
PATIENCE = 10  # seconds a scheduler may take to answer


@dataclass(frozen=True)
class Done:
    """One cell came to its end."""

    cell: Cell
    problem: str  # one sentence where it failed, else empty
    left: int  # cells still to do


@dataclass(frozen=True)
class Workers:
    """Who measures."""

    start: Callable[[], AbstractContextManager[Executor]]
    killed: tuple[
        type[Exception], ...
    ] = ()  # what a future raises whose workers have died; see BrokenExecutor


def fill(
    folder: Folder, cells: Sequence[Cell], on: str = LOCAL, jobs: int = 1, again: bool = False
) -> Iterator[Done]:
    """Measure what is missing in `folder`, several at once, and tell of every cell as it ends.

    Every worker writes its own cells, so what is measured survives whoever dies. Where a worker dies, the
    others' cells are kept and the rest is begun anew.

    Args:
        folder: where cells are kept; with dask, the same folder for all workers.
        cells: those wanted; the ones that are there already cost nothing.
        on: "local", or the address of a dask scheduler, "tcp://host:8786".
        jobs: local processes, each of one thread.
        again: also those that failed before.

    Raises:
        ValueError: one sentence, where dask is asked for and not installed, or nobody answers.
        RuntimeError: one sentence, where workers keep dying.
    """
    workers, idle = workers_of(on, jobs), 0
    while missing := folder.missing(cells, again):
        before, again = len(missing), False  # what fails in this call is not tried twice
        try:
            yield from _round(workers, folder, missing)
        except BrokenExecutor:
            left = len(folder.missing(cells))
            idle = idle + 1 if left == before else 0
            if idle == TRIES:
                raise RuntimeError(
                    f"Sweep: the workers died {TRIES} times without a finished cell, most likely for want of "
                    "memory; use fewer --jobs."
                ) from None
        else:
            return


def _round(workers: Workers, folder: Folder, cells: Sequence[Cell]) -> Iterator[Done]:
    with workers.start() as executor:
        running = {executor.submit(work, cell, folder.path): cell for cell in cells}
        for number, future in enumerate(as_completed(running), start=1):
            cell = running[future]
            yield Done(cell, _problem(future, folder, cell, workers.killed), len(cells) - number)


def _problem(future: Future, folder: Folder, cell: Cell, killed: tuple[type[Exception], ...]) -> str:
    try:
        return future.result()
    except CancelledError:
        raise RuntimeError(
            "Sweep: the scheduler is gone; what was measured is kept. Start it and call the same command "
            "again."
        ) from None
    except killed:
        problem = "every worker that tried this cell died, most likely for want of memory"
        folder.fail(cell, problem)
        return problem


def work(cell: Cell, path: Path) -> str:
    """Measure a cell into a folder, unless somebody has; what a worker does. -> one sentence if it failed"""
    folder = Folder(path)
    if folder.has(cell):
        return ""
    try:
        folder.put(cell, measure(cell))
        return ""
    except (ValueError, RuntimeError, OSError, MemoryError) as error:
        problem = str(error) or type(error).__name__
        if not isinstance(error, ValueError):  # not one of the sentences written for people
            traceback.print_exc()
        folder.fail(cell, problem)
        return problem


def workers_of(on: str, jobs: int) -> Workers:
    """Local processes of one thread each, or the workers of a dask scheduler."""
    if on == LOCAL:
        return Workers(lambda: _processes(jobs))
    if importlib.util.find_spec("distributed") is None:
        raise ValueError(
            f"Sweep: --on {on} needs dask, which is not installed; run pip install distributed, or leave "
            "--on out to use this machine."
        )
    from distributed import KilledWorker

    return Workers(lambda: _cluster(on), (KilledWorker,))


@contextlib.contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """What a local process does first."""
    # A small model gains more from another cell at its side than from a second thread.
    torch.set_num_threads(1)
    # Where the command is killed, its workers would wait for work for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    from distributed import Client

    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Sweep: no dask scheduler answers at {address}; start one with dask scheduler."
        ) from error
    with client:
        yield client.get_executor(pure=False)
