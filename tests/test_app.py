"""Opening the page: what the operator got wrong is one sentence, before any visitor meets it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def start(*arguments: str, **environment: str) -> tuple[int, str]:
    """How `python app.py` ends. -> (exit status, what it wrote)"""
    done = subprocess.run(
        [sys.executable, "app.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
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
    for written in ("~/data sets", f"'{tmp_path}/data sets'", f" {tmp_path}/data sets/ "):
        monkeypatch.setenv("CLIPTTA_DATA", written)
        assert limits.data_folder() == tmp_path / "data sets"
    monkeypatch.setenv("CLIPTTA_DATA", "")
    assert limits.data_folder() is None
