"""What the README tells a newcomer to type, typed."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from clip_tta_core import limits
from clip_tta_core.methods import METHODS

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def walk_through(tmp_path, monkeypatch):
    """The method of "Add a method", saved to a file and imported as the package would."""
    if "pseudo_label" in METHODS:  # by whoever followed it
        yield METHODS["pseudo_label"]
        return
    (code,) = (block for block in BLOCKS if "@register" in block)
    path = tmp_path / "pseudo_label.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("pseudo_label", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield METHODS["pseudo_label"]
    del METHODS._items["pseudo_label"]


def test_the_method_of_the_walk_through_adapts(walk_through, clip, make_images):
    method = walk_through(
        clip.fork(walk_through.train), walk_through.Config(threshold=0.2), torch.Generator()
    )
    report = method.adapt(make_images())
    assert report["kept"] > 0
    assert not torch.equal(method.predict(make_images()).logits, clip.predict(make_images()).logits)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_is_valid_python(block):
    compile(block, "README.md", "exec")


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
    assert row in README
