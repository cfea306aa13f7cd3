"""What an atlas is, as the pages see it: a frozen typed tree, read from the record that the engine left."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from atlas.errors import SiteError

SCHEMA = 2  # of the record in the store
MANIFEST_SCHEMA = 2  # of manifest.json
GENERATOR = "atlas-microscope"  # how a manifest.json and a shelf of ours say that they are ours
STATES = ("activated", "dead", "failed", "missing")

T = TypeVar("T")


@dataclass(frozen=True)
class Network:
    """The network: ``size`` is the side in pixels of its training pictures; ``note`` a sentence to show, or empty."""

    id: str
    title: str
    size: int
    paper: str
    note: str


@dataclass(frozen=True)
class Weights:
    """Where the weights come from: ``kind`` is ``imagenet``, ``embedded``, ``random``, ``own`` or ``file``."""

    kind: str
    digest: str
    description: str
    licence: str
    seed: int


@dataclass(frozen=True)
class OutlineLayer:
    """One layer of the whole network, in the atlas or not. ``receptive_field`` in px, None: sees the whole picture."""

    name: str
    channels: int
    receptive_field: int | None
    stride: int
    kind: str
    in_atlas: bool


@dataclass(frozen=True)
class Branch:
    """A run of channels that one branch of a concatenated layer makes: ``first`` and ``last`` are both inside."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Rendering:
    """What came of one recipe for one channel. ``key`` names the store's entry: activated and dead ones have one."""

    key: str | None
    state: str
    error: str = ""


@dataclass(frozen=True)
class Channel:
    """One channel that the atlas shows: its number within the layer, and its renderings by recipe."""

    number: int
    renderings: Mapping[str, Rendering]


@dataclass(frozen=True)
class Layer:
    """One layer that the atlas shows.

    ``recipes`` are in full, by name; ``whole`` has what came of those that make one picture of the whole layer, and
    ``shown`` the channels by number.
    """

    name: str
    channels: int
    receptive_field: int | None
    stride: int
    kind: str
    relu: bool
    branches: tuple[Branch, ...]
    recipes: Mapping[str, Any]
    whole: Mapping[str, Rendering]
    shown: tuple[Channel, ...]

    def repeats(self, recipe: str) -> int:
        """How many pictures of one job the recipe makes."""
        return int(self.recipes.get(recipe, {}).get("repeats", 1))

    def branch(self, channel: int) -> Branch | None:
        """The branch that makes the channel, or None in a layer without branches."""
        return next((branch for branch in self.branches if branch.first <= channel <= branch.last), None)


@dataclass(frozen=True)
class Atlas:
    """All of an atlas but the pictures. The first recipe is the main one; layers go from input to output."""

    name: str
    title: str
    network: Network
    weights: Weights
    recipes: tuple[str, ...]
    outline: tuple[OutlineLayer, ...]
    layers: tuple[Layer, ...]

    @property
    def main(self) -> str:
        """The name of the recipe whose pictures stand on the grids."""
        return self.recipes[0]


def read_atlas(record: Mapping[str, Any]) -> Atlas:
    """The typed tree of an atlas record. Raises SiteError that names the place and what was expected there."""
    where = "atlas record"
    if _get(record, "schema", int, where) != SCHEMA:
        raise SiteError(f"{where}: expected schema {SCHEMA}, received {record['schema']}; build again")
    network, weights = _get(record, "network", dict, where), _get(record, "weights", dict, where)
    recipes = tuple(str(name) for name in _get(record, "recipes", list, where))
    if not recipes:
        raise SiteError(f"{where}: recipes: expected at least one name, received none; build again")
    return Atlas(
        name=_get(record, "name", str, where),
        title=_get(record, "title", str, where),
        network=Network(
            id=_get(network, "id", str, f"{where}: network"),
            title=_get(network, "title", str, f"{where}: network"),
            size=_get(network, "size", int, f"{where}: network"),
            paper=str(network.get("paper", "")),
            note=str(network.get("note", "")),
        ),
        weights=Weights(
            kind=_get(weights, "kind", str, f"{where}: weights"),
            digest=_get(weights, "digest", str, f"{where}: weights"),
            description=_get(weights, "description", str, f"{where}: weights"),
            licence=str(weights.get("licence", "")),
            seed=int(weights.get("seed", 0)),
        ),
        recipes=recipes,
        outline=tuple(_outline_layer(layer, place) for layer, place in _items(record, "outline", where)),
        layers=tuple(_layer(layer, recipes, place) for layer, place in _items(record, "layers", where)),
    )


def _outline_layer(value: Mapping[str, Any], where: str) -> OutlineLayer:
    return OutlineLayer(
        name=_get(value, "name", str, where),
        channels=_get(value, "channels", int, where),
        receptive_field=_optional(value, "receptive_field", int, where),
        stride=_get(value, "stride", int, where),
        kind=_get(value, "kind", str, where),
        in_atlas=_get(value, "in_atlas", bool, where),
    )


def _layer(value: Mapping[str, Any], recipes: tuple[str, ...], where: str) -> Layer:
    whole = _get(value, "whole", dict, where)
    own = tuple(name for name in recipes if name not in whole)
    shown = [_channel(channel, own, place) for channel, place in _items(value, "channels_shown", where)]
    if len({channel.number for channel in shown}) < len(shown):
        raise SiteError(f"{where}: channels_shown: expected each channel once, received one twice; build again")
    return Layer(
        name=_get(value, "name", str, where),
        channels=_get(value, "channels", int, where),
        receptive_field=_optional(value, "receptive_field", int, where),
        stride=_get(value, "stride", int, where),
        kind=_get(value, "kind", str, where),
        relu=_get(value, "relu", bool, where),
        branches=tuple(
            Branch(_get(b, "name", str, place), _get(b, "first", int, place), _get(b, "last", int, place))
            for b, place in _items(value, "branches", where)
        ),
        recipes=_get(value, "recipes", dict, where),
        whole={name: _rendering(rendering, f"{where}: whole: {name}") for name, rendering in sorted(whole.items())},
        shown=tuple(sorted(shown, key=lambda channel: channel.number)),
    )


def _channel(value: Mapping[str, Any], recipes: tuple[str, ...], where: str) -> Channel:
    number = _get(value, "channel", int, where)
    given = _get(value, "renderings", dict, where)
    if number < 0 or not set(given) <= set(recipes):
        wanted = f"a channel from 0 on and recipes of {', '.join(recipes)}"
        raise SiteError(f"{where}: expected {wanted}, received {number} and {', '.join(given)}; build again")
    missing = {"key": None, "state": "missing"}
    renderings = {name: _rendering(given.get(name, missing), f"{where}: renderings: {name}") for name in recipes}
    return Channel(number, renderings)


def _rendering(value: Mapping[str, Any], where: str) -> Rendering:
    key, state = _optional(value, "key", str, where), _get(value, "state", str, where)
    if state not in STATES or (state in ("activated", "dead")) != (key is not None):
        wanted = f"a state of {', '.join(STATES)}, the first two with a key and the others without"
        raise SiteError(f"{where}: expected {wanted}, received {state!r} and {key!r}; build again")
    return Rendering(key, state, str(value.get("error", "")))


def _get(value: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    if not isinstance(value, dict):
        raise SiteError(f"{where}: expected a mapping, received {value!r:.60}; build again")
    found = value.get(key)
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise SiteError(f"{where}: {key}: expected {kind.__name__}, received {found!r:.60}; build again")
    return found


def _optional(value: Mapping[str, Any], key: str, kind: type[T], where: str) -> T | None:
    return None if isinstance(value, dict) and value.get(key) is None else _get(value, key, kind, where)


def _items(value: Mapping[str, Any], key: str, where: str) -> Iterable[tuple[dict[str, Any], str]]:
    for index, item in enumerate(_get(value, key, list, where)):
        yield item, f"{where}: {key}[{index}]"


@dataclass(frozen=True)
class Summary:
    """What a shelf says of an atlas, from its manifest.json. ``cover`` is width and height in px, None without one."""

    folder: str
    title: str
    network: str
    weights: str
    channels: int
    layers: int
    cover: tuple[int, int] | None


def read_summary(folder: Path) -> Summary | None:
    """What the manifest.json in ``folder`` says, or None when there is none that is ours."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        where = "manifest"
        if (
            _get(manifest, "generator", str, where) != GENERATOR
            or _get(manifest, "schema", int, where) != MANIFEST_SCHEMA
        ):
            return None
        cover = _optional(manifest, "cover", dict, where)
        return Summary(
            folder=folder.name,
            title=_get(manifest, "title", str, where),
            network=_get(_get(manifest, "network", dict, where), "title", str, where),
            weights=_get(_get(manifest, "weights", dict, where), "kind", str, where),
            channels=_get(manifest, "channels", int, where),
            layers=len(_get(manifest, "layers", list, where)),
            cover=(_get(cover, "width", int, where), _get(cover, "height", int, where)) if cover else None,
        )
    except (OSError, ValueError, RecursionError, SiteError):
        return None
