"""Lists of class names as people have them: typed, from spreadsheets, notebooks and toolkits' label files."""

from __future__ import annotations

import ast
import contextlib
import csv
import itertools
import json
import re
from collections.abc import Mapping, Sequence

from clip_tta_core.sources import wordnet
from clip_tta_core.sources.wordnet import WNID

# Commas, semicolons, and their relatives in other scripts; a tab or a bar parts the cells of a table.
SEPARATORS = ",;，；﹐﹑﹔、､،؛፣፤|\t"
LINE_ENDS = "\n\x85\u2028\u2029"
HEADERS = frozenset(
    "name names class classes label labels category categories title species words synset "
    "classname classnames class_name class_names class_label class_labels label_name label_names labels_name "
    "category_name display_name sign_name signname id2label idx_to_class class_to_idx label2id "
    "label_map".split()
)
# "0: daisy", "12) cat", "(3) dog", "4 - fox", "5 = owl", "6 -> emu", "#7 elk", "'8': yak", "9_hen", "3 dog"
NUMBERED = re.compile(
    r"""(?:#|№|[Nn]o\.\s?)?[(\["']?(\d+)(?:["']?\s*(?:->|=>|[:.)\]=→–．、）_-])|\s)\s*(.+)"""
)
LETTERED = re.compile(r"\(?([A-Za-z])[.)]\s+(.+)")
ROW = re.compile(r"(\d+)\s*,(.+)")  # of a table without quotes around the commas in its names
SYNSET = re.compile(r"(?:\d+[\s,:]+)?n\d{8}[\s,:]+(.+)")  # "n01440764 tench, Tinca tinca"
PROTO = re.compile(r"""\bitem\s*\{([^{}]*)\}""")  # TensorFlow's label maps
PROTO_NAME = re.compile(r"""\b(display_name|name)\s*:\s*(?:"([^"]*)"|'([^']*)')""")
BULLET = re.compile(r"(?:(?:- \[[ xX]\]|[-+*•–·●○◦■▪►→✓☐☑‣⁃◆★])\s+|[①-⑳❶-❿・]\s*|\\item\s+)(.+)")
INLINE = re.compile(r"\s[•·●▪]\s")  # between names on one line
FIELD = re.compile(r"""["']?([\w ]++)["']?\s*[:=]\s*(.*)""")  # "nc: 3", "names:"
COMMENT = re.compile(r"(?:^|\s)(?:#|//)\s.*$")
# Around a list: fences of Markdown, marks of YAML, a spreadsheet's separator, what pandas prints below.
AROUND = re.compile(r"```\w*|---|\.\.\.|[\"']?sep=.[\"']?|(?:\w+: [^,]*, )*dtype: \w+")
QUOTED = re.compile(r"""(?<!\w)(?:"([^"\n]*)"|'([^'\n]*)')(?!\w)""")
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
DEEPEST = 4  # mappings inside each other, in which a list is looked for
IDENTIFIER = re.compile(r"n\d{8}|/[mg]/\w+")  # of WordNet, of Google's knowledge graph


def parse(text: str) -> tuple[str, ...]:
    """Class names from a text, in order; a name may be listed twice, which is for others to judge.

    Read are: one name a line; names with commas, semicolons or the separators of other scripts between; lists
    and mappings of numbers to names in JSON, YAML and code; tables with or without a header; TensorFlow's
    label maps; numbered and bulleted lines; lines that begin with a WordNet identifier. The first synonym
    counts.

    Raises:
        ValueError: one sentence, for HTML, and for what begins as JSON or Python and is none.
    """
    text = re.sub(f"\r\n?|[\v\f{LINE_ENDS}]", "\n", INVISIBLE.sub("", text)).strip()
    text = "\n".join(line for line in text.split("\n") if not AROUND.fullmatch(line.strip())).strip()
    if text.startswith("<") and text.endswith(">"):
        raise ValueError("Classes: the list is HTML or XML, which is not read; give one name a line.")
    if names := _label_map(text) or _literal(text):
        return names
    lines = [bare for line in text.split("\n") if (bare := COMMENT.sub("", line).strip())]
    if block := _described(lines):
        return _literal("\n".join(block)) or _listed(block)
    return _in_code(text) or _listed(lines)


def written(names: Sequence[str]) -> str:
    """A text from which `parse` reads these names: one a line, or JSON where that would be another list."""
    plain = "\n".join(names)
    with contextlib.suppress(ValueError):
        if parse(plain) == tuple(names):
            return plain
    return json.dumps(list(names), ensure_ascii=False)


def _listed(lines: Sequence[str]) -> tuple[str, ...]:
    """Names in lines, whichever of the forms they have."""
    if len(lines) > 1 and _key(lines[0].strip("[]#: \"'")) in HEADERS:
        lines = lines[1:]
    if len(lines) > 1:
        for form in FORMS:
            if names := form(lines):
                return _numbered_lines(names) or names  # "1 001.Albatross" has two numbers
    elif lines and (synset := SYNSET.fullmatch(lines[0])):
        return (_first(synset[1]),)
    elif lines and INLINE.search(lines[0]):
        return _clean(INLINE.split(lines[0].strip("•·●▪ ")))
    return _clean(part for line in lines for part in _parts(line))


def _key(text: str) -> str:
    """A heading as `HEADERS` spells it."""
    return re.sub(r"[\s-]+", "_", text.strip().lower())


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
    name = " ".join(name.split())
    for left, right in (("**", "**"), *('""', "''", "``", "“”", "„“", "「」", "«»")):
        if len(name) > 2 * len(left) and name.startswith(left) and name.endswith(right):
            return name[len(left) : -len(right)].strip()
    return name


def _first(synonyms: str) -> str:
    """The first of the synonyms between which WordNet puts commas."""
    return _bare(synonyms.partition(",")[0])


def _literal(text: str) -> tuple[str, ...]:
    """Names in JSON or code: a list, {number: name}, {name: number}, {number: [identifier, name]}."""
    if (rows := _json_lines(text)) is not None:
        return _clean(_names_in(rows))
    code = _value(text)
    if not code or not re.search(r"[,:\"']", code):
        return ()
    if not re.search("[\"']", code):  # YAML and JavaScript need no quotes
        return _listed([part.strip() for part in re.split(f"[{SEPARATORS}\n]", code[1:-1]) if part.strip()])
    code = re.sub(r"""(?<=["'])\s+(?=["'])""", ", ", code)  # numpy prints no commas
    found = _evaluated(code)
    if found is None or isinstance(found, set):  # names in braces, as C has them, keep their order
        found = _evaluated(f"[{code[1:-1]}]")
    if found is None:
        if names := _in_code(text):
            return names
        raise ValueError(
            "Classes: the list begins as JSON or Python and cannot be read as such; give one name a line."
        )
    return _clean(_names_in(found))


def _in_code(text: str) -> tuple[str, ...]:
    """Names in quotes in code of whatever language: in one pair of brackets, or each in a pair of its own.

    Beside them only numbers and signs may stand in those brackets, and all brackets must be closed.
    """
    names = [double or single for double, single in QUOTED.findall(text)]
    bare = QUOTED.sub("\0", text)
    if not names or any(bare.count(left) != bare.count(right) for left, right in ("()", "[]", "{}")):
        return ()
    groups = list(re.finditer(r"[\[({]([^\[\](){}]*)[\])}]", bare))
    groups = [one for one in groups if "\0" in one[1] and not re.search(r"[^\W\d_]", one[1])]
    counts = [one[1].count("\0") for one in groups]
    if not (len(counts) == 1 < counts[0]) and not (len(counts) > 1 and set(counts) == {1}):
        return ()
    first = bare.count("\0", 0, groups[0].start())
    found = names[first : first + sum(counts)]
    words = [name for name in found if not _is_number(name)]  # "0" => "cat"
    return _clean(words if 2 * len(words) == len(found) else found)


def _value(text: str) -> str:
    """What is in brackets, without the assignment or the call around it; "" where not all of it is."""
    if text[:1] in ("[", "{", "(") and text[-1:] in ("]", "}", ")"):
        return text
    bracketed = r"(\[.*\]|\{.*\}|\(.*\))"
    if plain := re.fullmatch(rf"\w+\s*[=:]\s*{bracketed};?", text, re.DOTALL):  # "names: [cat, dog]"
        return plain[1]
    # "const char *names[] = {...};", "classes: list[str] = [...]", "np.array([...], dtype='<U3')", "c(...)"
    called = rf"""(?:[\w.*:=<>\s]|\[\w*\])*(?:\(\s*)?{bracketed}(?:,\s*\w+=['"\w<.]*)*\)?;?"""
    found = re.fullmatch(called, text, re.DOTALL)
    return found[1] if found and re.search("[\"']", found[1]) else ""


def _evaluated(code: str) -> object:
    """JSON or a Python literal; None for neither."""
    try:
        return json.loads(code)
    except (ValueError, RecursionError):
        try:
            return ast.literal_eval(code)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None


def _json_lines(text: str) -> list[object] | None:
    """A list of objects, one a line; None for anything else."""
    rows = text.split("\n")
    if len(rows) < 2 or not all(row.startswith("{") and row.endswith("}") for row in rows):
        return None
    found = [_evaluated(row) for row in rows]
    return found if all(isinstance(row, Mapping) for row in found) else None


def _label_map(text: str) -> tuple[str, ...]:
    """Names in TensorFlow's label maps: those to be displayed, where there are any."""
    found = []
    for item in PROTO.findall(text):
        names = {key: first or second for key, first, second in PROTO_NAME.findall(item)}
        found.append(names.get("display_name") or names.get("name", ""))
    return _clean(found)


def _described(lines: Sequence[str]) -> Sequence[str]:
    """The lines of the list in the description of a data set, as YAML has it; none where the text is none."""
    entries = [_fields(entry[1] if (entry := BULLET.fullmatch(line)) else line) for line in lines]
    repeated = [key for key, _ in entries if key in HEADERS]
    if len(repeated) > 1 and len(set(repeated)) == 1 and all(key for key, _ in entries):
        return [value for key, value in entries if key == repeated[0]]  # "- id: 0", "  name: cat", ...
    fields = [_fields(line) for line in lines]
    keys = [key for key, _ in fields]
    for first in (k for k, key in enumerate(keys) if key in HEADERS):
        before = zip(keys[:first], lines, strict=False)
        if not all(key or BULLET.fullmatch(line) for key, line in before):
            break
        value, rest = fields[first][1], lines[first + 1 :]
        closed = next((k for k, line in enumerate([value, *rest]) if line.endswith("]")), 0)
        below = itertools.takewhile(lambda line: BULLET.fullmatch(line) or NUMBERED.fullmatch(line), rest)
        # On one line, or in brackets over several, or below.
        if block := [value, *rest[:closed]] if value else list(below):
            return block
    return ()


def _fields(line: str) -> tuple[str, str]:
    """A heading and what stands behind it, "" and "" where there is none."""
    field = FIELD.fullmatch(line)
    return (_key(field[1]), field[2]) if field else ("", "")


def _described_in(found: Mapping) -> object:
    """The list under a heading, as in the description of a data set or model, at some depth; else None."""
    level: list[Mapping] = [found]
    for _ in range(DEEPEST):
        for one in level:
            for key, value in one.items():
                if _key(str(key)) in HEADERS and isinstance(value, list | Mapping):
                    return value
        level = [value for one in level for value in one.values() if isinstance(value, Mapping)]
    return None


def _names_in(found: object) -> list[str]:
    if isinstance(found, Mapping):
        if listed := _described_in(found):
            return _names_in(listed)
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
        named = [entry[key] for key in entry if _key(str(key)) in HEADERS and isinstance(entry[key], str)]
        return named[0] if named else ""
    if isinstance(entry, list | tuple):
        texts = [part for part in entry if isinstance(part, str) and not WNID.fullmatch(part)]
        words = [part for part in texts if not _is_number(part)]
        return next(iter((*words, *texts)), "")
    return str(entry).partition(",")[0] if "," in str(entry) else str(entry)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"\d{1,9}", str(value)) is not None


def _matches(pattern: re.Pattern[str], lines: Sequence[str]) -> list[re.Match[str]]:
    """How the pattern matches each line; nothing unless it matches all."""
    found = [match for line in lines if (match := pattern.fullmatch(line))]
    return found if len(found) == len(lines) else []


def _identifiers(lines: Sequence[str]) -> tuple[str, ...]:
    """Nothing but identifiers of WordNet, in the words that people use."""
    return tuple(wordnet.name(match[0]) or match[0] for match in _matches(WNID, lines))


def _synsets(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(_first(match[1]).replace("_", " ") for match in _matches(SYNSET, lines))


def _in_turn(numbers: Sequence[int]) -> bool:
    """Whether they count from 0 or 1; "7 up" among other names is a name."""
    return numbers[0] in (0, 1) and list(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))


def _lettered_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines that begin with letters in turn, "a) cat" and "b) dog"."""
    found = _matches(LETTERED, lines)
    letters = "".join(match[1] for match in found).lower()
    return tuple(_bare(match[2]) for match in found) if letters and letters in ALPHABET[: len(found)] else ()


def _rows(lines: Sequence[str]) -> tuple[str, ...]:
    """Rows that begin with numbers in turn: of "2,polar bear, Ursus maritimus" the first name counts."""
    found = _matches(ROW, lines)
    if not found or not _in_turn([int(match[1][:9]) for match in found]):
        return ()
    return tuple(_first(match[2]) for match in found)


def _numbered_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines that begin with numbers in turn."""
    found = _matches(NUMBERED, lines)
    if not found or not _in_turn([int(match[1][:9]) for match in found]):
        return ()
    return tuple(_first(match[2]) for match in found)


def _numbered_behind(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines that end with numbers in turn, as `class_to_idx` is printed; "room 1" and "room 2" are names."""
    names, numbers = [], []
    for line in lines:
        line = line.rstrip(")]")  # "cat (0)"
        before = line.rstrip("0123456789")
        names.append(before.rstrip(" \t:=->(["))
        if before in ("", names[-1]) or before == line:
            return ()
        numbers.append(int(line[len(before) :][:9]))
    return _clean(names) if _in_turn(numbers) and len(set(names)) == len(names) else ()


def _synonyms(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines with commas that WordNet knows as one thing each: "tench, Tinca tinca"."""
    several = [line for line in lines if "," in line]
    if several and all(wordnet.are_one(line.split(",")) for line in several):
        return tuple(_first(line) for line in lines)
    return ()


def _bullets(lines: Sequence[str]) -> tuple[str, ...]:
    return _clean(match[1] for match in _matches(BULLET, lines))


def _table(lines: Sequence[str]) -> tuple[str, ...]:
    """The column of names: told by its heading, else by a column of numbers or identifiers beside one."""
    spaced = [re.sub(" {2,}", "\t", line) for line in lines]  # as tables are printed
    # Markdown has bars outside, too, and a row of dashes.
    barred = [row for line in lines if re.search(r"[^-:| ]", row := line.strip("| "))]
    for delimiter, text in ((",", lines), (";", lines), ("\t", lines), ("\t", spaced), ("|", barred)):
        try:
            rows = list(csv.reader(text, delimiter=delimiter, skipinitialspace=True))
        except csv.Error:  # a cell of a hundred thousand characters
            continue
        if len(rows) < 2 or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
            continue
        rows = [[cell.strip() for cell in row] for row in rows]
        named = [k for k, cell in enumerate(rows[0]) if _key(cell) in HEADERS]
        columns = list(zip(*rows, strict=True))
        headed = bool(named) or any(map(_is_headed, columns))
        columns = [column[headed:] for column in columns]
        coded = [k for k, column in enumerate(columns) if all(map(_is_code, column))]
        texts = [k for k in range(len(columns)) if k not in coded]
        candidates = [k for k in named if k in texts] or (texts if coded or headed else [])
        if candidates:
            identified = any(WNID.fullmatch(columns[k][0]) for k in coded)
            column = columns[candidates[0]]
            return tuple(map(_first, column)) if identified else _clean(column)
    return ()


def _is_code(cell: str) -> bool:
    """Whether a cell holds a number or an identifier."""
    return re.fullmatch(r"[-+]?\d+(\.\d+)?", cell) is not None or IDENTIFIER.fullmatch(cell) is not None


def _is_headed(column: Sequence[str]) -> bool:
    """Whether all of a column but its first cell are numbers or identifiers."""
    return not _is_code(column[0]) and all(map(_is_code, column[1:]))


FORMS = (
    _identifiers,
    _synsets,
    _numbered_lines,
    _lettered_lines,
    _bullets,
    _table,
    _rows,
    _numbered_behind,
    _synonyms,
)
