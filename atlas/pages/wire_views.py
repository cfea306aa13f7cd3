"""What the template of a channel's page is given of its weights: frozen plain data, as in ``views``."""

from dataclasses import dataclass

from atlas.pages import addresses, images, words
from atlas.pages.tree import Atlas, Channel, Layer
from atlas.pages.views import Picture
from atlas.pages.wiring import Wired, Wires

ROWS = 12  # of weights on a page: the style sheet has places for so many


@dataclass(frozen=True)
class Wire:
    """A channel that another one's weights lead to or come from: ``page`` and ``thumbnail`` are None when the atlas
    does not show it, or not with a picture. ``place`` is that of its kernel in its row of the sheet."""

    number: str
    page: str | None
    thumbnail: str | None
    share: str
    place: str


@dataclass(frozen=True)
class WireSide:
    """What excites, or what inhibits, with a title; ``pictured`` says whether there is a thumbnail among them."""

    title: str
    pictured: bool
    wires: tuple[Wire, ...]


@dataclass(frozen=True)
class WireRow:
    """The weights between a channel and one layer, before it or after, with a title; ``page`` is the layer's, or empty.

    ``caution`` says what was taken as linear, and is empty where the weights are exact. ``kernels`` says what the
    squares are.
    """

    title: str
    layer: str
    page: str
    caution: str
    kernels: str
    sides: tuple[WireSide, ...]


@dataclass(frozen=True)
class Weights:
    """All weights of a channel that its page shows, and how many more layers there are; ``sheet`` has their kernels."""

    sheet: Picture
    rows: tuple[WireRow, ...]
    more: int


def weights(atlas: Atlas, layer: Layer, channel: int, wired: Wired) -> Weights | None:
    """The weights that lead to a channel and from it, None where none are known."""
    before, after = wired.of(channel)
    rows = [_wire_row(atlas, one, channel, before=True) for one in before]
    rows += [_wire_row(atlas, one, channel, before=False) for one in after]
    if not rows:
        return None
    size = images.kernel_sheet_size([one.channels.shape[2] for one in (*before, *after)])
    sheet = Picture(addresses.kernels(layer.folder, channel), *size, "")
    return Weights(sheet, tuple(rows[:ROWS]), len(rows[ROWS:]))


def _wire_row(atlas: Atlas, wires: Wires, channel: int, *, before: bool) -> WireRow:
    titles = ("Excite it", "Inhibit it") if before else ("Excited by it", "Inhibited by it")
    shown = atlas.index[wires.layer][1] if wires.layer in atlas.index else {}
    listed = wires.channels.shape[2]
    sides = []
    for side, title in enumerate(titles):
        found = tuple(
            _wire(atlas, wires.layer, shown.get(other), other, share, place)
            for place, (other, share) in enumerate(wires.listed[channel][side], side * listed)
        )
        if found:
            sides.append(WireSide(title, any(one.thumbnail for one in found), found))
    return WireRow(
        title="From" if before else "To",
        layer=wires.layer,
        page=addresses.layer_page(atlas.folder(wires.layer)) if wires.layer in atlas.index else "",
        caution=words.caution(wires.note),
        kernels=f"Weights {'from' if before else 'to'} {wires.layer}",
        sides=tuple(sides),
    )


def _wire(atlas: Atlas, layer: str, channel: Channel | None, number: int, share: float, place: int) -> Wire:
    folder = atlas.folder(layer) if channel else ""
    made = channel is not None and channel.renderings[atlas.main].key is not None
    return Wire(
        number=str(number),
        page=addresses.channel_page(folder, number) if channel else None,
        thumbnail=addresses.thumbnail(folder, number) if made else None,
        share=words.signed_share(share),
        place=str(place),
    )
