"""The look of the page: ink on paper, so that colour is left to the methods."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

ASSETS = Path(__file__).parents[3] / "assets"


def theme() -> gr.themes.Base:
    """Gradio's default theme in grey, with contrast that axe-core accepts in light and dark."""
    font = (gr.themes.utils.fonts.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif")
    return gr.themes.Default(primary_hue="slate", neutral_hue="slate", font=font).set(
        body_background_fill="#fbfaf8",
        body_background_fill_dark="#14171c",
        body_text_color="#1d2430",
        body_text_color_dark="#e6e8ec",
        body_text_color_subdued="#566072",
        body_text_color_subdued_dark="#a9b2c0",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1b1f26",
        border_color_primary="#dfe1e5",
        border_color_primary_dark="#343a45",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        button_primary_background_fill="#1d2430",
        button_primary_background_fill_hover="#364154",
        button_primary_background_fill_dark="#e6e8ec",
        button_primary_text_color_dark="#14171c",
        button_cancel_background_fill="#b91c1c",
        button_cancel_background_fill_hover="#991b1b",
    )


def css() -> str:
    """All style sheets, in the order of their names."""
    return "\n".join(path.read_text("utf-8") for path in sorted((ASSETS / "css").glob("*.css")))


def script(name: str) -> str:
    """The script of one part, after what all parts rely on."""
    shared, own = ((ASSETS / "js" / f"{file}.js").read_text("utf-8") for file in ("shared", name))
    return shared.replace("window.cliptta =", "window.cliptta ??=") + "\n" + own
