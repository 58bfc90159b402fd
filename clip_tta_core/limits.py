"""What the operator of a page decides, by environment variables; each is declared once, here.

Switches are 1 or 0; of numbers, 0 is no limit. A variable that is not set takes the value for one's own
machine, or, on Hugging Face Spaces (where SPACE_ID is set), the one for a public page.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def hosted() -> bool:
    """Whether the page runs on Hugging Face Spaces, open to everyone."""
    return bool(os.environ.get("SPACE_ID"))


@dataclass(frozen=True)
class Setting:
    """One decision; it is read anew at every use."""

    name: str  # of the environment variable
    here: bool | int  # where the variable is not set, on one's own machine
    public: bool | int  # and on a public page
    meaning: str  # one sentence

    @property
    def value(self) -> bool | int:
        """What holds now, or the sentence that says what the variable must be."""
        text = os.environ.get(self.name, "").strip().lower()
        if not text:
            return self.public if hosted() else self.here
        if isinstance(self.here, bool):
            if text in WORDS:
                return WORDS[text]
            raise ValueError(f"{self.name} must be 1 or 0, got '{text}'.")
        if text.isdecimal():
            return int(text)
        raise ValueError(f"{self.name} must be a whole number, 0 for no limit, got '{text}'.")


ANY_MODEL = Setting(
    "CLIPTTA_ANY_MODEL", True, False, "Whether visitors may name any open_clip model or hub repository."
)
LOCAL_FILES = Setting(
    "CLIPTTA_LOCAL_FILES", True, False, "Whether visitors may name a checkpoint on this machine."
)
MODELS_KEPT = Setting(
    "CLIPTTA_MODELS_KEPT", 3, 2, "How many models stay in memory besides those that ship with the page."
)
MAX_MODEL_MB = Setting("CLIPTTA_MAX_MODEL_MB", 0, 4000, "The largest weights file that is downloaded, in MB.")
MAX_IMAGES = Setting("CLIPTTA_MAX_IMAGES", 0, 8192, "The most images in one run.")
MAX_STEPS = Setting(
    "CLIPTTA_MAX_STEPS",
    0,
    5000,
    "The most optimization steps in one run, summed over all methods, including steps on stored images.",
)
MAX_SECONDS = Setting("CLIPTTA_MAX_SECONDS", 0, 600, "The longest that one run may take, in seconds.")
BENCHMARK = Setting("CLIPTTA_BENCHMARK", True, True, "Whether the page has a Benchmark tab.")

SETTINGS = (ANY_MODEL, LOCAL_FILES, MODELS_KEPT, MAX_MODEL_MB, MAX_IMAGES, MAX_STEPS, MAX_SECONDS, BENCHMARK)

DATA = "CLIPTTA_DATA"
CELLS = "CLIPTTA_CELLS"
STARTS = "CLIPTTA_STARTS"


def data_folder() -> Path | None:
    """Where data sets live on this machine, None where no folder is named.

    Raises:
        ValueError: one sentence, where what is named is no folder.
    """
    named = _written(DATA)
    if not named:
        return None
    try:
        folder = _path(named)
        if folder.is_dir():
            return folder
    except (OSError, RuntimeError):  # a name too long, a home that this machine does not know
        pass
    raise ValueError(f"Data sets: {DATA} must name a folder, got '{named}'.")


def _written(variable: str) -> str:
    """What the operator has written, without the quotes around it."""
    return os.environ.get(variable, "").strip().strip("\"'").strip()


def _path(named: str) -> Path:
    """A path as people write it: "~/data", "$HOME/data", "file:///data"."""
    return Path(os.path.expandvars(named.removeprefix("file://"))).expanduser()


def cells_folder() -> Path:
    """Where the Benchmark tab keeps what it has measured: what CLIPTTA_CELLS names, else a cache."""
    return _cache(CELLS, "cells")


def starts_folder() -> Path:
    """Where image encoders made from a few pictures are kept: what CLIPTTA_STARTS names, else a cache."""
    return _cache(STARTS, "starts")


def _cache(variable: str, name: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache"
    return _path(_written(variable) or f"{cache}/cliptta-playground/{name}")


def check() -> None:
    """Raise the sentence about the first variable that is wrong, before any visitor meets it."""
    for setting in SETTINGS:
        _ = setting.value
    data_folder()
    known = [*(setting.name for setting in SETTINGS), DATA, CELLS, STARTS]
    for name in os.environ:
        if name.startswith("CLIPTTA_") and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise ValueError(f"{name} is no variable of this page, so it would do nothing.{hint}")
    for variable, folder in ((CELLS, cells_folder()), (STARTS, starts_folder())):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{variable} must name a folder, got the file '{folder}'.")
