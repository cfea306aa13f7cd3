"""Reading the weights that lead to each layer of an atlas from its layers before: what the pages say of weights.

They are kept in the store as pictures are, under a key that says which weights and which layers: they are read once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.probes.wiring import VERSION, between, wiring
from atlas.spec.facts import LayerFacts
from atlas.spec.plan import Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

NAME = "weights"  # the kind of study


@dataclass(frozen=True)
class Wires(Study):
    """A layer, and those ``before`` it in the atlas, of which some may feed it: that is seen when the network is there.

    Needs no pictures.
    """

    before: tuple[str, ...]

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry. ``before`` in its record are the layers that feed this one, none where nothing feeds it
        directly; ``notes`` and ``scales`` are those of each.

        For the first of them the arrays are ``before_0``, ``after_0`` and their slices, as ``probes.wiring`` says, and
        ``before_share_0 (n, 2, k) float32`` and ``after_share_0 (m, 2, k) float32`` of the channels listed; 0
        where there is none.
        """
        feeding = between(network, [*self.before, self.layer]).get(self.layer, ())
        arrays: dict[str, np.ndarray] = {}
        notes, scales = [], []
        for index, below in enumerate(feeding):
            found = wiring(network, below, self.layer)
            lists = (("before", found.before, found.share), ("after", found.after, found.share.T))
            for name, listed, share in lists:
                arrays[f"{name}_{index}"] = listed
                arrays[f"{name}_share_{index}"] = _of_listed(share, listed)
            arrays[f"before_slices_{index}"], arrays[f"after_slices_{index}"] = found.before_slices, found.after_slices
            notes.append(found.note)
            scales.append(float(found.scale))
        record = {"wiring": VERSION, "layer": self.layer, "before": list(feeding), "notes": notes, "scales": scales}
        yield Entry(wanted[0].key, record, b"", arrays)


def _of_listed(share: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """The shares ``(n, m)`` of the columns ``(n, 2, k)`` listed for each row."""
    columns = listed.reshape(len(listed), -1)
    found = np.take_along_axis(share, columns.clip(0).astype(np.intp), 1)
    return np.where(columns >= 0, found, 0).reshape(listed.shape).astype(np.float32)


def wires(layers: Sequence[LayerFacts], setting: Setting, network: str) -> list[Wires]:
    """The weights to be read for every layer of an atlas that others are before. ``network`` is its id.

    Which layers feed one another is not known here, without TensorFlow. Pools and classes feed nothing and are fed by
    nothing.
    """
    names = [layer.name for layer in layers if layer.feature]
    found = []
    for place, name in enumerate(names[1:], 1):
        before, weights = tuple(names[:place]), setting.weights_digest
        about = {"wiring": VERSION, "before": before, "layer": name, "network": network, "weights": weights}
        found.append(Wires(setting, name, NAME, (Job(None, digest(about)),), before))
    return found
