"""An image file's bytes as a square picture, whatever its format, colours, depth and orientation."""

from __future__ import annotations

import codecs
import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from clip_tta_core.line import Full, Line
from clip_tta_core.sources.archives import archive_kind
from clip_tta_core.sources.clutter import FORMATS
from clip_tta_core.sources.limits import LIMITS, Limits, Unusable

SIZE = 224  # side of the squares that pictures become
# Pillow's own guard is for those who do not look at the header, as `decode` does. It may not refuse what that
# allows, and goes on warning beyond.
Image.MAX_IMAGE_PIXELS = LIMITS.jpeg_pixels
# What is wrong with visitors' files is told to them; the log need not be full of it.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# A picture of 40 megapixels takes 160 MB while it is decoded, however many visitors bring one.
HEAVY_PIXELS = 4_000_000  # of pictures up to here, a few dozen at once do no harm
HEAVY = Line(at_once=2, waiting=4)
STRIP_PIXELS = 1_000_000  # of a large picture that are converted together
# What Pillow's decoders raise on broken files; a warning counts as one where warnings are errors.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    EOFError,
    MemoryError,
    BufferError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Warning,
)
ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {  # its value -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def decode(data: bytes, size: int = SIZE, limits: Limits = LIMITS, patient: bool = True) -> np.ndarray:
    """The centre of a picture: upright, alpha over white, the first frame. -> uint8 (size, size, 3)

    Large pictures are decoded a few at a time.

    Args:
        data: the file.
        size: side of the square, in pixels.
        limits: what a picture may cost.
        patient: wait for as long as it takes; otherwise a long line is a reason, too.

    Raises:
        Unusable: with the reason in one sentence.
    """
    with _opened(data, limits, patient) as image:
        return square(image, size)


def decode_beside(
    data: bytes, size: int, frame: int, limits: Limits = LIMITS, patient: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """What `decode` gives, and the whole picture, small. -> uint8 (size, size, 3), (frame, frame, 3)"""
    with _opened(data, limits, patient) as image:
        return square(image, size), whole(image, frame)


@contextlib.contextmanager
def _opened(data: bytes, limits: Limits, patient: bool) -> Iterator[Image.Image]:
    """A picture to be decoded within this block; what is wrong with it is raised as Unusable."""
    if not data:
        raise Unusable("The file is empty.")
    if kind := archive_kind(data[:512]):
        raise Unusable(f"This is an archive inside an archive ({kind}); only one level is read.")
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unusable(
            f"A picture may have {limits.pixels // 10**6} megapixels; this one has more."
        ) from error
    except DECODER_ERRORS as error:
        raise Unusable(_what_else(data)) from error
    with image:
        width, height = image.size
        most = limits.webp_pixels if image.format in ("WEBP", "AVIF") else limits.pixels
        if image.format in ("JPEG", "MPO"):
            most = limits.jpeg_pixels if _shrinks(data) else limits.scans_pixels
        if width * height > most:
            raise Unusable(f"A picture may have {most // 10**6} megapixels; this one has {width} x {height}.")
        if image.mode == "LAB":
            raise Unusable("Pictures in LAB colours are not read; save it in RGB.")
        try:
            with HEAVY.turn(patient) if width * height > HEAVY_PIXELS else contextlib.nullcontext():
                yield image
        except Full as problem:
            raise Unusable(str(problem)) from problem
        except DECODER_ERRORS as error:
            raise Unusable(f"The picture ({image.format}) is damaged or incomplete.") from error


def _shrinks(data: bytes) -> bool:
    """Whether a JPEG is decoded at a fraction of its size, row by row.

    One in several scans (progressive, or a scan for each colour) is kept whole in the decoder. After ITU-T
    T.81, B.2: segments with their lengths up to the start of the scan, which counts its colours.
    """
    place, colours = 2, 0
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
        elif marker in (0xC0, 0xC1):  # a frame of one pass
            colours, place = data[place + 9], place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        elif marker == 0xDA:
            return data[place + 4] == colours
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _formats() -> tuple[str, ...]:
    """The formats that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def square(image: Image.Image, size: int = SIZE) -> np.ndarray:
    """The centre of an opened picture, upright, in RGB. -> uint8 (size, size, 3)

    Beside the decoded picture itself, only a strip of it is held at a time.
    """
    image.draft(None, (2 * size, 2 * size))  # lets JPEG decode at a fraction of its size; others ignore it
    if isinstance(image, Jpeg2KImageFile) and image.width * image.height > HEAVY_PIXELS:
        image.reduce = 1  # its decoder takes 16 bytes a pixel; half a side where the file has that level
    image.load()
    # Crop first: the same centre as resizing first, without a long side of a million pixels on the way.
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    # Turning a square keeps its centre.
    return np.asarray(_shrunk(image, (left, top, left + side, top + side), (size, size)))


def whole(image: Image.Image, side: int) -> np.ndarray:
    """All of a picture that `square` has read, upright, on grey. -> uint8 (side, side, 3)"""
    scale = side / max(image.size)
    fitting = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
    small = _shrunk(image, (0, 0, *image.size), fitting)
    paper = Image.new("RGB", (side, side), (128, 128, 128))
    paper.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return np.asarray(paper)


def _shrunk(image: Image.Image, box: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    """A part of a loaded picture in RGB, resized, then turned upright."""
    orientation = _orientation(image)  # after loading: some formats turn the picture themselves
    transparent = image.has_transparency_data
    width, height = box[2] - box[0], box[3] - box[1]
    factor = max(1, min(min(width, height) // (2 * min(size)), STRIP_PIXELS // width))
    small = _reduced(image, box, factor, _levels(image, box), transparent)
    small = small.resize(size, Image.Resampling.BICUBIC)
    if transparent:
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
    return small.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else small


def _reduced(
    image: Image.Image,
    box: tuple[int, int, int, int],
    factor: int,
    levels: tuple[float, float] | None,
    transparent: bool,
) -> Image.Image:
    """A part of a picture in RGB or RGBA, shrunk by a whole factor, strip by strip."""
    mode, (left, top, right, bottom) = "RGBA" if transparent else "RGB", box
    rows = max(1, STRIP_PIXELS // ((right - left) * factor)) * factor
    small = Image.new(mode, (-(-(right - left) // factor), -(-(bottom - top) // factor)))
    for first in range(0, bottom - top, rows):
        last = min(first + rows, bottom - top)
        strip = image.crop((left, top + first, right, top + last))
        strip = (strip if levels is None else _eight_bits(strip, *levels)).convert(mode)
        small.paste(strip.reduce(factor) if factor > 1 else strip, (0, first // factor))
    return small


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1  # an unreadable note about a picture does not spoil the picture


def _levels(image: Image.Image, box: tuple[int, int, int, int]) -> tuple[float, float] | None:
    """Which values of a picture of 16 bits, whole numbers or floats are black and white; None for 8 bits."""
    if not image.mode.startswith(("I", "F")):
        return None
    if image.mode.startswith("I;16"):
        return 0.0, 65535.0
    left, top, right, bottom = box
    rows = max(1, STRIP_PIXELS // (right - left))
    ends = []
    for first in range(top, bottom, rows):
        values = _numbers(image.crop((left, first, right, min(first + rows, bottom))))
        ends += [float(values.min()), float(values.max())]
    low, high = min(ends), max(ends)
    if image.mode == "I" and 0 <= low and 255 < high <= 65535:
        return 0.0, 65535.0
    if image.mode == "F" and 0 <= low and high <= 1:
        return 0.0, 1.0
    if low < 0 or high > 255:  # no convention says what is white: the largest value is
        return low, high
    return 0.0, 255.0


def _numbers(image: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0, neginf=0)


def _eight_bits(image: Image.Image, black: float, white: float) -> Image.Image:
    values = (_numbers(image) - black) * (255 / ((white - black) or 1))
    return Image.fromarray((values + 0.5).clip(0, 255).astype(np.uint8))


def _what_else(data: bytes) -> str:
    """Why these bytes are no picture."""
    start = data[:1024]
    if start[4:8] == b"ftyp":
        if start[8:12] in HEIC:
            return "HEIC pictures cannot be read here; save it as JPEG or PNG."
        return "This is a film or a picture of a kind that cannot be read here; save it as JPEG or PNG."
    if start.startswith(b"%PDF"):
        return "This is a PDF document; save its pictures as JPEG or PNG."
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        text = "\0"
    if "<svg" in text.lower():
        return "SVG drawings are not read; save it as PNG."
    if all(letter.isprintable() or letter.isspace() for letter in text):
        return "The file holds text, not a picture."
    return "The file is no picture of a known format (JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF), or damaged."
