"""Sentences that turn class names into captions."""

from __future__ import annotations

from collections.abc import Sequence

from open_clip import OPENAI_IMAGENET_TEMPLATES

from clip_tta_core.registry import unknown_name

SINGLE = "a photo of a {}"

TEMPLATES: dict[str, tuple[str, ...]] = {
    "single": (SINGLE,),
    "eight": (  # the "select" list of WATT and CLIPTTA, arXiv 2406.13875
        SINGLE,
        "itap of a {}",
        "a bad photo of the {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
    ),
    "seven": (  # CLIP's own short list, which OnZeta, Mint and Ramen read
        "itap of a {}.",
        "a bad photo of the {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
    ),
    "eighty": tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES),  # CLIP's own, for ImageNet
    # One sentence each, for data sets whose classes need a hint.
    "sentence": ("A photo of a {}.",),
    "pets": ("A photo of a {}, a type of pet.",),
    "flowers": ("A photo of a {}, a type of flower.",),
    "food": ("A photo of a {}, a type of food.",),
    "aircraft": ("A photo of a {}, a type of aircraft.",),
    "textures": ("{} texture.",),
    "satellite": ("A centered satellite photo of {}.",),
    "digits": ('a photo of the number: "{}".',),
    "tissue": ("this is a photo of {}",),
}
TITLES = {
    "single": "One sentence",
    "eight": "Eight sentences, WATT's",
    "seven": "Seven sentences, CLIP's short list",
    "eighty": "Eighty sentences, CLIP's for ImageNet",
    "sentence": "One sentence with a full stop",
    "pets": "A type of pet",
    "flowers": "A type of flower",
    "food": "A type of food",
    "aircraft": "A type of aircraft",
    "textures": "A texture",
    "satellite": "A satellite photo",
    "digits": "A number",
    "tissue": "A piece of tissue",
}


def example(name: str) -> str:
    """What a visitor should know of a named ensemble: its sentence, or the first of many."""
    first, *more = TEMPLATES[name]
    return f"“{first}” and {len(more)} more, averaged." if more else f"“{first}”"


def templates(name: str) -> tuple[str, ...]:
    """The templates of a named ensemble, or one's own: sentences that hold {}, one a line."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    own = tuple(line.strip() for line in name.splitlines() if line.strip())
    if "{}" not in name:
        raise ValueError(unknown_name("template set", name, TEMPLATES))
    for template in own:
        fill(template, ())  # raises where a line is no template
    return own


def fill(template: str, class_names: Sequence[str]) -> list[str]:
    """One caption per class; underscores become spaces."""
    if template.count("{}") != 1:
        raise ValueError(f"Prompt template must hold exactly one {{}}, got '{template}'.")
    return [template.replace("{}", name.replace("_", " ")) for name in class_names]
