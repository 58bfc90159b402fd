"""Style sheets and scripts of the page."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).parents[3] / "assets"


def css() -> str:
    """All style sheets, in the order of their names.

    They go into the page as they are: Gradio rewrites what it is given as `css`, and breaks dark-mode rules.
    """
    return "\n".join(path.read_text("utf-8") for path in sorted((ASSETS / "css").glob("*.css")))


def script(name: str) -> str:
    """The script of one part, after what all parts rely on."""
    shared, own = ((ASSETS / "js" / f"{file}.js").read_text("utf-8") for file in ("shared", name))
    return shared.replace("window.cliptta =", "window.cliptta ??=") + "\n" + own
