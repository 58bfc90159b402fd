"""An image file's bytes as a square picture, whatever its format, colours, depth and orientation."""

from __future__ import annotations

import codecs
import io
import struct
import zlib

import numpy as np
from PIL import Image

from clip_tta_core.sources.archives import archive_kind
from clip_tta_core.sources.limits import LIMITS, Limits, Unusable

SIZE = 224  # side of the squares that pictures become
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI")
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


def decode(data: bytes, size: int = SIZE, limits: Limits = LIMITS) -> np.ndarray:
    """The centre of a picture: upright, alpha over white, the first frame. -> uint8 (size, size, 3)

    Raises:
        Unusable: with the reason in one sentence.
    """
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
        if width * height > limits.pixels:
            raise Unusable(
                f"A picture may have {limits.pixels // 10**6} megapixels; this one has {width} x {height}."
            )
        if image.mode == "LAB":
            raise Unusable("Pictures in LAB colours are not read; save it in RGB.")
        try:
            return square(image, size)
        except DECODER_ERRORS as error:
            raise Unusable(f"The picture ({image.format}) is damaged or incomplete.") from error


def _formats() -> tuple[str, ...]:
    """The formats that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def square(image: Image.Image, size: int = SIZE) -> np.ndarray:
    """The centre of an opened picture, upright, in RGB. -> uint8 (size, size, 3)"""
    image.draft(None, (2 * size, 2 * size))  # lets JPEG decode at a fraction of its size; others ignore it
    image.load()
    orientation = _orientation(image)  # after loading: some formats turn the picture themselves
    # Crop first: the same centre as resizing first, without a long side of a million pixels on the way.
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = _eight_bits(image.crop((left, top, left + side, top + side)))
    transparent = image.has_transparency_data
    image = image.convert("RGBA" if transparent else "RGB").resize((size, size), Image.Resampling.BICUBIC)
    if transparent:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if orientation in UPRIGHT:  # turning a square keeps its centre
        image = image.transpose(UPRIGHT[orientation])
    return np.asarray(image)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1  # an unreadable note about a picture does not spoil the picture


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pictures of 16 bits, of whole numbers or floats as 8 bits; all others as they are."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16") or (image.mode == "I" and 0 <= low and 255 < high <= 65535):
        values = values / 257
    elif image.mode == "F" and 0 <= low and high <= 1:
        values = values * 255
    elif low < 0 or high > 255:  # no convention says what is white: the largest value is
        values = (values - low) * (255 / ((high - low) or 1))
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
