"""Makes every file of an atlas's folder. Only imported when something has changed: it brings in Jinja2 and Pillow."""

import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

from joblib import cpu_count  # what affinity and cgroups leave to this process

from atlas.canonical import digest
from atlas.microscope import uncertain
from atlas.pages import addresses, describe, images, views, words
from atlas.pages.apart import apart
from atlas.pages.diagram import LARGE, MINI, diagram
from atlas.pages.layers import LayerBuilder
from atlas.pages.ledger import Writer
from atlas.pages.listing import Known
from atlas.pages.on_photos import photo_row
from atlas.pages.photos import PhotoBuilder, photo_cards, write_photos
from atlas.pages.pictures import representatives, write_cover, write_drawing
from atlas.pages.statics import statics
from atlas.pages.templating import Pages
from atlas.pages.theme import Theme
from atlas.pages.tree import Atlas
from atlas.pages.wiring import Feeding, read_feeding
from atlas.store.store import Store

APART = 400  # pages from which on parts are built in processes of their own
LAYER, PHOTO = "layer", "photo"  # kinds of parts
EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of every file in a zip: the first that the format has


@dataclass(frozen=True)
class Times:
    """Seconds of all workers together: on pictures (reading, copying, making them small), and on pages."""

    pictures: float
    pages: float


@dataclass(frozen=True)
class _Part:
    """A layer or a photo by its place in the atlas, and how many pages it has."""

    kind: str
    place: int
    pages: int


@dataclass(frozen=True)
class _Made:
    """What came of a part: what its ``Writer`` wrote, and the time it took."""

    part: _Part
    written: dict[str, Known]
    changed: int
    mended: list[str]
    times: Times


@dataclass(frozen=True)
class _Parts:
    """Builds layers and photos, here or in another process."""

    atlas: Atlas
    store: str
    writer: Writer
    theme: Theme
    feeding: Feeding

    def all(self) -> list[_Part]:
        """All of them, the largest first."""
        layers = [_Part(LAYER, place, describe.layer_pages(layer)) for place, layer in enumerate(self.atlas.layers)]
        pages = 1 + len(self.atlas.photo_layers)
        photos = [_Part(PHOTO, place, pages) for place in range(len(self.atlas.photos))]
        return sorted([*layers, *photos], key=lambda part: -part.pages)

    def build(self, part: _Part, tick: Callable[[], None]) -> _Made:
        """Build one; ``tick`` is called after each page."""
        began = time.perf_counter()
        writer = Writer(self.writer.past)
        pages, store = Pages(self.atlas, self.theme), Store(self.store)
        if part.kind == PHOTO:
            photo = PhotoBuilder(self.atlas, self.atlas.photos[part.place], store, writer, pages)
            photo.pictures()
            made = time.perf_counter()
            photo.build(tick)
        else:
            one = self.atlas.layers[part.place]
            drawing = diagram(self.atlas, MINI, one.name)
            layer = LayerBuilder(self.atlas, one, store, writer, pages, drawing, self.feeding)
            numbers = layer.pictures()
            made = time.perf_counter()
            layer.build(numbers, tick)
        times = Times(made - began, time.perf_counter() - made)
        return _Made(part, writer.written, writer.changed, writer.mended, times)

    def quietly(self, part: _Part) -> _Made:
        """Build one without a word."""
        return self.build(part, lambda: None)


def build(
    atlas: Atlas, store: Store, theme: Theme, writer: Writer, workers: int | None, tick: Callable[[int], None]
) -> Times:
    """Make every file; ``tick`` is told of so many more pages."""
    for name, data in statics(theme, atlas.site.accent).items():
        writer.put(addresses.static(name), data)
    times = Times(0.0, 0.0)
    parts = _Parts(atlas, store.address, writer, theme, read_feeding(atlas, store))
    for made in _built(parts, workers, tick):
        writer.take(made.written, made.changed, made.mended)
        times = Times(times.pictures + made.times.pictures, times.pages + made.times.pages)
    began = time.perf_counter()
    _rest(atlas, theme, writer)
    tick(6 if atlas.photos else 5)
    return replace(times, pages=times.pages + time.perf_counter() - began)


def _built(parts: _Parts, workers: int | None, tick: Callable[[int], None]) -> Iterator[_Made]:
    """The parts, the largest first, here or in processes of their own."""
    wanted = parts.all()
    few = len(wanted) < 2 or sum(part.pages for part in wanted) < APART
    count = 1 if few or parts.store.startswith("memory://") else min(workers or cpu_count(), len(wanted))
    if count < 2:
        for part in wanted:
            yield parts.build(part, lambda: tick(1))
        return
    for made in apart(parts.writer.output, parts.quietly, wanted, count):
        yield made
        tick(made.part.pages)


def _rest(atlas: Atlas, theme: Theme, writer: Writer) -> None:
    """The pages that are of no one layer, and what goes beside them."""
    pages = Pages(atlas, theme)
    if atlas.photos:
        write_photos(atlas, pages, writer)
    count = write_cover(atlas, writer)
    cover = images.cover_size(count) if count else None
    alt = f"{words.count(count, 'picture')} of this atlas, from early layers to late ones"
    card = {"card": views.Picture(addresses.COVER, *cover, alt)} if cover else {}
    rows = [views.layer_row(atlas, layer, representatives(atlas, layer)) for layer in atlas.layers]
    pictured = write_drawing(atlas, writer)
    size = images.sheet_size(len(pictured), images.drawn_side(len(pictured)), len(atlas.layers))
    thumbs = views.Thumbnails(
        views.Picture(addresses.DRAWING, *size, ""),
        {name: index * size[1] for index, name in enumerate(pictured)},
    )
    citation, citation_address = words.paper(atlas.network.paper)
    paper = {"citation": citation, "citation_address": citation_address}
    example = next(
        ((layer, one.number) for layer in reversed(atlas.layers) for one in layer.shown), (atlas.layers[0], 0)
    )
    home = pages.page(
        "home.html",
        addresses.HOME,
        rows=rows,
        drawing=diagram(atlas, LARGE),
        thumbs=thumbs,
        channels=sum(len(layer.shown) for layer in atlas.layers),
        photos=photo_row(atlas) if atlas.photos else None,
        cards=photo_cards(atlas),
        recipes=[words.recipe_line(name, atlas.layers[0].recipes.get(name)) for name in atlas.recipes],
        **paper,
        **card,
    )
    writer.put(addresses.HOME, home)
    about = pages.page("about.html", addresses.ABOUT, uncertain=uncertain(atlas.network.id), **paper)
    writer.put(addresses.ABOUT, about)
    writer.put(addresses.GLOSSARY, pages.page("glossary.html", addresses.GLOSSARY))
    named = {"example": f"{example[0].name}/{example[1]}", "recipe": atlas.recipes[1] if atlas.recipes[1:] else ""}
    writer.put(addresses.COMPARE, pages.page("compare.html", addresses.COMPARE, **named))
    nowhere = pages.page("404.html", addresses.NOT_FOUND, example=addresses.channel_page(example[0].folder, example[1]))
    writer.put(addresses.NOT_FOUND, nowhere)
    writer.put(addresses.SEARCH, describe.search_script(atlas))
    writer.put(addresses.MANIFEST, describe.manifest(atlas, cover))
    if atlas.site.base_url:
        writer.put(addresses.SITEMAP, _sitemap(atlas.site.base_url, sorted(writer.written)))
    if atlas.site.zip:
        names = sorted(_pictures(atlas))
        source = digest([atlas.name, *([name, *vars(writer.written[name]).values()] for name in names)])
        writer.fill(addresses.ZIP, partial(_zip, atlas.name, writer.output, names), source)


def _sitemap(base: str, names: list[str]) -> bytes:
    """The addresses of all pages, for search engines (sitemaps.org, protocol 0.9); at most 50,000 as it allows."""
    found = [name for name in names if name.endswith(".html") and name != addresses.NOT_FOUND][:50_000]
    rows = "".join(f"<url><loc>{escape(base + name)}</loc></url>\n" for name in found)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    return f"{head}{rows}</urlset>\n".encode()


def _zip(folder: str, output: Path, names: list[str], stream: BinaryIO) -> None:
    """All pictures in one file: in order, with one date, stored as they are, for they do not get smaller."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
        for name in names:
            info = zipfile.ZipInfo(f"{folder}/{name}", EPOCH)
            info.external_attr = 0o644 << 16
            file.writestr(info, (output / name).read_bytes())


def _pictures(atlas: Atlas) -> Iterator[str]:
    for layer in atlas.layers:
        for number, recipe, _ in addresses.renderings(layer):
            for repeat in range(layer.repeats(recipe)):
                yield addresses.picture(atlas, layer.folder, number, recipe, repeat)
