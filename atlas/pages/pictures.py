"""The pictures of a layer on their way from the store to the site: copied, and made small, where that is to be done."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from atlas.canonical import digest
from atlas.pages import addresses, images
from atlas.pages.diagram import MOST
from atlas.pages.ledger import Writer
from atlas.pages.numbers import Numbers, read_numbers
from atlas.pages.tree import Atlas, Channel, Layer, Rendering
from atlas.pages.wiring import Wired
from atlas.store.entry import Entry
from atlas.store.store import Store

VERSION = 3  # of how pictures are made of those in the store: raised when they are made otherwise
THREADS = 4  # Pillow lets go of Python's lock while it works
AHEAD = 64  # pictures in the making

ByRecipe = dict[tuple[int | None, str], Numbers]  # by channel, None for the whole layer, and recipe


def write_pictures(atlas: Atlas, layer: Layer, store: Store, writer: Writer) -> ByRecipe:
    """Write every picture of a layer that is not there already; the numbers of each rendering."""
    wanted = list(addresses.renderings(layer))
    numbers: ByRecipe = {}
    making: deque[tuple[tuple[str, ...], str, Future[tuple[bytes, ...]]]] = deque()

    def put(most: int) -> None:
        while len(making) > most:
            names, source, future = making.popleft()
            for name, data in zip(names, future.result(), strict=True):
                writer.put(name, data, source)

    with ThreadPoolExecutor(THREADS) as pool:
        entries = store.get_all(str(rendering.key) for _, _, rendering in wanted)
        for (number, recipe, rendering), entry in zip(wanted, entries, strict=True):
            numbers[number, recipe] = read_numbers(entry)
            for name, data in _copies(atlas, layer, number, recipe, entry):
                if not writer.has(name, _source(rendering)):
                    writer.put(name, data, _source(rendering))
            for names, make in _made(atlas, layer, number, recipe, entry, store.where(entry.key)):
                if not all(writer.has(name, _source(rendering, VERSION)) for name in names):
                    making.append((names, _source(rendering, VERSION), pool.submit(make)))
            put(AHEAD)
        put(0)
    _sheets(atlas, layer, writer)
    return numbers


def write_kernels(layer: Layer, wired: Wired, writer: Writer) -> None:
    """Write the sheets of the weights of each channel that are not there already."""
    names = {
        addresses.kernels(layer.folder, channel.number): channel.number
        for channel in layer.shown
        if any(wired.of(channel.number))
    }
    missing = [name for name in names if not writer.has(name, wired.source)]
    with ThreadPoolExecutor(THREADS) as pool:
        sheets = pool.map(wired.sheet, [names[name] for name in missing])
        for name, data in zip(missing, sheets, strict=True):
            writer.put(name, data, wired.source)


def representatives(atlas: Atlas, layer: Layer) -> list[Channel]:
    """The few channels that stand for a layer on the home page: live ones where there are some."""
    made = addresses.pictured(atlas, layer)
    live = [channel for channel in made if channel.renderings[atlas.main].standing == "activated"]
    return images.spread(live or made, addresses.STRIP)


def write_cover(atlas: Atlas, writer: Writer) -> int:
    """Write the picture that stands for the whole atlas; how many pictures are in it, 0 when there are none."""
    pairs = [(layer, channel) for layer in atlas.layers for channel in representatives(atlas, layer)]
    chosen = images.spread(pairs, images.cover_side(len(pairs)) ** 2)
    source = _source_of(atlas, [channel for _, channel in chosen])
    if chosen and not writer.has(addresses.COVER, source):
        pictures = [picture for layer, channel in chosen for picture in _pictures(atlas, layer, [channel], writer)]
        writer.put(addresses.COVER, images.cover(pictures), source)
    return len(chosen)


def write_drawing(atlas: Atlas, writer: Writer) -> list[str]:
    """Write the thumbnails in the drawing of the network, in a row; the layers that have one."""
    few = atlas.layers if len(atlas.layers) <= MOST else ()
    stands = [(layer, some[len(some) // 2]) for layer in few if (some := representatives(atlas, layer))]
    if stands:
        source = _source_of(atlas, [channel for _, channel in stands])
        if not writer.has(addresses.DRAWING, source):
            made = [picture for layer, channel in stands for picture in _pictures(atlas, layer, [channel], writer)]
            writer.put(addresses.DRAWING, images.sheet(made, images.drawn_side(len(made)), len(made)), source)
    return [layer.name for layer, _ in stands]


def _copies(atlas: Atlas, layer: Layer, number: int | None, recipe: str, entry: Entry) -> Iterator[tuple[str, bytes]]:
    """The files that are just as they are in the entry."""
    if not atlas.site.lossy:
        yield from _files(atlas, layer, number, recipe, entry)
    if "frames" in entry.artefacts:
        yield addresses.frames(atlas, layer.folder, number, recipe), entry.artefacts["frames"].tobytes()
    if "photo" in entry.artefacts:
        yield addresses.of_photo(atlas, layer.folder, number, recipe), entry.artefacts["photo"].tobytes()


def _made(
    atlas: Atlas, layer: Layer, number: int | None, recipe: str, entry: Entry, where: str
) -> Iterator[tuple[tuple[str, ...], Callable[[], tuple[bytes, ...]]]]:
    """The names of the files to be made from the entry, and what makes them: together those of one decoded picture."""
    if atlas.site.lossy:
        for name, picture in _files(atlas, layer, number, recipe, entry):
            yield (name,), partial(_lossy, picture, where)
    if recipe == atlas.main and number is not None:
        small = addresses.thumbnail(layer.folder, number)
        yield (small, addresses.twice(small)), lambda: images.thumbnails(images.opened(entry.picture, where))
    if "maps" in entry.artefacts:
        yield (
            (addresses.maps(atlas, layer.folder, number, recipe),),
            lambda: (images.activation_maps(entry.artefacts["maps"]),),
        )
    if "opacity" in entry.artefacts:
        yield (
            (addresses.opacity(atlas, layer.folder, number, recipe),),
            lambda: (images.see_through(images.opened(entry.picture, where), entry.artefacts["opacity"]),),
        )


def _files(atlas: Atlas, layer: Layer, number: int | None, recipe: str, entry: Entry) -> Iterator[tuple[str, bytes]]:
    """The names and files of an entry's pictures: the first, and those from other seeds."""
    for repeat, picture in enumerate([entry.picture, *(one.tobytes() for one in entry.repeats)]):
        yield addresses.picture(atlas, layer.folder, number, recipe, repeat), picture


def _lossy(picture: bytes, where: str) -> tuple[bytes]:
    return (images.lossy(images.opened(picture, where)),)


def _sheets(atlas: Atlas, layer: Layer, writer: Writer) -> None:
    """The layer's sheet of all thumbnails, and its strip on the home page, in two resolutions."""
    if not addresses.pictured(atlas, layer):
        return
    sheet, source = addresses.layer_sheet(layer.folder), _source_of(atlas, layer.shown)
    if not writer.has(sheet, source):
        thumbnails = _thumbnails(atlas, layer, layer.shown, writer)
        writer.put(sheet, images.sheet(thumbnails, images.TILE, images.COLUMNS), source)
    few = representatives(atlas, layer)
    strip, source = addresses.strip(layer.folder), _source_of(atlas, few)
    if not (writer.has(strip, source) and writer.has(addresses.twice(strip), source)):
        pictures = _pictures(atlas, layer, few, writer)
        writer.put(strip, images.sheet(pictures, images.ROW, addresses.STRIP), source)
        writer.put(addresses.twice(strip), images.sharp_sheet(pictures, images.ROW, addresses.STRIP), source)


def _thumbnails(atlas: Atlas, layer: Layer, channels: Sequence[Channel], writer: Writer) -> list[Image.Image | None]:
    return [
        _open(writer.output, addresses.thumbnail(layer.folder, channel.number))
        if channel.renderings[atlas.main].key
        else None
        for channel in channels
    ]


def _pictures(atlas: Atlas, layer: Layer, channels: Sequence[Channel], writer: Writer) -> list[Image.Image]:
    names = [addresses.picture(atlas, layer.folder, channel.number, atlas.main) for channel in channels]
    return [_open(writer.output, name) for name in names]


def _open(output: Path, name: str) -> Image.Image:
    return images.opened((output / name).read_bytes(), str(output / name))


def _source(rendering: Rendering, version: int = 0) -> str:
    """What a file was made from: an entry, by a version of what is done with it."""
    return f"{rendering.checksum or rendering.key or ''}.{version}"


def _source_of(atlas: Atlas, channels: Sequence[Channel]) -> str:
    """What a sheet of the main pictures of some channels was made from: the site's own copies of them."""
    sources = [_source(channel.renderings[atlas.main], VERSION) for channel in channels]
    return digest([*sources, *(["lossy"] if atlas.site.lossy else [])])
