"""What a step of the method at work is, where it is not one on the whole batch."""

from __future__ import annotations

from clip_tta_core.records import StepsOn

WHOSE: dict[StepsOn, str] = {
    "batch": "",
    "views": "{title} learns from changed views of the pictures; the answers shown are those to the views.",
    "picture": "{title} learns from one picture at a time: those before it have their answers, the others "
    "still have zero-shot CLIP’s.",
    "memory": "{title} learns from the pictures in its memory; until it is done, its answers on the batch "
    "are those from before.",
}
NONE = "{title} takes no optimization steps on this batch; Step goes on to what comes next."


def steps(title: str, on: StepsOn | None, is_done: bool) -> str:
    """A sentence, or "" where there is nothing to add.

    Args:
        title: of the method.
        on: what its steps learn from; None where it took none.
        is_done: whether the answers are those that count.
    """
    if on is None:
        return NONE.format(title=title) if is_done else ""
    return "" if is_done else WHOSE[on].format(title=title)
