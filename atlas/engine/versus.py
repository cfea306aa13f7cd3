"""Pictures by others beside an atlas's own: what came of holding them against each other, kept as pictures are.

What is found of a layer is made once, under a key that says which pictures were compared, and among which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.engine.encode import lossy, pixels, stored
from atlas.engine.mains import Mains
from atlas.images.folders import Source
from atlas.images.loader import UnfitError, open_image
from atlas.probes.theirs import Theirs
from atlas.probes.versus import BEYOND, FEWEST, FIRST, VERDICTS, VERSION, Crowd, layer_verdict, versus
from atlas.spec.plan import Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

NAME = "versus"  # the kind of study
CROWD = 256  # pictures at most that channels are measured by
RULE: dict[str, Any] = {"first": FIRST, "beyond": BEYOND, "verdicts": list(VERDICTS)}


@dataclass(frozen=True)
class Against(Study):
    """Pictures ``theirs`` of ``channels`` of a layer, to be held against ``ours`` of the same channels, by their keys,
    among a ``crowd`` of an atlas's main pictures, which were made for channels ``crowd_of`` of the layer or for none,
    -1."""

    channels: tuple[int, ...]
    theirs: tuple[Source, ...]
    ours: tuple[str, ...]
    crowd: tuple[str, ...]
    crowd_of: tuple[int, ...]

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry: the arrays of ``probes.versus.Versus`` with their ``channels (n,) int32``, and their pictures
        as files, ``theirs-0`` and so on, at the size of ours.

        The record has the words for ``verdicts``, the layer's own, how many ``others`` a rank is among, and why
        pictures were ``skipped``, by name. Without any that can be opened there are no arrays. Raises OSError for a
        picture that could be read before and cannot be now, or is another now.
        """
        ours = [pixels(entry.picture) for entry in store.get_all(self.ours)]
        rows, shown, skipped = [], [], {}
        for row, source in enumerate(self.theirs):
            try:
                shown.append(open_image(source.path, ours[row].shape[0], "middle", source.digest))
                rows.append(row)
            except UnfitError as error:
                skipped[source.name] = str(error)
            except OSError as error:
                if source.digest:
                    raise
                skipped[source.name] = f"a file that may not be read ({error.strerror})"
        record: dict[str, Any] = {NAME: VERSION, "layer": self.layer, "skipped": skipped, **RULE}
        if not rows:
            yield Entry(wanted[0].key, record, b"", {})
            return
        channels = np.array([self.channels[row] for row in rows], np.int32)
        crowd = Crowd((pixels(entry.picture) for entry in store.get_all(self.crowd)), self.crowd_of)
        found = vars(versus(network.cut(self.layer), channels, shown, [ours[row] for row in rows], crowd))
        record |= {"verdict": layer_verdict(found["verdict"]), "others": found.pop("others")}
        files = {f"theirs-{place}": stored(lossy(one)) for place, one in enumerate(shown)}
        yield Entry(wanted[0].key, record, b"", {"channels": channels, **found, **files})


def against(layers: Sequence[Mains], setting: Setting, theirs: Theirs) -> list[Against]:
    """What there is to compare in each layer, once all pictures of all layers were tried, see ``why_not``."""
    if why_not(layers, theirs):
        return []
    every = [(layer.layer, one) for layer in layers for one in layer.pictures]
    places = np.unique(np.linspace(0, len(every) - 1, min(CROWD, len(every))).round().astype(int))
    crowd = [every[place] for place in places]
    found = []
    for layer in layers:
        own = {one.channel or 0: one for one in layer.pictures}
        channels = sorted(set(own) & set(theirs.of.get(layer.layer, {})))
        if not channels:
            continue
        ours, sources = [own[one] for one in channels], [theirs.of[layer.layer][one] for one in channels]
        identity = {
            NAME: VERSION,
            **RULE,
            "layer": layer.layer,
            "ours": [[one.key, one.checksum] for one in ours],
            "theirs": [[one.name, one.digest] for one in sources],
            "crowd": [[one.key, one.checksum] for _, one in crowd],
        }
        found.append(
            Against(
                setting,
                layer.layer,
                NAME,
                (Job(None, digest(identity)),),
                channels=tuple(channels),
                theirs=tuple(sources),
                ours=tuple(one.key for one in ours),
                crowd=tuple(one.key for _, one in crowd),
                crowd_of=tuple((one.channel or 0) if name == layer.layer else -1 for name, one in crowd),
            )
        )
    return found


def why_not(layers: Sequence[Mains], theirs: Theirs) -> str:
    """Why nothing can be compared yet, or at all; empty where something can."""
    if not theirs.of:
        return theirs.none
    if not all(one.tried for one in layers):
        return "not all of the atlas's pictures are there yet"
    return too_few(sum(len(one.pictures) for one in layers))


def too_few(pictures: int) -> str:
    """Why so many main pictures are too few to measure channels by; empty where they are not."""
    if pictures >= FEWEST:
        return ""
    return (
        f"expected at least {FEWEST} channels in the atlas, by whose pictures others are measured, received "
        f"{pictures}; choose more channels or layers"
    )
