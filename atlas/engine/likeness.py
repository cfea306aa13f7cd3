"""Comparing the pictures of a layer with one another, once all are made: what the pages say of likeness.

A comparison is kept in the store as pictures are, under a key that says which pictures were compared: it is made once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.engine.encode import pixels
from atlas.engine.mains import Mains, keys_of
from atlas.probes.likeness import VERSION, likeness
from atlas.spec.plan import Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

NAME = "likeness"  # the kind of study
FEWEST = 2  # pictures that there is something to compare in


@dataclass(frozen=True)
class Comparison(Study):
    """All pictures of a layer, by their keys, to be compared with one another.

    ``before`` is the layer before it that the atlas has, or None.
    """

    before: str | None
    pictures: tuple[str, ...]

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry, see ``probes.likeness``."""
        cut = network.cut(self.layer, also=[self.before] if self.before else [])
        found = likeness(cut, (pixels(entry.picture) for entry in store.get_all(self.pictures)))
        record = {NAME: VERSION, "layer": self.layer, "before": self.before}
        yield Entry(wanted[0].key, record, b"", {"pictures": keys_of(self.pictures), **vars(found)})


def comparisons(layers: Sequence[Mains], setting: Setting) -> list[Comparison]:
    """The comparisons of the main pictures of every layer of which all were tried."""
    found, before = [], None
    for one in layers:
        if len(one.pictures) >= FEWEST:
            key = digest({"before": before, NAME: VERSION, "pictures": one.identity})
            found.append(Comparison(setting, one.layer, NAME, (Job(None, key),), before, one.keys))
        before = one.layer
    return found
