"""The primer under the playground, with its glossary, as HTML."""

from __future__ import annotations

from html import escape

import gradio as gr

from clip_tta_core.ui.page.parts import Part
from clip_tta_core.ui.page.theme import ASSETS
from clip_tta_core.ui.wire.parts import PrimerProps, Term
from clip_tta_core.ui.words.glossary import GLOSSARY, PRIMER, Link, Section, code_files


def _links(links: tuple[Link, ...]) -> str:
    anchors = (
        f'<a href="{escape(link.address())}" target="_blank" rel="noopener">{escape(link.title)}</a>'
        for link in links
    )
    return " · ".join(anchors)


def _section(section: Section) -> str:
    picture = (ASSETS / section.picture).read_text("utf-8") if section.picture else ""
    return (
        f"<section><h3>{escape(section.title)}</h3>{picture}"
        f'<p>{escape(section.text)}</p><p class="links">{_links(section.links)}</p></section>'
    )


def _template() -> str:
    sections = "".join(map(_section, PRIMER))
    words = "".join(
        f"<div><dt>{escape(term.word)}</dt><dd>{escape(term.says)} {_links(term.links)}</dd></div>"
        for term in GLOSSARY
    )
    return (
        f'<div class="primer"><h2>What this is about</h2><div class="sections">{sections}</div>'
        f'<details class="glossary"><summary>Glossary</summary><dl>{words}</dl></details></div>'
    )


class Primer(Part):
    """What the page is about, in five minutes; it teaches the scripts the words they explain."""

    name = "primer"
    describe = "Nothing: its words do not change."
    template = _template()

    def __init__(self) -> None:
        gr.set_static_paths([*code_files()])
        terms = tuple(Term(term.word, term.says, term.also) for term in GLOSSARY)
        super().__init__(props=PrimerProps(terms))
