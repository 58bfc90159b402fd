"""Test-time adaptation methods, one file each. A new file in this folder is found by itself."""

from importlib import import_module
from pkgutil import iter_modules

from clip_tta_core.methods.base import METHODS, Method, looks_of, register, title_of

for _module in sorted(iter_modules(__path__)):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["METHODS", "Method", "looks_of", "register", "title_of"]
