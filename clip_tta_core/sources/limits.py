"""What one upload may cost, declared once, and the meter that counts it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MEGA = 2**20


@dataclass(frozen=True)
class Limits:
    """What one upload may cost."""

    pictures: int = 2_000  # kept in memory as squares, 147 KB each at 224 px
    picture_bytes: int = 64 * MEGA
    pixels: int = 40_000_000  # of one picture, by its header, before it is decoded
    webp_pixels: int = 24_000_000  # of a WebP or AVIF picture, which their decoders hold four times
    jpeg_pixels: int = 200_000_000  # of a JPEG that can be decoded at an eighth of its size
    scans_pixels: int = 64_000_000  # of a JPEG in several scans, which its decoder holds six times
    total_bytes: int = 256 * MEGA  # of all files as they arrive
    expanded_bytes: int = 512 * MEGA  # read from all archives
    expansion: int = 100  # bytes read from an archive for each of its own
    entries: int = 20_000  # of one archive, pictures or not
    nesting: int = 1  # archives are read, archives inside them are not
    seconds: float = 120.0
    listed: int = 200  # skipped files that are named

    def sentence(self) -> str:
        """What the page tells visitors."""
        return (
            f"Up to {self.pictures:,} pictures of at most {self.picture_bytes // MEGA} MB and "
            f"{self.pixels // 10**6} megapixels each (photographs in JPEG {self.jpeg_pixels // 10**6}), "
            f"{self.total_bytes // MEGA} MB together, as image files or in zip, tar, tar.gz or tar.bz2 "
            f"archives that hold at most {self.expanded_bytes // MEGA} MB "
            f"and {self.entries:,} entries and no further archives; reading ends after {self.seconds:g} "
            "seconds."
        )


LIMITS = Limits()


class Unusable(Exception):
    """A file that cannot be used, or an archive's rest; the text is the sentence for its visitor."""


class Ended(Exception):
    """An archive that must not be read further."""


class Full(Exception):
    """A limit of the whole upload is reached."""


class Meter:
    """What an upload has cost so far."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.arrived = self.expanded = 0  # bytes
        self.deadline = time.monotonic() + limits.seconds

    def check(self, pictures: int = 0) -> None:
        """Raise Full where there are enough pictures, or no time is left."""
        if pictures >= self.limits.pictures:
            raise Full(f"Reading ended at the limit of {self.limits.pictures:,} pictures.")
        if time.monotonic() > self.deadline:
            raise Full(f"Reading ended after {self.limits.seconds:g} seconds, the time an upload may take.")

    def arrive(self, count: int) -> None:
        """Count the bytes of a file as it arrived."""
        self.arrived += count
        if self.arrived > self.limits.total_bytes:
            raise Full(
                f"All files together may have {self.limits.total_bytes // MEGA} MB; this one goes beyond."
            )

    def archive(self, own_bytes: int) -> Callable[[int], None]:
        """What to call with every number of bytes that an archive of `own_bytes` expands to."""
        start, limits = self.expanded, self.limits
        most = max(own_bytes * limits.expansion, limits.picture_bytes)  # a blank picture shrinks 1,000 times

        def count(more: int) -> None:
            self.expanded += more
            if self.expanded - start > most:
                raise Ended(
                    f"The archive expands to more than {limits.expansion} times its size; what came before "
                    "was used."
                )
            if self.expanded > limits.expanded_bytes:
                raise Full(f"Archives may hold {limits.expanded_bytes // MEGA} MB; this one goes beyond.")
            self.check()

        return count
