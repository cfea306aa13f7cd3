"""What the templates are given: frozen plain data, every address from the atlas's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from atlas.pages import addresses, images, words
from atlas.pages.links import microscope, page
from atlas.pages.manifest import Atlas, Channel, Layer, Rendering
from atlas.pages.plot import Plot, plot
from atlas.store.entry import Entry


@dataclass(frozen=True)
class Numbers:
    """What an entry says of its picture: size in px, scores, and the trace, empty when none was recorded.

    ``attempt`` counts from 0, of at most ``attempts``; ``settled`` says whether it stopped before its last step.
    """

    width: int
    height: int
    attempt: int
    attempts: int
    steps: int
    settled: bool
    start: float | None
    grey: float | None
    end: float | None
    trace: tuple[float, ...]


def read_numbers(entry: Entry) -> Numbers:
    """The numbers of an entry."""
    record, trace = entry.record, entry.artefacts.get("trace")
    score: Mapping[str, float | None] = record.get("score", {})
    height, width = record["size"]
    return Numbers(
        width=width,
        height=height,
        attempt=record.get("attempt", 0),
        attempts=record.get("attempts", 1),
        steps=record.get("steps", 0),
        settled=record.get("settled", False),
        start=score.get("start"),
        grey=score.get("grey"),
        end=score.get("end"),
        trace=() if trace is None else tuple(float(value) for value in trace[:, 0]),
    )


@dataclass(frozen=True)
class Picture:
    """An image to show: its address, its size in px, and what it is in words."""

    address: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Cell:
    """One channel in a grid. ``sheet`` is None without a picture; ``column`` and ``row`` of it count from 0."""

    number: int
    page: str
    state: str
    word: str
    sheet: Picture | None
    column: int
    row: int


@dataclass(frozen=True)
class Group:
    """The cells of one branch of a layer; an empty name when the layer has no branches."""

    name: str
    anchor: str
    extent: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RenderingView:
    """One rendering with all that is said of it; ``picture`` is None when there is none.

    ``repeats`` are the pictures that the same recipe made from other seeds.
    """

    recipe: str
    state: str
    word: str
    explanation: str
    picture: Picture | None
    repeats: tuple[Picture, ...]
    numbers: Numbers | None
    tries: str
    plot: Plot | None
    score_meaning: str
    recipe_text: str


@dataclass(frozen=True)
class Neighbour:
    """The previous or the next channel that the atlas shows in the layer."""

    number: int
    page: str
    picture: Picture | None


@dataclass(frozen=True)
class Elsewhere:
    """The same channel in OpenAI Microscope, and how far it is the same."""

    address: str
    caveat: str


@dataclass(frozen=True)
class LayerRow:
    """One layer of the atlas on the home page."""

    layer: Layer
    page: str
    sight: str
    cells: tuple[Cell, ...]
    dead: int
    absent: int


@dataclass(frozen=True)
class Gap:
    """Layers of the network, one after the other, that are not in the atlas."""

    names: tuple[str, ...]
    more: int


def cell(atlas: Atlas, layer: Layer, channel: Channel, sheet: Picture | None, index: int) -> Cell:
    """The cell of a channel whose thumbnail is the ``index``-th of its sheet."""
    rendering = channel.renderings[atlas.main]
    return Cell(
        number=channel.number,
        page=addresses.channel_page(layer.name, channel.number),
        state=rendering.state,
        word="" if rendering.state == "activated" else words.STATE_WORDS[rendering.state],
        sheet=sheet if rendering.key else None,
        column=index % images.COLUMNS,
        row=index // images.COLUMNS,
    )


def grid(atlas: Atlas, layer: Layer) -> tuple[Group, ...]:
    """All channels of a layer that the atlas shows, by branch."""
    side = images.thumbnail_side(len(layer.shown))
    cells = []
    for index, channel in enumerate(layer.shown):
        number, place = divmod(index, addresses.PER_SHEET)
        size = images.sheet_size(min(addresses.PER_SHEET, len(layer.shown) - number * addresses.PER_SHEET), side)
        sheet = Picture(addresses.sheet(layer.name, number), *size, f"{layer.name} channel {channel.number}")
        cells.append(cell(atlas, layer, channel, sheet, place))
    if not layer.branches:
        return (Group("", "channels", "", tuple(cells)),)
    groups = []
    for order, branch in enumerate((*layer.branches, None)):
        members = tuple(item for item in cells if layer.branch(item.number) == branch)
        extent = f"{branch.first}–{branch.last}" if branch else ""
        if members:
            groups.append(Group(branch.name if branch else "other", f"branch-{order}", extent, members))
    return tuple(groups)


def rows(atlas: Atlas, strips: Mapping[str, Sequence[Channel]]) -> tuple[LayerRow | Gap, ...]:
    """The network from input to output: the atlas's layers, by ``strips`` some channels each, and what is between."""
    layers = {layer.name: layer for layer in atlas.layers}
    names = [layer.name for layer in atlas.outline]
    result: list[LayerRow | Gap] = []
    gap: list[str] = []
    for name in [*names, *(name for name in layers if name not in names), None]:
        if name is not None and name not in layers:
            gap.append(name)
            continue
        if gap:
            listed = gap if len(gap) <= 8 else [*gap[:4], *gap[-2:]]
            result.append(Gap(tuple(listed), len(gap) - len(listed)))
            gap = []
        if name is not None:
            result.append(_row(atlas, layers[name], strips.get(name, ())))
    return tuple(result)


def _row(atlas: Atlas, layer: Layer, strip: Sequence[Channel]) -> LayerRow:
    address, size = addresses.strip(layer.name), images.sheet_size(len(strip), images.SMALL)
    states = [channel.renderings[atlas.main].state for channel in layer.shown]
    return LayerRow(
        layer=layer,
        page=addresses.layer_page(layer.name),
        sight=words.sight(layer.receptive_field, atlas.network),
        cells=tuple(
            cell(atlas, layer, channel, Picture(address, *size, f"{layer.name} channel {channel.number}"), index)
            for index, channel in enumerate(strip)
        ),
        dead=states.count("dead"),
        absent=states.count("failed") + states.count("missing"),
    )


def rendering_view(
    atlas: Atlas, layer: Layer, channel: Channel | None, recipe: str, numbers: Numbers | None, text: str
) -> RenderingView:
    """All that a page says of one rendering, of a whole layer without ``channel``; ``text`` is its recipe in full."""
    rendering: Rendering = channel.renderings[recipe] if channel else layer.whole[recipe]
    full = layer.recipes.get(recipe)
    number = channel.number if channel else None
    name = layer.name if number is None else f"{layer.name} channel {number}"
    name += "" if recipe == atlas.main else f", recipe {recipe}"
    made: list[Picture] = []
    for repeat in range(layer.repeats(recipe) if numbers else 0):
        address = addresses.picture(atlas, layer.name, number, recipe, repeat)
        alt = f"The picture made for {name}" + (f", from another seed ({repeat})" if repeat else "")
        made.append(Picture(address, numbers.width if numbers else 0, numbers.height if numbers else 0, alt))
    return RenderingView(
        recipe=recipe,
        state=rendering.state,
        word=words.state_word(rendering, layer, full),
        explanation=words.explanation(rendering, layer, full),
        picture=made[0] if made else None,
        repeats=tuple(made[1:]),
        numbers=numbers,
        tries=f"{numbers.attempt + 1} of at most {numbers.attempts}" if numbers else "",
        plot=plot(numbers.trace) if numbers else None,
        score_meaning=words.score_meaning(full),
        recipe_text=text,
    )


def neighbour(atlas: Atlas, layer: Layer, channel: Channel, numbers: Numbers | None) -> Neighbour:
    """A channel as its neighbours link to it."""
    address = addresses.picture(atlas, layer.name, channel.number, atlas.main)
    picture = Picture(address, numbers.width, numbers.height, f"Channel {channel.number}") if numbers else None
    return Neighbour(channel.number, addresses.channel_page(layer.name, channel.number), picture)


def elsewhere(atlas: Atlas, layer: Layer, channel: int) -> Elsewhere | None:
    """The channel in OpenAI Microscope, or None where it has no page that could be the same."""
    place = microscope(atlas.network.id, layer.name, atlas.weights.kind)
    return Elsewhere(page(place, channel), place.caveat) if place else None


class _Dumper(yaml.SafeDumper):
    """YAML with maps on lines of their own and lists of plain values on one."""


def _list(dumper: yaml.SafeDumper, items: Sequence[Any]) -> yaml.Node:
    plain = not any(isinstance(item, Mapping | list) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)


_Dumper.add_representer(list, _list)


def recipe_text(recipe: Any) -> str:
    """A recipe in full, as YAML."""
    return yaml.dump(recipe, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=40).strip()
