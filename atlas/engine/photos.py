"""Chosen photos through all of the network: the maps of every layer's channels, pools among them.

A photo's maps are kept in the store under a key of the file's content, the network and the layers: they are made once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.engine.encode import lossy
from atlas.images.folders import Source
from atlas.images.loader import UnfitError, open_image
from atlas.probes.maps import feature_maps
from atlas.spec.facts import NetworkFacts
from atlas.spec.plan import Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

NAME = "photos"  # the kind of study
VERSION = 1  # of what is computed here: it is part of every key
KINDS_WITHOUT_MAPS = {"classes", "vector"}  # of layers: their channels have one position each


@dataclass(frozen=True)
class Photos:
    """The photos of a build, and how they are looked at: ``size`` px a side, cropped as ``crop`` says, by some
    ``layers`` of the network that ``identity`` names."""

    identity: str
    layers: tuple[str, ...]
    sources: tuple[Source, ...]
    size: int
    crop: str

    def key(self, source: Source) -> str:
        """The key of a photo's maps. Neither its name nor its place is part of it."""
        return digest(
            {
                NAME: VERSION,
                "crop": self.crop,
                "image": source.digest,
                "layers": self.layers,
                "network": self.identity,
                "size": self.size,
            }
        )


@dataclass(frozen=True)
class Photo(Study):
    """One photo to be looked at by some layers; ``layer`` has its name."""

    source: Source
    layers: tuple[str, ...]
    size: int
    crop: str

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry: the photo as the network is shown it, and of each layer its maps, see ``probes.maps``.

        Raises: ValueError when the photo cannot be shown.
        """
        try:
            shown = open_image(self.source.path, self.size, self.crop, self.source.digest)
        except UnfitError as error:
            raise ValueError(f"expected an image, received {error}") from error
        found = feature_maps(network.cut(self.layers[-1], also=self.layers[:-1]), shown)
        arrays: dict[str, np.ndarray] = {}
        for name in self.layers:
            arrays[f"{name}/maps"] = found[name].maps
            arrays[f"{name}/largest"] = found[name].largest
            arrays[f"{name}/mean"] = found[name].mean
        grids = {name: list(found[name].grid) for name in self.layers}
        yield Entry(wanted[0].key, {NAME: VERSION, "grids": grids}, lossy(shown), arrays)


def layers_before(facts: NetworkFacts, names: Sequence[str], available: Callable[[str], str | None]) -> tuple[str, ...]:
    """The listed layers of a network, and those of ``names``, from its input to the deepest of these, pools among them,
    as far as they have maps and weights reach: ``available`` says of a layer why they do not, None where they do."""
    order = [layer.name for layer in facts.layers]
    last = max(order.index(name) for name in names)
    return tuple(
        layer.name
        for layer in facts.layers[: last + 1]
        if (layer.listed or layer.name in names)
        and layer.kind not in KINDS_WITHOUT_MAPS
        and available(layer.name) is None
    )


def photo_studies(photos: Photos, setting: Setting) -> list[Photo]:
    """A study for each of the photos."""
    return [
        Photo(
            setting,
            layer=source.name,
            recipe_name=NAME,
            jobs=(Job(None, photos.key(source)),),
            source=source,
            layers=photos.layers,
            size=photos.size,
            crop=photos.crop,
        )
        for source in photos.sources
    ]
