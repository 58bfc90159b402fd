"""Faults that the tests must notice: what to change, and which tests then fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One planted fault."""

    id: str
    file: str  # relative to the top of the repository
    before: str  # occurs exactly once in the file
    after: str
    tests: tuple[str, ...]  # pytest node ids or files, of which at least one test must fail
