"""The page from a script: a snippet for the present settings, and what every setting may be."""

from __future__ import annotations

from pprint import pformat
from typing import Any

from clip_tta_core import engine
from clip_tta_core.records import Catalog
from clip_tta_core.ui.session import form
from clip_tta_core.ui.session.settings import defaults, to_config
from clip_tta_core.ui.wire.form import ChoiceField, Field, NamesField, NumberField, PickField, SwitchField

SNIPPET = """from gradio_client import Client  # pip install gradio_client

client = Client("{address}")
settings = {settings}
job = client.submit(settings, api_name="/experiment")
for record in job:
    print(record["batch"], record["methods"][{label}])
job.result()  # raises what went wrong; the loop alone would just end
"""


def snippet(settings: Any) -> str:
    """A script that runs what is set up, with {address} where the page's own belongs.

    Raises:
        ValueError: one sentence, where the settings are impossible or need what no script can send.
    """
    config = to_config(settings)
    if "upload" in (config.source, config.unknown_source):
        raise ValueError(
            "Script: uploaded pictures belong to this visit; choose other pictures, or give a folder's to "
            "clip_tta_core.engine.run in Python."
        )
    engine.check(config)
    start = defaults()
    start["lesson"] = settings.get("lesson", "")  # says nothing that the others do not
    own = {name: settings[name] for name in start if name in settings and settings[name] != start[name]}
    methods = settings.get("methods", start["methods"])
    written = pformat({**own, "methods": methods}, sort_dicts=False, width=100)
    return SNIPPET.replace("{label}", repr(config.contenders[-1].label)).replace("{settings}", written)


def allowed(catalog: Catalog) -> str:
    """Every setting with the values that it takes, a sentence each."""
    fields = [one for section in form.sections(catalog) for one in section.fields]
    said = [f"{one.name}: {_values(one)}." for one in fields]
    methods = ", ".join(card.name for card in catalog.methods)
    said.append(f"methods: a mapping of names to knobs, of {methods}; the error for a wrong knob names all.")
    said.append("start_settings: a mapping of knobs of the chosen start, which are listed as start.knob.")
    said.append("copies: a list of label, method and settings, for methods that take part again.")
    return " ".join(said)


def _values(field: Field) -> str:
    match field:
        case NumberField(limits=(low, high)):
            return f"{low:.10g} to {high:.10g}"
        case ChoiceField(options=options, other=other):
            return ", ".join(one.name for one in options) + (f", or {other.placeholder}" if other else "")
        case PickField(options=options):
            return ", ".join(str(one.name if one.value is None else one.value) for one in options)
        case NamesField():
            return "names, one a line or separated by commas; empty for the default"
        case SwitchField():
            return "true or false"
