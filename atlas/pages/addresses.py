"""Every address of a site, from the atlas's folder, with ``/`` between: names that last and do no harm."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from atlas.errors import SiteError
from atlas.pages.tree import Atlas, Channel, Layer, Photo, Rendering

HOME = "index.html"
SHELF = f"../{HOME}"
NOT_FOUND = "404.html"
MANIFEST = "manifest.json"
SITEMAP = "sitemap.xml"
ZIP = "pictures.zip"
OWN = "_"  # the folder of the site's own files
ABOUT = f"{OWN}/about.html"
GLOSSARY = f"{OWN}/glossary.html"
COMPARE = f"{OWN}/compare.html"
SEARCH = f"{OWN}/search.js"
THEME = f"{OWN}/theme.css"
COVER = f"{OWN}/cover.webp"
DRAWING = f"{OWN}/drawing.webp"  # the thumbnails in the drawing of the network
IMAGES = "images"  # the kind of study that has to do with real images, in the record
VERSUS = "versus"  # the kind of study that holds pictures against those by others
PHOTOS = f"{OWN}/photos/index.html"
PHOTO_ROW = f"{OWN}/photos/_all.webp"  # the thumbnails of all photos
STRIP = 8  # thumbnails of a layer on the home page

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_TAKEN = {OWN, HOME, HOME.partition(".")[0], NOT_FOUND, MANIFEST, SITEMAP, ZIP}
_LONGEST = 60  # letters of a photo's folder
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # what Windows takes for a device, whatever comes after


def is_segment(name: str) -> bool:
    """Whether a name can stand as one folder or file name everywhere.

    That is at most 100 of the ASCII letters, digits, ``.``, ``_`` and ``-``, not starting or ending with a dot, no name
    that the site itself uses, and none that Windows keeps for a device (``aux``).
    """
    lower = name.lower()
    fits = _SEGMENT.fullmatch(name) and not name.endswith(".")
    return bool(fits and lower not in _TAKEN and not _DEVICES.fullmatch(lower))


def safe_segment(name: str, what: str) -> str:
    """``name``, when it can stand as one folder or file name everywhere. Raises SiteError otherwise; ``what`` says what
    bears the name ("recipe")."""
    if not is_segment(name):
        raise SiteError(
            f"{what} {name[:100]!r}: expected a name that can be a file: at most 100 letters, digits, '.', '_' "
            f"or '-', not '_' alone, no dot at either end, no device of Windows; rename the {what} in the network "
            "or the configuration"
        )
    return name


def layer_folders(names: Iterable[str]) -> dict[str, str]:
    """A name for the folder of each layer, by the layer's name: that name itself where it can be a folder.

    Another one is made of its letters and the first digits of its sha256, so it does not change with other layers. Of
    names that differ in case only, which are one folder on many machines, only one in small letters is its own folder.
    """
    names = list(dict.fromkeys(names))
    counts = Counter(name.lower() for name in names)
    plain = {name for name in names if is_segment(name) and (counts[name.lower()] == 1 or name == name.lower())}
    taken, found = {name.lower() for name in plain}, {}
    for name in names:
        found[name] = name if name in plain else _made(name, taken)
    return found


def _made(name: str, taken: set[str]) -> str:
    """A folder for a name that cannot be one, and that is none of ``taken``, which it joins."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    short = re.sub(r"[^A-Za-z0-9_]+", "-", letters).strip("-_")[:_LONGEST] or "layer"
    digits = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    length = next(length for length in range(8, len(digits)) if f"{short}-{digits[:length]}".lower() not in taken)
    taken.add(f"{short}-{digits[:length]}".lower())
    return f"{short}-{digits[:length]}"


def folders(photos: Sequence[str]) -> list[str]:
    """A name for the folder of each photo, from the photos' names: ``cats/Tabby 1.jpg`` becomes ``cats-tabby-1``.

    Where nothing is left of a name, or two become the same, the first digits of the name's sha256 follow it, so that it
    does not change when other photos come or go.
    """
    plain = []
    for name in photos:
        letters = unicodedata.normalize("NFKD", name.rpartition(".")[0] or name).encode("ascii", "ignore").decode()
        plain.append(re.sub(r"[^a-z0-9]+", "-", letters.lower()).strip("-")[:_LONGEST])
    counts = Counter(plain)
    return [
        short
        if short and counts[short] == 1 and short not in _TAKEN and not _DEVICES.fullmatch(short)
        else f"{short or 'photo'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        for name, short in zip(photos, plain, strict=True)
    ]


def check_names(atlas: Atlas) -> None:
    """Raises SiteError when a recipe cannot become a file name, or two folders or recipes differ in case only."""
    known = (
        ("layer", [layer.folder for layer in atlas.layers]),
        ("layer", [layer.folder for layer in atlas.photo_layers]),
        ("recipe", list(atlas.recipes)),
        ("photo", [photo.folder for photo in atlas.photos]),
    )
    for what, names in known:
        seen: dict[str, str] = {}
        for name in names:
            other = seen.setdefault(safe_segment(name, what).lower(), name)
            if other is not name:
                raise SiteError(
                    f"{what}s {other!r} and {name!r}: expected names that differ not only in case; rename one"
                )


def layer_page(layer: str) -> str:
    """The page of a layer; it and all others are named here by their folders, see ``layer_folders``."""
    return f"{layer}/index.html"


def layer_data(layer: str) -> str:
    """All that is told of a layer, as JSON."""
    return f"{layer}/layer.json"


def layer_script(layer: str) -> str:
    """What the pages' own scripts need of a layer."""
    return f"{OWN}/data/{layer}.js"


def layer_sheet(layer: str) -> str:
    """All thumbnails of a layer in one picture."""
    return f"{layer}/sheet.webp"


def channel_page(layer: str, channel: int) -> str:
    """The page of a channel."""
    return f"{layer}/{channel}.html"


def channel_data(layer: str, channel: int) -> str:
    """All that is told of a channel, as JSON."""
    return f"{layer}/{channel}.json"


def thumbnail(layer: str, channel: int) -> str:
    """The small picture of a channel."""
    return f"{OWN}/thumbs/{layer}/{channel}.webp"


def twice(name: str) -> str:
    """A thumbnail, or a strip of them, with twice as many pixels each way: for screens that show them."""
    return f"{OWN}/2x/{name.removeprefix(f'{OWN}/')}"


def picture(atlas: Atlas, layer: str, channel: int | None, recipe: str, repeat: int = 0) -> str:
    """The picture of a rendering: the main recipe's has no recipe in its name.

    ``channel`` is None for the picture of a whole layer; ``repeat`` counts those of the same job from 0.
    """
    return f"{_stem(atlas, layer, channel, recipe, repeat)}.webp"


def frames(atlas: Atlas, layer: str, channel: int | None, recipe: str) -> str:
    """The frames of a rendering's ascent, in one picture."""
    return f"{_stem(atlas, layer, channel, recipe)}._frames.webp"


def maps(atlas: Atlas, layer: str, channel: int | None, recipe: str) -> str:
    """Where a rendering's channel is active, before the ascent and after it, in one picture."""
    return f"{_stem(atlas, layer, channel, recipe)}._maps.webp"


def opacity(atlas: Atlas, layer: str, channel: int | None, recipe: str) -> str:
    """The picture of a rendering, each pixel as opaque as it counted in the ascent."""
    return f"{_stem(atlas, layer, channel, recipe)}._opacity.webp"


def of_photo(atlas: Atlas, layer: str, channel: int | None, recipe: str) -> str:
    """The photo that a rendering was made of."""
    return f"{_stem(atlas, layer, channel, recipe)}._photo.webp"


def exemplars(layer: str, channel: int) -> str:
    """The real images that excite a channel, in one picture."""
    return f"{layer}/{channel}._images.webp"


def near(layer: str) -> str:
    """The page that lays out a layer's pictures among real images."""
    return f"{layer}/near.html"


def versus(layer: str) -> str:
    """The page that holds a layer's pictures against those by others."""
    return f"{layer}/versus.html"


def theirs(layer: str, channel: int) -> str:
    """The picture of a channel by others."""
    return f"{layer}/{channel}._theirs.webp"


def kernels(layer: str, channel: int) -> str:
    """The weights that lead to a channel and from it, in one picture."""
    return f"{layer}/{channel}._weights.webp"


def _stem(atlas: Atlas, layer: str, channel: int | None, recipe: str, repeat: int = 0) -> str:
    name = "_" if channel is None else str(channel)
    parts = [name, *([recipe] if recipe != atlas.main else []), *([f"_{repeat}"] if repeat else [])]
    return f"{layer}/{'.'.join(parts)}"


def channel_on_photos(layer: str, channel: int) -> str:
    """The maps of a channel on all photos, in one picture."""
    return f"{layer}/{channel}._photos.webp"


def photo_page(photo: Photo) -> str:
    """The page of a photo: all layers, some maps of each."""
    return f"{OWN}/photos/{photo.folder}/{HOME}"


def photo_picture(photo: Photo) -> str:
    """The photo as the network is shown it."""
    return f"{OWN}/photos/{photo.folder}.webp"


def photo_layer_page(photo: Photo, layer: str) -> str:
    """The page of all of a layer's maps on a photo."""
    return f"{OWN}/photos/{photo.folder}/{layer}.html"


def photo_sheet(photo: Photo, layer: str) -> str:
    """All of a layer's maps on a photo, in one picture."""
    return f"{OWN}/photos/{photo.folder}/{layer}.webp"


def photo_strip(photo: Photo, layer: str) -> str:
    """Some of a layer's maps on a photo, for the photo's page."""
    return f"{OWN}/photos/{photo.folder}/_few/{layer}.webp"


def strip(layer: str) -> str:
    """The few thumbnails of a layer on the home page."""
    return f"{OWN}/home/{layer}.webp"


def static(name: str) -> str:
    """One of the site's own files: style, script, icon."""
    return f"{OWN}/{name}"


def pictured(atlas: Atlas, layer: Layer) -> list[Channel]:
    """The channels of a layer that have a main picture."""
    return [channel for channel in layer.shown if channel.renderings[atlas.main].key]


def renderings(layer: Layer) -> Iterator[tuple[int | None, str, Rendering]]:
    """Every rendering of a layer that has a picture, with its channel, None for the whole layer, and its recipe."""
    for number, made in [*((one.number, one.renderings) for one in layer.shown), (None, layer.whole)]:
        for recipe, rendering in made.items():
            if rendering.key:
                yield number, recipe, rendering


def all_addresses(atlas: Atlas, own: Iterable[str]) -> set[str]:
    """Every file that the atlas's folder may have but the list of files itself; ``own`` are names of static files."""
    addresses = {HOME, NOT_FOUND, MANIFEST, SITEMAP, ZIP, ABOUT, GLOSSARY, COMPARE, SEARCH, THEME, COVER, DRAWING}
    addresses.update(static(name) for name in own)
    for layer in atlas.layers:
        name = layer.folder
        addresses |= {layer_page(name), layer_data(name), layer_script(name), layer_sheet(name), strip(name)}
        addresses.add(twice(strip(name)))
        if IMAGES in layer.found:
            addresses |= {near(name), *(exemplars(name, channel.number) for channel in pictured(atlas, layer))}
        if VERSUS in layer.found:
            addresses |= {versus(name), *(theirs(name, channel.number) for channel in layer.shown)}
        for channel in layer.shown:
            number = channel.number
            small = thumbnail(name, number)
            addresses |= {channel_page(name, number), channel_data(name, number), small, twice(small)}
            addresses.add(kernels(name, number))
        for shown, recipe, _ in renderings(layer):
            addresses.update(picture(atlas, name, shown, recipe, n) for n in range(layer.repeats(recipe)))
            addresses |= {made(atlas, name, shown, recipe) for made in (frames, maps, opacity)}
    return addresses | set(_of_photos(atlas))


def on_photos(atlas: Atlas, layer: str) -> bool:
    """Whether the atlas has maps of a layer on photos."""
    return bool(atlas.photos) and any(one.name == layer for one in atlas.photo_layers)


def _of_photos(atlas: Atlas) -> Iterator[str]:
    """The files that there are on account of photos."""
    if not atlas.photos:
        return
    yield from (PHOTOS, PHOTO_ROW)
    for photo in atlas.photos:
        yield from (photo_page(photo), photo_picture(photo))
        for one in atlas.photo_layers:
            yield from (place(photo, one.folder) for place in (photo_layer_page, photo_sheet, photo_strip))
    for layer in atlas.layers:
        if on_photos(atlas, layer.name):
            yield from (channel_on_photos(layer.folder, channel.number) for channel in layer.shown)
