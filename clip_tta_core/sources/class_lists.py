"""Lists of class names as people have them: typed, from spreadsheets, notebooks and toolkits' label files."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Mapping, Sequence

from clip_tta_core.sources.wordnet import WNID

# Commas, semicolons, and their relatives in Chinese, Japanese and Arabic; a tab parts the cells of a table.
SEPARATORS = ",;，、；،؛\t"
HEADERS = frozenset(
    "name names class classes label labels classname class_name class_names label_name labels_name category "
    "categories display_name title species words synset".split()
)
NUMBERED = re.compile(r"\s*(\d+)\s*[:.)\]\t ]\s*(.+)")  # "0: daisy", "12) cat", "3 dog"
SYNSET = re.compile(r"\s*(?:\d+[\s,:]+)?n\d{8}[\s,:]+(.+)")  # "n01440764 tench, Tinca tinca"
PROTO = re.compile(r"""\bitem\s*\{[^}]*?\bname\s*:\s*(?:"([^"]*)"|'([^']*)')""")  # TensorFlow's label maps
BULLET = re.compile(r"\s*[-*•–]\s+(.+)")


def parse(text: str) -> tuple[str, ...]:
    """Class names from a text, in order; a name may be listed twice, which is for others to judge.

    Read are: one name a line; names with commas, semicolons or the separators of other scripts between; lists
    and mappings of numbers to names in JSON and Python; CSV with or without a header; TensorFlow's label
    maps; numbered and bulleted lines; lines that begin with a WordNet identifier. The first synonym counts.

    Raises:
        ValueError: one sentence, for what begins as JSON or Python and is none.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "").strip()
    if literal := _literal(text):
        return literal
    if entries := PROTO.findall(text):
        return _clean(first or second for first, second in entries)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and lines[0].lower().rstrip(":").strip("\"'") in HEADERS:
        lines = lines[1:]
    if len(lines) > 1:
        for form in (_synsets, _numbered_lines, _bullets, _table):
            if names := form(lines):
                return names
    elif lines and (synset := SYNSET.fullmatch(lines[0])):
        return (_first(synset[1]),)
    return _clean(part for line in lines for part in _parts(line))


def _parts(line: str) -> list[str]:
    """The names of one line, those in quotes whole."""
    return [
        part
        for part in re.split(rf'((?<![^\s{SEPARATORS}])"[^"]*"|[{SEPARATORS}])', line)
        if part.strip(SEPARATORS)
    ]


def _clean(names) -> tuple[str, ...]:
    return tuple(name for name in (_bare(str(part)) for part in names) if name)


def _bare(name: str) -> str:
    """A name without the quotes around it."""
    name = name.strip()
    for left, right in ('""', "''", "“”", "「」", "«»"):
        if len(name) > 2 and name.startswith(left) and name.endswith(right):
            return name[1:-1].strip()
    return name


def _first(synonyms: str) -> str:
    """The first of the synonyms between which WordNet puts commas."""
    return _bare(synonyms.partition(",")[0])


def _literal(text: str) -> tuple[str, ...]:
    """Names in JSON or Python: a list, {number: name}, {name: number}, {number: [identifier, name]}."""
    code = re.sub(r"^\s*\w+\s*[=:]\s*(?=[\[({])", "", text)  # "classes = [...]", "names: [...]"
    code = re.sub(r"^(?:np\.)?array\((\[.*\])(?:,\s*dtype=.*)?\)$", r"\1", code, flags=re.DOTALL)
    code = re.sub(r"""(?<=["'])\s+(?=["'])""", ", ", code)  # numpy prints no commas
    if not code or code[0] not in "[{(" or code[-1] not in "]})":
        return ()
    if not re.search(r"[,:\"']", code):
        return ()
    try:
        found = json.loads(code)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(code)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            if not re.search("[\"']", code):
                return _clean(part for part in re.split(f"[{SEPARATORS}]", code[1:-1]))
            raise ValueError(
                "Classes: the list begins as JSON or Python and cannot be read as such; give one name a line."
            ) from None
    return _clean(_names_in(found))


def _names_in(found: object) -> list[str]:
    if isinstance(found, Mapping):
        listed = [value for key, value in found.items() if str(key).lower() in HEADERS]
        if len(found) <= 10 and len(listed) == 1 and isinstance(listed[0], list | Mapping):
            return _names_in(listed[0])  # {"names": [...]}, as in a data set's description
        if all(_is_number(value) for value in found.values()):  # {"cat": 0}
            return [str(key) for key in sorted(found, key=lambda key: int(found[key]))]
        if all(_is_number(key) for key in found):
            return [_name_of(found[key]) for key in sorted(found, key=int)]
        if all(WNID.fullmatch(str(key)) for key in found):
            return [_name_of(value) for value in found.values()]
        return (
            [str(key) for key in found]
            if not any(isinstance(v, str) for v in found.values())
            else [_name_of(value) for value in found.values()]
        )
    if isinstance(found, list | tuple):
        return [_name_of(entry) for entry in found]
    return []


def _name_of(entry: object) -> str:
    """A name in an entry: "tench", ["n01440764", "tench"], {"id": 1, "name": "cat"}."""
    if isinstance(entry, Mapping):
        named = [entry[key] for key in entry if str(key).lower() in HEADERS and isinstance(entry[key], str)]
        return named[0] if named else ""
    if isinstance(entry, list | tuple):
        texts = [part for part in entry if isinstance(part, str) and not WNID.fullmatch(part)]
        return texts[0] if texts else ""
    return str(entry).partition(",")[0] if "," in str(entry) else str(entry)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"\d{1,9}", str(value)) is not None


def _matches(pattern: re.Pattern[str], lines: Sequence[str]) -> list[re.Match[str]]:
    """How the pattern matches each line; nothing unless it matches all."""
    found = [match for line in lines if (match := pattern.fullmatch(line))]
    return found if len(found) == len(lines) else []


def _synsets(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(_first(match[1]) for match in _matches(SYNSET, lines))


def _numbered_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines that begin with numbers in turn; "7 up" among other names is a name."""
    found = _matches(NUMBERED, lines)
    if not found:
        return ()
    numbers = [int(match[1]) for match in found]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] > 1:
        return ()
    return tuple(_first(match[2]) for match in found)


def _bullets(lines: Sequence[str]) -> tuple[str, ...]:
    return _clean(match[1] for match in _matches(BULLET, lines))


def _table(lines: Sequence[str]) -> tuple[str, ...]:
    """The column of names of a CSV: told by its header, else by a column of numbers beside one of names."""
    for delimiter in (",", ";", "\t"):
        rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
        width = len(rows[0])
        if width < 2 or any(len(row) != width for row in rows):
            continue
        header = [cell.strip().lower().replace(" ", "_") for cell in rows[0]]
        named = [k for k, cell in enumerate(header) if cell in HEADERS]
        body = rows[1:] if named else rows
        columns = list(zip(*body, strict=True))
        numbers = [k for k, column in enumerate(columns) if all(_is_number(c.strip()) for c in column)]
        identifiers = [
            k for k, column in enumerate(columns) if all(WNID.fullmatch(c.strip()) for c in column)
        ]
        texts = [k for k in range(width) if k not in (*numbers, *identifiers)]
        candidates = [k for k in named if k in texts] or (texts if numbers or identifiers or named else [])
        if candidates:
            column = columns[candidates[0]]
            return tuple(map(_first, column)) if identifiers else _clean(column)
    return ()
