"""What the site tells machines: manifest.json, a JSON file for each layer and each channel, and the scripts' own data.

Addresses inside are from the atlas's folder. The schemas are described in docs/site.md.
"""

import json
from collections.abc import Mapping
from typing import Any

from atlas.pages import addresses, images
from atlas.pages.likeness import Compared
from atlas.pages.manifest import GENERATOR, SCHEMA
from atlas.pages.numbers import Numbers, rounded
from atlas.pages.pictures import ByRecipe
from atlas.pages.tree import LIVE, Atlas, Channel, Layer, Rendering

LETTERS = {**dict.fromkeys(LIVE, "a"), "dead": "d", "unraised": "u", "failed": "f", "missing": "m"}


def manifest(atlas: Atlas, cover: tuple[int, int] | None) -> bytes:
    """manifest.json: what the atlas is, and where its layers' data lie; ``cover`` is width and height in px."""
    shown = sum(len(layer.shown) for layer in atlas.layers)
    return to_json(
        {
            "generator": GENERATOR,
            "schema": SCHEMA,
            "name": atlas.name,
            "title": atlas.title,
            "network": vars(atlas.network),
            "weights": vars(atlas.weights),
            "recipes": atlas.recipes,
            "cover": cover and {"address": addresses.COVER, "width": cover[0], "height": cover[1]},
            "channels": shown,
            "pages": page_count(atlas),
            "lossy": atlas.site.lossy,
            "zip": addresses.ZIP if atlas.site.zip else None,
            "photos": [
                {
                    "name": photo.name,
                    "label": photo.label,
                    "page": addresses.photo_page(photo),
                    "picture": addresses.photo_picture(photo),
                }
                for photo in atlas.photos
            ],
            "photo_layers": [layer.name for layer in atlas.photo_layers] if atlas.photos else [],
            "layers": [
                {
                    "name": layer.name,
                    "page": addresses.layer_page(layer.folder),
                    "data": addresses.layer_data(layer.folder),
                    "channels": layer.channels,
                    "shown": len(layer.shown),
                }
                for layer in atlas.layers
            ],
        }
    )


def page_count(atlas: Atlas) -> int:
    """How many pages an atlas has: home, compare, glossary, about, not found, those of its layers, and those of its
    photos."""
    return 5 + sum(layer_pages(layer) for layer in atlas.layers) + photo_pages(atlas)


def layer_pages(layer: Layer) -> int:
    """How many pages a layer has: its own, those among images and beside others where there are any, its channels'."""
    return 1 + (addresses.IMAGES in layer.found) + (addresses.VERSUS in layer.found) + len(layer.shown)


def photo_pages(atlas: Atlas) -> int:
    """How many pages there are of photos: the list of them, each of them, and the layers of each."""
    return 1 + len(atlas.photos) * (1 + len(atlas.photo_layers)) if atlas.photos else 0


def channel(atlas: Atlas, layer: Layer, one: Channel, numbers: ByRecipe, found: Mapping[str, Any]) -> dict[str, Any]:
    """All that is told of a channel but its recipes; ``found`` is what studies found out of it, by name."""
    branch = layer.branch(one.number)
    return {
        "layer": layer.name,
        "channel": one.number,
        "page": addresses.channel_page(layer.folder, one.number),
        "thumbnail": addresses.thumbnail(layer.folder, one.number) if one.renderings[atlas.main].key else None,
        "branch": branch.name if branch else None,
        "note": vars(one.note) if one.note else None,
        "class_name": atlas.class_name(layer, one.number) or None,
        **found,
        "renderings": _renderings(atlas, layer, one.number, one.renderings, numbers),
    }


def channel_file(
    atlas: Atlas,
    layer: Layer,
    told: dict[str, Any],
    numbers: ByRecipe,
    configs: Mapping[str, str],
    photos: Mapping[str, Any] | None,
) -> bytes:
    """A channel's own file: what is told of it, with the network, the recipes in full, every step's score, and what it
    does on photos."""
    renderings = {
        recipe: {**value, "recipe": layer.recipes.get(recipe), "config": configs[recipe]}
        for recipe, value in told["renderings"].items()
    }
    for recipe, value in renderings.items():
        made = numbers.get((told["channel"], recipe))
        if made and made.trace:
            value["trace"] = [rounded(score) for score in made.trace]
    head = {
        "generator": GENERATOR,
        "schema": SCHEMA,
        "atlas": atlas.title,
        "network": vars(atlas.network),
        "weights": vars(atlas.weights),
    }
    return to_json({**head, **told, "renderings": renderings, "photos": photos})


def layer_file(atlas: Atlas, layer: Layer, told: list[dict[str, Any]], numbers: ByRecipe) -> bytes:
    """A layer's file: its facts and what is told of every channel."""
    facts = {
        name: getattr(layer, name) for name in ("name", "channels", "receptive_field", "stride", "kind", "activation")
    }
    facts["relu"] = layer.activation == "relu"
    return to_json(
        {
            "generator": GENERATOR,
            "schema": SCHEMA,
            "atlas": atlas.title,
            **facts,
            "page": addresses.layer_page(layer.folder),
            "branches": [vars(branch) for branch in layer.branches],
            "recipes": layer.recipes,
            "sheet": {
                "address": addresses.layer_sheet(layer.folder),
                "tile": images.TILE,
                "columns": images.COLUMNS,
            }
            if addresses.pictured(atlas, layer)
            else None,
            "whole": _renderings(atlas, layer, None, layer.whole, numbers),
            "shown": told,
        }
    )


def layer_script(atlas: Atlas, layer: Layer, numbers: ByRecipe, compared: Compared | None) -> bytes:
    """What the scripts of the pages need of a layer, as a script that hands it over: ``atlas.give(data)``.

    Lists run over the channels shown; ``states`` has a letter of LETTERS for each, by recipe, as ``scores``. ``map`` is
    the number of columns and each picture's cell, counted by rows.
    """
    rows = [compared.rows.get(one.number) if compared else None for one in layer.shown]
    data: dict[str, Any] = {
        "main": atlas.main,
        "branches": [[branch.name, branch.first, branch.last] for branch in layer.branches],
        "channels": [one.number for one in layer.shown],
        "states": {
            recipe: "".join(LETTERS[one.renderings[recipe].state] for one in layer.shown)
            for recipe in atlas.recipes
            if recipe not in layer.whole
        },
        "scores": {
            recipe: [_end(numbers.get((one.number, recipe))) for one in layer.shown]
            for recipe in atlas.recipes
            if recipe not in layer.whole
        },
        "notes": _names(atlas, layer),
    }
    if compared:
        columns = int(compared.cells[:, 0].max()) + 1
        cells, colours = compared.cells, compared.by_colour
        data["colours"] = [None if row is None else colours[row] for row in rows]
        data["map"] = [
            columns,
            [None if row is None else int(cells[row, 1]) * columns + int(cells[row, 0]) for row in rows],
        ]
        data["rows"] = rows
        data["axes"] = compared.axes_text
    return f"atlas.give({_script(data)});\n".encode()


def search_script(atlas: Atlas) -> bytes:
    """What search looks through, as a script: for each layer its channels, their states, names and notes."""
    rows = [
        {
            "layer": layer.name,
            **({"folder": layer.folder} if layer.folder != layer.name else {}),
            "channels": _runs([one.number for one in layer.shown]),
            "states": "".join(LETTERS[one.renderings[atlas.main].state] for one in layer.shown),
            "branches": [[branch.name, branch.first, branch.last] for branch in layer.branches],
            "notes": _names(atlas, layer),
        }
        for layer in atlas.layers
    ]
    return f"atlas.give({_script(rows)});\n".encode()


def to_json(value: Any) -> bytes:
    """A JSON file: equal values give equal bytes. (Not indented: that is ten times slower.)"""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n").encode()


def _renderings(
    atlas: Atlas, layer: Layer, number: int | None, renderings: Mapping[str, Rendering], numbers: ByRecipe
) -> dict[str, Any]:
    described = {}
    for recipe, rendering in renderings.items():
        value: dict[str, Any] = {"state": rendering.state, "key": rendering.key}
        if made := numbers.get((number, recipe)):
            places = [addresses.picture(atlas, layer.folder, number, recipe, n) for n in range(layer.repeats(recipe))]
            value |= {"picture": places[0], "repeats": places[1:], "size": [made.height, made.width]}
            value["score"] = {name: rounded(getattr(made, name)) for name in ("start", "grey", "end")}
            if made.frames:
                value["frames"] = {
                    "address": addresses.frames(atlas, layer.folder, number, recipe),
                    **vars(made.frames),
                }
            if made.maps:
                value["maps"] = {"address": addresses.maps(atlas, layer.folder, number, recipe), **vars(made.maps)}
            if made.opacity:
                value["opacity"] = addresses.opacity(atlas, layer.folder, number, recipe)
            if made.of_photo:
                value["photo"] = addresses.of_photo(atlas, layer.folder, number, recipe)
        if rendering.error:
            value["error"] = rendering.error
        described[recipe] = value
    return described


def _names(atlas: Atlas, layer: Layer) -> dict[int, list[str]]:
    """Names and remarks of channels, for scripts: of classes, and the user's own."""
    names = {}
    for one in layer.shown:
        called, note = atlas.class_name(layer, one.number), one.note
        if called or note:
            own = ", ".join(filter(None, [called, note.name if note else ""]))
            names[one.number] = [own, note.text if note else ""]
    return names


def _end(numbers: Numbers | None) -> float | None:
    return rounded(numbers.end) if numbers else None


def _runs(numbers: list[int]) -> list[list[int]]:
    """Rising numbers as runs ``[first, last]``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def _script(value: Any) -> str:
    """A value as JavaScript: JSON is, in files of its own."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, allow_nan=False, separators=(",", ":"))
