"""What a list of class names may be: the rules, and the words for breaking them, of both sides.

Words in braces are filled in where they are said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clip_tta_core.sources.class_lists import LINE_ENDS, SEPARATORS


@dataclass(frozen=True)
class ClassListWords:
    """Sentences, without the capital letter and the period that depend on where they stand."""

    few: str = "at least two are needed to choose between, got 1"
    repeated: str = "each must be listed once; remove the repetition of {names}"
    empty: str = "every class needs a name; empty entries skipped: {count}"
    many: str = "at most {most} can be compared, got {count}"
    long: str = "a name may have {longest} characters at most; separate names by commas or lines"
    strange: str = "words that this CLIP does not know: {names}; use others, or choose a larger CLIP"


@dataclass(frozen=True)
class ClassList:
    """The rules."""

    separators: str = LINE_ENDS + SEPARATORS  # any one of these characters ends a name
    most: int = 1000  # names
    longest: int = 200  # characters of a name
    words: ClassListWords = field(default_factory=ClassListWords)


CLASS_LIST = ClassList()
