"""Thumbnails, and the sheets that hold many of them in one file. The pictures themselves are copied as they are."""

import io
import math
from collections.abc import Sequence
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from atlas.errors import SiteError

COLUMNS = 8  # of a sheet; the style sheet crops by eighths
SMALL, LARGE = 96, 128  # side of a thumbnail in px
FEW = 32  # channels up to which a layer's thumbnails are large
GUTTER = 6  # px between the pictures of a cover, transparent
QUALITY = 80  # of WebP; below it the fine lattices of early layers blur, above it sheets grow for no eye
BLANK = (128, 128, 128)

T = TypeVar("T")


def thumbnail_side(channels: int) -> int:
    """The side in px of the thumbnails of a layer that shows so many channels: few are shown larger."""
    return LARGE if channels <= FEW else SMALL


def thumbnail(picture: bytes, side: int, where: str) -> Image.Image:
    """A square RGB thumbnail of the middle of a picture. Raises SiteError when the bytes are no picture."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            image = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise SiteError(f"{where}: expected a picture, received {error}; delete it and build again") from error
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    box = (left, top, left + short, top + short)
    return image.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=None)


def sheet_size(count: int, side: int) -> tuple[int, int]:
    """Width and height in px of a sheet of ``count`` thumbnails."""
    return COLUMNS * side, math.ceil(count / COLUMNS) * side


def sheet(thumbnails: Sequence[Image.Image | None], side: int) -> bytes:
    """A WebP file with the thumbnails in rows of eight; grey where there is none."""
    canvas = Image.new("RGB", sheet_size(len(thumbnails), side), BLANK)
    for index, image in enumerate(thumbnails):
        if image is not None:
            canvas.paste(image, (index % COLUMNS * side, index // COLUMNS * side))
    return _webp(canvas)


def cover_side(count: int) -> int:
    """How many thumbnails stand in a row, and in a column, of the cover of an atlas with so many pictures."""
    return min(4, math.isqrt(count))


def cover_size(count: int) -> tuple[int, int]:
    """Width and height in px of the cover of an atlas with so many pictures."""
    side = cover_side(count) * (LARGE + GUTTER) - GUTTER
    return side, side


def cover(thumbnails: Sequence[Image.Image]) -> bytes:
    """A WebP file with the thumbnails in a square, transparent between them. Their number is a square, 1 to 16."""
    side = math.isqrt(len(thumbnails))
    canvas = Image.new("RGBA", cover_size(len(thumbnails)), (0, 0, 0, 0))
    for index, image in enumerate(thumbnails):
        canvas.paste(image, (index % side * (LARGE + GUTTER), index // side * (LARGE + GUTTER)))
    return _webp(canvas)


def spread(items: Sequence[T], count: int) -> list[T]:
    """``count`` of the items, evenly spaced and in their order; all of them when there are fewer."""
    if len(items) <= count:
        return list(items)
    return [items[(2 * index + 1) * len(items) // (2 * count)] for index in range(count)]


def _webp(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=4)
    return stream.getvalue()
