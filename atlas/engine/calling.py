"""What the network calls the pictures of a layer, once all are made, and which classes each channel raises and lowers.

Kept in the store as pictures are, by classes' numbers: what they are called is decided when pages are written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.engine.encode import pixels
from atlas.engine.mains import Mains, keys_of
from atlas.errors import NetworkError
from atlas.probes.classes import VERSION, named, raised
from atlas.spec.plan import Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

NAME = "classes"  # the kind of study


@dataclass(frozen=True)
class Calling(Study):
    """The main pictures of a layer, by their keys, to be named by the network, and the ``channels`` they are of.

    ``classifier`` is the layer of the classes, whose own channels raise themselves and nothing else.
    """

    classifier: str
    channels: tuple[int, ...]
    pictures: tuple[str, ...]

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry: arrays of ``probes.classes.Named`` and, where there are derivatives, ``Raised``.

        The record says under ``sigmoid`` whether each class is told for itself, under ``why`` why there are none.
        """
        record: dict[str, Any] = {NAME: VERSION, "layer": self.layer, "sigmoid": network.graph.sigmoid}
        found: list[Any] = [named(network, self._shown(store))]
        if self.layer != self.classifier:
            try:
                found.append(raised(network, self.layer, self._shown(store), self.channels))
            except NetworkError as error:
                record["why"] = str(error)
        arrays = {name: array for one in found for name, array in vars(one).items()}
        yield Entry(wanted[0].key, record, b"", {"pictures": keys_of(self.pictures), **arrays})

    def _shown(self, store: Store) -> Iterator[np.ndarray]:
        return (pixels(entry.picture) for entry in store.get_all(self.pictures))


def callings(layers: Sequence[Mains], setting: Setting, classifier: str) -> list[Calling]:
    """What can be asked of the main pictures of every layer of which all were tried; ``classifier`` names the layer of
    the classes."""
    found = []
    for one in layers:
        if one.pictures:
            key = digest({NAME: VERSION, "layer": one.layer, "pictures": one.identity})
            jobs = (Job(None, key),)
            found.append(Calling(setting, one.layer, NAME, jobs, classifier, one.channels, one.keys))
    return found
