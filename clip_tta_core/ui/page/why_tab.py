"""The Why tab: a CLIP in two dimensions, computed in the browser, and what to take home from it."""

from __future__ import annotations

from clip_tta_core.ui.page.parts import Part

_MORALS = """<section class="moral"><h3>Why TENT collapses</h3>
<p>TENT asks every picture to be surer of what it answers, so each is pulled to the caption it already leans
to. The weights are shared: what the many ask for, all must follow. Once most lean to one caption, moving
the whole cloud there makes every answer surer, and no term of the loss speaks against it.</p></section>
<section class="moral"><h3>What keeps CLIPTTA from it</h3>
<p>Its contrast sets each picture the task of finding its caption among those of the whole batch. A caption
that many pictures answer is there in many equal copies, and none of them can be picked surely: the pull to
frequent classes fades, and pictures of rare classes get to steer the shared weights. The diversity bonus
asks for spread answers outright, and does so for TENT just as well. The memory brings surer pictures of
every class it has seen.</p></section>
<section class="moral"><h3>What does not help, and where CLIPTTA fails</h3>
<p>CLIPTTA’s loss from images to texts never lowers a picture’s score for the caption it leans to: no picture
is told that it is wrong. What puts it right is the pull of others on the shared weights, the bonus or the
memory: without sharing, neither TENT nor that loss alone changes a single answer. Where all answers are the
same, or the batch is one picture, the contrast has no gradient at all. And where one class really is
frequent, whatever evens answers out takes right ones away.</p></section>"""


class Why(Part):
    """The plane; the server has no part in it."""

    name = "why"
    describe = "Nothing: the browser works it all out."
    template = f'<div class="why"></div><div class="morals">{_MORALS}</div>'


def why_tab() -> None:
    """The plane."""
    Why()
