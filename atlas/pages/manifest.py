"""Reading the manifest.json of an atlas that stands on a shelf."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from atlas.errors import SiteError
from atlas.pages.addresses import MANIFEST
from atlas.pages.read import get, optional

GENERATOR = "atlas-microscope"  # how a manifest.json and a shelf of ours say that they are ours
HEAD = 4096  # bytes of a page in which its generator stands
SCHEMA = 3  # of manifest.json, and of the files that it names


@dataclass(frozen=True)
class Summary:
    """What a shelf says of an atlas, from its manifest.json. ``cover`` is width and height in px, None without one."""

    folder: str
    title: str
    network: str
    weights: str
    channels: int
    layers: int
    cover: tuple[int, int] | None


def read_summary(folder: Path) -> Summary | None:
    """What the manifest.json in ``folder`` says, or None when there is none that is ours."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        where = "manifest"
        if get(manifest, "generator", str, where) != GENERATOR or get(manifest, "schema", int, where) > SCHEMA:
            return None
        cover = optional(manifest, "cover", dict, where)
        return Summary(
            folder=folder.name,
            title=get(manifest, "title", str, where),
            network=get(get(manifest, "network", dict, where), "title", str, where),
            weights=get(get(manifest, "weights", dict, where), "kind", str, where),
            channels=get(manifest, "channels", int, where),
            layers=len(get(manifest, "layers", list, where)),
            cover=(get(cover, "width", int, where), get(cover, "height", int, where)) if cover else None,
        )
    except (OSError, ValueError, RecursionError, SiteError):
        return None


def is_page(path: Path) -> bool:
    """Whether a file is a page of ours."""
    return f'name="generator" content="{GENERATOR}"'.encode() in _head(path)


def is_shelf(path: Path) -> bool:
    """Whether a file is a list of atlases of ours."""
    return is_page(path) and b'name="shelf"' in _head(path)


def sealed(page: str) -> bytes:
    """A page that no list of files names, with the sha256 of its bytes at its end."""
    data = page.encode()
    return data + f"<!-- {hashlib.sha256(data).hexdigest()} -->\n".encode()


def is_whole(page: bytes) -> bool:
    """Whether a page has the bytes that it was sealed with; one of before, which has no seal, is taken for whole."""
    found = re.fullmatch(rb"(.*)<!-- ([0-9a-f]{64}) -->\n", page, re.DOTALL)
    return found is None or hashlib.sha256(found[1]).hexdigest().encode() == found[2]


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
