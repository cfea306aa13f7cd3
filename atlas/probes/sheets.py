"""Pictures of the images that excite a channel: one sheet for each channel, for the pages."""

import io
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from PIL import Image

from atlas.probes.findings import Findings

TILE = 96  # pixels on a side
DIM = 0.38  # what is left of an image where the channel is not active
QUALITY = 78  # of WebP
WHOLE = 0.9  # of an image: a neuron that sees more of it sees all, and its crop would be the image again
KEPT = 512  # images that are kept at hand
EDGE = (255, 255, 255)


def rows(sight: int | None, size: int) -> int:
    """How many rows of tiles a sheet has: images with light where the channel is active, and behind them what the most
    active neuron sees, where that is not all of it."""
    return 1 if sight is None or sight >= WHOLE * size else 2


def sheets(
    findings: Findings, image: Callable[[int], np.ndarray], grid: tuple[int, int], sight: int | None
) -> Iterator[bytes]:
    """A WebP file for each channel: the strongest images in a row, then those of the range below.

    Parameters: ``image`` gives the pixels ``(size, size, 3) uint8`` of an image by its number; ``grid`` is rows and
    columns of the layer's own activation map; ``sight`` is its receptive field in px of the image, None for all.
    """
    image = lru_cache(KEPT)(image)
    for channel in range(findings.top.shape[1]):
        numbers = [*findings.top[:, channel], *findings.spread[:, channel]]
        places = [*findings.top_place[:, channel], *findings.spread_place[:, channel]]
        strongest = len(findings.top)
        size = image(int(numbers[0])).shape[0]
        count = rows(sight, size)
        sheet = Image.new("RGB", (TILE * len(numbers), TILE * count))
        for index, (number, place) in enumerate(zip(numbers, places, strict=True)):
            pixels = image(int(number))
            box = seen(place, grid, size, sight)
            light = findings.top_map[index, channel] if index < strongest else None
            sheet.paste(_lit(pixels, light), (index * TILE, 0))
            if count > 1:
                crop = Image.fromarray(pixels).crop(box).resize((TILE, TILE), Image.Resampling.BICUBIC)
                sheet.paste(crop, (index * TILE, TILE))
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=QUALITY, method=2)
        yield buffer.getvalue()


def seen(place: np.ndarray, grid: tuple[int, int], size: int, sight: int | None) -> tuple[int, int, int, int]:
    """The part of an image, as left, top, right and bottom in px, that the neuron at ``place`` sees: a square of
    ``sight`` px around it, moved inside where it would stand over an edge."""
    side = min(size, sight or size)
    top, left = (
        round(min(max((int(where) + 0.5) * size / count - side / 2, 0), size - side))
        for where, count in zip(place, grid, strict=True)
    )
    return left, top, left + side, top + side


def _lit(pixels: np.ndarray, light: np.ndarray | None) -> Image.Image:
    """An image as a tile, dark where the map ``(h, w) uint8`` of the channel is; as it is without a map."""
    small = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.LANCZOS)
    if light is None:
        return small
    mask = Image.fromarray(light).resize((TILE, TILE), Image.Resampling.BILINEAR)
    share = DIM + (1 - DIM) * np.asarray(mask, np.float32)[..., None] / 255
    return Image.fromarray((np.asarray(small) * share).astype(np.uint8))
