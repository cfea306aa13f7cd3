"""Real images on disk: which there are, what is in each, and its pixels as a network is shown them."""

import contextlib
import hashlib
import json
import os
import stat
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from atlas.canonical import digest
from atlas.errors import AtlasError
from atlas.files import write_atomically
from atlas.resources import DEMO, demo_images
from atlas.spec.problems import nearest

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
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


@dataclass(frozen=True)
class Source:
    """An image: its path, its name inside the folder, the label it has by its own folder, and its content's sha256.

    ``label`` is empty for an image that lies in no folder of its own, ``digest`` for one that cannot be read.
    """

    path: str
    name: str
    label: str
    digest: str


class UnfitError(AtlasError):
    """An image that cannot be shown to a network: the rest of ``NAME: expected an image, received ...``."""


def find_images(given: str, limit: int | None = None, seed: int = 0) -> tuple[Source, ...]:
    """The images of a folder or of a pattern with ``*``, in the order of their contents; of more than ``limit``, so
    many that ``seed`` draws by their names: of those that are drawn most stay when others come or go.

    Content is read once: what a file's size and time say is unchanged is remembered in the user's cache folder.

    Raises AtlasError when there is no such folder, or no image in it.
    """
    root, names, stamps = _named(given)
    chosen = sorted(names)
    if limit is not None and len(chosen) > limit:
        chosen = sorted(chosen, key=lambda name: digest([seed, _readable(name)]))[:limit]
    found = _sources(root, {name: names[name] for name in chosen}, stamps)
    return tuple(sorted(found, key=lambda source: (source.digest, source.path)))


def find_photos(given: str, patterns: Sequence[str], most: int) -> tuple[Source, ...]:
    """The images of a folder or of a pattern that ``patterns`` name, each once: in their order, and in that of names
    where one names several. A pattern is an image's own name, or has ``*`` for any letters, ``/`` among them.

    Raises AtlasError as ``find_images``, when a pattern names no image, and when all name more than ``most``.
    """
    root, names, stamps = _named(given)
    chosen: dict[str, Path] = {}
    for pattern in patterns:
        found = [pattern] if pattern in names else [name for name in sorted(names) if fnmatchcase(name, pattern)]
        if not found:
            raise AtlasError(
                f"probes.photos: expected names of images in {given}, or patterns such as cats/*.jpg, received "
                f"{pattern!r}, which none of its {len(names):,} images has{nearest(pattern, names)}"
            )
        chosen |= {name: names[name] for name in found}
    if len(chosen) > most:
        raise AtlasError(
            f"probes.photos: expected at most {most} images, received patterns that name {len(chosen):,}; name fewer"
        )
    return tuple(_sources(root, chosen, stamps))


def _named(given: str) -> tuple[Path, dict[str, Path], dict[Path, list[int]]]:
    """The folder that names are counted from, the images below it that are meant, by their names, and their stamps."""
    root, paths = _listed(given)
    stamps = {path: _stamp(path) for path in paths if path.suffix.lower() in SUFFIXES}
    names = {path.relative_to(root).as_posix(): path for path, stamp in stamps.items() if stamp}
    if not names:
        raise AtlasError(f"{given}: expected images ({', '.join(SUFFIXES)}), found none; name a folder that has some")
    return root, names, {path: stamp for path, stamp in stamps.items() if stamp}


def _sources(root: Path, chosen: dict[str, Path], stamps: dict[Path, list[int]]) -> list[Source]:
    """Images by their names, in the order in which they are given."""
    digests = _digests(root, chosen, stamps)
    return [
        Source(str(path), _readable(name), _readable(name.partition("/")[0] if "/" in name else ""), digests[name])
        for name, path in chosen.items()
    ]


def open_image(path: str, size: int, crop: str) -> np.ndarray:
    """An image as a network is shown it, ``(size, size, 3) uint8``: upright, in colours, a square of its own.

    ``crop`` is ``middle`` (the largest square in its middle) or ``squeeze`` (all of it). Grey, CMYK and palettes become
    RGB, 16 bits become 8, what can be seen through lies on white. Raises UnfitError with what is wrong with it, and
    OSError where there is no such file any more, or it may not be read.
    """
    # Pillow warns of files that it mends. For good, as warnings.catch_warnings is no tool for threads: at its end it
    # takes back what others have set meanwhile.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with Path(path).open("rb") as file:
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


def _listed(given: str) -> tuple[Path, list[Path]]:
    """The folder that names are counted from, and all files below it that are meant."""
    if given == DEMO:
        folder = demo_images()
        return folder, sorted(folder.iterdir())
    path = Path(given)
    if path.is_dir():
        return path, list(_below(path))
    fixed = path.parts
    place = next((index for index, part in enumerate(fixed) if any(sign in part for sign in "*?[")), None)
    if place is None:
        raise AtlasError(f"{given}: expected a folder of images, or a pattern with *, found neither; check the path")
    root = Path(*fixed[:place]) if place else Path()
    every = (*fixed[place:], "*") if fixed[-1] == "**" else fixed[place:]  # which alone means folders
    return root, sorted(root.glob("/".join(every)))


def _below(folder: Path) -> Iterator[Path]:
    """All files below a folder. Links are followed, but for those to a folder that they lie in."""
    above: dict[str, tuple[Path, ...]] = {str(folder): (folder.resolve(),)}
    for here, folders, names in os.walk(folder, followlinks=True):
        yield from (Path(here) / name for name in names)
        own = above.pop(here)
        for name in list(folders):
            real = Path(here, name).resolve()
            if real in own:
                folders.remove(name)
            else:
                above[os.path.join(here, name)] = (*own, real)  # noqa: PTH118 (as os.walk names it)


def _readable(name: str) -> str:
    """A name as text, also where its bytes are none."""
    return os.fsencode(name).decode("utf-8", "replace")


def _digests(root: Path, paths: dict[str, Path], stamps: dict[Path, list[int]]) -> dict[str, str]:
    """sha256 of each file by its name; empty for one that cannot be read."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atlas" / "images"
    place = cache / f"{digest(str(root.resolve()))[:32]}.json"
    known = _remembered(place)
    new = [name for name, path in paths.items() if known.get(name, [])[:-1] != stamps[path]]
    with ThreadPoolExecutor() as pool:
        read = dict(zip(new, pool.map(lambda name: _digest(paths[name]), new), strict=True))
    found = {name: read[name] if name in read else str(known[name][-1]) for name in paths}
    if new:
        rows = {name: [*stamps[paths[name]], value] for name, value in read.items() if value}
        with contextlib.suppress(AtlasError):  # it is read again next time
            write_atomically(place, json.dumps({**known, **rows}).encode())
    return found


def _remembered(place: Path) -> dict[str, list[Any]]:
    try:
        known = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) and all(isinstance(row, list) for row in known.values()) else {}


def _stamp(path: Path) -> list[int]:
    """What changes when a file does; nothing where there is none."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns] if stat.S_ISREG(found.st_mode) else []


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
