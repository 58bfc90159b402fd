"""Class lists in the forms in which toolkits, spreadsheets and notebooks write them."""

# ruff: noqa: E501, a table
from __future__ import annotations

import pytest

from clip_tta_core.sources import texts
from clip_tta_core.sources.class_lists import parse

PETS = ("cat", "dog", "polar bear")
FORMS = [
    "cat\ndog\npolar bear",
    "cat, dog, polar bear",
    "cat; dog; polar bear",
    "cat\tdog\tpolar bear",
    "cat、dog、polar bear",
    "cat，dog，polar bear",
    "cat؛ dog، polar bear",
    "\ufeffcat\r\ndog\r\n\r\npolar bear\r\n",
    "name\ncat\ndog\npolar bear",
    "cat,0\ndog,1\npolar bear,2",
    "id;name;colour\n1;cat;grey\n2;dog;brown\n3;polar bear;white",
    "label\tname\n0\tcat\n1\tdog\n2\tpolar bear",
    "0 cat\n1 dog\n2 polar bear",
    "1. cat\n2. dog\n3. polar bear",
    "0: cat\n1: dog\n2: polar bear",
    "- cat\n- dog\n- polar bear",
    "* cat\n* dog\n* polar bear",
    '["cat", "dog", "polar bear"]',
    "['cat', 'dog', 'polar bear',]",
    "CLASSES = ('cat', 'dog', 'polar bear')",
    "['cat' 'dog'\n 'polar bear']",
    '{"0": "cat", "1": "dog", "2": "polar bear"}',
    '{"10": "polar bear", "2": "dog", "1": "cat"}',
    "{0: 'cat', 1: 'dog', 2: 'polar bear'}",
    '{"polar bear": 2, "cat": 0, "dog": 1}',
    '{"names": ["cat", "dog", "polar bear"]}',
    '[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "polar bear"}]',
    "names:\n  0: cat\n  1: dog\n  2: polar bear",
    "names: [cat, dog, polar bear]",
    "item {\n id: 1\n name: 'cat'\n}\nitem {\n id: 2\n name: 'dog'\n}\n"
    "item {\n id: 3\n name: 'polar bear'\n}",
]


@pytest.mark.parametrize("text", FORMS)
def test_a_list_in_another_form_is_the_same_list(text):
    assert parse(text) == PETS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n01440764 tench, Tinca tinca\nn01443537 goldfish", ("tench", "goldfish")),
        ("0 n01440764 tench\n1 n01443537 goldfish, Carassius", ("tench", "goldfish")),
        ('{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}', ("tench", "goldfish")),
        ("{0: 'tench, Tinca tinca', 1: 'goldfish'}", ("tench", "goldfish")),
        ('0,"shepherd, Alsatian"\n1,tabby', ("shepherd, Alsatian", "tabby")),
        ("7 up\ncola", ("7 up", "cola")),
        ("3 musketeers\n7 dwarfs", ("3 musketeers", "7 dwarfs")),
        ("cat, dog\nfox", ("cat", "dog", "fox")),
        ("t-shirt\nrock 'n' roll", ("t-shirt", "rock 'n' roll")),
        ("", ()),
        (" ,\n; ", ()),
        ("cat\ncat", ("cat", "cat")),
    ],
)
def test_what_is_a_name_and_what_is_not(text, expected):
    assert parse(text) == expected


def test_a_broken_list_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="begins as JSON or Python and cannot be read as such"):
        parse('["cat", "dog" "fox", {]')


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_with_a_byte_order_mark_has_no_invisible_letter(encoding, tmp_path):
    (tmp_path / "classes.txt").write_bytes("café\r\n\r\n猫\r\n".encode(encoding))
    assert texts.lines(tmp_path / "classes.txt") == ["café", "猫"]


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "shift_jis"])
def test_a_file_in_another_encoding_is_refused(encoding):
    name = {"cp1252": "café\n", "gbk": "狗子\n", "shift_jis": "カラス\n"}[encoding]
    with pytest.raises(ValueError, match="c.txt must be text in UTF-8 and is not; save it as UTF-8"):
        texts.decode(name.encode(encoding), "c.txt")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", ["猫/1.jpg", "été.jpg"]),
        ("gbk", ["猫/1.jpg", "狗子/1.jpg"]),
        ("gbk", ["大象/1.jpg", "苹果/2.jpg"]),
        ("big5", ["貓/1.jpg", "大象/1.jpg", "蘋果.jpg"]),
        ("cp932", ["ねこ/1.jpg", "犬/2.jpg"]),
        ("cp932", ["カラス/1.jpg", "桜の木.jpg"]),
        ("euc_kr", ["고양이/1.jpg", "강아지/1.jpg"]),
        ("cp866", ["кошка/1.jpg", "собака/1.jpg"]),
        ("cp1251", ["кошка/1.jpg", "собака/1.jpg"]),
        ("cp1252", ["café/1.jpg", "Küche/1.jpg"]),
        ("cp850", ["café/1.jpg", "niño/1.jpg", "Küche.jpg"]),
    ],
)
def test_names_in_a_code_page_are_read_together(encoding, names):
    packed = [name.encode(encoding) for name in names]
    assert [name.decode(texts.code_page(packed)) for name in packed] == names


def test_names_that_nobody_would_write_are_in_no_code_page():
    assert texts.code_page([b"\xff\xfe\xfd/1.jpg", b"\x81\x8d\x8f\x90\x9d.jpg"]) == ""
