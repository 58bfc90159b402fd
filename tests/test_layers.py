"""The rooms of the house and who may enter which: a room imports only rooms listed above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "clip_tta_core"

ROOMS = [  # from the ground up; rooms on one line know nothing of each other
    {
        "registry",
        "hparams",
        "control",
        "palette",
        "pulls",
        "limits",
        "line",
        "metrics",
        "thumbnails",
        "versions",
    },
    {"records"},
    {"losses", "optim", "augment", "assignment", "gaussians", "notes"},
    {"scores", "memory"},
    {"clip"},
    {"attacks"},
    {"methods"},
    {"adversary"},
    {"corruptions"},
    {"sources"},
    {"starts"},
    {"stream"},
    {"few_shots"},
    {"catalog", "validation", "inside"},
    {"engine", "logs"},
    {"hosting"},
    {"plots", "export", "comparison"},
    {"pretrain", "sweep"},
    {"bench", "card"},
    {"ui"},
    {"first_paint"},
]
UI_ROOMS = [  # the same inside the page's own house
    {"words", "wire"},
    {"session"},
    {"page"},
]
UI_FLOOR = {room: level for level, rooms in enumerate(UI_ROOMS) for room in rooms}
FLOOR = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path.name}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_room_has_its_floor():
    assert {room_of(path) for path in FILES} - {"__init__"} <= FLOOR.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path):
    here = room_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "clip_tta_core" and len(parts) > 1 and here != "__init__":
            there = parts[1]
            assert there == here or FLOOR[there] < FLOOR[here], f"{here} must not import {there}"


STARTS_MAY_USE = {"clip", "losses", "optim", "augment", "sources", "hparams", "registry", "limits", "starts"}


def test_starts_know_neither_methods_nor_streams():
    used = {
        name.split(".")[1]
        for path in (PACKAGE / "starts").glob("*.py")
        for name in imports(path)
        if name.startswith("clip_tta_core.")
    }
    assert used <= STARTS_MAY_USE


UI_FILES = sorted((PACKAGE / "ui").rglob("*.py"))


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: str(path.relative_to(PACKAGE / "ui")))
def test_no_file_of_the_page_imports_torch(path):
    assert not {name.split(".")[0] for name in imports(path)} & {"torch", "torchvision", "open_clip"}


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: str(path.relative_to(PACKAGE / "ui")))
def test_a_room_of_the_page_imports_only_rooms_below_it(path):
    here = path.relative_to(PACKAGE / "ui").parts[0]
    if here in ("__init__.py", "settings.py"):  # the front doors: for who opens a page, and for scripts
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[:2] == ["clip_tta_core", "ui"] and len(parts) > 2 and parts[2] != here:
            assert UI_FLOOR[parts[2]] < UI_FLOOR[here], f"ui/{here} must not import ui/{parts[2]}"


@pytest.mark.parametrize("room", ["words", "wire", "session"])
def test_only_the_page_knows_gradio(room):
    direct = {name.split(".")[0] for path in UI_FILES if path.parent.name == room for name in imports(path)}
    assert direct and not direct & {"gradio", "gradio_client"}


@pytest.mark.parametrize("room", ["registry", "hparams", "records", "control", "metrics"])
def test_plain_rooms_do_without_torch(room):
    assert "torch" not in {name.split(".")[0] for name in imports(PACKAGE / f"{room}.py")}
