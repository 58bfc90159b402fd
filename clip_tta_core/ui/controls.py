"""The form, as tables made from the catalog: a new method or corruption shows up without another line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from clip_tta_core import engine, hosting
from clip_tta_core.clip import mini, speed
from clip_tta_core.clip.loading import MINI, devices
from clip_tta_core.engine import LIMITS
from clip_tta_core.hparams import Knob
from clip_tta_core.records import Catalog, Choice, MethodCard
from clip_tta_core.ui.settings import LONGEST, MOST_CLASSES, USUAL, contenders, whole

Field = dict[str, Any]
COMFORTABLE = {
    "batch_size": (2, 256),
    "batches": (1, 128),
    "seed": (0, 99),
}  # sliders; boxes take all that is allowed


def sections(catalog: Catalog) -> list[dict[str, Any]]:
    """The parts of the form, in the order in which they stand."""
    return [
        {"name": "shift", "title": "What happens to the pictures", "open": True, "fields": _shift(catalog)},
        {"name": "methods", "title": "Methods", "open": True, "fields": []},
        {"name": "stream", "title": "The stream", "open": True, "fields": _stream(catalog)},
        {"name": "unknowns", "title": "Unknown objects", "open": False, "fields": _unknowns(catalog)},
        {"name": "model", "title": "Model and classes", "open": False, "fields": _model(catalog)},
    ]


def cards(catalog: Catalog) -> list[dict[str, Any]]:
    """Every method with its look, its presets and a control for each of its knobs."""
    return [_card(method) for method in catalog.methods]


def costs(settings: Mapping[str, Any]) -> dict[str, float]:
    """Each chosen method's work in forwards of zero-shot CLIP; one with impossible knobs is left out."""
    found = {}
    try:
        chosen = contenders(settings["methods"])
        stream = [max(1, whole(name, settings[name])) for name in ("batch_size", "batches")]
    except (KeyError, TypeError, ValueError):
        return found
    for one in chosen:
        try:
            found[one.label] = round(engine.costs([one], *stream)[one.label].relative, 2)
        except ValueError:
            continue
    return found


def _shift(catalog: Catalog) -> list[Field]:
    return [
        _choice("corruption", "Corruption", catalog.corruptions),
        _number("severity", "Severity", *LIMITS["severity"], when=("corruption", "not", "none")),
        _choice("style", "Style", catalog.styles, when=("source", "is", "rendered")),
        _choice("schedule", "Over time", catalog.schedules, when=("corruption", "not", "none")),
    ]


def _stream(catalog: Catalog) -> list[Field]:
    return [
        _choice("source", "Pictures", catalog.sources),
        _choice("order", "Order", catalog.orders),
        _number("batch_size", "Pictures per batch", *COMFORTABLE["batch_size"]),
        _number("batches", "Batches", *COMFORTABLE["batches"]),
        {
            "name": "predict",
            "title": "Answers count",
            "kind": "pick",
            "options": [
                _option(
                    "post",
                    "after the update",
                    "Each batch is answered after learning from it, as in CLIPTTA.",
                ),
                _option(
                    "pre", "before", "Each batch is answered before learning from it, as in TENT's own code."
                ),
            ],
        },
        {
            "name": "episodic",
            "title": "What was learned",
            "kind": "pick",
            "options": [
                _option("continual", "stays", "Weights carry over from batch to batch.") | {"value": False},
                _option("episodic", "is forgotten", "Every batch starts from the original weights.")
                | {"value": True},
            ],
        },
        _number(
            "seed",
            "Seed",
            *COMFORTABLE["seed"],
            help="The same seed gives the same pictures and the same numbers.",
        ),
    ]


def _unknowns(catalog: Catalog) -> list[Field]:
    some = ("unknown_source", "not", "none")
    share = _number("unknown_share", "Share of pictures", *LIMITS["unknown_share"], when=some) | {
        "whole": False
    }
    return [
        _choice("unknown_source", "Mix in", catalog.unknown_sources),
        share,
        _choice("unknown_arrival", "They come", catalog.arrivals, when=some),
    ]


def _model(catalog: Catalog) -> list[Field]:
    model = _choice("model", "CLIP", [_with_speed(model) for model in catalog.models])
    model |= {
        "other": {
            "title": "Another …",
            "placeholder": "name, hf-hub:…, or ViT-B-32@/path/to/weights",
            "rows": 1,
        },
        "help": "Any open_clip name, or an architecture with a local checkpoint; it loads on the first run.",
    }
    classes = {
        "name": "class_names",
        "title": "Classes",
        "kind": "names",
        "placeholder": {"rendered": ", ".join(catalog.task), "": "the usual ones of these pictures"},
        "help": "One a line, or with commas between; empty for the usual ones. mini-CLIP knows only its own.",
        "most": MOST_CLASSES,
        "longest": LONGEST,
        "knows": {MINI: list(mini.words())},
    }
    usual = Choice(
        USUAL, "The usual ones", "A data set's own sentences; for other pictures “a photo of a {}”."
    )
    templates = _choice("templates", "Sentences", [usual, *catalog.templates])
    templates |= {
        "other": {"title": "Your own …", "placeholder": "a blurry photo of a {}", "rows": 3, "hole": "{}"},
        "help": "One sentence a line, each with {} where the class belongs; their features are averaged.",
    }
    lent = not all(hosting.has_controls(model.name) for model in catalog.models)
    return [model, classes, templates, *([] if lent else _device())]


def _with_speed(model: Choice) -> Choice:
    """A model's entry with how fast it will be; on a GPU that is lent for a run, nobody knows before."""
    rate = speed.pictures_per_second(model.name) if hosting.has_controls(model.name) else None
    if rate is None:
        return model
    return dataclasses.replace(model, help=f"{model.help} About {rate:,g} pictures a second here, zero-shot.")


def _device() -> list[Field]:
    """A choice where there is one."""
    titles = {"cuda": "GPU (CUDA)", "mps": "GPU (Apple)", "cpu": "Processor (CPU)"}
    found = devices()
    if len(found) < 2:
        return []
    best = Choice("auto", "The best one here", f"Takes {titles[found[0]]}.")
    return [_choice("device", "Device", [best, *(Choice(name, titles[name], "") for name in found)])]


def _choice(name: str, title: str, choices: Iterable[Choice], when: tuple | None = None) -> Field:
    options = [_option(one.name, one.title, one.help, one.group) for one in choices]
    return {"name": name, "title": title, "kind": "choice", "options": options, "when": when}


def _option(name: str, title: str, help: str, group: str = "") -> dict[str, str]:
    return {"name": name, "title": title, "help": help, "group": group}


def _number(
    name: str, title: str, low: float, high: float, when: tuple | None = None, help: str = ""
) -> Field:
    bounds = {"low": low, "high": high, "limits": LIMITS.get(name, (low, high)), "log": False, "whole": True}
    return {"name": name, "title": title, "kind": "number", "help": help, "when": when, **bounds}


def _card(method: MethodCard) -> dict[str, Any]:
    presets = [{"title": title, "values": dict(values)} for title, values in method.presets.items()]
    return {
        "name": method.name,
        "title": method.title,
        "family": method.family,
        "summary": method.summary,
        "citation": method.citation,
        "colour": method.look.colour,
        "marker": method.look.marker,
        "presets": presets,
        "cost": round(method.cost.relative, 2),
        "texts": method.cost.texts,
        "knobs": [_knob(knob) for knob in method.knobs],
    }


def _knob(knob: Knob) -> Field:
    control = {"bool": "switch", "int": "number", "float": "number", "choice": "choice"}[knob.kind]
    out = {
        "name": knob.name,
        "title": knob.name.replace("_", " "),
        "control": control,
        "default": knob.default,
        "help": knob.help,
    }
    if control == "number":
        out |= {"low": knob.low, "high": knob.high, "log": knob.log, "whole": knob.kind == "int"}
        fallback = (
            knob.default
            if not isinstance(knob.default, str)
            else (knob.low if knob.low > 0 else knob.high / 10)
        )
        out |= {"choices": list(knob.choices), "fallback": fallback}
    if control == "choice":
        out["options"] = [_option(word, word.replace("_", " "), "") for word in knob.choices]
    return out
