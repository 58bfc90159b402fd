"""Uploads: real formats are read, hostile files are named and passed over, neighbours survive."""

from __future__ import annotations

import dataclasses
import io
import os
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

from clip_tta_core.records import RunConfig
from clip_tta_core.sources import uploads
from clip_tta_core.sources.decoding import DECODER_ERRORS, _formats, decode, decode_beside
from clip_tta_core.sources.limits import LIMITS, Unusable
from clip_tta_core.stream import Stream

SMALL = dataclasses.replace(
    LIMITS, pictures=12, picture_bytes=2**20, total_bytes=4 * 2**20, expanded_bytes=3 * 2**20, entries=50
)


def photograph(width: int = 96, height: int = 64) -> Image.Image:
    return Image.fromarray(photographs.astronaut()).resize((width, height))


def qoi(image: Image.Image) -> bytes:
    """The plainest QOI file, every pixel written out: Pillow reads them, and writes them since lately."""
    pixels = b"".join(b"\xfe" + bytes(pixel) for pixel in np.asarray(image).reshape(-1, 3))
    return struct.pack(">4sIIBB", b"qoif", *image.size, 3, 0) + pixels + bytes(7) + b"\x01"


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    if format == "QOI":
        return qoi(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


GOOD = encoded(photograph(), "JPEG")
AVIF = ["AVIF"] * ("AVIF" in _formats())  # older Pillows know nothing of it


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w", format: int = tarfile.PAX_FORMAT, **special) -> bytes:
    """A tar archive; `special` members have a type instead of a content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=format) as archive:
        for name, kind in special.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def encrypted_zip() -> bytes:
    """A good member and one that is marked as encrypted, in both of its headers."""
    content = bytearray(zipped({"open.jpg": GOOD, "secret.jpg": GOOD}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rfind(signature) + flags] |= 1
    return bytes(content)


def lying_zip() -> bytes:
    """A member of 8 MB whose headers say 10 bytes."""
    content = bytearray(zipped({"small.jpg": bytes(8 * 2**20)}))
    content[22:26] = struct.pack("<I", 10)
    where = content.rfind(b"PK\x01\x02") + 24
    content[where : where + 4] = struct.pack("<I", 10)
    return bytes(content)


def zip_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link.jpg")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("good.jpg", GOOD)
    return buffer.getvalue()


def changed_zip() -> bytes:
    """Two members, the first of which no longer is what its checksum says."""
    stored = zipped({"a.jpg": GOOD, "b.jpg": GOOD}, zipfile.ZIP_STORED)
    return stored.replace(GOOD[-50:], NOISE[:50], 1)


def overlapping_zip() -> bytes:
    """Two names for one member: the cheap way to a large archive."""
    content = bytearray(zipped({"a.jpg": GOOD, "b.jpg": GOOD}))
    where = content.rfind(b"PK\x01\x02") + 42
    content[where : where + 4] = struct.pack("<I", 0)
    return bytes(content)


def tar_without_end() -> bytes:
    """A good member, after which headers can follow."""
    return tarred({"good.jpg": GOOD})[: 512 + -(-len(GOOD) // 512) * 512]


def tar_with_long_header() -> bytes:
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 2**40
    return tar_without_end() + entry.tobuf(tarfile.GNU_FORMAT)


def tar_with_huge_member() -> bytes:
    """Promises a member so large that even skipping it block by block would take days."""
    entry = tarfile.TarInfo("huge.jpg")
    entry.size = 2**60
    return tar_without_end() + entry.tobuf(tarfile.GNU_FORMAT) + bytes(4096)


def tar_with_negative_size() -> bytes:
    entry = tarfile.TarInfo("negative.jpg")
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 11 + b"\x00"  # base 256, negative
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def tar_with_attributes(**attributes: str) -> bytes:
    """A good member, and one whose extended header says odd things."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, extra in (("good.jpg", {}), ("odd.jpg", attributes)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.pax_headers = len(GOOD), extra
            archive.addfile(entry, io.BytesIO(GOOD))
    return buffer.getvalue()


def tar_with_a_chain_of_headers(count: int = 1000) -> bytes:
    """Headers that announce headers, deeper than Python calls itself."""
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 5
    link = entry.tobuf(tarfile.GNU_FORMAT) + b"name\0".ljust(512, b"\0")
    return tar_without_end() + link * count


def rotated(orientation: int, format: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photograph(), format, exif=exif)


def animated(format: str) -> bytes:
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "lime", "blue")]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)


def sixteen_bits(format: str) -> bytes:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    return encoded(Image.fromarray(ramp), format)


def palette_with_alpha() -> bytes:
    image = photograph().convert("P", palette=Image.Palette.ADAPTIVE)
    return encoded(image, "PNG", transparency=bytes([0] * 128 + [255] * 128))


NOISE, MUCH_NOISE = random.Random(0).randbytes(4000), random.Random(1).randbytes(500_000)
READ = {  # odd files that are pictures all the same
    "1x1.png": encoded(Image.new("RGB", (1, 1))),
    "30000x10.png": encoded(Image.new("RGB", (30_000, 10))),
    "1x9000.gif": encoded(Image.new("L", (1, 9000)), "GIF"),
    "cmyk.jpg": encoded(photograph().convert("CMYK"), "JPEG"),
    "cmyk.tif": encoded(photograph().convert("CMYK"), "TIFF"),
    "gray.jpg": encoded(photograph().convert("L"), "JPEG"),
    "one bit.png": encoded(photograph().convert("1")),
    "16 bit.png": sixteen_bits("PNG"),
    "16 bit.tif": sixteen_bits("TIFF"),
    "16 bit.pgm": sixteen_bits("PPM"),
    "float.tif": encoded(Image.fromarray(np.full((8, 8), 0.5, np.float32)), "TIFF"),
    "nan.tif": encoded(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF"),
    "int32.tif": encoded(Image.fromarray(np.full((8, 8), -7, np.int32)), "TIFF"),
    "palette.png": encoded(photograph().convert("P")),
    "palette alpha.png": palette_with_alpha(),
    "gray alpha.png": encoded(photograph().convert("LA")),
    "rgba.webp": encoded(photograph().convert("RGBA"), "WEBP"),
    "ycbcr.tif": encoded(photograph().convert("YCbCr"), "TIFF", compression="jpeg"),
    "animated.gif": animated("GIF"),
    "animated.webp": animated("WEBP"),
    "animated.png": animated("PNG"),
    "pages.tif": animated("TIFF"),
    "progressive.jpg": encoded(photograph(), "JPEG", progressive=True),
    "stereo.mpo": encoded(photograph(), "MPO", save_all=True, append_images=[photograph()]),
    "lzw.tif": encoded(photograph(), "TIFF", compression="tiff_lzw"),
    "top down.bmp": encoded(photograph(), "BMP"),
    "jpeg named.png": GOOD,
    "no suffix": GOOD,
    "photo.exe": GOOD,
    "with a zip behind.jpg": GOOD + zipped({"x.jpg": GOOD}),
    "orientation 99.jpg": rotated(99),
    "picture.jp2": encoded(photograph(), "JPEG2000"),
    "picture.qoi": encoded(photograph(), "QOI"),
    **{f"picture.{format.lower()}": encoded(photograph(), format) for format in AVIF},
    "猫と犬.jpg": GOOD,
    "قطة.jpg": GOOD,
    "кошка 🐱.jpg": GOOD,
    "<img src=x onerror=alert(1)>.jpg": GOOD,
    "${alert(1)}.jpg": GOOD,
    "new\nline.jpg": GOOD,
    "-rf.jpg": GOOD,
    "a" * 200 + ".jpg": GOOD,
}
REFUSED = {  # files that are no pictures, with a word of the reason
    "empty.png": (b"", "empty"),
    "truncated.jpg": (GOOD[: len(GOOD) // 2], "damaged"),
    "truncated.png": (encoded(photograph())[:2000], "damaged"),
    "header only.gif": (b"GIF89a\x01\0", "known format"),
    "bad exif.jpg": (encoded(photograph(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), "damaged"),
    "text.jpg": (b"This is not a picture, whatever it is called.\n" * 50, "text"),
    "unicode text.jpg": ("これは写真ではありません。".encode() * 100, "text"),
    "page.png": (b"<!DOCTYPE html><script>alert(1)</script>", "text"),
    "drawing.svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG"),
    "entities.svg": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>', "SVG"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + NOISE, "HEIC"),
    "film.mp4": (b"\0\0\0\x18ftypisom\0\0\0\0" + NOISE, "film"),
    "paper.pdf": (b"%PDF-1.7\n" + NOISE, "PDF"),
    "noise.bin": (NOISE, "known format"),
    "zeros.png": (bytes(1000), "known format"),
    "program.jpg": (b"\x7fELF" + NOISE, "known format"),
    "postscript.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "text"),
    "lies.png": (png_header(100_000, 100_000), "megapixels"),
    "many pixels.png": (png_header(7000, 7000), "megapixels"),
    "zero wide.png": (png_header(0, 10), ""),
    "no data.png": (png_header(50, 50), "damaged"),
    "lab.tif": (encoded(Image.new("LAB", (8, 8)), "TIFF"), "LAB"),
    "cut.bmp": (encoded(photograph(), "BMP")[:100], "damaged"),
    "cut.webp": (encoded(photograph(), "WEBP")[:200], ""),
    "cut.tif": (encoded(photograph(), "TIFF")[:300], ""),
    "flipped.png": (encoded(photograph()).replace(b"IDAT", b"iDAT"), "damaged"),
    "packed.7z": (b"7z\xbc\xaf\x27\x1c" + NOISE, "7z"),
    "packed.rar": (b"Rar!\x1a\x07\x01\0" + NOISE, "rar"),
    "packed.tar.xz": (b"\xfd7zXZ\x00" + NOISE, "xz"),
    "photo.jpg.gz": (zlib.compress(GOOD, wbits=31), "tar"),
    "noise.tar": (NOISE, "tar"),
    "noise.zip": (b"PK\x03\x04" + NOISE, "zip"),
}
ARCHIVES = {  # content, how many pictures, a word among the reasons
    "plain.zip": (zipped({"good.jpg": GOOD}), 1, ""),
    "empty.zip": (zipped({}), 0, ""),
    "traversal.zip": (zipped({"../../../tmp/evil.jpg": GOOD, "..\\..\\evil.jpg": GOOD}), 2, ""),
    "absolute.zip": (zipped({"/etc/evil.jpg": GOOD, "C:\\Windows\\evil.jpg": GOOD}), 2, ""),
    "hidden.zip": (zipped({".hidden.jpg": GOOD, "__MACOSX/._a.jpg": NOISE, "good.jpg": GOOD}), 1, ""),
    "clutter.zip": (zipped({"Thumbs.db": NOISE, "a/desktop.ini": b"", "a/good.jpg": GOOD}), 1, ""),
    "link.zip": (zip_link(), 1, "Links"),
    "encrypted.zip": (encrypted_zip(), 1, "encrypted"),
    "bomb.zip": (zipped({"zeros.jpg": bytes(8 * 2**20), "good.jpg": GOOD}), 1, "1 MB"),
    "many zeros.zip": (zipped({f"{i}.jpg": bytes(2**20 - 1) for i in range(9)}), 0, "times its size"),
    "lying.zip": (lying_zip(), 0, ""),
    "overlap.zip": (overlapping_zip(), 1, ""),
    "nested.zip": (zipped({"inner.zip": zipped({"x.jpg": GOOD}), "good.jpg": GOOD}), 1, "inside an archive"),
    "nested.tar": (tarred({"inner.tar.gz": tarred({"x.jpg": GOOD}, "w:gz"), "good.jpg": GOOD}), 1, "inside"),
    "zip of bombs.zip": (zipped({"inner.zip": zipped({"a": bytes(2**20)}), "good.jpg": GOOD}), 1, "inside"),
    "crowd.zip": (zipped({f"{i}.txt": b"" for i in range(60)}), 0, "50 entries"),
    "crowd.tar": (tarred({f"{i}.txt": b"" for i in range(60)}), 0, "50 entries"),
    "lzma.zip": (zipped({"good.jpg": GOOD}, zipfile.ZIP_LZMA), 0, "uncommon"),
    "cut.zip": (zipped({"good.jpg": GOOD})[:-30], 0, "zip"),
    "changed.zip": (changed_zip(), 1, "damaged"),
    "plain.tar": (tarred({"good.jpg": GOOD}), 1, ""),
    "plain.tar.gz": (tarred({"good.jpg": GOOD}, "w:gz"), 1, ""),
    "plain.tar.bz2": (tarred({"good.jpg": GOOD}, "w:bz2"), 1, ""),
    "gnu.tar": (tarred({"d" * 150 + "/good.jpg": GOOD}, format=tarfile.GNU_FORMAT), 1, ""),
    "traversal.tar": (tarred({"../../evil.jpg": GOOD, "/abs/evil.jpg": GOOD}), 2, ""),
    "links.tar": (tarred({"good.jpg": GOOD}, link=tarfile.SYMTYPE, hard=tarfile.LNKTYPE), 1, "Links"),
    "devices.tar": (
        tarred({"good.jpg": GOOD}, pipe=tarfile.FIFOTYPE, block=tarfile.BLKTYPE, tty=tarfile.CHRTYPE),
        1,
        "devices",
    ),
    "bomb.tar.gz": (tarred({"good.jpg": GOOD, "zeros.jpg": bytes(8 * 2**20)}, "w:gz"), 1, "times its size"),
    "cut.tar.gz": (tarred({"a.jpg": GOOD, "b.jpg": MUCH_NOISE}, "w:gz")[:-2000], 1, "damaged"),
    "long header.tar": (tar_with_long_header(), 1, "impossible"),
    "negative.tar": (tar_with_negative_size(), 0, "tar"),
    "huge.tar": (tar_with_huge_member(), 1, "damaged"),
    "attribute negative.tar": (tar_with_attributes(size="-512"), 1, "damaged"),
    "attribute huge.tar": (tar_with_attributes(size="9" * 18), 1, "damaged"),
    "attribute path.tar": (tar_with_attributes(path="../../../tmp/evil.jpg"), 2, ""),
    "attribute sparse.tar": (tar_with_attributes(**{"GNU.sparse.map": "0,9999999999"}), 1, "Links"),
    "chain.tar": (tar_with_a_chain_of_headers(), 1, "damaged"),
    "foreign names.zip": (zipped({"猫/一.jpg": GOOD, "собака/два.jpg": GOOD}), 2, ""),
    "bytes as name.tar": (tarred({"a\udcff/\udcfe.jpg": GOOD}), 1, ""),
    "same names.zip": (zipped({"a/x.jpg": GOOD, "b/x.jpg": GOOD}), 2, ""),
}  # fmt: skip


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.fixture(autouse=True)
def nothing_else_is_written(tmp_path, monkeypatch):
    """Run in an empty folder and find it empty."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    yield
    assert not list(empty.iterdir()) and not Path("/tmp/evil.jpg").exists()


def is_sentence(text: str) -> bool:
    return text[0].isupper() and text.endswith(".") and "\n" not in text and len(text) < 200


@pytest.mark.parametrize("name", READ)
def test_an_odd_picture_is_read(name, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    path = write(folder, name, READ[name]) if len(name) < 200 else write(folder, name[-200:], READ[name])
    upload = uploads.read([path])
    assert upload.skipped == ()
    assert upload.pictures.images.shape == (1, 224, 224, 3) and upload.pictures.images.dtype == np.uint8
    assert upload.pictures.names[0].isprintable() and upload.unlabelled == 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_named_with_the_reason(name, tmp_path):
    content, word = REFUSED[name]
    upload = uploads.read([write(tmp_path, name, content), write(tmp_path, "good.jpg", GOOD)])
    assert len(upload) == 1, "the neighbour must survive"
    ((shown, reason),) = upload.skipped
    assert shown == name and word in reason and is_sentence(reason)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_gives_its_good_pictures(name, tmp_path):
    content, pictures, word = ARCHIVES[name]
    upload = uploads.read([write(tmp_path, name, content), write(tmp_path, "z.jpg", GOOD)], limits=SMALL)
    assert len(upload) == pictures + 1, upload.skipped
    assert all(is_sentence(reason) for _, reason in upload.skipped)
    assert any(word in reason for _, reason in upload.skipped) or not word
    assert not any(".." in shown.split("/") or shown.startswith("/") for shown in upload.pictures.names)


def test_all_of_them_in_one_upload_leave_the_good_ones(tmp_path):
    files = READ | {name: content for name, (content, _) in REFUSED.items()}
    files |= {name: content for name, (content, _, _) in ARCHIVES.items()}
    assert len(REFUSED) + len(ARCHIVES) >= 60
    paths = [write(tmp_path, name[-120:], content) for name, content in files.items()]
    upload = uploads.read(paths, size=32)
    assert len(upload) >= len(READ) + 30
    assert all(is_sentence(reason) for _, reason in upload.skipped)
    assert len(set(upload.pictures.names)) == len(upload)


def test_all_of_them_in_one_zip_leave_the_good_ones(tmp_path):
    files = READ | {name: content for name, (content, _) in REFUSED.items()}
    files |= {name: content for name, (content, _, _) in ARCHIVES.items()}
    upload = uploads.read([write(tmp_path, "all.zip", zipped(files))], size=32)
    assert len(upload) == len(READ)
    assert {name for name, _ in upload.skipped} >= {name for name in REFUSED if name.isascii()}


def test_no_file_leaves_a_stack_trace_in_the_log(tmp_path):
    for name, (content, *_) in (REFUSED | ARCHIVES).items():
        write(tmp_path, name, content)
    code = "import sys; from clip_tta_core.sources.uploads import read; read(sys.argv[1:], size=32)"
    paths = sorted(str(path) for path in tmp_path.iterdir() if path.is_file())
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], cwd=root, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "Error" not in done.stdout + done.stderr


def test_every_format_that_is_read_has_been_tried():
    tried = {Image.open(io.BytesIO(content)).format for content in READ.values()}
    assert {name for name in _formats()} <= tried | {"MPO"}


@pytest.mark.parametrize("format", _formats())
def test_a_broken_picture_never_escapes_as_another_error(format):
    rng = random.Random(format)
    whole = encoded(photograph(40, 30), format)
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(rng.randrange(1, 12)):
            broken[rng.randrange(len(broken) // 2 if rng.random() < 0.5 else len(broken))] = rng.randrange(
                256
            )
        try:
            assert decode(bytes(broken[: rng.randrange(1, 2 * len(broken))]), 16).shape == (16, 16, 3)
        except Unusable as reason:
            assert is_sentence(str(reason))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_broken_archive_never_escapes_as_another_error(kind, tmp_path):
    rng = random.Random(kind)
    members = {"a/1.jpg": GOOD, "b/2.jpg": GOOD}
    whole = zipped(members) if kind == "zip" else tarred(members, "w:gz" if kind == "tar.gz" else "w")
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(rng.randrange(1, 8)):
            broken[rng.choice([rng.randrange(len(broken)), rng.randrange(600), -rng.randrange(1, 300)])] = (
                rng.randrange(256)
            )
        upload = uploads.read([write(tmp_path, f"a.{kind}", bytes(broken))], size=16, limits=SMALL)
        assert all(is_sentence(reason) for _, reason in upload.skipped)


def test_colours_survive_every_mode():
    """A red picture stays red, whatever it was stored as."""
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    stored = {mode: encoded(red.convert(mode), "TIFF") for mode in ("CMYK", "RGBA")}
    stored["P"] = encoded(red.convert("P", palette=Image.Palette.ADAPTIVE))
    for mode, content in stored.items():
        np.testing.assert_allclose(decode(content, 8)[4, 4], (255, 0, 0), atol=3, err_msg=mode)


def test_what_is_transparent_becomes_white():
    for image in (Image.new("RGBA", (9, 9), (0, 0, 0, 0)), Image.new("LA", (9, 9), (0, 0))):
        assert (decode(encoded(image), 8) == 255).all()
    assert (decode(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 128))), 8) == 127).all()
    assert (decode(encoded(Image.new("P", (9, 9), 0), transparency=0), 8) == 255).all()


def test_sixteen_bits_are_scaled_and_not_cut():
    image = Image.fromarray(np.full((8, 8), 32768, np.uint16))
    assert (decode(encoded(image), 8) == 128).all()


def test_the_first_frame_counts():
    for format in ("GIF", "WEBP", "PNG", "TIFF"):
        np.testing.assert_allclose(decode(animated(format), 8)[4, 4], (255, 0, 0), atol=3)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", *AVIF])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_honoured(orientation, format):
    """Pillow's own transposition, on the whole picture, is the reference."""
    from PIL import ImageOps

    content = rotated(orientation, format)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    expected = decode(encoded(upright), 32).astype(int)
    assert np.abs(decode(content, 32) - expected).mean() < 3
    other = decode(rotated(orientation % 8 + 1, format), 32)
    assert np.abs(other - expected).mean() > 10


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_whole_picture_stands_beside_its_middle(orientation):
    """Red, green and blue from left to right, the middle a square; 6 is a picture taken with the camera on
    its side, whose left becomes the top."""
    image = Image.new("RGB", (90, 30), "lime")
    image.paste("red", (0, 0, 30, 30))
    image.paste("blue", (60, 0, 90, 30))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "PNG", exif=exif)
    middle, whole = decode_beside(out.getvalue(), 8, 48)
    assert (middle == (0, 255, 0)).all() and whole.shape == (48, 48, 3)
    if orientation == 6:
        whole = whole.transpose(1, 0, 2)
    for place, colour in ((8, (255, 0, 0)), (24, (0, 255, 0)), (40, (0, 0, 255))):
        np.testing.assert_allclose(whole[24, place], colour, atol=2)
    assert (whole[:15] == 128).all() and (whole[33:] == 128).all(), "with room above and below"


@pytest.mark.parametrize("size", [(20_000, 3), (3, 20_000), (1, 1), (5_000, 900)])
def test_pictures_of_any_shape_are_shown_whole(size):
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    _, whole = decode_beside(out.getvalue(), 8, 48)
    assert (whole == (255, 0, 0)).all(axis=2).any() and whole.shape == (48, 48, 3)


def test_an_upload_keeps_every_picture_whole(tmp_path):
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (60, 20), colour).save(tmp_path / name)
    upload = uploads.read([tmp_path])
    assert upload.wholes.shape == (2, uploads.FRAME, uploads.FRAME, 3)
    assert upload.wholes[0, 24, 24].tolist() == [255, 0, 0] and upload.wholes[1, 24, 24].tolist() == [
        0,
        0,
        255,
    ]


def test_the_square_is_what_clip_sees():
    """Resize the short side, crop the centre: torchvision's two steps are the reference."""
    from torchvision.transforms.functional import center_crop, resize

    image = Image.fromarray(photographs.coffee())
    expected = np.asarray(center_crop(resize(image, 224, interpolation=Image.Resampling.BICUBIC), 224))
    difference = np.abs(decode(encoded(image)).astype(int) - expected)
    assert difference.mean() < 1.5


def test_folders_fill_the_class_list(tmp_path):
    members = {
        "set/Golden_Retriever/1.jpg": GOOD,
        "set/cat/1.jpg": GOOD,
        "set/cat/2.jpg": GOOD,
        "x.jpg": GOOD,
    }
    upload = uploads.read([write(tmp_path, "a.zip", zipped(members))])
    assert upload.class_names == upload.pictures.class_names == ("cat", "Golden Retriever")
    assert upload.counts == (2, 1) and upload.unlabelled == 1
    assert upload.pictures.labels.tolist() == [1, 0, 0, -1]


def test_one_folder_around_everything_is_no_label(tmp_path):
    upload = uploads.read([write(tmp_path, "a.zip", zipped({"holiday/1.jpg": GOOD, "holiday/2.jpg": GOOD}))])
    assert upload.class_names == () and upload.unlabelled == 2


def test_folders_are_matched_to_the_class_list_that_was_typed(tmp_path):
    members = {"GOLDEN-retriever/1.jpg": GOOD, "Cat/small/1.jpg": GOOD, "dog/1.jpg": GOOD}
    path = write(tmp_path, "a.tar", tarred(members))
    upload = uploads.read([path], ("cat", "golden retriever", "fox"))
    assert upload.class_names == ("cat", "golden retriever", "fox")
    assert upload.pictures.labels.tolist() == [1, 0, -1] and upload.counts == (1, 1, 0)


def test_a_folder_on_this_machine_reads_like_an_archive(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        write(tmp_path / "set" / kind, "1.jpg", GOOD)
    os.symlink("/etc/hostname", tmp_path / "set" / "cat" / "link.jpg")
    upload = uploads.read([tmp_path / "set"])
    assert upload.class_names == ("cat", "dog") and upload.counts == (1, 1) and upload.skipped == ()


def test_equal_names_are_told_apart(tmp_path):
    (tmp_path / "other").mkdir()
    paths = [write(tmp_path, "a.jpg", GOOD), write(tmp_path / "other", "a.jpg", GOOD)]
    assert uploads.read(paths).pictures.names == ("a.jpg", "a.jpg (2)")


def test_control_and_direction_characters_are_dropped(tmp_path):
    upload = uploads.read([write(tmp_path, "a.zip", zipped({"x/evil\u202egpj.\x07exe": GOOD}))])
    assert upload.pictures.names == ("x/evilgpj.exe",)


def test_a_name_is_one_line(tmp_path):
    path = write(tmp_path, "a.zip", zipped({"x\u2028y/a\u2029b\u0085c\rd.jpg": GOOD}))
    assert uploads.read([path]).pictures.names == ("xy/abcd.jpg",)


def test_limits_end_the_reading_and_keep_what_was_read(tmp_path):
    paths = [write(tmp_path, f"{i}.jpg", GOOD) for i in range(20)]
    upload = uploads.read(paths, limits=SMALL, size=16)
    assert len(upload) == 12 and upload.skipped == (
        ("The rest", "Reading ended at the limit of 12 pictures."),
    )
    slow = uploads.read(paths, limits=dataclasses.replace(SMALL, seconds=-1.0), size=16)
    assert len(slow) == 0 and "seconds" in slow.skipped[0][1]
    heavy = uploads.read(paths, limits=dataclasses.replace(SMALL, total_bytes=3 * len(GOOD)), size=16)
    assert len(heavy) == 3 and "together" in heavy.skipped[0][1]


def test_a_long_list_of_skipped_files_is_cut(tmp_path):
    members = {f"{i}.txt": b"words" for i in range(400)} | {"good.jpg": GOOD}
    upload = uploads.read([write(tmp_path, "a.zip", zipped(members))])
    assert len(upload) == 1 and len(upload.skipped) == LIMITS.listed + 1
    assert upload.skipped[-1] == ("More", "200 more files were skipped.")


def test_progress_rises_to_one(tmp_path):
    seen = []
    path = write(tmp_path, "a.zip", zipped({f"{i}.jpg": GOOD for i in range(5)}))
    uploads.read([path, write(tmp_path, "b.jpg", GOOD)], progress=lambda share, name: seen.append(share))
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) == 7


def test_nothing_usable_says_why(tmp_path):
    with pytest.raises(ValueError, match="at least one file is needed"):
        uploads.read([])
    upload = uploads.read([write(tmp_path, "a.jpg", b""), tmp_path / "missing.jpg"])
    assert upload.pictures is None and len(upload) == 0 and len(upload.skipped) == 2
    with pytest.raises(ValueError, match="got none. a.jpg: The file is empty.$"):
        upload.usable()
    with pytest.raises(ValueError, match="holds no pictures"):
        uploads.read([write(tmp_path, "a.zip", zipped({}))]).usable()


def test_limits_are_one_sentence():
    assert (
        is_sentence(LIMITS.sentence().replace(",", "")[:150] + ".") and "2,000 pictures" in LIMITS.sentence()
    )


def test_uploads_without_warnings_even_where_warnings_are_errors(recwarn):
    assert Warning in DECODER_ERRORS
    decode(GOOD)
    assert not recwarn.list


FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP", ".tif": "TIFF"}


def photograph_tree(names: tuple[str, ...]) -> dict[str, bytes]:
    """200 photographs: five of scikit-image, cut into windows, in six formats, a folder for each name."""
    scenes = (getattr(photographs, one)() for one in ("astronaut", "chelsea", "coffee", "camera", "rocket"))
    rng, members = np.random.default_rng(0), {}
    for name, scene in zip(names, scenes, strict=True):
        for i in range(40):
            top, left = (rng.integers(0, n // 3) for n in scene.shape[:2])
            height, width = (rng.integers(n // 2, 2 * n // 3) for n in scene.shape[:2])
            suffix = list(FORMATS)[i % len(FORMATS)]
            image = Image.fromarray(scene[top : top + height, left : left + width])
            members[f"photos/{name}/{i}{suffix}"] = encoded(image, FORMATS[suffix])
    return members


def test_two_hundred_photographs_in_many_formats_make_a_stream(tmp_path):
    members = photograph_tree(("astronaut", "cat", "coffee cup", "camera", "rocket"))
    upload = uploads.read([write(tmp_path, "photos.zip", zipped(members, zipfile.ZIP_STORED))])
    assert len(upload) == 200 and upload.skipped == () and upload.counts == (40,) * 5
    config = RunConfig(source="upload", pictures=upload.pictures, corruption="contrast", batch_size=50)
    stream = Stream(config, 64)
    assert len(stream) == 4
    batch = stream.batch(0)
    assert batch.images.shape == (50, 224, 224, 3) and set(batch.labels.tolist()) == set(range(5))
