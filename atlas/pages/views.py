"""What the templates are given: frozen plain data, every address from the atlas's folder."""

from collections.abc import Sequence
from dataclasses import dataclass

from atlas.microscope import microscope, page
from atlas.pages import addresses, images, words
from atlas.pages.likeness import Near
from atlas.pages.numbers import Numbers
from atlas.pages.plot import Plot, plot
from atlas.pages.tree import Atlas, Channel, Layer


@dataclass(frozen=True)
class Picture:
    """An image to show: its address, its size in px, and what it is in words."""

    address: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Cell:
    """One channel in a grid, with its thumbnail's address, None without a picture; ``alike`` where that is told.

    ``called`` is what the class is called that the channel is, empty for others.
    """

    number: int
    page: str
    state: str
    word: str
    thumbnail: str | None
    alt: str
    called: str
    alike: str = ""


@dataclass(frozen=True)
class Group:
    """The cells of one branch of a layer; an empty name when the layer has no branches.

    ``copies`` is the layer whose channels the branch has once more, ``linked`` whether the atlas has it.
    """

    name: str
    anchor: str
    extent: str
    copies: str
    linked: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class FramesView:
    """The frames of an ascent, see ``numbers.Frames``."""

    address: str
    steps: tuple[int, ...]
    columns: int


@dataclass(frozen=True)
class RenderingView:
    """One rendering with all that is said of it; ``picture`` is None when there is none, ``photo`` when it was not made
    of one, or that is not known.

    ``repeats`` are the pictures that the same recipe made from other seeds; ``opacity`` is the picture as opaque as
    each pixel counted, None where that is not kept; ``yaml`` is the configuration that makes just this picture, or the
    recipe of the picture of a whole layer.
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
    frames: FramesView | None
    maps: Picture | None
    photo: Picture | None
    opacity: Picture | None
    score_meaning: str
    yaml: str


@dataclass(frozen=True)
class NearRow:
    """Channels of one layer that are most like a channel."""

    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Copy:
    """The channel that a channel has the values of; ``page`` is None when the atlas does not show it."""

    layer: str
    channel: int
    page: str | None


@dataclass(frozen=True)
class Elsewhere:
    """The channel in OpenAI Microscope, and how far it is the same: in a few words, and in a sentence."""

    address: str
    badge: str
    caveat: str


@dataclass(frozen=True)
class Thumbnails:
    """A row of thumbnails, one for each of some layers, and where each begins in it, px."""

    sheet: Picture
    places: dict[str, int]


@dataclass(frozen=True)
class LayerRow:
    """One layer of the atlas on the home page; ``numbers`` are the channels on its strip."""

    layer: Layer
    page: str
    sight: str
    said: str
    strip: Picture | None
    numbers: tuple[int, ...]


def cell(atlas: Atlas, layer: Layer, channel: Channel, alike: str = "") -> Cell:
    """A channel in a grid."""
    rendering = channel.renderings[atlas.main]
    called = atlas.class_name(layer, channel.number)
    names = [f"Channel {channel.number}", called, channel.note.name if channel.note else ""]
    return Cell(
        number=channel.number,
        page=addresses.channel_page(layer.folder, channel.number),
        state=rendering.standing,
        word="" if rendering.standing == "activated" else words.STATE_WORDS[rendering.state],
        thumbnail=addresses.thumbnail(layer.folder, channel.number) if rendering.key else None,
        alt=", ".join(filter(None, names)),
        called=called,
        alike=alike,
    )


def grid(atlas: Atlas, layer: Layer) -> tuple[Group, ...]:
    """The cells of a layer by branches; one group without a name when it has none."""
    cells = [cell(atlas, layer, channel) for channel in layer.shown]
    if not layer.branches:
        return (Group("", "", "", "", False, tuple(cells)),)
    groups = []
    for index, branch in enumerate(layer.branches):
        own = tuple(one for one in cells if branch.first <= one.number <= branch.last)
        extent = f"{branch.first}–{branch.last}"
        if own:
            copies = branch.copies
            groups.append(Group(branch.name, f"branch-{index}", extent, copies, copies in atlas.index, own))
    return tuple(groups)


def rendering_view(
    atlas: Atlas, layer: Layer, channel: Channel | None, recipe: str, numbers: Numbers | None, yaml: str
) -> RenderingView:
    """All that a page says of one rendering, of a whole layer without ``channel``."""
    rendering = channel.renderings[recipe] if channel else layer.whole[recipe]
    full = layer.recipes.get(recipe)
    number = channel.number if channel else None
    name = layer.name if number is None else f"{layer.name} channel {number}"
    name += "" if recipe == atlas.main else f", recipe {recipe}"
    made: list[Picture] = []
    for repeat in range(layer.repeats(recipe) if numbers else 0):
        address = addresses.picture(atlas, layer.folder, number, recipe, repeat)
        alt = f"The picture made for {name}" + (f", from another seed ({repeat})" if repeat else "")
        made.append(Picture(address, numbers.width if numbers else 0, numbers.height if numbers else 0, alt))
    frames, maps, photo, opacity = None, None, None, None
    if numbers and numbers.frames:
        frames = FramesView(addresses.frames(atlas, layer.folder, number, recipe), **vars(numbers.frames))
    if numbers and numbers.maps:
        alt = f"Where {name} is active: before the ascent at the left, on its picture at the right"
        address = addresses.maps(atlas, layer.folder, number, recipe)
        maps = Picture(address, numbers.maps.width, numbers.maps.height, alt)
    if numbers and numbers.of_photo:
        address = addresses.of_photo(atlas, layer.folder, number, recipe)
        photo = Picture(address, numbers.width, numbers.height, f"The photo that recipe {recipe} was given")
    if numbers and numbers.opacity:
        address = addresses.opacity(atlas, layer.folder, number, recipe)
        alt = f"The picture made for {name}, each pixel as opaque as it counted in the ascent"
        opacity = Picture(address, numbers.width, numbers.height, alt)
    return RenderingView(
        recipe=recipe,
        state=rendering.standing,
        word=words.state_word(rendering, layer, full),
        explanation=words.explanation(rendering, layer, full, numbers.attempt if numbers else 0),
        picture=made[0] if made else None,
        repeats=tuple(made[1:]),
        numbers=numbers,
        tries=f"{numbers.attempt + 1} of at most {numbers.attempts}" if numbers else "",
        plot=plot(numbers.trace) if numbers else None,
        frames=frames,
        maps=maps,
        photo=photo,
        opacity=opacity,
        score_meaning=words.score_meaning(full, layer.kind, layer.activation),
        yaml=yaml,
    )


def near_rows(atlas: Atlas, found: Sequence[tuple[str, Sequence[Near]]]) -> tuple[NearRow, ...]:
    """Rows of channels that are most like one, each with its title."""
    return tuple(NearRow(title, tuple(_near(atlas, one) for one in near)) for title, near in found if near)


def _near(atlas: Atlas, one: Near) -> Cell:
    layer, channels = atlas.index[one.layer]
    return cell(atlas, layer, channels[one.channel], words.likeness(one.alike))


def copy_of(atlas: Atlas, layer: Layer, channel: int) -> Copy | None:
    """The channel of another layer that a channel has the values of, or None when it has its own."""
    branch = layer.branch(channel)
    if branch is None or not branch.copies:
        return None
    number = channel - branch.first
    shown = branch.copies in atlas.index and number in atlas.index[branch.copies][1]
    return Copy(branch.copies, number, addresses.channel_page(atlas.folder(branch.copies), number) if shown else None)


def elsewhere(atlas: Atlas, layer: Layer, channel: int) -> Elsewhere | None:
    """The channel in OpenAI Microscope, or None where it has no page of that layer."""
    place = microscope(atlas.network.id, layer.name, atlas.weights.kind)
    return Elsewhere(page(place, channel), place.badge, place.caveat) if place else None


def layer_row(atlas: Atlas, layer: Layer, strip: Sequence[Channel]) -> LayerRow:
    """A layer on the home page."""
    states = [channel.renderings[atlas.main].standing for channel in layer.shown]
    absent = states.count("failed") + states.count("missing")
    said = [
        f"{len(layer.shown):,} in this atlas" if len(layer.shown) < layer.channels else "",
        f"{states.count('dead')} {words.dead(layer)}" if "dead" in states else "",
        f"{absent} without picture" if absent else "",
    ]
    size = images.sheet_size(len(strip), images.ROW, addresses.STRIP)
    return LayerRow(
        layer=layer,
        page=addresses.layer_page(layer.folder),
        sight=words.sight(layer.receptive_field, atlas.network),
        said=", ".join(filter(None, said)),
        strip=Picture(addresses.strip(layer.folder), *size, f"Pictures of {layer.name}") if strip else None,
        numbers=tuple(channel.number for channel in strip),
    )
