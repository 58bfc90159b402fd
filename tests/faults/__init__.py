"""Faults to plant one at a time, each of which must make a test fail: `python -m tests.faults js`.

Not part of the test run. A table is a list of records, one file of records for each half of the code.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One change of the code that would be wrong."""

    id: str
    file: str  # relative to the root
    before: str  # occurs once in the file
    after: str
    tests: tuple[str, ...]  # what pytest is asked to run; one of them must fail
