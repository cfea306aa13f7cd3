"""Small pictures of large ones: thumbnails, sheets of many, maps of activations. And lossy ones, for sites of those."""

import io
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from PIL import Image, ImageFilter, UnidentifiedImageError

from atlas.errors import SiteError

THUMBNAIL = 96  # side in px; a second file, twice as large, is for screens with two pixels to one of the page
ROW = 112  # side in px of a thumbnail in a layer's row on the home page; of the row there is a second file, too
TILE = 48  # side in px of a thumbnail on a layer's sheet
DRAWN, SMALL = 160, 76  # side in px of a thumbnail in the drawing of a network with few layers, and with many
COLUMNS = 32  # of a layer's sheet
COVER, GUTTER = 128, 6  # side of a cover's pictures and what lies between them, px, transparent
MAP = 192  # least side in px of a map of activations
SMOOTH = 2  # px: the deviation of what opacities are smoothed by
CLEAR = 95  # of a picture with transparency
STEP = 16  # of 256 levels, between the colours of a lossy picture
QUALITY = 76  # of WebP; below it the fine lattices of early layers blur, above it pages grow for no eye
BLANK = (128, 128, 128)
SHADES = 64  # of a feature map on a sheet: more of them cost bytes and show no eye more
RAMP = ((15, 15, 16), (86, 34, 46), (165, 64, 31), (226, 136, 63), (250, 217, 142), (255, 252, 240))  # from low to high
KERNEL = 40  # side in px of the room that a kernel has on its sheet
KERNELS = 1  # version of how kernels are drawn: raised when they are drawn otherwise
LEAST = 0.004  # share of the largest weight from which on one can be seen: its opacity is the square root of that
POSITIVE, NEGATIVE = (213, 94, 0), (0, 114, 178)  # vermilion and blue: https://jfly.uni-koeln.de/color/

T = TypeVar("T")


def opened(picture: bytes, where: str) -> Image.Image:
    """The pixels of a picture's file, RGB. Raises SiteError when the bytes are no picture."""
    try:
        with Image.open(io.BytesIO(picture)) as image:
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise SiteError(f"{where}: expected a picture, received {error}; delete it and build again") from error


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """The middle of a picture, as a square of that side, or of the picture's own where that is less."""
    return squared(image, min(side, *image.size))


def squared(image: Image.Image, side: int) -> Image.Image:
    """The middle of a picture, as a square of that side."""
    if image.size == (side, side):
        return image
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    return image.resize((side, side), Image.Resampling.LANCZOS, box=(left, top, left + short, top + short))


def thumbnails(image: Image.Image) -> tuple[bytes, bytes]:
    """WebP files of a picture's thumbnail and of the one for screens with two pixels to one of the page, which is no
    larger than the picture."""
    return webp(squared(image, THUMBNAIL)), webp(shrunk(image, 2 * THUMBNAIL))


def sheet_size(count: int, side: int, columns: int) -> tuple[int, int]:
    """Width and height in px of a sheet of ``count`` thumbnails; one row is as wide as what is in it."""
    return min(count, columns) * side, math.ceil(count / columns) * side


def drawn_side(layers: int) -> int:
    """Side in px of the thumbnails in the drawing of a network: smaller where many layers have one."""
    return DRAWN if layers <= 8 else SMALL


def sheet(thumbnails: Sequence[Image.Image | None], side: int, columns: int) -> bytes:
    """A WebP file with thumbnails in rows of ``columns``; grey where there is none."""
    canvas = Image.new("RGB", sheet_size(len(thumbnails), side, columns), BLANK)
    for index, image in enumerate(thumbnails):
        if image is not None:
            canvas.paste(squared(image, side), (index % columns * side, index // columns * side))
    return webp(canvas)


def sharp_sheet(thumbnails: Sequence[Image.Image], side: int, columns: int) -> bytes:
    """The same sheet for screens with two pixels to one of the page: its thumbnails have twice the side, or that of the
    largest picture where it is less."""
    return sheet(thumbnails, min(2 * side, max(min(image.size) for image in thumbnails)), columns)


def cover_side(count: int) -> int:
    """How many pictures stand in a row, and in a column, of the cover of an atlas with so many."""
    return min(4, math.isqrt(count))


def cover_size(count: int) -> tuple[int, int]:
    """Width and height in px of the cover of an atlas with so many pictures."""
    side = cover_side(count) * (COVER + GUTTER) - GUTTER
    return side, side


def cover(pictures: Sequence[Image.Image]) -> bytes:
    """A WebP file with the pictures in a square, transparent between them. Their number is a square, 1 to 16."""
    side = math.isqrt(len(pictures))
    canvas = Image.new("RGBA", cover_size(len(pictures)), (0, 0, 0, 0))
    for index, image in enumerate(pictures):
        place = (index % side * (COVER + GUTTER), index // side * (COVER + GUTTER))
        canvas.paste(squared(image, COVER), place)
    return webp(canvas)


def map_size(height: int, width: int) -> tuple[int, int]:
    """Width and height in px of the picture of two maps of activations side by side."""
    factor = math.ceil(MAP / max(height, width))
    return (2 * width + 1) * factor, height * factor


def activation_maps(maps: np.ndarray) -> bytes:
    """A WebP file of two maps ``(2, h, w)`` side by side, before and after, on one scale from their least value on."""
    _, height, width = maps.shape
    low, high = float(maps.min()), float(maps.max())
    colours = _ramp((maps - low) / (high - low if high > low else 1.0))
    canvas = np.zeros((height, 2 * width + 1, 4), np.uint8)  # one transparent column between them
    for index, start in enumerate((0, width + 1)):
        canvas[:, start : start + width, :3] = colours[index]
        canvas[:, start : start + width, 3] = 255
    image = Image.fromarray(canvas).resize(map_size(height, width), Image.Resampling.NEAREST)
    return _saved(image, lossless=True)


def see_through(picture: Image.Image, opacity: np.ndarray) -> bytes:
    """A WebP file of a picture with the opacity ``(h, w) uint8`` of each pixel, which is smoothed: it is grainy."""
    made = picture.convert("RGBA")
    made.putalpha(Image.fromarray(opacity).filter(ImageFilter.GaussianBlur(SMOOTH)))
    return _saved(made, quality=CLEAR)


def coloured(kernels: np.ndarray) -> np.ndarray:
    """Kernels ``(n, 2, k, h, w)`` in two colours by sign, ``(n, 2, k, h, w, 4) uint8``: the larger a weight, the more
    opaque, from nothing at 0. The largest of each of the n is wholly so, and others by the square root of their share
    of it: weak ones can be seen too, on light and dark ground."""
    largest = np.abs(kernels).max(axis=(1, 2, 3, 4), keepdims=True)
    share = kernels / np.where(largest > 0, largest, 1)
    colours = np.where(share[..., None] < 0, NEGATIVE, POSITIVE).astype(np.uint8)
    return np.concatenate([colours, np.round(255 * np.sqrt(np.abs(share))).astype(np.uint8)[..., None]], axis=-1)


def kernel_sheet(rows: Sequence[np.ndarray]) -> bytes:
    """A WebP file of the coloured kernels of one channel: a row for each of ``(2, k, h, w, 4) uint8``, h and w at most
    KERNEL.

    The k of the first side come first. Each is in the middle of a room of KERNEL px, as large as whole pixels for each
    weight allow.
    """
    width, height = kernel_sheet_size([row.shape[1] for row in rows])
    canvas = np.zeros((height, width, 4), np.uint8)
    for index, row in enumerate(rows):
        tiles = row.reshape(-1, *row.shape[2:])
        factor = KERNEL // max(tiles.shape[1:3])
        large = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
        _, high, wide, _ = large.shape
        top, left = index * KERNEL + (KERNEL - high) // 2, (KERNEL - wide) // 2
        for place, tile in enumerate(large):
            start = place * KERNEL + left
            canvas[top : top + high, start : start + wide] = tile
    stream = io.BytesIO()
    Image.fromarray(canvas).save(stream, "WEBP", lossless=True, exact=True, quality=50, method=0)  # others are slow
    return stream.getvalue()


def kernel_sheet_size(listed: Sequence[int]) -> tuple[int, int]:
    """Width and height in px of a sheet with rows of so many kernels of each side."""
    return 2 * max(listed) * KERNEL, len(listed) * KERNEL


def map_sheet(maps: np.ndarray, columns: int) -> bytes:
    """A WebP file of feature maps ``(n, h, w) uint8`` in rows of ``columns``, a pixel for each position, each map made
    square; black where there is none. Lossless, in SHADES shades of the colours of activations."""
    count, height, width = maps.shape
    side = max(height, width)
    rows, across = (np.arange(side) * length // side for length in (height, width))
    wide, high = sheet_size(count, side, columns)
    canvas = np.zeros((high, wide), np.uint8)
    for index, one in enumerate(maps):
        top, left = index // columns * side, index % columns * side
        canvas[top : top + side, left : left + side] = one[np.ix_(rows, across)]
    shades = _ramp(np.linspace(0, 1, SHADES))
    return _saved(Image.fromarray(shades[np.round(canvas * ((SHADES - 1) / 255)).astype(int)]), lossless=True)


def _ramp(share: np.ndarray) -> np.ndarray:
    """Colours ``(..., 3) uint8`` of activations from 0, the lowest, to 1."""
    stops = np.linspace(0, 1, len(RAMP))
    parts = [np.interp(share, stops, [stop[part] for stop in RAMP]) for part in range(3)]
    return np.asarray(np.round(np.stack(parts, axis=-1)), np.uint8)


def spread(items: Sequence[T], count: int) -> list[T]:
    """``count`` of the items, evenly spaced and in their order; all of them when there are fewer."""
    if len(items) <= count:
        return list(items)
    return [items[(2 * index + 1) * len(items) // (2 * count)] for index in range(count)]


def webp(image: Image.Image) -> bytes:
    """A picture as a WebP file."""
    return _saved(image, quality=QUALITY)


def lossy(image: Image.Image) -> bytes:
    """A WebP file of a picture RGB with its levels rounded to steps of STEP: less than half the size.

    What is called lossy WebP has one colour for four pixels, and blurs the fine patterns of early layers.
    """
    levels = (np.asarray(image, np.int16) + STEP // 2) // STEP * STEP
    return _saved(Image.fromarray(np.minimum(levels, 255).astype(np.uint8)), method=0, lossless=True, quality=75)


def _saved(image: Image.Image, method: int = 4, **how: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", method=method, **how)
    return stream.getvalue()
