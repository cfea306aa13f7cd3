"""Comparing the pictures of a layer with one another, once all are made: what the pages say of likeness.

A comparison is kept in the store as pictures are, under a key that says which pictures were compared: it is made once.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atlas.canonical import digest
from atlas.engine.batches import Study
from atlas.engine.worker import Done
from atlas.probes.likeness import VERSION, likeness
from atlas.spec.config import Compute
from atlas.spec.plan import Group, Job, Plan
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


def comparisons(
    plan: Plan, done: Mapping[str, Done], store: Store, compute: Compute, weights_digest: str
) -> list[Comparison]:
    """The comparisons of the main pictures of every layer of which all were tried."""
    found, before = [], None
    for name, group in mains(plan).items():
        pictures = made(group, done)
        if len(pictures) >= FEWEST and all(job.key in done for job in group.jobs):
            key = digest({"before": before, NAME: VERSION, "pictures": [[one.key, one.checksum] for one in pictures]})
            found.append(
                Comparison(
                    ref=plan.ref,
                    weights_digest=weights_digest,
                    layer=name,
                    recipe_name=NAME,
                    jobs=(Job(None, key),),
                    store=store.address,
                    threads=compute.threads_per_worker,
                    device=compute.device,
                    before=before,
                    pictures=tuple(one.key for one in pictures),
                )
            )
        before = name
    return found


def mains(plan: Plan) -> dict[str, Group]:
    """The group of main pictures of every layer, in the plan's order."""
    found: dict[str, Group] = {}
    for group in plan.groups:
        found.setdefault(group.layer.name, group)
    return found


def made(group: Group, done: Mapping[str, Done]) -> list[Done]:
    """The jobs of a group that have a picture."""
    return [done[job.key] for job in group.jobs if job.key in done and done[job.key].checksum]


def pixels(data: bytes) -> np.ndarray:
    """The pixels ``(h, w, 3) uint8`` of a file that the store has checked."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def keys_of(pictures: Sequence[str]) -> np.ndarray:
    """Which pictures the rows of an array are of: keys as ``(n, 32) uint8``."""
    return np.array([list(bytes.fromhex(key)) for key in pictures], np.uint8)
