"""The pixels of a real image on disk, as a network is shown them."""

import errno
import hashlib
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from atlas.errors import AtlasError
from atlas.probes.sources import forget

FORMATS = ("JPEG", "PNG", "WEBP")  # whatever a file's name says, nothing else is tried on it
SMALLEST = 8  # pixels: an image with a shorter side has nothing to show
LARGEST = 2 * 89_478_485  # pixels, as Pillow's own limit: what claims more is taken for an attack
BACKGROUND = (255, 255, 255)  # behind what can be seen through
ORIENTATION = 0x0112  # the tag of EXIF that says how the camera was held
TURN = Image.Transpose
UPRIGHT = {
    2: TURN.FLIP_LEFT_RIGHT,
    3: TURN.ROTATE_180,
    4: TURN.FLIP_TOP_BOTTOM,
    5: TURN.TRANSPOSE,
    6: TURN.ROTATE_270,
    7: TURN.TRANSVERSE,
    8: TURN.ROTATE_90,
}
"""What turns an image upright, by its orientation. Exif 2.3, 4.6.4, https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf"""


class UnfitError(AtlasError):
    """An image that cannot be shown to a network: the rest of ``NAME: expected an image, received ...``."""


def open_image(path: str, size: int, crop: str, digest: str = "") -> np.ndarray:
    """An image as a network is shown it, ``(size, size, 3) uint8``: upright, in colours, a square of its own.

    ``crop`` is ``middle`` (the largest square in its middle) or ``squeeze`` (all of it). Grey, CMYK and palettes become
    RGB, 16 bits become 8, what can be seen through lies on white. Raises UnfitError with what is wrong with it, and
    OSError where there is no such file any more, or it may not be read, or its sha256 is not ``digest`` where that is
    given.
    """
    with Path(path).open("rb") as file:
        if digest and hashlib.file_digest(file, "sha256").hexdigest() != digest:
            forget()
            raise OSError(errno.ESTALE, "changed while the build ran; build again", path)
        file.seek(0)
        return read_image(file, size, crop)


def read_image(file: BinaryIO, size: int, crop: str) -> np.ndarray:
    """An image as ``open_image`` gives it, out of an open file. Raises UnfitError with what is wrong with it."""
    # Pillow warns of files that it mends. For good, as warnings.catch_warnings is no tool for threads: at its end it
    # takes back what others have set meanwhile.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        return _shown(file, size, crop)
    except (UnfitError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise UnfitError("one of too many pixels") from error
    except UnidentifiedImageError as error:
        raise UnfitError("a file that is no JPEG, PNG or WebP image") from error
    except Exception as error:  # whatever Pillow raises: of a broken file, nearly anything
        raise UnfitError(f"a file that cannot be read ({error})") from error


def _shown(file: BinaryIO, size: int, crop: str) -> np.ndarray:
    with Image.open(file, formats=FORMATS) as opened:
        width, height = opened.size
        if min(width, height) < SMALLEST:
            raise UnfitError(f"one of {width} by {height} pixels: too small")
        if width * height > LARGEST:
            raise UnfitError(f"one of {width:,} by {height:,} pixels: too large")
        opened.draft("RGB", (2 * size, 2 * size))  # a JPEG is read at a fraction of its size where that is enough
        turn = UPRIGHT.get(opened.getexif().get(ORIENTATION, 1))
        coloured = _coloured(opened)
        upright = coloured if turn is None else coloured.transpose(turn)
        fitted = (
            ImageOps.fit(upright, (size, size), Image.Resampling.BICUBIC)
            if crop == "middle"
            else upright.resize((size, size), Image.Resampling.BICUBIC)
        )
        return np.asarray(fitted)


def _coloured(image: Image.Image) -> Image.Image:
    """The same in RGB."""
    if image.mode.startswith("I"):  # 16 bits
        values = np.asarray(image, np.float64) * (255 / 65535)
        return Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        seen = image.convert("RGBA")
        ground = Image.new("RGBA", seen.size, (*BACKGROUND, 255))
        return Image.alpha_composite(ground, seen).convert("RGB")
    return image.convert("RGB")
