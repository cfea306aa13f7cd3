"""The pixels of a real image on disk: the one door for starts, caricatures, probes, photos and references.

Whoever asks, a file has the same RGB: upright, grey and CMYK as colours, what can be seen through on white. Only how it
is made smaller differs: quickly where thousands are looked at, finely where an ascent begins with it.
"""

import contextlib
import errno
import hashlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from atlas.errors import AtlasError
from atlas.images.folders import forget

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")  # whatever a file's name says, nothing else is tried on it
KINDS = "JPEG, PNG, WebP, GIF, TIFF or BMP"
SMALLEST = 8  # pixels: an image with a shorter side has nothing to show
LARGEST = 2 * 89_478_485  # pixels, as Pillow's own limit: what claims more is taken for an attack
BACKGROUND = (255, 255, 255)  # behind what can be seen through
PLAIN = {"1", "L", "P", "RGB", "CMYK", "YCbCr"}  # modes that Pillow's own conversion gets right
READING = 2  # version of how all others become RGB: part of the keys of pictures that it changes
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

    ``crop`` is ``middle`` (the largest square in its middle) or ``squeeze`` (all of it). Raises UnfitError with what is
    wrong with it, and OSError where there is no such file any more, or it may not be read, or its sha256 is not
    ``digest`` where that is given.
    """
    with Path(path).open("rb") as file:
        if digest and hashlib.file_digest(file, "sha256").hexdigest() != digest:
            forget()
            raise OSError(errno.ESTALE, "changed while the build ran; build again", path)
        file.seek(0)
        return read_image(file, size, crop)


def read_image(file: BinaryIO, size: int, crop: str) -> np.ndarray:
    """An image as ``open_image`` gives it, out of an open file. Raises UnfitError with what is wrong with it."""
    with _opened(file) as image:
        if min(image.size) < SMALLEST:
            raise UnfitError(f"one of {image.width} by {image.height} pixels: too small")
        image.draft("RGB", (2 * size, 2 * size))  # a JPEG is read at a fraction of its size where that is enough
        upright = _upright(image)
        if crop == "squeeze":
            return np.asarray(upright.resize((size, size), Image.Resampling.BICUBIC))
        return np.asarray(ImageOps.fit(upright, (size, size), Image.Resampling.BICUBIC))


def open_photo(path: Path, size: int) -> np.ndarray:
    """A photo that an ascent begins with, or goes along, ``(size, size, 3) uint8``: upright, in colours, the largest
    square in its middle, however small. Raises AtlasError when it cannot be read.
    """
    with _photo(path) as (_, image):
        return np.asarray(ImageOps.fit(_upright(image), (size, size), Image.Resampling.LANCZOS))


def photo_name(path: Path) -> str:
    """What names a photo's pixels in keys, ``photo:`` and the file's sha256. Raises AtlasError when it cannot be read.

    Behind that stands READING where its pixels are others than Pillow's plain conversion makes of it, for which names
    without it stand: of 16 bits, or of something that can be seen through.
    """
    with _photo(path) as (data, image):
        name = f"photo:{hashlib.sha256(data).hexdigest()}"
        if image.mode in PLAIN and not image.has_transparency_data:
            return name
        same = np.array_equal(np.asarray(_coloured(image)), np.asarray(image.convert("RGB")))
        return name if same else f"{name}:{READING}"


@contextlib.contextmanager
def _photo(path: Path) -> Iterator[tuple[bytes, Image.Image]]:
    """The bytes of a photo, and the image in them. Raises AtlasError for what goes wrong, also inside the block."""
    try:
        data = path.read_bytes()
        with _opened(io.BytesIO(data)) as image:
            yield data, image
    except UnfitError as error:
        raise AtlasError(f"{path}: expected a photo ({KINDS}), received {error}") from error
    except OSError as error:
        raise AtlasError(f"{path}: expected a photo, received: {error.strerror}; check the path") from error


@contextlib.contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    """The image in a file, of which no pixel is read yet. Raises UnfitError for what goes wrong, also inside the block.

    Of several pictures in a file it is the first.
    """
    # Pillow warns of files that it mends. For good, as warnings.catch_warnings is no tool for threads: at its end it
    # takes back what others have set meanwhile.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise UnfitError(f"one of {image.width:,} by {image.height:,} pixels: too large")
            yield image
    except (UnfitError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise UnfitError("one of too many pixels") from error
    except UnidentifiedImageError as error:
        raise UnfitError(f"a file that is no {KINDS} image") from error
    except Exception as error:  # whatever Pillow raises: of a broken file, nearly anything
        raise UnfitError(f"a file that cannot be read ({error})") from error


def _upright(image: Image.Image) -> Image.Image:
    """The same in RGB of 8 bits, as the camera was held."""
    image.load()  # which turns a TIFF by itself, and takes the tag away
    turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    coloured = _coloured(image)
    return coloured if turn is None else coloured.transpose(turn)


def _coloured(image: Image.Image) -> Image.Image:
    """The same in RGB of 8 bits."""
    if image.mode[0] in "IF":
        return _from_numbers(image)
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, (*BACKGROUND, 255)), seen).convert("RGB")
    return image.convert("RGB")


def _from_numbers(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, where 65535 is white, or of floating point, where 1 is. Raises UnfitError for other numbers, of
    which nobody can know what is white."""
    white = 1 if image.mode == "F" else 65535
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= white):  # nor where there is no number
        raise UnfitError(f"one of numbers from {low:g} to {high:g}, not from 0, black, to {white}, white")
    clear = values == image.info.get("transparency", -1)  # the number that can be seen through
    grey = np.where(clear, BACKGROUND[0], np.rint(values * (255 / white)))
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
