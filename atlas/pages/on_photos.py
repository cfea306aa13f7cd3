"""A channel's maps on the photos of its atlas, as a section of the channel's page."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from atlas.canonical import digest
from atlas.pages import addresses, images, words
from atlas.pages.ledger import Writer
from atlas.pages.numbers import rounded
from atlas.pages.tree import Atlas, Layer, Photo
from atlas.pages.views import Picture
from atlas.store.entry import Entry
from atlas.store.store import Store

VERSION = 1  # of how sheets of maps are made: raised when they are made otherwise
THREADS = 4  # Pillow lets go of Python's lock while it works


@dataclass(frozen=True)
class Maps:
    """A layer's maps on one photo, see ``probes.maps``."""

    grid: tuple[int, int]
    largest: np.ndarray
    mean: np.ndarray
    maps: np.ndarray

    @property
    def side(self) -> int:
        """The side in px of a map on a sheet."""
        return int(max(self.maps.shape[1:]))


@dataclass(frozen=True)
class MapView:
    """A channel's map on one photo: the photo's column in both sheets, its pages, and what is said of it."""

    column: int
    name: str
    label: str
    page: str
    place: str
    photo_alt: str
    map_alt: str
    value: str


@dataclass(frozen=True)
class OnPhotosView:
    """What a channel's page shows of photos: ``photos`` is the row of all of them, ``maps`` that of the channel's maps,
    in the same order."""

    photos: Picture
    maps: Picture
    shown: tuple[MapView, ...]


@dataclass(frozen=True)
class OnPhotos:
    """Numbers of a layer's channels on photos: ``largest`` and ``mean`` are ``(photos, channels) float32``."""

    atlas: Atlas
    layer: Layer
    side: int
    largest: np.ndarray
    mean: np.ndarray

    def view(self, channel: int) -> OnPhotosView:
        """What the channel's page shows."""
        layer, folder, photos = self.layer.name, self.layer.folder, self.atlas.photos
        return OnPhotosView(
            photo_row(self.atlas),
            Picture(
                addresses.channel_on_photos(folder, channel),
                *images.sheet_size(len(photos), self.side, len(photos)),
                f"{layer} channel {channel} on photos",
            ),
            tuple(
                MapView(
                    column,
                    photo.name,
                    photo.label,
                    addresses.photo_page(photo),
                    f"{addresses.photo_layer_page(photo, folder)}#{place_of(channel)}",
                    f"The photo {photo.name}",
                    f"Where {layer} channel {channel} is active on {photo.name}",
                    words.score(float(self.largest[column, channel])),
                )
                for column, photo in enumerate(photos)
            ),
        )

    def told(self, channel: int) -> dict[str, Any]:
        """The same as plain data."""
        folder = self.layer.folder
        return {
            "sheet": addresses.channel_on_photos(folder, channel),
            "tile": self.side,
            "shown": [
                {
                    "name": photo.name,
                    "label": photo.label,
                    "page": addresses.photo_layer_page(photo, folder),
                    "largest": rounded(float(self.largest[row, channel])),
                    "mean": rounded(float(self.mean[row, channel])),
                }
                for row, photo in enumerate(self.atlas.photos)
            ],
        }


def read_maps(entry: Entry, layer: str) -> Maps:
    """A layer's maps out of the entry of a photo."""
    height, width = entry.record["grids"][layer]
    arrays = (entry.artefacts[f"{layer}/{name}"] for name in ("largest", "mean", "maps"))
    return Maps((height, width), *arrays)


def place_of(channel: int) -> str:
    """The fragment of a channel on the page of a layer's maps."""
    return f"c{channel}"


def source_of(*photos: Photo) -> str:
    """What a file was made from: the maps of some photos."""
    return digest([[photo.checksum for photo in photos], VERSION])


def photo_row(atlas: Atlas) -> Picture:
    """The thumbnails of all photos, in a row."""
    count = len(atlas.photos)
    return Picture(addresses.PHOTO_ROW, *images.sheet_size(count, images.THUMBNAIL, count), "Photos")


def write_on_photos(atlas: Atlas, layer: Layer, store: Store, writer: Writer) -> OnPhotos | None:
    """Write a sheet of maps for each channel of a layer, where it is not there already; what is known of the layer on
    photos, None where nothing is."""
    if not addresses.on_photos(atlas, layer.name):
        return None
    wanted = [channel.number for channel in layer.shown]
    maps, largest, mean, side = [], [], [], 1
    for photo in atlas.photos:  # one entry at a time: each holds the maps of all layers
        found = read_maps(store.get(photo.key), layer.name)
        maps.append(found.maps[wanted])
        largest.append(found.largest)
        mean.append(found.mean)
        side = found.side
    source = source_of(*atlas.photos)
    names = {addresses.channel_on_photos(layer.folder, number): index for index, number in enumerate(wanted)}
    missing = {name: index for name, index in names.items() if not writer.has(name, source)}
    for name, sheet in _sheets(missing, maps):
        writer.put(name, sheet, source)
    return OnPhotos(atlas, layer, side, np.stack(largest), np.stack(mean))


def _sheets(missing: Mapping[str, int], maps: list[np.ndarray]) -> Iterator[tuple[str, bytes]]:
    """A sheet for each channel by its place in the maps ``(channels, h, w)`` of each photo: these in a row."""
    rows = (np.stack([one[index] for one in maps]) for index in missing.values())
    with ThreadPoolExecutor(THREADS) as pool:
        yield from zip(missing, pool.map(partial(images.map_sheet, columns=len(maps)), rows), strict=True)
