"""Class lists in the forms in which toolkits, spreadsheets and notebooks write them."""

# ruff: noqa: E501, a table
from __future__ import annotations

import contextlib

import pytest

from clip_tta_core.sources import texts
from clip_tta_core.sources.class_lists import parse, written

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
    'item {\n name: "/m/01yrx"\n display_name: "cat"\n}\nitem {\n name: "/m/0bt9lr"\n display_name: "dog"\n}\n'
    'item {\n name: "/m/0633h"\n display_name: "polar bear"\n}',
    # what describes a data set or a model for a toolkit
    "path: pets\ntrain: images/train\nnc: 3\nnames:\n  0: cat\n  1: dog\n  2: polar bear\ndownload: no",
    "train: ../train/images\nnc: 3\nnames: ['cat', 'dog', 'polar bear']",
    "nc: 3\nnames: ['cat', 'dog',\n 'polar bear']\nsplit: val",
    "names:\n- cat\n- dog\n- polar bear",
    "name: cat\nname: dog\nname: polar bear",
    "[classes]\n0 = cat\n1 = dog\n2 = polar bear",
    '{"model_type": "vit", "id2label": {"0": "cat", "1": "dog", "2": "polar bear"}, "label2id": {"cat": 0}}',
    '{"images": [], "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 7, "name": "polar bear"}]}',
    '{"id": 0, "name": "cat"}\n{"id": 1, "name": "dog"}\n{"id": 2, "name": "polar bear"}',
    # printed or pasted from code
    "{'cat', 'dog', 'polar bear'}",
    "const classes = ['cat', 'dog', 'polar bear'];",
    "{cat: 0, dog: 1, polar bear: 2}",
    'static const char *names[] = {"cat", "dog", "polar bear"};',
    'c("cat", "dog", "polar bear")',
    "Index(['cat', 'dog', 'polar bear'], dtype='object', name='label')",
    "np.array(['cat', 'dog', 'polar bear'], dtype='<U10')",
    'CLASSES: list[str] = [\n    "cat",  # felis\n    "dog",\n    "polar bear",\n]',
    "dict_keys(['cat', 'dog', 'polar bear'])",
    # numbers before, behind and twice
    "(1) cat\n(2) dog\n(3) polar bear",
    "0 - cat\n1 - dog\n2 - polar bear",
    "0=cat\n1=dog\n2=polar bear",
    "0 -> cat\n1 -> dog\n2 -> polar bear",
    "１．cat\n２．dog\n３．polar bear",
    "cat 0\ndog 1\npolar bear 2",
    "cat: 0\ndog: 1\npolar bear: 2",
    "1 001.cat\n2 002.dog\n3 003.polar bear",
    # tables
    "ClassId,SignName\n0,cat\n1,dog\n2,polar bear",
    "Animal,Count\ncat,12\ndog,30\npolar bear,4",
    "| id | name |\n|---|---|\n| 0 | cat |\n| 1 | dog |\n| 2 | polar bear |",
    "cat | dog | polar bear",
    "/m/01yrx,cat\n/m/0bt9lr,dog\n/m/0633h,polar bear",
    "Class Name\ncat\ndog\npolar bear",
    # beside the names
    "# my pets\ncat\ndog  # a poodle\n// the rest\npolar bear",
    "- [ ] cat\n- [x] dog\n- [ ] polar bear",
    "• cat\n• dog\n• polar bear",
    "cat\u2028dog\u2028polar\u00a0bear",
    "cat\u200b\ndog\u200e\npolar bear\u00ad",
    "```json\n['cat', 'dog', 'polar bear']\n```",
    "1. **cat**\n2. **dog**\n3. **polar bear**",
    "---\nnames:\n  - cat\n  - dog\n  - polar bear\n...",
    "sep=;\nid;name\n0;cat\n1;dog\n2;polar bear",
    "0           cat\n1           dog\n2    polar bear\nName: name, dtype: object",
    "cat           12\ndog           30\npolar bear     4\nName: count, dtype: int64",
    # in code of other languages
    "let c = vec!['cat', 'dog', 'polar bear'];",
    'const C: [&str; 3] = ["cat", "dog", "polar bear"];',
    'classes := []string{"cat", "dog", "polar bear"}',
    "classes = {'cat'; 'dog'; 'polar bear'};",
    "$c = array('cat', 'dog', 'polar bear');",
    "[0 => 'cat', 1 => 'dog', 2 => 'polar bear']",
    "{names: ['cat', 'dog', 'polar bear']}",
    '[dataset]\nnames = ["cat", "dog", "polar bear"]',
    "ClassLabel(names=['cat', 'dog', 'polar bear'], id=None)",
    "INSERT INTO c VALUES (0,'cat'),(1,'dog'),(2,'polar bear');",
    "(0,'cat'),\n(1,'dog'),\n(2,'polar bear')",
    # deeper in descriptions
    "- name: cat\n- name: dog\n- name: polar bear",
    "- id: 0\n  name: cat\n- id: 1\n  name: dog\n- id: 2\n  name: polar bear",
    "features:\n- name: label\n  dtype:\n    class_label:\n      names:\n        '0': cat\n        '1': dog\n        '2': polar bear",
    '{"class_to_idx": {"cat": 0, "dog": 1, "polar bear": 2}}',
    '{"dataset": {"version": 1, "classes": ["cat", "dog", "polar bear"]}}',
    '[["0", "cat"], ["1", "dog"], ["2", "polar bear"]]',
    # counted in other ways
    "a) cat\nb) dog\nc) polar bear",
    "#1 cat\n#2 dog\n#3 polar bear",
    "① cat\n② dog\n③ polar bear",
    "・cat\n・dog\n・polar bear",
    "‣ cat\n‣ dog\n‣ polar bear",
    "0_cat\n1_dog\n2_polar bear",
    "cat (0)\ndog (1)\npolar bear (2)",
    "0,cat\n1,dog\n2,polar bear, Ursus maritimus",
    "\\item cat\n\\item dog\n\\item polar bear",
    "cat • dog • polar bear",
    "„cat“\n„dog“\n„polar bear“",
    "cat､ dog፣ polar bear",
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
        ("n01440764\nn01443537", ("tench", "goldfish")),
        ("n02119789 1 kit_fox\nn02100735 2 English_setter", ("kit fox", "English setter")),
        ("tench, Tinca tinca\ngoldfish, Carassius auratus\nowl", ("tench", "goldfish", "owl")),
        ("room 1\nroom 2", ("room 1", "room 2")),
        ("F-16\nF-35", ("F-16", "F-35")),
        ("crane (bird)\ncrane (machine)", ("crane (bird)", "crane (machine)")),
        ("crane (bird)", ("crane (bird)",)),
        ("C#\nC++\n#1", ("C#", "C++", "#1")),
        ("7 up\ncola", ("7 up", "cola")),
        ("3 musketeers\n7 dwarfs", ("3 musketeers", "7 dwarfs")),
        ("cat, dog\nfox", ("cat", "dog", "fox")),
        ("t-shirt\nrock 'n' roll", ("t-shirt", "rock 'n' roll")),
        ("", ()),
        (" ,\n; ", ()),
        ("cat\ncat", ("cat", "cat")),
        ("rock 'n' roll\nrhythm 'n' blues", ("rock 'n' roll", "rhythm 'n' blues")),
        ("cat (a 'pet')\ndog", ("cat (a 'pet')", "dog")),
        ("1,000 islands\ncaesar", ("1", "000 islands", "caesar")),
        ("B. cereus\nE. coli", ("B. cereus", "E. coli")),
        ("cup_1\ncup_2", ("cup_1", "cup_2")),
    ],
)
def test_what_is_a_name_and_what_is_not(text, expected):
    assert parse(text) == expected


def test_a_broken_list_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="begins as JSON or Python and cannot be read as such"):
        parse('["cat", "dog" "fox", {]')


@pytest.mark.parametrize(
    "names",
    [("cat", "dog"), ("cat 0", "dog 1"), ("1 cat", "2 dog"), ("# 1", "C# x"), ("name", "cat")],
)
def test_names_that_are_written_down_are_read_again(names):
    assert parse(written(names)) == names
    assert ("\n" in written(names)) == (names == ("cat", "dog"))


@pytest.mark.parametrize("text", ["<ul><li>cat</li><li>dog</li></ul>", "<classes><c>cat</c></classes>"])
def test_a_list_in_html_or_xml_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match="HTML or XML, which is not read; give one name a line"):
        parse(text)


LONG = 20_000
HOSTILE = [
    "a" + " " * LONG + "b\nc" + "\t" * LONG + "1",
    "[" * LONG + "," + "]" * LONG,
    "c(" * LONG + "'" + ")" * LONG,
    "names: " * LONG,
    "item{" * LONG,
    "a= " * LONG + "['']x",
    "9" * LONG + "\n" + "8" * LONG,
    '"' + "a" * 10 * LONG + '"\n"b"',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_in_another_error_or_takes_for_ever(text):
    with contextlib.suppress(ValueError):
        assert all(isinstance(name, str) for name in parse(text))


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
        ("koi8-r", ["кошка/1.jpg", "собака/1.jpg", "рыба/1.jpg"]),
        ("cp1251", ["кіт/1.jpg", "їжак/1.jpg", "кінь/1.jpg"]),
        ("cp737", ["γάτα/1.jpg", "σκύλος/1.jpg"]),
        ("cp1253", ["γάτα/1.jpg", "σκύλος/1.jpg", "ψάρι/1.jpg"]),
        ("cp862", ["חתול/1.jpg", "כלב/1.jpg"]),
        ("cp1255", ["חתול/1.jpg", "כלב/1.jpg", "ציפור/1.jpg"]),
        ("cp1256", ["قطة/1.jpg", "كلب/1.jpg", "سمكة/1.jpg", "فيل/1.jpg"]),
        ("cp1254", ["kuş/1.jpg", "balık/1.jpg"]),
        ("cp857", ["kuş/1.jpg", "köpek/1.jpg"]),
        ("cp1250", ["żółw/1.jpg", "gęś/1.jpg"]),
        ("cp852", ["kot/1.jpg", "słoń/1.jpg", "wąż/1.jpg"]),
        ("mac_roman", ["Bär/1.jpg", "Größe/1.jpg", "café/1.jpg"]),
    ],
)
def test_names_in_a_code_page_are_read_together(encoding, names):
    packed = [name.encode(encoding) for name in names]
    assert [name.decode(texts.code_page(packed)) for name in packed] == names


def test_names_that_nobody_would_write_are_in_no_code_page():
    assert texts.code_page([b"\xff\xfe\xfd/1.jpg", b"\x81\x8d\x8f\x90\x9d.jpg"]) == ""
