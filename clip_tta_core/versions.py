"""What a run was made with, so that its file says so."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import clip_tta_core

PACKAGES = ("torch", "torchvision", "open_clip_torch", "numpy")


@cache
def versions() -> dict[str, str]:
    """{package: version}, Python's and this package's own among them."""
    found = {"clip_tta_core": clip_tta_core.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # installed without its metadata
            continue
    return found


def now() -> dict[str, str]:
    """The versions and the date, in UTC to the second."""
    return {"date": datetime.now(UTC).isoformat(timespec="seconds")} | versions()
