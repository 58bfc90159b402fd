"""Faults in how pictures, streams and corruptions are made."""

# ruff: noqa: E501, a table
from __future__ import annotations

from tests.faults import Fault

ARCHIVES, DECODING = "clip_tta_core/sources/archives.py", "clip_tta_core/sources/decoding.py"
LIMITS, STREAM = "clip_tta_core/sources/limits.py", "clip_tta_core/stream.py"
ORDER = ("tests/test_stream_order.py",)
PUBLISHED = ("tests/corruptions/test_published.py",)


def _bounds(name: str) -> tuple[str, ...]:
    return (f"tests/sources/test_bounds.py::{name}",)


ENTRIES = _bounds("test_an_archive_may_have_exactly_so_many_entries")

FAULTS = [
    Fault("u1 one zip entry too many", ARCHIVES, "if entries > limits.entries:", "if entries > limits.entries + 1:", ENTRIES),
    Fault("u2 one tar entry too many", ARCHIVES, "if number >= limits.entries:", "if number > limits.entries:", ENTRIES),
    Fault("u4 a split entry is not counted", ARCHIVES, "tail = block[-3:]", 'tail = b""', _bounds("test_an_entry_across_two_blocks_is_counted")),
    Fault("u6 white of 16 bits", DECODING, 'return 0.0, 65535.0\n    left', 'return 0.0, 65280.0\n    left', _bounds("test_sixteen_bits_of_white_are_white")),
    Fault(
        "u8 the outermost folder on the list",
        "clip_tta_core/sources/folders.py",
        "for depth in reversed(depths)",
        "for depth in depths",
        ("tests/sources/test_folders.py",),
    ),
    Fault("u11 no floor of expansion", LIMITS, "max(own_bytes * limits.expansion, limits.picture_bytes)", "own_bytes * limits.expansion", _bounds("test_a_small_archive_may_expand_to_one_picture_whatever_its_size")),
    Fault("u12 no clock inside archives", LIMITS, "            self.check()\n", "", _bounds("test_time_runs_inside_an_archive_too")),
    Fault("k2 a table of noise", "clip_tta_core/corruptions/noise.py", "at_224=(60, 25, 12, 5, 3)", "at_224=(60, 25, 12, 5, 4)", PUBLISHED),
    Fault("k3 a table of blur", "clip_tta_core/corruptions/blur.py", "(15, 12), (20, 15)", "(15, 12), (20, 16)", PUBLISHED),
    Fault("k9 a threshold of edges", "clip_tta_core/corruptions/glints.py", "weak: float = 50", "weak: float = 90", ("tests/corruptions/test_glints.py",)),
    Fault("r1 unknowns shuffled far", STREAM, "for first in range(0, count, 16):\n        rng.shuffle(mask[first : first + 16])", "for first in range(0, count, 64):\n        rng.shuffle(mask[first : first + 64])", ORDER),
    Fault("r3 seeds start anew in every stretch", STREAM, "self.config.seed, start + first", "self.config.seed, start", ORDER),
    Fault("r5 unknowns stay clean", STREAM, "elif unknown.any():", "elif False:", ORDER),
    Fault("r6 one seed for three generators", STREAM, "default_rng([config.seed, part])", "default_rng([config.seed, 0])", ORDER),
]  # fmt: skip
