"""Opening the page: what the operator got wrong is one sentence, before any visitor meets it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ui.started import TRACE, Started

ROOT = Path(__file__).parents[1]


def start(*arguments: str, cwd: Path = ROOT, **environment: str) -> tuple[int, str]:
    """How `python app.py` ends. -> (exit status, what it wrote)"""
    done = subprocess.run(
        [sys.executable, "app.py", *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (("--port", "99999"), {}, "--port must be in 1 to 65535, got 99999."),
        (
            ("--host", "192.0.2.1", "--port", "7999"),
            {},
            "--host 192.0.2.1 must be an address of this machine",
        ),
        ((), {"CLIPTTA_DATA": "/no/such/folder"}, "CLIPTTA_DATA must name a folder, got '/no/such/folder'."),
        ((), {"CLIPTTA_DATA": "x" * 5000}, "CLIPTTA_DATA must name a folder"),
        ((), {"CLIPTTA_MAX_STEPS": "many"}, "CLIPTTA_MAX_STEPS must be a whole number"),
        ((), {"CLIPTTA_MAX_SECOND": "5"}, "no variable of this page, so it would do nothing. Did you mean"),
        ((), {"CLIPTTA_CELLS": __file__}, "CLIPTTA_CELLS must name a folder, got the file"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(arguments, environment, sentence):
    status, written = start(*arguments, **environment)
    assert status == 2 and sentence in written and "Traceback" not in written


def test_a_busy_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, written = start("--port", str(port))
    assert status == 2 and f"--port {port} is in use on 127.0.0.1" in written and "Traceback" not in written


def test_a_folder_is_taken_as_people_write_it(monkeypatch, tmp_path):
    from clip_tta_core import limits

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data sets").mkdir()
    home = ("~/data sets", "$HOME/data sets", '"${HOME}/data sets"', f"file://{tmp_path}/data sets")
    for written in (*home, f"'{tmp_path}/data sets'", f" {tmp_path}/data sets/ "):
        monkeypatch.setenv("CLIPTTA_DATA", written)
        assert limits.data_folder() == tmp_path / "data sets"
    monkeypatch.setenv("CLIPTTA_DATA", "")
    assert limits.data_folder() is None


RUN = {"batches": 2000, "batch_size": 2, "methods": {"tent": {"steps": 1}}}


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_a_run_ends_it_and_the_page(tmp_path):
    with Started(tmp_path, OMP_NUM_THREADS=1) as page:
        page.join("run", [page.settings | RUN], "me")
        for said in page.answers("me"):
            if said["msg"] == "process_generating":  # it has begun
                page.process.send_signal(signal.SIGINT)
                break
        assert page.process.wait(120) == 0
        assert "terminate called" not in page.written() and TRACE not in page.written()


@pytest.mark.slow
def test_damaged_files_of_the_project_are_named_and_the_page_starts_without_them(tmp_path):
    """Cut while they were fetched, or fetched without Git LFS."""
    copy = checkout(tmp_path / "copy")
    cut(copy / "assets/mini_clip/model.safetensors")
    recordings = sorted((copy / "assets/recordings").iterdir())
    for path in (*recordings, copy / "assets/recorded_comparison.json"):
        cut(path)
    with Started(tmp_path, copy, OMP_NUM_THREADS=1) as page:
        assert TRACE not in page.written()
        assert "recorded_comparison.json is damaged" in page.written()
        assert page.written().count("the page starts without it") > len(recordings) // 2
        page.join("run", [page.settings | RUN], "me")
        *_, last = page.answers("me")
        board = json.dumps(last)
        assert (
            "Model 'mini-clip' cannot be used" in board and "fetch the folder assets/mini_clip again" in board
        )


def test_a_damaged_description_of_the_first_model_is_named(tmp_path):
    copy = checkout(tmp_path / "copy")
    cut(copy / "assets/mini_clip/config.json")
    status, written = start(cwd=copy)
    assert status == 2 and TRACE not in written
    assert "Model 'mini-clip': its config.json is missing or damaged" in written


def checkout(folder: Path) -> Path:
    """A copy of what the page needs."""
    for name in ("clip_tta_core", "assets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", folder)
    return folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
