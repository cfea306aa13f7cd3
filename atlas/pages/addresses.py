"""Every address of a site, from the atlas's folder, with ``/`` between: names that last and do no harm."""

import re
from collections.abc import Iterable, Mapping

from atlas.errors import SiteError
from atlas.pages.manifest import Atlas, Layer, Rendering

HOME = "index.html"
MANIFEST = "manifest.json"
OWN = "_"  # the folder of the site's own files
COVER = f"{OWN}/cover.webp"
PER_SHEET = 64
STRIP = 8  # thumbnails of a layer on the home page

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_TAKEN = {OWN, HOME, MANIFEST}
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # what Windows takes for a device, whatever comes after


def safe_segment(name: str, what: str) -> str:
    """``name``, when it can stand as one folder or file name everywhere.

    That is at most 100 of the ASCII letters, digits, ``.``, ``_`` and ``-``, not starting or ending with a dot, no name
    that the site itself uses, and none that Windows keeps for a device (``aux``). Raises SiteError otherwise; ``what``
    says what bears the name ("layer").
    """
    lower = name.lower()
    if not _SEGMENT.fullmatch(name) or name.endswith(".") or lower in _TAKEN or _DEVICES.fullmatch(lower):
        raise SiteError(
            f"{what} {name[:100]!r}: expected a name that can be a file: at most 100 letters, digits, '.', '_' "
            f"or '-', not '_' alone, no dot at either end, no device of Windows; rename the {what} in the network "
            "or the configuration"
        )
    return name


def check_names(atlas: Atlas) -> None:
    """Raises SiteError when a layer or a recipe cannot become a file name, or two of them differ in case only."""
    for what, names in (("layer", [layer.name for layer in atlas.layers]), ("recipe", list(atlas.recipes))):
        seen: dict[str, str] = {}
        for name in names:
            other = seen.setdefault(safe_segment(name, what).lower(), name)
            if other is not name:
                raise SiteError(
                    f"{what}s {other!r} and {name!r}: expected names that differ not only in case; rename one"
                )


def layer_page(layer: str) -> str:
    """The page of a layer."""
    return f"{layer}/index.html"


def channel_page(layer: str, channel: int) -> str:
    """The page of a channel."""
    return f"{layer}/{channel}.html"


def picture(atlas: Atlas, layer: str, channel: int | None, recipe: str, repeat: int = 0) -> str:
    """The lossless picture of a rendering: the main recipe's has no recipe in its name.

    ``channel`` is None for the picture of a whole layer; ``repeat`` counts those of the same job from 0.
    """
    name = "_" if channel is None else str(channel)
    parts = [name, *([recipe] if recipe != atlas.main else []), *([f"_{repeat}"] if repeat else [])]
    return f"{layer}/{'.'.join(parts)}.webp"


def sheet(layer: str, number: int) -> str:
    """A sheet of up to 64 thumbnails of a layer."""
    return f"{OWN}/sheets/{layer}/{number}.webp"


def strip(layer: str) -> str:
    """The few thumbnails of a layer on the home page."""
    return f"{OWN}/home/{layer}.webp"


def static(name: str) -> str:
    """One of the site's own files: style, script, icon."""
    return f"{OWN}/{name}"


def sheets_of(atlas: Atlas, layer: Layer) -> list[int]:
    """The numbers of the layer's sheets: of each 64 channels shown, where one at least has a main picture."""
    return sorted({i // PER_SHEET for i, channel in enumerate(layer.shown) if channel.renderings[atlas.main].key})


def all_addresses(atlas: Atlas, statics: Iterable[str]) -> set[str]:
    """Every file of the atlas's folder but the list of files itself."""
    addresses = {HOME, MANIFEST, *(static(name) for name in statics)}
    for layer in atlas.layers:
        addresses.add(layer_page(layer.name))
        addresses.update(sheet(layer.name, number) for number in sheets_of(atlas, layer))
        if sheets_of(atlas, layer):
            addresses |= {strip(layer.name), COVER}
        for channel in layer.shown:
            addresses.add(channel_page(layer.name, channel.number))
            addresses |= _pictures(atlas, layer, channel.number, channel.renderings)
        addresses |= _pictures(atlas, layer, None, layer.whole)
    return addresses


def _pictures(atlas: Atlas, layer: Layer, channel: int | None, renderings: Mapping[str, Rendering]) -> set[str]:
    return {
        picture(atlas, layer.name, channel, recipe, repeat)
        for recipe, rendering in renderings.items()
        if rendering.key
        for repeat in range(layer.repeats(recipe))
    }
