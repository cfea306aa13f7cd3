"""The main pictures of an atlas's layers, which studies are made of once all of a layer are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.engine.worker import Done
from atlas.spec.facts import LayerFacts
from atlas.spec.plan import Plan


@dataclass(frozen=True)
class Mains:
    """The main pictures of a layer: ``asked`` are the channels of all, ``pictures`` those that could be made, none
    while some of them were not ``tried``."""

    facts: LayerFacts
    asked: tuple[int, ...]
    pictures: tuple[Done, ...]
    tried: bool

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.facts.name

    @property
    def keys(self) -> tuple[str, ...]:
        """The pictures' keys."""
        return tuple(one.key for one in self.pictures)

    @property
    def channels(self) -> tuple[int, ...]:
        """The pictures' channels."""
        return tuple(one.channel or 0 for one in self.pictures)

    @property
    def identity(self) -> list[list[str]]:
        """What a study's key says of the pictures."""
        return [[one.key, one.checksum] for one in self.pictures]


def mains(plan: Plan, done: Mapping[str, Done]) -> list[Mains]:
    """Those of every layer, in the plan's order. A layer's first group is that of its main pictures."""
    found: dict[str, Mains] = {}
    for group in plan.groups:
        if group.layer.name not in found:
            tried = all(job.key in done for job in group.jobs)
            made = tuple(done[job.key] for job in group.jobs if done[job.key].checksum) if tried else ()
            found[group.layer.name] = Mains(group.layer, tuple(job.channel or 0 for job in group.jobs), made, tried)
    return list(found.values())


def keys_of(pictures: Sequence[str]) -> np.ndarray:
    """Which pictures the rows of an array are of: keys as ``(n, 32) uint8``."""
    return np.array([list(bytes.fromhex(key)) for key in pictures], np.uint8)
