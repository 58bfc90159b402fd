"""Work done aside: its value and its errors come back, its OpenMP workers do not stay."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clip_tta_core.clip.aside import aside

COUNT_WORKERS = """
import os, threading, torch
from clip_tta_core import ui

def workers():
    python = {one.native_id for one in threading.enumerate()}
    return {int(task) for task in os.listdir("/proc/self/task")} - python

before = workers()
ui.build()
built = workers()
torch.randn(500, 500) @ torch.randn(500, 500)
print(len(built - before), len(workers() - built), torch.get_num_threads())
"""


def test_what_work_returns_and_raises_comes_back():
    total, thread = aside(lambda a, b: (a + b, threading.current_thread()), 2, 3)
    assert total == 5 and thread is not threading.current_thread() and not thread.is_alive()
    with pytest.raises(ValueError, match="many"):
        aside(int, "many")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux lists them")
def test_a_built_page_leaves_the_main_thread_without_workers():
    """They would make those of every run sleep; see `aside`. The same work in the main thread leaves some."""
    every_core = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", COUNT_WORKERS]
    done = subprocess.run(command, env=every_core, capture_output=True, text=True, check=True)
    left, from_the_main_thread, threads = map(int, done.stdout.split())
    assert left == 0
    assert from_the_main_thread == threads - 1
