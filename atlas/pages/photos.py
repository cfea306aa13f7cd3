"""The pages of photos: what each layer's channels make of each, as small maps."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from atlas.pages import addresses, images, views, words
from atlas.pages.ledger import Writer
from atlas.pages.on_photos import Maps, photo_row, place_of, read_maps, source_of
from atlas.pages.templating import Pages
from atlas.pages.tree import Atlas, OutlineLayer, Photo
from atlas.store.store import Store

COLUMNS = 32  # of a sheet of maps


@dataclass(frozen=True)
class PhotoCard:
    """A photo in a list of them: its page, or that of a layer on it, its column in the row of all, and itself."""

    name: str
    label: str
    page: str
    column: int
    picture: views.Picture


@dataclass(frozen=True)
class MapCell:
    """One channel's map: its place on the page, where it lies on the sheet, px, and what is said of it; ``page`` is the
    channel's, None where the atlas does not show it."""

    number: int
    place: str
    page: str | None
    left: int
    top: int
    value: str
    alt: str


@dataclass(frozen=True)
class MapGroup:
    """The maps of one branch of a layer; an empty name when the layer has no branches."""

    name: str
    anchor: str
    extent: str
    cells: tuple[MapCell, ...]


@dataclass(frozen=True)
class PhotoLayer:
    """A layer on the page of a photo: ``strip`` has the maps of some channels, ``cells`` their numbers and their places
    on the layer's own page."""

    layer: OutlineLayer
    page: str
    grid: str
    strip: views.Picture
    cells: tuple[tuple[int, str], ...]


class PhotoBuilder:
    """Writes the pages of one photo, and the sheets of maps that they show."""

    def __init__(self, atlas: Atlas, photo: Photo, store: Store, writer: Writer, pages: Pages):
        self.atlas, self.photo, self.writer, self.pages = atlas, photo, writer, pages
        self.entry = store.get(photo.key)
        self.maps = {layer.name: read_maps(self.entry, layer.name) for layer in atlas.photo_layers}
        self.source = source_of(photo)
        self.picture = picture_of(photo)

    def pictures(self) -> None:
        """Write the photo and the sheets of its maps, where they are not there already."""
        self.writer.put(addresses.photo_picture(self.photo), self.entry.picture, self.photo.checksum)
        for layer in self.atlas.photo_layers:
            maps = self.maps[layer.name]
            kinds = (
                (addresses.photo_sheet(self.photo, layer.folder), maps.maps, COLUMNS),
                (addresses.photo_strip(self.photo, layer.folder), maps.maps[_few(maps)], addresses.STRIP),
            )
            for name, shown, columns in kinds:
                if not self.writer.has(name, self.source):
                    self.writer.put(name, images.map_sheet(shown, columns), self.source)

    def build(self, tick: Callable[[], None]) -> None:
        """Write the pages; ``tick`` is called after each."""
        for place in range(len(self.atlas.photo_layers)):
            self._layer(place)
            tick()
        cards = photo_cards(self.atlas)
        place = self.atlas.photos.index(self.photo)
        address = addresses.photo_page(self.photo)
        page = self.pages.page(
            "photo.html",
            address,
            photo=self.photo,
            picture=self.picture,
            rows=[self._row(layer) for layer in self.atlas.photo_layers],
            photos=photo_row(self.atlas),
            previous=cards[place - 1] if place else None,
            next=cards[place + 1] if place + 1 < len(cards) else None,
            card=self.picture,
        )
        self.writer.put(address, page)
        tick()

    def _row(self, layer: OutlineLayer) -> PhotoLayer:
        """A layer on the photo's page, with some of its maps."""
        maps = self.maps[layer.name]
        few = _few(maps)
        size = images.sheet_size(len(few), maps.side, addresses.STRIP)
        name = addresses.photo_strip(self.photo, layer.folder)
        return PhotoLayer(
            layer=layer,
            page=addresses.photo_layer_page(self.photo, layer.folder),
            grid=_grid(maps),
            strip=views.Picture(name, *size, f"Maps of {layer.name} on {self.photo.name}"),
            cells=tuple((number, place_of(number)) for number in few),
        )

    def _layer(self, place: int) -> None:
        """The page of all of a layer's maps."""
        layers, photo = self.atlas.photo_layers, self.photo
        layer = layers[place]
        maps = self.maps[layer.name]
        address = addresses.photo_layer_page(photo, layer.folder)
        page = self.pages.page(
            "photo_layer.html",
            address,
            photo=photo,
            picture=self.picture,
            layer=layer,
            kind=words.KIND_WORDS.get(layer.kind, layer.kind),
            grid=_grid(maps),
            patch=-(-max(maps.grid) // maps.side),
            side=maps.side,
            sheet=views.Picture(
                addresses.photo_sheet(photo, layer.folder), *images.sheet_size(layer.channels, maps.side, COLUMNS), ""
            ),
            groups=self._groups(layer, maps),
            active=int((maps.largest > 0).sum()),
            shown=layer.name in self.atlas.index,
            photos=photo_row(self.atlas),
            cards=photo_cards(self.atlas, layer.name),
            previous=self._neighbour(place - 1) if place else None,
            next=self._neighbour(place + 1) if place + 1 < len(layers) else None,
            card=self.picture,
        )
        self.writer.put(address, page)

    def _neighbour(self, place: int) -> tuple[str, str]:
        """The name of a layer, and the page of its maps."""
        layer = self.atlas.photo_layers[place]
        return layer.name, addresses.photo_layer_page(self.photo, layer.folder)

    def _groups(self, layer: OutlineLayer, maps: Maps) -> tuple[MapGroup, ...]:
        """The maps of a layer by branches; one group without a name when it has none."""
        cells = [self._cell(layer, number, maps) for number in range(layer.channels)]
        if not layer.branches:
            return (MapGroup("", "", "", tuple(cells)),)
        return tuple(
            MapGroup(
                branch.name,
                f"branch-{index}",
                f"{branch.first}–{branch.last}",
                tuple(cells[branch.first : branch.last + 1]),
            )
            for index, branch in enumerate(layer.branches)
        )

    def _cell(self, layer: OutlineLayer, number: int, maps: Maps) -> MapCell:
        _, channels = self.atlas.index.get(layer.name, (None, {}))
        return MapCell(
            number=number,
            place=place_of(number),
            page=addresses.channel_page(layer.folder, number) if number in channels else None,
            left=number % COLUMNS * maps.side,
            top=number // COLUMNS * maps.side,
            value=words.score(float(maps.largest[number])),
            alt=f"Map of channel {number}",
        )


def _few(maps: Maps) -> list[int]:
    """Some channels that stand for a layer: of those that are active on the photo, where any is."""
    live = np.flatnonzero(maps.largest > 0).tolist()
    return images.spread(live or list(range(len(maps.largest))), addresses.STRIP)


def _grid(maps: Maps) -> str:
    return f"{maps.grid[0]} × {maps.grid[1]}"


def picture_of(photo: Photo) -> views.Picture:
    """A photo as the network is shown it."""
    return views.Picture(addresses.photo_picture(photo), photo.size, photo.size, f"The photo {photo.name}")


def photo_cards(atlas: Atlas, layer: str | None = None) -> list[PhotoCard]:
    """All photos, in their order, each with the page of a layer's maps on it, or its own without a layer."""
    pages = [
        addresses.photo_page(photo) if layer is None else addresses.photo_layer_page(photo, atlas.folder(layer))
        for photo in atlas.photos
    ]
    return [
        PhotoCard(photo.name, photo.label, page, column, picture_of(photo))
        for column, (photo, page) in enumerate(zip(atlas.photos, pages, strict=True))
    ]


def write_photos(atlas: Atlas, pages: Pages, writer: Writer) -> None:
    """Write the row of all photos and the page that lists them, once each has its picture."""
    source = source_of(*atlas.photos)
    if not writer.has(addresses.PHOTO_ROW, source):
        places = [writer.output / addresses.photo_picture(photo) for photo in atlas.photos]
        thumbnails = [images.opened(place.read_bytes(), str(place)) for place in places]
        writer.put(addresses.PHOTO_ROW, images.sheet(thumbnails, images.THUMBNAIL, len(thumbnails)), source)
    writer.put(addresses.PHOTOS, pages.page("photos.html", addresses.PHOTOS, cards=photo_cards(atlas)))
