"""Better starting points: what a few labelled pictures make of a CLIP before it adapts, one file each.

A new file in this folder is found by itself.
"""

from importlib import import_module
from pkgutil import iter_modules

from clip_tta_core.starts.base import STARTS, Shots, Start, register

for _module in sorted(iter_modules(__path__)):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["STARTS", "Shots", "Start", "register"]
