"""Reading the record that the engine left in the store: from plain data to the tree of ``pages.tree``."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from atlas.errors import SiteError
from atlas.pages.addresses import folders, layer_folders
from atlas.pages.tree import (
    PICTURED,
    STATES,
    Atlas,
    Branch,
    Channel,
    Comparing,
    Layer,
    Network,
    Note,
    OutlineLayer,
    Photo,
    Rendering,
    Site,
    Weights,
)

SCHEMA = 4  # of the record

T = TypeVar("T")


def read_atlas(record: Mapping[str, Any]) -> Atlas:
    """The typed tree of an atlas record. Raises SiteError that names the place and what was expected there."""
    where = "atlas record"
    if get(record, "schema", int, where) != SCHEMA:
        raise SiteError(f"{where}: expected schema {SCHEMA}, received {record['schema']}; build again")
    recipes = tuple(str(name) for name in get(record, "recipes", list, where))
    if not recipes:
        raise SiteError(f"{where}: recipes: expected at least one name, received none; build again")
    named = layer_folders(
        get(layer, "name", str, place) for part in ("outline", "layers") for layer, place in _items(record, part, where)
    )
    outline = tuple(_outline_layer(layer, named, place) for layer, place in _items(record, "outline", where))
    return Atlas(
        name=get(record, "name", str, where),
        title=get(record, "title", str, where),
        network=_network(get(record, "network", dict, where), f"{where}: network"),
        weights=_weights(get(record, "weights", dict, where), f"{where}: weights"),
        site=_site(get(record, "site", dict, where), f"{where}: site"),
        recipes=recipes,
        outline=outline,
        layers=tuple(_layer(layer, recipes, named, place) for layer, place in _items(record, "layers", where)),
        class_names=_class_names(record, outline, where),
        comparing=_comparing(record, where),
        **_photos(record, outline, where),
    )


def _class_names(record: Mapping[str, Any], outline: Iterable[OutlineLayer], where: str) -> tuple[str, ...] | None:
    names = optional(record, "class_names", list, where)
    if names is None:
        return None
    wanted = sum(layer.channels for layer in outline if layer.kind == "classes")
    if len(names) != wanted:
        said = f"expected a name for each of {wanted} classes, received {len(names)}"
        raise SiteError(f"{where}: class_names: {said}; build again")
    return tuple(map(str, names))


def _photos(record: Mapping[str, Any], outline: tuple[OutlineLayer, ...], where: str) -> dict[str, Any]:
    """The photos whose maps are shown, and the layers of these; nothing where there are none."""
    given = optional(record, "photos", dict, where)
    if given is None:
        return {}
    where = f"{where}: photos"
    known = {layer.name: layer for layer in outline}
    names = get(given, "layers", list, where)
    if unknown := [name for name in names if name not in known]:
        raise SiteError(f"{where}: layers: expected layers of the outline, received {unknown[0]!r:.60}; build again")
    shown, size = list(_items(given, "shown", where)), get(given, "size", int, where)
    titles = [get(photo, "name", str, place) for photo, place in shown]
    photos = tuple(
        Photo(
            name=title,
            label=get(photo, "label", str, place),
            folder=folder,
            size=size,
            key=get(photo, "key", str, place),
            checksum=get(photo, "checksum", str, place),
        )
        for (photo, place), title, folder in zip(shown, titles, folders(titles), strict=True)
    )
    return {"photos": photos, "photo_layers": tuple(known[name] for name in names)}


def _comparing(record: Mapping[str, Any], where: str) -> Comparing | None:
    given = optional(record, "compare", dict, where)
    where = f"{where}: compare"
    return Comparing(get(given, "by", str, where), get(given, "publish", bool, where)) if given is not None else None


def _network(value: Mapping[str, Any], where: str) -> Network:
    return Network(
        id=get(value, "id", str, where),
        title=get(value, "title", str, where),
        size=get(value, "size", int, where),
        paper=str(value.get("paper", "")),
        note=str(value.get("note", "")),
        asked=get(value, "asked", dict, where),
    )


def _weights(value: Mapping[str, Any], where: str) -> Weights:
    return Weights(
        kind=get(value, "kind", str, where),
        digest=get(value, "digest", str, where),
        description=get(value, "description", str, where),
        licence=str(value.get("licence", "")),
        seed=int(value.get("seed", 0)),
    )


def _site(value: Mapping[str, Any], where: str) -> Site:
    base = optional(value, "base_url", str, where)
    return Site(
        base_url=f"{base.rstrip('/')}/" if base else None,
        accent=optional(value, "accent", str, where),
        footer=optional(value, "footer", str, where),
        lossy=value.get("pictures") == "lossy",
        zip=get(value, "zip", bool, where),
    )


def _outline_layer(value: Mapping[str, Any], named: Mapping[str, str], where: str) -> OutlineLayer:
    return OutlineLayer(
        name=get(value, "name", str, where),
        channels=get(value, "channels", int, where),
        receptive_field=optional(value, "receptive_field", int, where),
        stride=get(value, "stride", int, where),
        kind=get(value, "kind", str, where),
        branches=_branches(value, where),
        in_atlas=get(value, "in_atlas", bool, where),
        folder=named[value["name"]],
    )


def _branches(value: Mapping[str, Any], where: str) -> tuple[Branch, ...]:
    return tuple(
        Branch(
            name=get(branch, "name", str, place),
            first=get(branch, "first", int, place),
            last=get(branch, "last", int, place),
            copies=str(branch.get("copies", "")),
        )
        for branch, place in _items(value, "branches", where)
    )


def _layer(value: Mapping[str, Any], recipes: tuple[str, ...], named: Mapping[str, str], where: str) -> Layer:
    whole = get(value, "whole", dict, where)
    own = tuple(name for name in recipes if name not in whole)
    notes = get(value, "notes", dict, where)
    shown = [_channel(channel, own, notes, place) for channel, place in _items(value, "channels_shown", where)]
    if len({channel.number for channel in shown}) < len(shown):
        raise SiteError(f"{where}: channels_shown: expected each channel once, received one twice; build again")
    found = get(value, "found", dict, where)
    return Layer(
        name=get(value, "name", str, where),
        channels=get(value, "channels", int, where),
        receptive_field=optional(value, "receptive_field", int, where),
        stride=get(value, "stride", int, where),
        kind=get(value, "kind", str, where),
        activation=optional(value, "activation", str, where) or ("relu" if get(value, "relu", bool, where) else ""),
        branches=_branches(value, where),
        recipes=get(value, "recipes", dict, where),
        whole={name: _rendering(rendering, f"{where}: whole: {name}") for name, rendering in sorted(whole.items())},
        shown=tuple(sorted(shown, key=lambda channel: channel.number)),
        found={kind: get(one, "key", str, f"{where}: found: {kind}") for kind, one in found.items()},
        folder=named[value["name"]],
    )


def _channel(value: Mapping[str, Any], recipes: tuple[str, ...], notes: Mapping[str, Any], where: str) -> Channel:
    number = get(value, "channel", int, where)
    given = get(value, "renderings", dict, where)
    if number < 0 or not set(given) <= set(recipes):
        wanted = f"a channel from 0 on and recipes of {', '.join(recipes)}"
        raise SiteError(f"{where}: expected {wanted}, received {number} and {', '.join(given)}; build again")
    missing = {"key": None, "state": "missing"}
    renderings = {name: _rendering(given.get(name, missing), f"{where}: renderings: {name}") for name in recipes}
    note = optional(notes, str(number), dict, f"{where}: notes")
    return Channel(number, renderings, Note(str(note.get("name", "")), str(note.get("text", ""))) if note else None)


def _rendering(value: Mapping[str, Any], where: str) -> Rendering:
    key, state = optional(value, "key", str, where), get(value, "state", str, where)
    if state not in STATES or (state in PICTURED) != (key is not None):
        wanted = f"a state of {', '.join(STATES)}, the first {len(PICTURED)} with a key and the others without"
        raise SiteError(f"{where}: expected {wanted}, received {state!r} and {key!r}; build again")
    return Rendering(key, state, str(value.get("checksum", "")), str(value.get("error", "")))


def get(value: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    """What stands under a key, when it is of a kind. Raises SiteError otherwise."""
    if not isinstance(value, dict):
        raise SiteError(f"{where}: expected a mapping, received {value!r:.60}; build again")
    found = value.get(key)
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise SiteError(f"{where}: {key}: expected {kind.__name__}, received {found!r:.60}; build again")
    return found


def optional(value: Mapping[str, Any], key: str, kind: type[T], where: str) -> T | None:
    """The same, or None where there is nothing."""
    return None if isinstance(value, dict) and value.get(key) is None else get(value, key, kind, where)


def _items(value: Mapping[str, Any], key: str, where: str) -> Iterable[tuple[dict[str, Any], str]]:
    for index, item in enumerate(get(value, key, list, where)):
        yield item, f"{where}: {key}[{index}]"
