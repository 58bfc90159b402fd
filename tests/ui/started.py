"""The real page in a process of its own: `python app.py`, where a run is short, and what it writes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.ui.conftest import free_port
from tests.ui.spoken import Spoken

ROOT = Path(__file__).parents[2]
TRACE = "Traceback (most recent call last):"
START = 600.0  # seconds, on a machine that is busy with other tests


def _heeds_ctrl_c() -> None:
    """What a shell starts in the background ignores SIGINT, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Started(Spoken):
    """A page that has been started.

    Args:
        folder: for what it writes: its log, uploads, measured cells.
        root: the checkout that is started.
        environment: more variables.
    """

    def __init__(self, folder: Path, root: Path = ROOT, **environment: Any) -> None:
        own = {"GRADIO_TEMP_DIR": folder / "uploads", "CLIPTTA_CELLS": folder / "cells", "HF_HUB_OFFLINE": 1}
        self.root, self._log, port = root, folder / "log", free_port()
        address = f"http://127.0.0.1:{port}"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(port)],
                cwd=root,
                env=os.environ | {name: str(value) for name, value in (own | environment).items()},
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_heeds_ctrl_c,
            )
        try:
            config = self._wait(address)
        except BaseException:
            self.process.kill()
            raise
        super().__init__(address, config)

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.process.kill()
        self.process.wait()

    def _wait(self, address: str) -> dict:
        end = time.monotonic() + START
        while time.monotonic() < end:
            assert self.process.poll() is None, self.written()
            try:
                return httpx.get(f"{address}/config", timeout=60).json()
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"The page did not start: {self.written()}")

    def written(self) -> str:
        """The log so far."""
        return self._log.read_text("utf-8", "replace")

    def own_traces(self) -> list[str]:
        """Traces in the log that pass through the project's files: the last such line, and the error."""
        found = []
        for trace in self.written().split(TRACE)[1:]:
            own = [line.strip() for line in trace.splitlines() if f'File "{self.root}/' in line]
            error = re.search(r"^[\w.]+(?:Error|Exception|Warning|Interrupt)\b.*", trace, re.MULTILINE)
            found += [f"{own[-1]}: {error[0] if error else trace[-200:]}"] if own else []
        return found
