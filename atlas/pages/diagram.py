"""A network as a drawing: its layers from input to output, as tall as they are fine, with their branches.

Lengths are px. A layer in the atlas is a node with room for a thumbnail and its name; others are thin slabs.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from atlas.pages.tree import Atlas, OutlineLayer

LETTER = 6.4  # px of a letter of a name, about
GAP = 2.0  # px between branches of a slab


@dataclass(frozen=True)
class Scale:
    """How large a drawing is: the least and the greatest height of a slab, the space above, the least width of a layer
    in the atlas and of another one, the width that is filled where there are few layers, and whether there is room for
    thumbnails and names."""

    low: float
    high: float
    top: float
    node: float
    thin: float
    wide: float
    named: bool


LARGE = Scale(low=28, high=176, top=34, node=66, thin=15, wide=1168, named=True)
MINI = Scale(low=10, high=56, top=8, node=40, thin=14, wide=640, named=False)
STRETCH = 2.0  # at most: how much wider than its least width a layer is drawn
MOST = 40  # layers that have a thumbnail each: with more of them the home page would be heavy
WINDOW = 60  # layers in a drawing around one of them, on the page of each of its channels


@dataclass(frozen=True)
class Bar:
    """An upright rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Node:
    """A layer: its slabs, one for each branch, and the ribbons that lead to them from the layer before, as SVG paths.

    ``x`` and ``width`` are the room it has; ``label`` is its name, without what its group says already.
    """

    layer: OutlineLayer
    x: float
    width: float
    label: str
    title: str
    slabs: tuple[Bar, ...]
    ribbons: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Layers whose names begin alike, with where they begin and end."""

    name: str
    x: float
    end: float


@dataclass(frozen=True)
class Diagram:
    """A drawing of a network. ``top`` and ``base`` are where its slabs begin and end at most; below them there is room
    for thumbnails of side ``thumbnail``, 0 without any, and for names where it is ``named``."""

    width: float
    height: float
    top: float
    base: float
    thumbnail: float
    named: bool
    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]


def diagram(atlas: Atlas, scale: Scale, around: str | None = None) -> Diagram:
    """The drawing of an atlas's network, or of the layers ``around`` one where there are many."""
    outline = _window(atlas.outline, around) if around else atlas.outline
    grids = [atlas.network.size / layer.stride for layer in outline]
    names = _labels([layer.name for layer in outline])
    rooms = [_room(layer, label, scale) for layer, (_, label) in zip(outline, names, strict=True)]
    stretch = min(STRETCH, max(1.0, scale.wide / sum(rooms)))
    middle = scale.top + scale.high / 2
    nodes: list[Node] = []
    x = 0.0
    for layer, grid, (_, label), least in zip(outline, grids, names, rooms, strict=True):
        room = least * stretch
        height = _between(scale.low, scale.high, grid, min(grids), max(grids))
        thick = stretch * min(least / 3, 5 + math.log2(layer.channels + 1)) if layer.in_atlas else least / 4
        left = x + (room - thick) / 2
        slabs = _slabs(layer, left, middle, thick, height)
        nodes.append(
            Node(
                layer=layer,
                x=round(x, 1),
                width=round(room, 1),
                label=label,
                title=_title(layer, grid),
                slabs=slabs,
                ribbons=_ribbons(nodes[-1].slabs, slabs) if nodes else (),
            )
        )
        x += room
    groups = _groups([group for group, _ in names], nodes) if scale.named else ()
    base = scale.top + scale.high
    thumbnail = round((scale.node - 14) * stretch, 1) if scale.named and len(atlas.layers) <= MOST else 0.0
    height = base + (thumbnail + 60 if scale.named else scale.top)
    return Diagram(round(x, 1), height, scale.top, base, thumbnail, scale.named, tuple(nodes), groups)


def _window(outline: Sequence[OutlineLayer], around: str) -> Sequence[OutlineLayer]:
    """The layers next to one, WINDOW at most."""
    place = next((index for index, layer in enumerate(outline) if layer.name == around), 0)
    first = max(0, min(place - WINDOW // 2, len(outline) - WINDOW))
    return outline[first : first + WINDOW]


def _room(layer: OutlineLayer, label: str, scale: Scale) -> float:
    """The least width of a layer in the drawing."""
    if not layer.in_atlas:
        return scale.thin
    return max(scale.node, LETTER * len(label) + 12) if scale.named else scale.node


def _between(low: float, high: float, value: float, least: float, greatest: float) -> float:
    return high if greatest <= least else low + (high - low) * math.log(value / least) / math.log(greatest / least)


def _title(layer: OutlineLayer, grid: float) -> str:
    side = max(1, round(grid))
    return f"{layer.name}: {layer.channels:,} channels, {side} × {side} neurons each"


def _slabs(layer: OutlineLayer, left: float, middle: float, thick: float, height: float) -> tuple[Bar, ...]:
    """One slab, or one for each branch with its share of the height."""
    widths = [branch.last - branch.first + 1 for branch in layer.branches] or [1]
    room = height - GAP * (len(widths) - 1)
    top, slabs = middle - height / 2, []
    for width in widths:
        share = max(1.0, room * width / sum(widths))
        slabs.append(Bar(round(left, 1), round(top, 1), round(thick, 1), round(share, 1)))
        top += share + GAP
    return tuple(slabs)


def _ribbons(before: Sequence[Bar], slabs: Sequence[Bar]) -> tuple[str, ...]:
    """From the whole of the layer before to each slab, as wide at either end as what it meets."""
    start, top = before[0].x + before[0].width, before[0].y
    height = before[-1].y + before[-1].height - top
    own_top, own = slabs[0].y, slabs[-1].y + slabs[-1].height - slabs[0].y
    paths = []
    for slab in slabs:
        first = top + height * (slab.y - own_top) / own
        last = top + height * (slab.y + slab.height - own_top) / own
        half = round((start + slab.x) / 2, 1)
        paths.append(
            f"M{start:.1f} {first:.1f}C{half} {first:.1f} {half} {slab.y} {slab.x} {slab.y}v{slab.height}"
            f"C{half} {slab.y + slab.height:.1f} {half} {last:.1f} {start:.1f} {last:.1f}z"
        )
    return tuple(paths)


def _labels(names: Sequence[str]) -> list[tuple[str, str]]:
    """The group and the label of each name: what neighbours have in common before the first ``_``, and the rest."""
    heads = [match[0] if (match := re.match(r"[A-Za-z]+\d+(?=_)", name)) else "" for name in names]
    found = []
    for index, (name, head) in enumerate(zip(names, heads, strict=True)):
        beside = heads[max(0, index - 1) : index] + heads[index + 1 : index + 2]
        found.append((head, name[len(head) + 1 :]) if head and head in beside else ("", name))
    return found


def _groups(names: Sequence[str], nodes: Sequence[Node]) -> tuple[Group, ...]:
    found: list[Group] = []
    for index, (name, node) in enumerate(zip(names, nodes, strict=True)):
        end = node.x + node.width
        if name and found and found[-1].name == name and names[index - 1] == name:
            found[-1] = Group(name, found[-1].x, end)
        elif name:
            found.append(Group(name, node.x, end))
    return tuple(found)
