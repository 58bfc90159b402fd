"""What the README tells a newcomer to type, typed."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clip_tta_core import limits
from clip_tta_core.methods import METHODS
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.sweep.summary import summarize
from clip_tta_core.sweep.tables import TABLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
LEFT_OUT = shutil.ignore_patterns(".git", "node_modules", "__pycache__", ".*_cache", "*.pyi", "assets")
WANTED = "pseudo_label or look or distinct"
# What is true of this method only, beside what every method must do.
ADAPTS = """
import torch
from clip_tta_core.methods import METHODS

def test_it_adapts(clip, make_images):
    cls = METHODS["pseudo_label"]
    method = cls(clip.fork(cls.train), cls.Config(threshold=0.2), torch.Generator())
    assert method.adapt(make_images())["kept"] > 0
    assert not torch.equal(method.predict(make_images()).logits, clip.predict(make_images()).logits)

def test_the_page_has_its_controls():
    from clip_tta_core import engine
    from clip_tta_core.ui.session import form
    card = next(card for card in form.cards(engine.catalog()) if card.name == "pseudo_label")
    assert [knob.name for knob in card.knobs] == ["lr", "threshold"]
"""


def test_the_file_of_the_walk_through_is_the_whole_change(tmp_path):
    """In a copy of the project: the method as printed, in one file, and the tests of every method."""
    copy = tmp_path / "project"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    (copy / "assets").symlink_to(ROOT / "assets")
    (code,) = (block for block in BLOCKS if "@register" in block)
    file = copy / "clip_tta_core" / "methods" / "pseudo_label.py"
    assert f"`{file.name}`" in README
    file.write_text(code, "utf-8")
    (copy / "tests" / "methods" / "test_pseudo_label.py").write_text(ADAPTS, "utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--check", file], check=True, cwd=copy)
    files = ("methods/test_pseudo_label", "methods/test_contract", "methods/test_costs", "test_palette")
    tests = [f"tests/{name}.py" for name in (*files, "test_comparison")]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-n0", "-v", "-p", "no:cacheprovider", "-k", WANTED, *tests]
    ended = subprocess.run(command, cwd=copy, env=alone, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "test_contract.py::test_a_batch_of_one_works[pseudo_label-] PASSED" in ended.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_is_valid_python(block):
    compile(block, "README.md", "exec")


def test_it_can_be_read_in_one_sitting():
    assert len(README.splitlines()) <= 150


def test_the_front_matter_names_the_installed_gradio():
    import gradio

    assert f"sdk_version: {gradio.__version__}" in README


@pytest.mark.parametrize("setting", limits.SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_of_an_operator_is_listed_with_what_holds_without_it(setting):
    def shown(value):
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:,}" if value else "any"

    row = f"| `{setting.name}` | {setting.meaning} | {shown(setting.here)} | {shown(setting.public)} |"
    assert row in (ROOT / "clip_tta_core" / "limits.md").read_text("utf-8")


def test_who_is_ahead_is_what_the_recorded_tables_say():
    """Every figure behind a method's name, of the model named last, is a mean of that model's table."""
    paragraph = README.partition("**Who is ahead?**")[2].partition("\n\n")[0]
    names = {"zero-shot": "zero_shot", "TENT with the bonus": "tent + diversity"}
    names |= {cls.title: name for name, cls in METHODS.items()}
    found = re.findall(
        r"\b(mini|photo)-CLIP|([\w-]+(?: with the bonus)?) (\d\d\.\d)", " ".join(paragraph.split())
    )
    model, said = "", 0
    for named, method, figure in found:
        model = named or model
        if method:
            assert figure in means(model, names[method]), f"{method} {figure} with {model}-CLIP"
            said += 1
    assert said >= 10


def means(model: str, label: str) -> set[str]:
    """Of a method as published and by the common rule: over all corruptions, and over each kind of them."""
    table, known = TABLES[model].make(Recorded()), Recorded()
    columns = [column for column in table.columns if column.contender.label in (label, f"{label}, chosen")]
    kinds = [
        tuple(row for row in table.rows if row.kind == kind) for kind in {row.kind for row in table.rows}
    ]
    found = set()
    for rows, column in itertools.product([table.rows, *kinds], columns):
        part = dataclasses.replace(table, rows=rows, columns=(column,))
        found.add(summarize(part, known)[-1][0].text.partition(" ")[0])
    return found
