"""Names in archives that do not say their encoding: read as people would write them, or with a word on it."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Sequence

import pytest
from PIL import Image

from clip_tta_core.sources import uploads
from clip_tta_core.ui.session import albums

FRENCH = ("château", "forêt", "chèvre", "âne")
JAPANESE = ("飛行機", "ねこ", "りんご", "富士山")
CHINESE = ("飞机", "青蛙", "苹果", "自行车")
TAIWANESE = ("飛機", "青蛙", "蘋果", "腳踏車")
KOREAN = ("비행기", "개구리", "사과", "코끼리")
RUSSIAN = ("самолёт", "лягушка", "яблоко", "слон")
WRITTEN = [
    *((encoding, FRENCH) for encoding in ("cp437", "cp850", "latin-1", "cp1252", "mac_roman")),
    *((encoding, RUSSIAN) for encoding in ("cp1251", "cp866", "koi8-r")),
    *(("cp932", JAPANESE), ("shift_jis", JAPANESE), ("gbk", CHINESE), ("gb18030", CHINESE)),
    *(("big5", TAIWANESE), ("euc_kr", KOREAN), ("cp949", KOREAN)),
]


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def packed(names: Sequence[bytes]) -> bytes:
    """A zip of pictures whose names are bytes without a word on their encoding, as old tools write it."""
    buffer, stand_in = io.BytesIO(), {}
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, name in enumerate(names):
            stand_in[name] = bytes([65 + number]) * len(name)
            archive.writestr(stand_in[name].decode(), picture(number))
    data = buffer.getvalue()
    for name, other in stand_in.items():  # once before the picture and once in the directory
        assert data.count(other) == 2
        data = data.replace(other, name)
    return data


def read(tmp_path, data: bytes, name: str = "pictures.zip") -> uploads.Upload:
    (tmp_path / name).write_bytes(data)
    return uploads.read([tmp_path / name])


@pytest.mark.parametrize(("encoding", "classes"), WRITTEN)
def test_folders_in_a_usual_code_page_are_the_classes_and_the_guess_is_told(tmp_path, encoding, classes):
    names = [f"{one}/picture{number}.png".encode(encoding) for number, one in enumerate(classes)]
    found = read(tmp_path, packed(names))
    assert set(found.class_names) == set(classes) and found.counts == (1,) * len(classes)
    assert found.skipped == () and len(found.notes) == 1
    assert "were read as" in found.notes[0] and "UTF-8" in found.notes[0]
    assert albums.view(found, "pictures").notes[0] == found.notes[0]


@pytest.mark.parametrize(("encoding", "classes"), WRITTEN)
def test_one_name_alone_may_be_read_wrongly_but_never_without_a_word(tmp_path, encoding, classes):
    for one in (*classes, "ёж", "馬", "船", "öl"):
        try:
            name = f"{one}/the first picture.png".encode(encoding)
        except UnicodeEncodeError:
            continue
        found = read(tmp_path, packed([name, b"plain name/the second picture.png"]))
        assert one in found.class_names or found.notes or found.skipped


def test_names_in_utf_8_need_no_word(tmp_path):
    silent = packed([f"{one}/picture{number}.png".encode() for number, one in enumerate(RUSSIAN)])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # which says so in a flag
        for number, one in enumerate(RUSSIAN):
            archive.writestr(f"{one}/{number}.png", picture(number))
    for data in (silent, buffer.getvalue(), packed([b"cat/picture1.png", b"dog/picture2.png"])):
        found = read(tmp_path, data)
        assert len(found.class_names) > 1 and found.notes == () == found.skipped


@pytest.mark.parametrize("name", ["pictures.zip", "pictures.tar"])
def test_names_that_are_no_text_are_told(tmp_path, name):
    strange = [b"\xff\xfe\xfd\x90/picture1.png", b"\x81\x8d\x8f\x90\x9d/picture2.png"]
    if name.endswith("zip"):
        data = packed(strange)
    else:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for number, one in enumerate(strange):
                entry = tarfile.TarInfo(one.decode("utf-8", "surrogateescape"))
                entry.size = len(picture(number))
                archive.addfile(entry, io.BytesIO(picture(number)))
        data = buffer.getvalue()
    found = read(tmp_path, data, name)
    assert len(found) == 2 and [name for name, _ in found.skipped] == [name]
    assert "shown wrong" in found.skipped[0][1]
