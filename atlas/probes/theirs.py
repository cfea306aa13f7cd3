"""Which pictures of a folder were made for which channels, by their names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from atlas.errors import AtlasError
from atlas.images.folders import SUFFIXES, Source, readable, sources_of, stamped
from atlas.spec.comparing import PATTERNS

ENDINGS = "|".join(map(re.escape, SUFFIXES)).join(("(?i:", ")"))  # of names where a pattern leaves them out


@dataclass(frozen=True)
class Called:
    """What a layer may be called in names of files: its own ``layer``, and by others, see ``Microscope``.

    ``channels`` are those that pictures are wanted of.
    """

    layer: str
    ops: tuple[str, ...]
    tensors: tuple[str, ...]
    channels: frozenset[int]


@dataclass(frozen=True)
class Theirs:
    """Pictures by others: ``of`` each layer by channel. ``more`` are names of pictures that another of the same channel
    came before, ``unknown`` of those whose names tell no channel that is wanted. ``none`` is a sentence where there is
    no picture of any."""

    of: Mapping[str, Mapping[int, Source]]
    more: tuple[str, ...]
    unknown: tuple[str, ...]
    none: str


def find_theirs(folder: str, names: str | None, layers: Sequence[Called]) -> Theirs:
    """The pictures of a folder, and of those in it, that were made for channels of ``layers``.

    ``names`` is a pattern, see ``spec.comparing``; the known ones when left out. Of two pictures of one channel the
    first by its name is taken.

    Raises AtlasError when the folder has no images, and for a pattern that cannot tell layers apart.
    """
    patterns = [_pattern(names, layers)] if names else [_pattern(known, layers, ENDINGS) for known in PATTERNS]
    root, stamps = stamped(folder)
    placed: dict[tuple[str, int], str] = {}
    more, unknown = [], []
    for name in sorted(stamps, key=_in_order):
        small = "_" in name.split("/")[:-1]  # an atlas's own folder, of thumbnails and the like
        place = None if small else _place(_plain(name), patterns, layers)
        if place is None:
            unknown += [] if small else [readable(name)]
        elif place in placed:
            more.append(readable(name))
        else:
            placed[place] = name
    found = dict(zip(placed, sources_of(root, {name: stamps[name] for name in placed.values()}), strict=True))
    by_layer: dict[str, dict[int, Source]] = {}
    for (layer, channel), source in found.items():
        by_layer.setdefault(layer, {})[channel] = source
    none = "" if placed else _none(folder, names, layers, unknown)
    return Theirs(by_layer, tuple(more), tuple(unknown), none)


def _none(folder: str, names: str | None, layers: Sequence[Called], unknown: Sequence[str]) -> str:
    known = names or ", ".join(f"{one}{SUFFIXES[2]}" for one in (PATTERNS[0], PATTERNS[2], PATTERNS[6]))
    wanted = ", ".join([*(one.layer for one in layers[:4]), *(["..."] if len(layers) > 4 else [])])
    first = f", the first {unknown[0]}" if unknown else ""
    return (
        f"{folder}: expected pictures of this atlas's channels of {wanted} with names such as {known}, received "
        f"{len(unknown):,} images with others{first}; say how they are called with names: (or --names)"
    )


def _place(name: str, patterns: Iterable[re.Pattern[str]], layers: Sequence[Called]) -> tuple[str, int] | None:
    """The layer and channel that a picture is of, by the first pattern that its name has."""
    for pattern in patterns:
        match = pattern.fullmatch(name)
        if match is None:
            continue
        said, channel = match.groupdict(), int(match["channel"])
        for one in layers:
            words = {"layer": (one.layer,), "op": one.ops, "tensor": one.tensors}
            if channel in one.channels and all(said.get(key) in (None, *own) for key, own in words.items()):
                return one.layer, channel
    return None


def _pattern(names: str, layers: Sequence[Called], ending: str = "") -> re.Pattern[str]:
    """The expression of a pattern, wherever in the folder the file lies."""
    if len(layers) > 1 and not re.search(r"\{(layer|op|tensor)\}", names):
        raise AtlasError(
            f"names: expected {{layer}}, {{op}} or {{tensor}} in the names of pictures of {len(layers)} layers, "
            f"received {names}; say how names tell the layer, or compare one layer alone"
        )
    known = {
        "layer": [one.layer for one in layers],
        "op": [op for one in layers for op in one.ops],
        "tensor": [tensor for one in layers for tensor in one.tensors],
    }
    parts = []
    for part in re.split(r"(\{\w+\}|\*)", names):
        key = part[1:-1]
        if part == "{channel}":
            parts.append(r"(?P<channel>[0-9]{1,9})")
        elif part.startswith("{"):
            either = "|".join(map(re.escape, sorted(known[key], key=len, reverse=True)))
            parts.append(f"(?P<{key}>{either or '(?!)'})")
        else:
            parts.append("[^/]*" if part == "*" else re.escape(part))
    return re.compile(f"(?:.*/)?{''.join(parts)}{ending}")


def _plain(name: str) -> str:
    """A name whose folder is one of Microscope's own, a whole query with the tensor in it, by that tensor alone; empty
    for a picture of a neuron, or of what silences a channel."""
    asked = _asked(name)
    if "op" not in asked:
        return name
    fits = asked.get("objective", "channel") == "channel" and asked.get("negative", "False") == "False"
    return f"{re.sub('[/:]', '_', asked['op'])}/{name.rpartition('/')[2]}" if fits else ""


def _asked(name: str) -> dict[str, str]:
    """What Microscope was asked for, of a name whose folder is such a query."""
    folder = unquote(name.rpartition("/")[0].rpartition("/")[2])
    return {key: values[0] for key, values in parse_qs(folder).items()} if "op=" in folder else {}


def _in_order(name: str) -> tuple[str, list[tuple[int, str]]]:
    """What sorts names: pictures of a first attempt before others, then as people do, 2 before 10."""
    parts = re.split("([0-9]+)", name)
    numbered = [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]
    return _asked(name).get("repeat", "0"), numbered
