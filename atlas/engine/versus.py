"""Pictures by others beside an atlas's own: what came of holding them against each other, kept as pictures are.

What is found of a layer is made once, under a key that says which pictures were compared, and among which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.engine.encode import lossy, pixels, stored
from atlas.engine.mains import Mains
from atlas.errors import AtlasError
from atlas.probes.images import UnfitError, open_image
from atlas.probes.sources import Source
from atlas.probes.theirs import Theirs
from atlas.probes.versus import BEYOND, FEWEST, FIRST, VERSION, layer_verdict, versus
from atlas.spec.plan import Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

NAME = "versus"  # the kind of study
CROWD = 256  # pictures at most that channels are measured by
THRESHOLDS = {"first": FIRST, "beyond": BEYOND}


@dataclass(frozen=True)
class Against(Study):
    """Pictures ``theirs`` of ``channels`` of a layer, to be held against ``ours`` of the same channels, by their keys,
    among a ``crowd`` of an atlas's main pictures."""

    channels: tuple[int, ...]
    theirs: tuple[Source, ...]
    ours: tuple[str, ...]
    crowd: tuple[str, ...]

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry: the arrays of ``probes.versus.Versus`` with their ``channels (n,) int32``, and their pictures
        as files, ``theirs-0`` and so on, at the size of ours.

        The record has the layer's ``verdict``, how many ``others`` a rank is among, and why pictures were ``skipped``,
        by name. Without any that can be opened there are no arrays.
        """
        ours = [pixels(entry.picture) for entry in store.get_all(self.ours)]
        rows, shown, skipped = [], [], {}
        for row, source in enumerate(self.theirs):
            try:
                shown.append(open_image(source.path, ours[row].shape[0], "middle", source.digest))
                rows.append(row)
            except UnfitError as error:
                skipped[source.name] = str(error)
        record: dict[str, Any] = {NAME: VERSION, "layer": self.layer, "skipped": skipped, **THRESHOLDS}
        if not rows:
            yield Entry(wanted[0].key, record, b"", {})
            return
        cut = network.cut(self.layer)
        channels = np.array([self.channels[row] for row in rows], np.int32)
        crowd = (pixels(entry.picture) for entry in store.get_all(self.crowd))
        found = versus(cut, channels, np.stack(shown), np.stack([ours[row] for row in rows]), crowd)
        record |= {"verdict": layer_verdict(found.verdict), "others": cut.main.channels - 1}
        files = {f"theirs-{place}": stored(lossy(one)) for place, one in enumerate(shown)}
        yield Entry(wanted[0].key, record, b"", {"channels": channels, **vars(found), **files})


def against(layers: Sequence[Mains], setting: Setting, theirs: Theirs) -> list[Against]:
    """What there is to compare in each layer of which all pictures were tried, once all of them were.

    Raises AtlasError when the atlas has too few pictures to measure channels by.
    """
    if not all(one.pictures for one in layers):
        return []
    every = [one for layer in layers for one in layer.pictures]
    if len(every) < FEWEST:
        raise AtlasError(
            f"compare: expected at least {FEWEST} channels in the atlas, by whose pictures others are measured, "
            f"received {len(every)}; choose more channels or layers"
        )
    places = np.unique(np.linspace(0, len(every) - 1, min(CROWD, len(every))).round().astype(int))
    crowd = [every[place] for place in places]
    found = []
    for layer in layers:
        own = {one.channel or 0: one for one in layer.pictures}
        given = {number: source for number, source in _of(theirs.of, layer.layer).items() if number in own}
        if not given:
            continue
        ours = [own[number] for number in sorted(given)]
        sources = [given[number] for number in sorted(given)]
        key = digest(
            {
                NAME: VERSION,
                **THRESHOLDS,
                "layer": layer.layer,
                "ours": [[one.key, one.checksum] for one in ours],
                "theirs": [[one.name, one.digest] for one in sources],
                "crowd": [[one.key, one.checksum] for one in crowd],
            }
        )
        found.append(
            Against(
                setting,
                layer.layer,
                NAME,
                (Job(None, key),),
                tuple(sorted(given)),
                tuple(sources),
                tuple(one.key for one in ours),
                tuple(one.key for one in crowd),
            )
        )
    return found


def _of(theirs: Mapping[str, Mapping[int, Source]], layer: str) -> Mapping[int, Source]:
    return theirs.get(layer, {})
