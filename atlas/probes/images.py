"""Real images on disk: which there are, what is in each, and its pixels as a network is shown them."""

import contextlib
import hashlib
import json
import os
import random
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from atlas.canonical import digest
from atlas.errors import AtlasError
from atlas.files import write_atomically
from atlas.spec.probing import SCIKIT
from atlas.spec.problems import nearest

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SMALLEST = 8  # pixels: an image with a shorter side has nothing to show
LARGEST = 2 * 89_478_485  # pixels, as Pillow's own limit: what claims more is taken for an attack
BACKGROUND = (255, 255, 255)  # behind what can be seen through
WRONG = (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, Image.DecompressionBombError)


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
    """The images of a folder or of a pattern with ``*``, in the order of their names; of more than ``limit``, so many
    that ``seed`` draws.

    Content is read once: what a file's size and time say is unchanged is remembered in the user's cache folder.

    Raises AtlasError when there is no such folder, or no image in it.
    """
    root, names = _named(given)
    chosen = sorted(names)
    if limit is not None and len(chosen) > limit:
        chosen = sorted(random.Random(seed).sample(chosen, limit))
    return _sources(root, {name: names[name] for name in chosen})


def find_photos(given: str, patterns: Sequence[str], most: int) -> tuple[Source, ...]:
    """The images of a folder or of a pattern that ``patterns`` name, each once: in their order, and in that of names
    where one names several. A pattern is an image's own name, or has ``*`` for any letters, ``/`` among them.

    Raises AtlasError as ``find_images``, when a pattern names no image, and when all name more than ``most``.
    """
    root, names = _named(given)
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
    return _sources(root, chosen)


def _named(given: str) -> tuple[Path, dict[str, Path]]:
    """The folder that names are counted from, and the images below it that are meant, by their names."""
    root, paths = _listed(given)
    found = [path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        raise AtlasError(f"{given}: expected images ({', '.join(SUFFIXES)}), found none; name a folder that has some")
    return root, {path.relative_to(root).as_posix(): path for path in found}


def _sources(root: Path, chosen: dict[str, Path]) -> tuple[Source, ...]:
    digests = _digests(root, chosen)
    return tuple(
        Source(str(path), name, name.split("/")[0] if "/" in name else "", digests[name])
        for name, path in chosen.items()
    )


def open_image(path: str, size: int, crop: str) -> np.ndarray:
    """An image as a network is shown it, ``(size, size, 3) uint8``: upright, in colours, a square of its own.

    ``crop`` is ``middle`` (the largest square in its middle) or ``squeeze`` (all of it). Grey, CMYK and palettes become
    RGB, 16 bits become 8, what can be seen through lies on white. Raises UnfitError with what is wrong with it.
    """
    try:
        large = warnings.catch_warnings(action="ignore")  # of Pillow, about files that it mends
        with large, Image.open(path) as opened:
            width, height = opened.size
            if min(width, height) < SMALLEST:
                raise UnfitError(f"one of {width} by {height} pixels: too small")
            if width * height > LARGEST:
                raise UnfitError(f"one of {width:,} by {height:,} pixels: too large")
            opened.draft("RGB", (2 * size, 2 * size))  # a JPEG is read at a fraction of its size where that is enough
            upright = _coloured(ImageOps.exif_transpose(opened))
            fitted = (
                ImageOps.fit(upright, (size, size), Image.Resampling.BICUBIC)
                if crop == "middle"
                else upright.resize((size, size), Image.Resampling.BICUBIC)
            )
            return np.asarray(fitted)
    except Image.DecompressionBombError as error:
        raise UnfitError("one of too many pixels") from error
    except WRONG as error:
        raise UnfitError(f"a file that cannot be read ({error})") from error


def _coloured(image: Image.Image) -> Image.Image:
    """The same in RGB."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(values.max()), 1e-9)
        return Image.fromarray(np.clip(values * (255 / top), 0, 255).round().astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        seen = image.convert("RGBA")
        ground = Image.new("RGBA", seen.size, (*BACKGROUND, 255))
        return Image.alpha_composite(ground, seen).convert("RGB")
    return image.convert("RGB")


def _listed(given: str) -> tuple[Path, list[Path]]:
    """The folder that names are counted from, and all files below it that are meant."""
    if given == SCIKIT:
        package = find_spec("skimage")
        if package is None or package.origin is None:
            raise AtlasError(
                "images: expected the package scikit-image, received none; install atlas-microscope[demo], or name a "
                "folder of images"
            )
        folder = Path(package.origin).parent / "data"
        return folder, sorted(folder.iterdir())
    path = Path(given)
    if path.is_dir():
        return path, [Path(folder) / name for folder, _, names in os.walk(path, followlinks=True) for name in names]
    fixed = path.parts
    place = next((index for index, part in enumerate(fixed) if any(sign in part for sign in "*?[")), None)
    if place is None:
        raise AtlasError(f"{given}: expected a folder of images, or a pattern with *, found neither; check the path")
    root = Path(*fixed[:place]) if place else Path()
    return root, sorted(root.glob("/".join(fixed[place:])))


def _digests(root: Path, paths: dict[str, Path]) -> dict[str, str]:
    """sha256 of each file by its name; empty for one that cannot be read."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atlas" / "images"
    place = cache / f"{digest(str(root.resolve()))[:32]}.json"
    known = _remembered(place)
    stamps = {name: _stamp(path) for name, path in paths.items()}
    new = [name for name, stamp in stamps.items() if known.get(name, [""])[:-1] != stamp]
    with ThreadPoolExecutor() as pool:
        read = dict(zip(new, pool.map(lambda name: _digest(paths[name]), new), strict=True))
    found = {name: read[name] if name in read else str(known[name][-1]) for name in paths}
    if new:
        rows = {name: [*stamps[name], value] for name, value in read.items() if value}
        with contextlib.suppress(AtlasError):  # it is read again next time
            write_atomically(place, json.dumps({**known, **rows}).encode())
    return found


def _remembered(place: Path) -> dict[str, list[str | int]]:
    try:
        known = json.loads(place.read_bytes())
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        return {}


def _stamp(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def digest_of(images: Sequence[Source]) -> str:
    """What stands for some images with their names and labels."""
    return digest([[one.digest, one.label, one.name] for one in images])
