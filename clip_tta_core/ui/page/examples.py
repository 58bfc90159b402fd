"""Photographs that come with Gradio, so that an upload can be tried without one's own."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import gradio as gr

FOLDER = Path(gr.__file__).parent / "media_assets" / "images"
SHOWN = {  # in words that photo-CLIP knows
    "bus": ("bus.png",),
    "leopard": ("cheetah.jpg", "cheetah1.jpg"),
    "lion": ("lion.jpg",),
    "skyscraper": ("tower.jpg",),
}


def archive() -> str:
    """The path of a new archive with a folder for each class; who reads it deletes it."""
    path = Path(tempfile.mkdtemp()) / "examples.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, pictures in SHOWN.items():
            for picture in filter(Path.is_file, (FOLDER / picture for picture in pictures)):
                file.write(picture, f"{name}/{picture.name}")
    return str(path)
