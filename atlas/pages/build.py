"""Makes every file of an atlas's folder. Only imported when something has changed: it brings in Jinja2 and Pillow."""

import json
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from atlas.pages import addresses, images, views, words
from atlas.pages.manifest import GENERATOR, MANIFEST_SCHEMA, Atlas, Channel, Layer, Rendering
from atlas.store.store import Store

Numbers = Mapping[tuple[int | None, str], views.Numbers]  # by channel, None for the whole layer, and recipe


class Builder:
    """Makes one atlas: ``put`` receives every file, as address from the atlas's folder and bytes."""

    def __init__(self, atlas: Atlas, store: Store, templates: Path, put: Callable[[str, bytes], None]):
        self.atlas = atlas
        self.store = store
        self.put = put
        self.environment = environment(templates)
        self._strips: dict[str, list[Channel]] = {}
        self._cover: list[Image.Image] = []

    def build(self, statics: Mapping[str, bytes], tick: Callable[[], None]) -> None:
        """Make every file; ``tick`` is called after each page."""
        for name, data in statics.items():
            self.put(addresses.static(name), data)
        described = []
        for layer in self.atlas.layers:
            numbers = self._pictures(layer)
            texts = {name: views.recipe_text(recipe) for name, recipe in layer.recipes.items()}
            self._layer(layer, numbers, texts)
            tick()
            for index in range(len(layer.shown)):
                self._channel(layer, index, numbers, texts)
                tick()
            described.append(_describe_layer(self.atlas, layer, numbers))
        self._home()
        tick()
        self.put(addresses.MANIFEST, _json(describe(self.atlas, described, self._cover_picture())))

    def _pictures(self, layer: Layer) -> Numbers:
        """Copy the layer's pictures, make its sheets, and give the numbers of every entry."""
        side = images.thumbnail_side(len(layer.shown))
        numbers: dict[tuple[int | None, str], views.Numbers] = {}
        thumbnails: dict[int | None, Image.Image] = {}
        wanted = [
            (number, recipe, rendering.key)
            for number, renderings in [*((one.number, one.renderings) for one in layer.shown), (None, layer.whole)]
            for recipe, rendering in renderings.items()
            if rendering.key
        ]
        entries = self.store.get_all(key for _, _, key in wanted)
        for (number, recipe, key), entry in zip(wanted, entries, strict=True):
            numbers[number, recipe] = views.read_numbers(entry)
            for repeat, picture in enumerate([entry.picture, *(repeat.tobytes() for repeat in entry.repeats)]):
                self.put(addresses.picture(self.atlas, layer.name, number, recipe, repeat), picture)
            if recipe == self.atlas.main:
                thumbnails[number] = images.thumbnail(entry.picture, side, self.store.where(key))
        shown = [thumbnails.get(channel.number) for channel in layer.shown]
        for number in addresses.sheets_of(self.atlas, layer):
            part = shown[number * addresses.PER_SHEET : (number + 1) * addresses.PER_SHEET]
            self.put(addresses.sheet(layer.name, number), images.sheet(part, side))
        self._choose(layer, shown)
        return numbers

    def _choose(self, layer: Layer, thumbnails: list[Image.Image | None]) -> None:
        """Take the few thumbnails that stand for the layer on the home page and on the cover."""
        made = [(channel, image) for channel, image in zip(layer.shown, thumbnails, strict=True) if image]
        live = [pair for pair in made if pair[0].renderings[self.atlas.main].state == "activated"] or made
        strip = images.spread(live, addresses.STRIP)
        if not strip:
            return
        self._strips[layer.name] = [channel for channel, _ in strip]
        small = [_resize(image, images.SMALL) for _, image in strip]
        self.put(addresses.strip(layer.name), images.sheet(small, images.SMALL))
        self._cover.extend(_resize(image, images.LARGE) for _, image in strip)

    def _cover_picture(self) -> views.Picture | None:
        if not self._cover:
            return None
        side = images.cover_side(len(self._cover))
        alt = f"{words.count(side**2, 'picture')} of this atlas, from early layers to late ones"
        return views.Picture(addresses.COVER, *images.cover_size(side**2), alt)

    def _home(self) -> None:
        if self._cover:
            chosen = images.spread(self._cover, images.cover_side(len(self._cover)) ** 2)
            self.put(addresses.COVER, images.cover(chosen))
        citation, address = words.paper(self.atlas.network.paper)
        self._page(
            "home.html",
            addresses.HOME,
            cover=self._cover_picture(),
            rows=views.rows(self.atlas, self._strips),
            citation=citation,
            citation_address=address,
            channels=sum(len(layer.shown) for layer in self.atlas.layers),
            recipes=[words.recipe_line(name, self.atlas.layers[0].recipes.get(name)) for name in self.atlas.recipes],
        )

    def _layer(self, layer: Layer, numbers: Numbers, texts: Mapping[str, str]) -> None:
        place = self.atlas.layers.index(layer)
        states = [channel.renderings[self.atlas.main].state for channel in layer.shown]
        self._page(
            "layer.html",
            addresses.layer_page(layer.name),
            layer=layer,
            groups=views.grid(self.atlas, layer),
            sight=words.sight(layer.receptive_field, self.atlas.network),
            kind=words.KIND_WORDS.get(layer.kind, layer.kind),
            few=len(layer.shown) <= images.FEW,
            whole=[
                views.rendering_view(self.atlas, layer, None, recipe, numbers.get((None, recipe)), texts[recipe])
                for recipe in layer.whole
            ],
            dead=states.count("dead"),
            failed=states.count("failed"),
            missing=states.count("missing"),
            previous=self.atlas.layers[place - 1].name if place else None,
            next=self.atlas.layers[place + 1].name if place + 1 < len(self.atlas.layers) else None,
        )

    def _channel(self, layer: Layer, index: int, numbers: Numbers, texts: Mapping[str, str]) -> None:
        channel, main = layer.shown[index], self.atlas.main

        def neighbour(at: int) -> views.Neighbour | None:
            if not 0 <= at < len(layer.shown):
                return None
            return views.neighbour(self.atlas, layer, layer.shown[at], numbers.get((layer.shown[at].number, main)))

        renderings = [
            views.rendering_view(
                self.atlas, layer, channel, recipe, numbers.get((channel.number, recipe)), texts.get(recipe, "")
            )
            for recipe in channel.renderings
        ]
        self._page(
            "channel.html",
            addresses.channel_page(layer.name, channel.number),
            layer=layer,
            number=channel.number,
            main=renderings[0],
            others=renderings[1:],
            branch=layer.branch(channel.number),
            sight=words.sight(layer.receptive_field, self.atlas.network),
            previous=neighbour(index - 1),
            next=neighbour(index + 1),
            elsewhere=views.elsewhere(self.atlas, layer, channel.number),
        )

    def _page(self, template: str, address: str, **context: Any) -> None:
        folder = posixpath.dirname(address) or "."

        def to(target: str) -> str:
            return posixpath.relpath(target, folder)

        text = self.environment.get_template(template).render(
            atlas=self.atlas, notice=words.notice(self.atlas), to=to, **context
        )
        self.put(address, text.encode())


def environment(templates: Path) -> Environment:
    """The templates of a folder: undefined names are errors, and every value is escaped."""
    made = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["generator"] = GENERATOR
    made.globals["layer_page"] = addresses.layer_page
    made.filters["count"] = words.count
    made.filters["score"] = words.score
    return made


def describe(atlas: Atlas, layers: list[dict[str, Any]], cover: views.Picture | None) -> dict[str, Any]:
    """The content of manifest.json, schema 2. Addresses are relative to the manifest.

    ``generator`` and ``schema`` say what file it is. ``name``, ``title``, ``network``, ``weights`` and ``recipes`` (the
    first is the main one) are as in the store's record. ``cover`` is ``{address, width, height}`` or null. ``channels``
    and ``pages`` count what the atlas shows. Each of ``layers`` has ``name``, ``page``, ``channels`` (the layer's
    depth), ``receptive_field`` (px, null: the whole picture), ``stride``, ``kind``, ``relu``, ``branches``,
    ``recipes`` in full, ``whole``: renderings of the whole layer by recipe, and ``shown``: per channel ``channel``,
    ``page`` and ``renderings`` by recipe. A rendering has ``state`` (``activated``, ``dead``, ``failed``, ``missing``),
    ``key`` (null without a picture), and, where there is a picture, its address ``picture``, those of its ``repeats``,
    ``size`` ``[height, width]`` and ``score`` ``{start, grey, end}``; where it failed, ``error``.
    """
    shown = sum(len(layer.shown) for layer in atlas.layers)
    return {
        "generator": GENERATOR,
        "schema": MANIFEST_SCHEMA,
        "name": atlas.name,
        "title": atlas.title,
        "network": vars(atlas.network),
        "weights": vars(atlas.weights),
        "recipes": atlas.recipes,
        "cover": cover and {"address": cover.address, "width": cover.width, "height": cover.height},
        "channels": shown,
        "pages": 1 + len(atlas.layers) + shown,
        "layers": layers,
    }


def _describe_layer(atlas: Atlas, layer: Layer, numbers: Numbers) -> dict[str, Any]:
    shown = []
    for channel in layer.shown:
        renderings = _describe(atlas, layer, channel.number, channel.renderings, numbers)
        page = addresses.channel_page(layer.name, channel.number)
        shown.append({"channel": channel.number, "page": page, "renderings": renderings})
    facts = {key: value for key, value in vars(layer).items() if key not in ("branches", "shown", "whole")}
    branches = [vars(branch) for branch in layer.branches]
    whole = _describe(atlas, layer, None, layer.whole, numbers)
    page = addresses.layer_page(layer.name)
    return {**facts, "page": page, "branches": branches, "whole": whole, "shown": shown}


def _describe(
    atlas: Atlas, layer: Layer, channel: int | None, renderings: Mapping[str, Rendering], numbers: Numbers
) -> dict[str, Any]:
    described = {}
    for recipe, rendering in renderings.items():
        value: dict[str, Any] = {"state": rendering.state, "key": rendering.key}
        if made := numbers.get((channel, recipe)):
            places = [addresses.picture(atlas, layer.name, channel, recipe, n) for n in range(layer.repeats(recipe))]
            value["picture"], value["repeats"] = places[0], places[1:]
            value["size"] = [made.height, made.width]
            value["score"] = {"start": made.start, "grey": made.grey, "end": made.end}
        if rendering.error:
            value["error"] = rendering.error
        described[recipe] = value
    return described


def _resize(image: Image.Image, side: int) -> Image.Image:
    return image if image.width == side else image.resize((side, side), Image.Resampling.LANCZOS)


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=1) + "\n").encode()
