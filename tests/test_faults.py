"""The tables of faults fit the code: a fault that has lost its place would be planted nowhere."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.faults.__main__ import TABLES

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", TABLES)
def test_every_fault_has_its_place_and_its_tests(name):
    for fault in importlib.import_module(f"tests.faults.{TABLES[name]}").FAULTS:
        assert (ROOT / fault.file).read_text("utf-8").count(fault.before) == 1, fault.id
        assert fault.after != fault.before, fault.id
        for test in fault.tests:
            assert (ROOT / test.partition("::")[0]).exists(), f"{fault.id}: {test}"
