"""Pictures as the files that entries hold, and back."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from atlas.images.loader import open_photo

FRAME_COLUMNS = 8
SHOWN = 82  # quality of real images on the pages
PASSED = 85  # of those that are only kept to make the pages' sheets of


def lossless(picture: np.ndarray) -> bytes:
    """A picture ``(h, w, 3) uint8`` as a WebP file, every pixel as it is."""
    return _saved(picture, "WEBP", lossless=True, quality=100, method=4)


def lossy(image: np.ndarray) -> bytes:
    """A real image ``(h, w, 3) uint8`` as it was shown to the network, as a WebP file for the pages."""
    return _saved(image, "WEBP", quality=SHOWN, method=0)


def quick(image: np.ndarray) -> bytes:
    """The same as a JPEG file, in a sixth of the time."""
    return _saved(image, "JPEG", quality=PASSED)


def frame_sheet(frames: np.ndarray) -> bytes:
    """The frames ``(count, h, w, 3) uint8`` of an ascent in one picture, FRAME_COLUMNS in a row, as a WebP file."""
    count, height, width, _ = frames.shape
    rows = -(-count // FRAME_COLUMNS)
    sheet = np.zeros((rows * height, FRAME_COLUMNS * width, 3), np.uint8)
    for index, frame in enumerate(frames):
        top, left = index // FRAME_COLUMNS * height, index % FRAME_COLUMNS * width
        sheet[top : top + height, left : left + width] = frame
    return _saved(sheet, "WEBP", quality=85, method=4)


def ascended_photo(path: str, size: int) -> bytes:
    """The photo that an ascent began with, or went along, as it saw it; without the file's metadata."""
    return lossy(open_photo(Path(path), size))


def pixels(data: bytes) -> np.ndarray:
    """The pixels ``(h, w, 3) uint8`` of a file that the store has checked."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def stored(data: bytes) -> np.ndarray:
    """A file as an entry's artefact ``(bytes,) uint8``."""
    return np.frombuffer(data, np.uint8)


def _saved(picture: np.ndarray, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()
