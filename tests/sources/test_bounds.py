"""What decoding and unpacking may cost: memory, turns, entries, time."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clip_tta_core.line import Line
from clip_tta_core.sources import decoding, uploads
from clip_tta_core.sources.archives import _count_zip_entries
from clip_tta_core.sources.limits import LIMITS, MEGA, Ended, Full, Meter, Unusable

ROOT = Path(__file__).parents[2]


def encoded(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGBA", "I;16", "P"])
def test_a_picture_of_39_megapixels_takes_far_less_than_600_mb(mode, tmp_path):
    """In a process of its own: the largest memory it ever had is of interest."""
    path = tmp_path / "large.png"
    Image.new(mode, (6250, 6250)).save(path, compress_level=1)
    code = (
        "import resource, sys; from clip_tta_core.sources.decoding import decode_beside\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = most(); decode_beside(data, 224, 48); print(most() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 300


def test_strips_give_the_square_of_the_whole_picture(monkeypatch):
    ramp = np.linspace(0, 255, 700 * 900 * 3).reshape(700, 900, 3).astype(np.uint8)
    data = encoded(Image.fromarray(ramp), "PNG")
    whole = decoding.decode(data, 64)
    monkeypatch.setattr(decoding, "STRIP_PIXELS", 5000)
    np.testing.assert_array_equal(decoding.decode(data, 64), whole)


@pytest.mark.parametrize("size", [(8064, 6048), (16320, 12240), (12000, 1500)])
def test_photographs_and_panoramas_of_phones_are_read(size):
    data = encoded(Image.linear_gradient("L").resize(size), "JPEG", quality=50)
    assert decoding.decode(data, 32).shape == (32, 32, 3)


def test_a_jpeg_that_its_decoder_keeps_whole_has_a_limit_of_its_own():
    small = dataclasses.replace(LIMITS, pixels=100, scans_pixels=100, jpeg_pixels=10_000)
    picture = Image.linear_gradient("L").resize((60, 60)).convert("RGB")
    assert decoding.decode(encoded(picture, "JPEG"), 8, small).shape == (8, 8, 3)
    for data in (encoded(picture, "JPEG", progressive=True), encoded(picture, "PNG")):
        with pytest.raises(Unusable, match="megapixels; this one has 60 x 60"):
            decoding.decode(data, 8, small)
    with pytest.raises(Unusable, match="megapixels"):
        decoding.decode(encoded(picture.resize((101, 101)), "JPEG"), 8, small)


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [("JPEG", "RGB", {"progressive": True}), ("JPEG", "CMYK", {}), ("MPO", "RGB", {"subsampling": 2})],
)
def test_forty_eight_megapixels_are_read_however_the_phone_wrote_them(format, mode, options):
    data = encoded(Image.linear_gradient("L").resize((8064, 6048)).convert(mode), format, **options)
    assert decoding.decode(data, 32).shape == (32, 32, 3)


def test_large_pictures_take_turns_and_small_ones_do_not(monkeypatch, tmp_path):
    monkeypatch.setattr(decoding, "HEAVY", Line(at_once=1, waiting=0))
    monkeypatch.setattr(decoding, "HEAVY_PIXELS", 100)
    large = encoded(Image.new("RGB", (20, 20)), "PNG")
    with decoding.HEAVY.turn():
        assert decoding.decode(encoded(Image.new("RGB", (9, 9)), "PNG"), 8).shape == (8, 8, 3)
        with pytest.raises(Unusable, match="busy with other visitors"):
            decoding.decode(large, 8, patient=False)
        (tmp_path / "large.png").write_bytes(large)
        ((name, reason),) = uploads.read([tmp_path / "large.png"], patient=False).skipped
        assert name == "large.png" and "busy with other visitors" in reason
        waiting = threading.Thread(target=decoding.decode, args=(large, 8))
        waiting.start()
    waiting.join(20)
    assert not waiting.is_alive()


def test_sixteen_bits_of_white_are_white():
    for level, expected in ((65535, 255), (65278, 254), (0, 0)):
        image = Image.fromarray(np.full((8, 8), level, np.uint16))
        assert (decoding.decode(encoded(image, "PNG"), 8) == expected).all()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_picture_that_is_cut_off_leaves_nothing_in_the_log(share, tmp_path):
    """In a process of its own, for its decoders may write themselves."""
    names = []
    for number, options in enumerate(({}, {"compression": "tiff_lzw"}, {"compression": "jpeg"})):
        data = encoded(Image.effect_noise((90, 90), 80).convert("RGB"), "TIFF", **options)
        names.append(tmp_path / f"{number}.tif")
        names[-1].write_bytes(data[: int(share * len(data))])
    code = (
        "import sys; from clip_tta_core.sources.uploads import read; print(len(read(sys.argv[1:]).skipped))"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and str(tmp_path) not in done.stderr and "Warning" not in done.stderr


def zip_of(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.txt", "words")
    return buffer.getvalue()


def tar_of(count: int) -> bytes:
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(count):
            entry = tarfile.TarInfo(f"{number}.txt")
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"words"))
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_an_archive_may_have_exactly_so_many_entries(pack, tmp_path):
    limits = dataclasses.replace(LIMITS, entries=7)
    for count, refused in ((7, False), (8, True)):
        path = tmp_path / f"{count}"
        path.write_bytes(pack(count))
        reasons = " ".join(reason for _, reason in uploads.read([path], limits=limits).skipped)
        assert ("7 entries" in reasons) == refused


def test_an_entry_across_two_blocks_is_counted(tmp_path):
    limits, path = dataclasses.replace(LIMITS, entries=0), tmp_path / "a.zip"
    for before in range(MEGA - 4, MEGA + 1):
        path.write_bytes(bytes(before) + b"PK\x01\x02" + bytes(9))
        with pytest.raises(Unusable, match="has 1"):
            _count_zip_entries(path, limits)


def test_a_small_archive_may_expand_to_one_picture_whatever_its_size():
    limits = dataclasses.replace(LIMITS, picture_bytes=1000, expansion=10)
    count = Meter(limits).archive(own_bytes=3)
    count(1000)
    with pytest.raises(Ended, match="10 times its size"):
        count(1)
    count = Meter(limits).archive(own_bytes=200)
    count(2000)
    with pytest.raises(Ended):
        count(1)


def test_time_runs_inside_an_archive_too():
    meter = Meter(dataclasses.replace(LIMITS, seconds=-1.0))
    with pytest.raises(Full, match="seconds"):
        meter.archive(own_bytes=10)(1)


def test_an_archive_of_nothing_but_what_systems_leave_says_so_beside_a_good_picture(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "good.png")
    for name, content in (("__MACOSX/._1.jpg", b"x"), (".DS_Store", b""), ("a/b/", b"")):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(name, content)
        upload = uploads.read([tmp_path / "good.png", tmp_path / "a.zip"])
        assert len(upload) == 1 and upload.skipped == (("a.zip", "The archive holds no pictures."),)


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_an_archive_without_files_says_so(pack, tmp_path):
    (tmp_path / "a.tar").write_bytes(pack(0))  # by its first bytes a zip is one, whatever it is called
    ((name, reason),) = uploads.read([tmp_path / "a.tar"]).skipped
    assert name == "a.tar" and ("holds no pictures" in reason or "no tar archive" in reason)
