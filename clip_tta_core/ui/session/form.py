"""The form, built from the catalog: a new method or corruption shows up without another line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clip_tta_core import engine, hosting
from clip_tta_core.clip import embedded
from clip_tta_core.clip.loading import devices, here
from clip_tta_core.engine import LIMITS
from clip_tta_core.hparams import Knob
from clip_tta_core.records import Catalog, Choice
from clip_tta_core.records import MethodCard as Method
from clip_tta_core.ui.session.settings import USUAL, contenders, split_names, whole
from clip_tta_core.ui.wire.form import (
    ChoiceField,
    Field,
    MethodCard,
    NamesField,
    NumberField,
    Option,
    Other,
    PickField,
    Preset,
    Section,
    SwitchField,
    When,
)
from clip_tta_core.ui.words import glossary

# Of sliders; boxes take all that is allowed.
COMFORTABLE = {
    "batch_size": (2, 256),
    "batches": (1, 128),
    "seed": (0, 99),
    "attack_epsilon": (0, 16),
    "attack_iterations": (1, 50),
    "shots": (1, 16),
}
FRONT = ("zero_shot", "tent", "cliptta")  # the methods that the page is about


def sections(catalog: Catalog) -> tuple[Section, ...]:
    """The parts of the form, in the order in which they stand."""
    return (
        Section("shift", "What happens to the pictures", True, _shift(catalog)),
        Section("methods", "Methods", True),
        Section("stream", "The stream", True, _stream(catalog)),
        Section("unknowns", "Unknown objects", False, _unknowns(catalog)),
        Section("model", "Model and classes", False, _model(catalog)),
        Section("start", "A better start", False, _start(catalog)),
    )


def cards(catalog: Catalog) -> tuple[MethodCard, ...]:
    """Every method with its look, its presets and a field for each of its knobs."""
    return tuple(_card(method) for method in catalog.methods)


def names(text: Any) -> dict[str, Any]:
    """The class names that a text holds, as a run reads them: {names}, or {problem} with the sentence."""
    try:
        return {"names": list(split_names(text))}
    except ValueError as problem:
        return {"problem": str(problem)}


def costs(settings: Mapping[str, Any]) -> dict[str, float]:
    """Each chosen method's work in forwards of zero-shot CLIP; one with impossible knobs is left out."""
    found = {}
    try:
        chosen = (*contenders(settings["methods"]), *contenders(settings.get("copies", ())))
        stream = [max(1, whole(name, settings[name])) for name in ("batch_size", "batches")]
    except (KeyError, TypeError, ValueError):
        return found
    for one in chosen:
        try:
            found[one.label] = round(engine.costs([one], *stream)[one.label].relative, 2)
        except ValueError:
            continue
    return found


def _shift(catalog: Catalog) -> tuple[Field, ...]:
    # Some schedules bring corruptions of their own, and all say when an attack strikes.
    some: tuple[When, ...] = (("corruption", "not", "none"), ("schedule", "not", "constant"))
    attacked: tuple[When, ...] = (("attack", "not", "none"),)
    return (
        _choice("corruption", "Corruption", catalog.corruptions),
        _number("severity", "Severity", when=some),
        _choice("style", "Style", catalog.styles, when=(("source", "is", "rendered"),)),
        _choice("schedule", "Over time", catalog.schedules),
        PickField(
            name="attack",
            title="Attack",
            options=(
                Option("none", "none", "Nobody works against the model."),
                Option(
                    "linf", "every pixel", "Every pixel moves a little, where it misleads CLIP most (PGD)."
                ),
                Option("l2", "overall", "The change as a whole stays small (PGD, L2)."),
            ),
        ),
        _number(
            "attack_epsilon",
            "Radius",
            when=attacked,
            help="In levels of 255. Labelled pictures only.",
            whole=False,
        ),
        _number("attack_iterations", "Iterations", when=attacked),
        PickField(
            name="attack_target",
            title="Made for",
            when=attacked,
            options=(
                Option("loaded", "the model", "One attack for all methods, on the model they begin with."),
                Option(
                    "adapted",
                    "each method",
                    "Anew for each method as it has adapted: an attack on the loaded model may miss the "
                    "weights that answer, and make a method look robust that nobody attacked.",
                ),
            ),
        ),
    )


def _stream(catalog: Catalog) -> tuple[Field, ...]:
    return (
        _choice("source", "Pictures", catalog.sources),
        _choice("order", "Order", catalog.orders),
        _number("batch_size", "Batch size"),
        _number("batches", "Batches"),
        PickField(
            name="predict",
            title="Predict",
            options=(
                Option("post", "after the update", "Predicts a batch after adapting to it, as in CLIPTTA."),
                Option("pre", "before", "Predicts a batch before adapting to it, as in TENT's own code."),
            ),
        ),
        PickField(
            name="clock",
            title="Clock",
            options=(
                Option("waits", "waits", "Every method adapts to every batch, however long it takes."),
                Option(
                    "runs",
                    "runs on",
                    "The stream does not wait: a method that costs c times as much as zero-shot CLIP adapts "
                    "to every c-th batch only, and predicts the others with the weights it has.",
                ),
            ),
        ),
        PickField(
            name="episodic",
            title="Weights",
            options=(
                Option("continual", "keep", "Weights carry over from batch to batch.", value=False),
                Option("episodic", "reset", "Every batch starts from the pretrained weights.", value=True),
            ),
        ),
        _number("seed", "Seed", help="The same seed gives the same pictures and the same numbers."),
    )


def _unknowns(catalog: Catalog) -> tuple[Field, ...]:
    some: tuple[When, ...] = (("unknown_source", "not", "none"),)
    return (
        _choice("unknown_source", "Source", catalog.unknown_sources),
        _number("unknown_share", "Share of images", when=some, whole=False),
        _choice("unknown_arrival", "Arrival", catalog.arrivals, when=some),
    )


def _model(catalog: Catalog) -> tuple[Field, ...]:
    model = _choice(
        "model",
        "CLIP",
        _marked(catalog.models),
        other=Other(
            title="Another …",
            placeholder="name, hf-hub:…, or ViT-B-32@/path/to/weights",
            rows=1,
            help="Any open_clip name, or an architecture with a local checkpoint; it loads on the first run.",
        ),
    )
    classes = NamesField(
        name="class_names",
        title="Classes",
        help="One per line or separated by commas; empty for the default. mini-CLIP and photo-CLIP know only "
        "their own.",
        placeholder={"rendered": ", ".join(catalog.task), "": "the default classes of these pictures"},
        knows={name: tuple(embedded.vocabulary(name).words) for name in embedded.EMBEDDED},
    )
    default = Choice(
        USUAL, "Default", "A data set's own prompt templates; “a photo of a {}” for other pictures."
    )
    templates = _choice(
        "templates",
        "Prompt templates",
        (default, *catalog.templates),
        other=Other(
            title="Your own …",
            placeholder="a blurry photo of a {}",
            rows=3,
            help="One template a line, with {} where the class name belongs; text features are averaged.",
            hole="{}",
        ),
    )
    lent = not all(hosting.has_controls(one.name) for one in catalog.models)
    return (model, classes, templates, *(() if lent else _device()), PRECISION)


def _start(catalog: Catalog) -> tuple[Field, ...]:
    """What a few labelled pictures make of the model beforehand; a start's knobs are named start.knob."""
    plain = Choice("none", "CLIP as it is", "Every method begins with the model as it was loaded.")
    others = (Choice(s.name, s.title, f"{s.summary} {s.citation}. {s.fails}") for s in catalog.starts)
    some: tuple[When, ...] = (("start", "not", "none"),)
    knobs = [
        dataclasses.replace(
            knob_field(knob), name=f"{one.name}.{knob.name}", when=(("start", "is", one.name),)
        )
        for one in catalog.starts
        for knob in one.knobs
    ]
    shots = _number(
        "shots",
        "Pictures a class",
        when=some,
        help="With labels, clean, drawn by the seed and none of the stream's. Made once, then remembered.",
    )
    return (_choice("start", "Begin with", (plain, *others)), shots, *knobs)


def _marked(models: Iterable[Choice]) -> Iterator[Choice]:
    """Models, those that were fetched before with a mark: they load without the hub."""
    fetched = here() - set(embedded.EMBEDDED)
    for one in models:
        marked = dataclasses.replace(one, title=f"{one.title} ✓", help=f"On this machine. {one.help}")
        yield marked if one.name in fetched else one


PRECISION = PickField(
    name="precision",
    title="Precision",
    options=(
        Option("auto", "auto", "Large models: bfloat16 where this machine is measured to be faster in it."),
        Option("float32", "float32", "Exact, and on most processors slower."),
        Option("bfloat16", "bfloat16", "Large models only; on processors without units for it far slower."),
    ),
)


def _device() -> tuple[Field, ...]:
    """A choice where there is one."""
    titles = {"cuda": "GPU (CUDA)", "mps": "GPU (Apple)", "cpu": "Processor (CPU)"}
    found = devices()
    if len(found) < 2:
        return ()
    best = Choice("auto", "The best one here", f"Takes {titles[found[0]]}.")
    return (_choice("device", "Device", (best, *(Choice(name, titles[name], "") for name in found))),)


def _choice(
    name: str, title: str, choices: Iterable[Choice], when: tuple[When, ...] = (), other: Other | None = None
) -> ChoiceField:
    options = tuple(Option(one.name, one.title, one.help, one.group) for one in choices)
    return ChoiceField(name=name, title=title, options=options, when=when, other=other)


def _number(
    name: str, title: str, when: tuple[When, ...] = (), help: str = "", whole: bool = True
) -> NumberField:
    low, high = COMFORTABLE.get(name) or LIMITS[name]
    return NumberField(
        name=name, title=title, help=help, when=when, low=low, high=high, limits=LIMITS[name], whole=whole
    )


def _card(method: Method) -> MethodCard:
    return MethodCard(
        name=method.name,
        title=method.title,
        family=method.family,
        summary=method.summary,
        citation=method.citation,
        paper=glossary.paper_of(method.citation),
        code=glossary.code_of(method.name).address(),
        colour=method.look.colour,
        marker=method.look.marker,
        front=method.name in FRONT,
        presets=tuple(Preset(title, dict(values)) for title, values in method.presets.items()),
        cost=round(method.cost.relative, 2),
        texts=method.cost.texts,
        knobs=tuple(map(knob_field, method.knobs)),
    )


def knob_field(knob: Knob) -> Field:
    """A knob as the form shows it."""
    said = {
        "name": knob.name,
        "title": knob.name.replace("_", " "),
        "help": knob.help,
        "default": knob.default,
    }
    if knob.kind == "bool":
        return SwitchField(**said)
    if knob.low is None or knob.high is None:
        return ChoiceField(**said, options=tuple(Option(one, one.replace("_", " ")) for one in knob.choices))
    return NumberField(
        **said,
        low=knob.low,
        high=knob.high,
        limits=(knob.low, knob.high),
        log=knob.log,
        whole=knob.kind == "int",
        choices=knob.choices,
        fallback=_fallback(knob.default, knob.low, knob.high),
    )


def _fallback(default: Any, low: float, high: float) -> float:
    """The number that takes the place of a word."""
    if not isinstance(default, str):
        return default
    return low if low > 0 else high / 10
