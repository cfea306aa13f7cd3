"""Which real images there are on disk, and what is in each: names and contents, no pixels.

Paths are plain strings here, since tens of thousands of them are looked at in every build.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from atlas import content
from atlas.canonical import digest
from atlas.errors import AtlasError, nearest
from atlas.files import recall, remember
from atlas.resources import DEMO, cache_folder, demo_images

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp")
PHOTOS = (".png", ".jpg")  # of what scikit-image brings: the rest is there to test formats by
MACHINES = {  # what systems and servers put beside a person's files, besides names that begin with a dot
    *("__macosx", "__pycache__", "lost+found", "system volume information"),
    *("@eadir", "@recycle", "#recycle", "$recycle.bin", "#snapshot", "@recently-snapshot"),
}

Stamps = dict[str, content.Stamp]  # of files by name: what changes when a file does


@dataclass(frozen=True)
class Source:
    """An image: its path, its name inside the folder, the label it has by its own folder, and its content's sha256.

    ``label`` is empty for an image that lies in no folder of its own, ``digest`` for one that cannot be read.
    """

    path: str
    name: str
    label: str
    digest: str


def find_images(given: str, limit: int | None = None, seed: int = 0) -> tuple[Source, ...]:
    """The images of a folder or of a pattern with ``*``, in the order of their contents; of more than ``limit``, so
    many that ``seed`` draws by their names: of those that are drawn most stay when others come or go.

    Names that begin with a dot, and what systems put there (``__MACOSX``, ``@eaDir``), are left out. Content is read
    once: what a file's size, times and inode say is unchanged is remembered in the user's cache folder.

    Raises AtlasError when there is no such folder, or no image in it.
    """
    root, stamps = stamped(given)
    chosen = sorted(stamps)
    if limit is not None and len(chosen) > limit:
        chosen = sorted(chosen, key=lambda name: digest([seed, readable(name)]))[:limit]
    found = sources_of(root, {name: stamps[name] for name in chosen})
    return tuple(sorted(found, key=lambda source: (source.digest, source.path)))


def find_photos(given: str, patterns: Sequence[str], most: int) -> tuple[Source, ...]:
    """The images of a folder or of a pattern that ``patterns`` name, each once: in their order, and in that of names
    where one names several. A pattern is an image's own name, or has ``*`` for any letters, ``/`` among them.

    Raises AtlasError as ``find_images``, when a pattern names no image, and when all name more than ``most``.
    """
    root, stamps = stamped(given)
    chosen: Stamps = {}
    for pattern in patterns:
        found = [pattern] if pattern in stamps else [name for name in sorted(stamps) if fnmatchcase(name, pattern)]
        if not found:
            raise AtlasError(
                f"probes.photos: expected names of images in {given}, or patterns such as cats/*.jpg, received "
                f"{pattern!r}, which none of its {len(stamps):,} images has{nearest(pattern, stamps)}"
            )
        chosen |= {name: stamps[name] for name in found}
    if len(chosen) > most:
        raise AtlasError(
            f"probes.photos: expected at most {most} images, received patterns that name {len(chosen):,}; name fewer"
        )
    return tuple(sources_of(root, chosen))


def stamped(given: str) -> tuple[str, Stamps]:
    """The folder that names are counted from, and the images below it that are meant."""
    root, names = _listed(given)
    images = (name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES)
    stamps = {name: found for name in images if (found := _stamp(os.path.join(root, name)))}
    if not stamps:
        raise AtlasError(f"{given}: expected images ({', '.join(SUFFIXES)}), found none; name a folder that has some")
    return root, stamps


def sources_of(root: str, stamps: Stamps) -> list[Source]:
    """Images by their names, in the order in which they are given."""
    digests = _digests(root, stamps)
    found = []
    for name in stamps:
        said = readable(name)
        label, inside, _ = said.partition("/")
        found.append(Source(os.path.join(root, name), said, label if inside else "", digests[name]))
    return found


def _listed(given: str) -> tuple[str, list[str]]:
    """The folder that names are counted from, and the names of all files below it that are meant."""
    if given == DEMO:
        folder = str(demo_images())
        return folder, [name for name in os.listdir(folder) if name.endswith(PHOTOS)]
    path = Path(given)
    if path.is_dir():
        return str(path), list(_below(str(path)))
    fixed = path.parts
    place = next((index for index, part in enumerate(fixed) if any(sign in part for sign in "*?[")), None)
    if place is None:
        raise AtlasError(f"{given}: expected a folder of images, or a pattern with *, found neither; check the path")
    root = Path(*fixed[:place]) if place else Path()
    every = (*fixed[place:], "*") if fixed[-1] == "**" else fixed[place:]  # which alone means folders
    meant = [part for part in every if _hidden(part)]  # which the pattern spells out
    names = (found.relative_to(root).as_posix() for found in root.glob("/".join(every)))
    return str(root), [name for name in names if not any(_hidden(part, meant) for part in name.split("/"))]


def _hidden(name: str, meant: Sequence[str] = ()) -> bool:
    """Whether a file or folder is there for a machine, unless one of the patterns ``meant`` is for it."""
    return (name.startswith(".") or name.lower() in MACHINES) and not any(fnmatchcase(name, one) for one in meant)


def _below(folder: str) -> Iterator[str]:
    """The names of all files below a folder, but for hidden ones. Links are followed, but for those to a folder that
    they lie in."""
    above: dict[str, tuple[str, ...]] = {folder: (os.path.realpath(folder),)}
    for here, folders, names in os.walk(folder, followlinks=True):
        inside = os.path.relpath(here, folder)
        shown = (name for name in names if not _hidden(name))
        yield from shown if inside == "." else (f"{inside}/{name}" for name in shown)
        own = above.pop(here)
        for name in list(folders):
            path = os.path.join(here, name)
            real = os.path.realpath(path)
            if real in own or _hidden(name):
                folders.remove(name)
            else:
                above[path] = (*own, real)


def forget() -> None:
    """Forget what was in all images: it proved wrong of one, so the next build reads them again."""
    for place in _cache().glob("*.json"):
        with contextlib.suppress(OSError):
            place.unlink()


def readable(name: str) -> str:
    """A name as text, also where its bytes are none."""
    return os.fsencode(name).decode("utf-8", "replace")


def _digests(root: str, stamps: Stamps) -> dict[str, str]:
    """sha256 of each file by its name; empty for one that cannot be read."""
    place = _cache() / f"{digest(os.path.realpath(root))[:32]}.json"
    known = recall(place) or {}
    new = [
        name
        for name, stamp in stamps.items()
        if known.get(name, [])[:-1] != [*stamp] or not os.access(os.path.join(root, name), os.R_OK)
    ]
    sure = {name for name in new if content.settled(stamps[name])}  # asked before they are read
    with ThreadPoolExecutor() as pool:
        read = dict(zip(new, pool.map(lambda name: _digest(os.path.join(root, name)), new), strict=True))
    found = {name: read[name] if name in read else str(known[name][-1]) for name in stamps}
    if sure:
        rows = {name: [*stamps[name], value] for name, value in read.items() if value and name in sure}
        remember(place, {**known, **rows})
    return found


def _cache() -> Path:
    return cache_folder() / "images"


def _stamp(path: str) -> content.Stamp | None:
    """What changes when a file does; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return content.stamp(found) if stat.S_ISREG(found.st_mode) else None


def _digest(path: str) -> str:
    try:
        return content.read_digest(path)
    except OSError:
        return ""
