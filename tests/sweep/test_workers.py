"""Whoever dies in mid-table: every cell is measured once, none is lost, none is half written."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clip_tta_core.sweep import overhead, workers
from clip_tta_core.sweep.cells import Cell, Protocol, Shift
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.workers import fill

TINY = Protocol(batch_size=4, batches=1)
CELLS = [Cell("zero_shot", shift=Shift("fog", s), protocol=TINY, seed=n) for s in (1, 5) for n in range(6)]
BROKEN = Cell("zero_shot", {"no_such_knob": 1}, protocol=TINY)
# A worker that is killed once: the first process that gets to this cell ends itself as kill -9 would.
TABLE = """
import os, signal, sys
from pathlib import Path
from clip_tta_core.sweep import workers
from clip_tta_core.sweep.folder import Folder
from tests.sweep.test_workers import CELLS
if __name__ == "__main__":
    for done in workers.fill(Folder(Path(sys.argv[1])), CELLS, jobs=2):
        print(done.left, flush=True)
"""


def complete(path: Path) -> bool:
    """Whether every cell has a file that can be read, and nothing else is there."""
    files = [file for file in path.iterdir() if not file.name.startswith(".")]
    return len(files) == len(CELLS) and all(json.loads(file.read_text())["numbers"] for file in files)


def children(pid: int) -> list[int]:
    """The processes a process has started, grandchildren included."""
    own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return own + [grandchild for child in own for grandchild in children(child)]


def test_cells_that_are_there_cost_nothing_and_the_rest_is_told_as_it_ends(tmp_path):
    folder = Folder(tmp_path)
    folder.put(CELLS[0], {"accuracy": 0.123})
    told = list(fill(folder, [*CELLS, CELLS[1]], jobs=2))
    assert sorted(done.left for done in told) == list(range(len(CELLS) - 1))
    assert complete(tmp_path) and folder.get(CELLS[0]) == {"accuracy": 0.123}
    assert list(fill(folder, CELLS)) == []


def test_what_a_table_costs_beside_its_runs_is_measured_on_real_cells():
    cost = overhead.measure(3, jobs=1)
    assert cost.processor > 0 and cost.wall > 0


def test_a_cell_that_cannot_be_measured_says_so_and_the_others_go_on(tmp_path):
    told = list(fill(Folder(tmp_path), [BROKEN, CELLS[0]]))
    problems = {done.cell.method + str(done.cell.settings): done.problem for done in told}
    assert "no_such_knob" in problems["zero_shot{'no_such_knob': 1}"] and problems["zero_shot{}"] == ""
    assert "no_such_knob" in Folder(tmp_path).failures([BROKEN])[BROKEN.key]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
@pytest.mark.parametrize("whom", ["a worker", "the command"])
def test_kill_nine_in_mid_table_loses_nothing(whom, tmp_path):
    script, out = tmp_path / "table.py", tmp_path / "cells"
    script.write_text(TABLE)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}

    def start() -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, script, out], env=environment, stdout=subprocess.PIPE, text=True
        )

    command = start()
    command.stdout.readline()  # one cell is through
    if whom == "a worker":
        working = [
            pid for pid in children(command.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()
        ]
        os.kill(working[0], signal.SIGKILL)
        assert command.wait(timeout=300) == 0
    else:
        orphans = children(command.pid)
        command.kill()
        command.wait()
        assert not complete(out)
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{pid}").exists() for pid in orphans) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(Path(f"/proc/{pid}").exists() for pid in orphans), "workers end with the command"
        assert start().wait(timeout=300) == 0
    assert complete(out)


def test_workers_that_keep_dying_end_the_sweep_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "work", _die)
    with pytest.raises(RuntimeError, match="died 3 times without a finished cell"):
        list(fill(Folder(tmp_path), CELLS[:2]))


def _die(cell: Cell, path: Path) -> str:
    os._exit(9)


def test_without_dask_one_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(workers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install distributed"):
        list(fill(Folder(tmp_path), CELLS, on="tcp://127.0.0.1:1"))


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with pytest.raises(ValueError, match="no dask scheduler answers at tcp://127.0.0.1:1;"):
        list(fill(Folder(tmp_path), CELLS, on="tcp://127.0.0.1:1"))


@pytest.mark.slow
def test_a_dask_cluster_fills_a_table_although_one_of_two_workers_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        told = fill(Folder(tmp_path), CELLS, on=cluster.scheduler_address)
        next(told)
        with distributed.Client(cluster) as client:
            (victim, *_) = client.run(os.getpid).values()
        os.kill(victim, signal.SIGKILL)
        list(told)
    assert complete(tmp_path)


# Loaded by every dask worker: cells of all seeds but the first wait until somebody says go.
HOLD = """
import time
from pathlib import Path
from clip_tta_core.sweep import workers
from clip_tta_core.sweep.cells import measure
def held(cell):
    while cell.seed and not Path("go").exists():
        time.sleep(0.05)
    return measure(cell)
workers.measure = held
"""


@contextlib.contextmanager
def _dask(port: int, folder: Path) -> Iterator[subprocess.Popen]:
    """A scheduler with two workers, each a process as on a machine of its own. -> the scheduler"""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--no-dashboard",
    ]
    scheduler = subprocess.Popen([*command, "--port", str(port)], cwd=folder, env=environment, **quiet)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}"]
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
    options += ["--preload", "hold.py"]
    workers = [subprocess.Popen([*command, *options], cwd=folder, env=environment, **quiet) for _ in range(2)]
    try:
        yield scheduler
    finally:
        for process in (scheduler, *workers):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_scheduler_that_is_killed_in_mid_table_is_named_and_the_next_one_goes_on(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    import dask.config

    monkeypatch.setattr(workers, "PATIENCE", 120)
    out, beside = Folder(tmp_path / "cells"), tmp_path / "beside"
    beside.mkdir()
    (beside / "hold.py").write_text(HOLD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = fill(out, CELLS, on=f"tcp://127.0.0.1:{port}")
    with dask.config.set({"distributed.comm.timeouts.connect": "2s"}), _dask(port, beside) as scheduler:
        assert next(told).problem == ""
        scheduler.kill()
        with pytest.raises(RuntimeError, match="the scheduler is gone; what was measured is kept"):
            list(told)
    kept = {file.name: file.stat().st_mtime_ns for file in out.path.iterdir()}
    assert kept and not complete(out.path)
    (beside / "go").touch()
    with _dask(port, beside):
        list(fill(out, CELLS, on=f"tcp://127.0.0.1:{port}"))
    assert complete(out.path)
    after = {file.name: file.stat().st_mtime_ns for file in out.path.iterdir()}
    assert kept.items() <= after.items(), "what was there is not measured again"
