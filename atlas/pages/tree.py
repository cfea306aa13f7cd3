"""What an atlas is, as the pages see it: a frozen typed tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

LIVE = ("activated", "raised", "made")
PICTURED = (*LIVE, "dead", "unraised")
STATES = (*PICTURED, "failed", "missing")


@dataclass(frozen=True)
class Network:
    """The network: ``size`` is the side in pixels of its training pictures; ``note`` a sentence to show, or empty.

    ``asked`` holds the keys of a configuration that ask for it.
    """

    id: str
    title: str
    size: int
    paper: str
    note: str
    asked: Mapping[str, Any]


@dataclass(frozen=True)
class Weights:
    """Where the weights come from: ``kind`` is ``imagenet``, ``embedded``, ``random``, ``own`` or ``file``."""

    kind: str
    digest: str
    description: str
    licence: str
    seed: int


@dataclass(frozen=True)
class Site:
    """How the pages look and where they will lie; None for what was not said.

    ``accent`` is like ``#a5401f``; ``lossy`` says that pictures are not as they are in the store, but smaller files.
    """

    base_url: str | None
    accent: str | None
    footer: str | None
    lossy: bool
    zip: bool


@dataclass(frozen=True)
class Branch:
    """A run of channels that one branch of a concatenated layer makes: ``first`` and ``last`` are both inside.

    ``copies`` names the layer whose channels these are, in order, max-pooled or as they are; else it is empty.
    """

    name: str
    first: int
    last: int
    copies: str


@dataclass(frozen=True)
class OutlineLayer:
    """One layer of the whole network, in the atlas or not. ``receptive_field`` in px, None: sees the whole picture;
    ``folder`` is where its pages lie, or would."""

    name: str
    channels: int
    receptive_field: int | None
    stride: int
    kind: str
    branches: tuple[Branch, ...]
    in_atlas: bool
    folder: str


@dataclass(frozen=True)
class Rendering:
    """What came of one recipe for one channel. ``key`` names the store's entry, of states in PICTURED.

    ``checksum`` is the entry's, so that one that was made again is known from the one before.
    """

    key: str | None
    state: str
    checksum: str = ""
    error: str = ""

    @property
    def standing(self) -> str:
        """The state as pages sort, count and style by it: ``activated`` for all in LIVE, and ``dead`` or as it is."""
        return "activated" if self.state in LIVE else "dead" if self.state == "unraised" else self.state


@dataclass(frozen=True)
class Note:
    """A user's own name and remark for a channel; either may be empty."""

    name: str
    text: str


@dataclass(frozen=True)
class Channel:
    """One channel that the atlas shows: its number within the layer, and its renderings by recipe."""

    number: int
    renderings: Mapping[str, Rendering]
    note: Note | None = None


@dataclass(frozen=True)
class Layer:
    """One layer that the atlas shows.

    ``recipes`` are in full, by name; ``whole`` has what came of those that make one picture of the whole layer,
    ``shown`` the channels by number. ``found`` are the keys of what studies found out, by kind. ``folder`` is where its
    pages lie.
    """

    name: str
    channels: int
    receptive_field: int | None
    stride: int
    kind: str
    activation: str
    branches: tuple[Branch, ...]
    recipes: Mapping[str, Any]
    whole: Mapping[str, Rendering]
    shown: tuple[Channel, ...]
    found: Mapping[str, str]
    folder: str

    def repeats(self, recipe: str) -> int:
        """How many pictures of one job the recipe makes."""
        return int(self.recipes.get(recipe, {}).get("repeats", 1))

    def branch(self, channel: int) -> Branch | None:
        """The branch that makes the channel, or None in a layer without branches."""
        return next((branch for branch in self.branches if branch.first <= channel <= branch.last), None)


@dataclass(frozen=True)
class Photo:
    """A real image whose feature maps are shown: its name among the images, its label, empty where it has none, the
    name of its folder in the site, the side in px that the network is shown it at, and the store's entry."""

    name: str
    label: str
    folder: str
    size: int
    key: str
    checksum: str


@dataclass(frozen=True)
class Comparing:
    """With whose pictures the atlas's own were compared, and whether theirs are shown."""

    by: str
    publish: bool


@dataclass(frozen=True)
class Atlas:
    """All of an atlas but the pictures. The first recipe is the main one; layers go from input to output.

    ``class_names`` are what the network's classes are called, in their order; None where that is not known.
    ``photo_layers`` are the layers whose feature maps on ``photos`` are shown, in the atlas or not.
    """

    name: str
    title: str
    network: Network
    weights: Weights
    site: Site
    recipes: tuple[str, ...]
    outline: tuple[OutlineLayer, ...]
    layers: tuple[Layer, ...]
    class_names: tuple[str, ...] | None = None
    photos: tuple[Photo, ...] = ()
    photo_layers: tuple[OutlineLayer, ...] = ()
    comparing: Comparing | None = None

    @property
    def main(self) -> str:
        """The name of the recipe whose pictures stand on the grids."""
        return self.recipes[0]

    @cached_property
    def index(self) -> Mapping[str, tuple[Layer, Mapping[int, Channel]]]:
        """Each layer by its name, with its channels by number."""
        return {layer.name: (layer, {one.number: one for one in layer.shown}) for layer in self.layers}

    @cached_property
    def _folders(self) -> Mapping[str, str]:
        shown = {layer.name: layer.folder for layer in self.layers}
        return {layer.name: layer.folder for layer in self.outline} | shown

    def folder(self, layer: str) -> str:
        """The folder of the pages of a layer of that name."""
        return self._folders[layer]

    @cached_property
    def classifier(self) -> OutlineLayer | None:
        """The layer whose channels are the network's classes, in the atlas or not."""
        return next((layer for layer in self.outline if layer.kind == "classes"), None)

    def class_name(self, layer: Layer, channel: int) -> str:
        """What the class is called that a channel is; empty for other channels, and where that is not known."""
        return self.class_names[channel] if self.class_names and layer.kind == "classes" else ""
