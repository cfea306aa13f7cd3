"""Real images through the network, in parts, by all layers at once. What a layer makes of a part is kept in the store
under a key of the images' contents: images that stay are looked at once."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.engine.encode import quick, stored
from atlas.engine.worker import traced
from atlas.images.folders import Source
from atlas.probes.look import Probe, pictures
from atlas.spec.plan import Job
from atlas.spec.probing import Probes
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

LOOK = "looks"  # the kind of study
VERSION = 2  # of what is computed here: it is part of every key
PART = 128  # images of a part, at most
SPLITS = 32  # times that parts are halved, at most
IMAGES = ""  # in the place of a layer: the images themselves


@dataclass(frozen=True)
class Probing:
    """The images of a build, and how they are looked at: ``size`` px a side, by the network that ``identity`` names.

    ``sources`` are in the order of their contents, as ``images.folders`` finds them.
    """

    identity: str
    sources: tuple[Source, ...]
    options: Probes
    size: int

    @cached_property
    def parts(self) -> list[range]:
        """The images' numbers in parts, by their contents: one part changes when an image comes or goes, or becomes two
        or one."""
        waiting = [(range(len(self.sources)), "")]  # with how the digests begin
        found = []
        while waiting:
            part, start = waiting.pop()
            if len(part) <= PART or len(start) == SPLITS:  # those of one content are told apart by their place alone
                found += [part[first : first + PART] for first in range(0, len(part), PART)] or [part]
                continue
            middle = bisect_left(self._bits, f"{start}1", part.start, part.stop)
            halves = (range(middle, part.stop), f"{start}1"), (range(part.start, middle), f"{start}0")
            waiting += [half for half in halves if half[0]]
        return found

    @cached_property
    def told(self) -> str:
        """A digest of all that pages tell of the images: their contents, labels and names."""
        return digest([[one.digest, one.label, one.name] for one in self.sources])

    @cached_property
    def _contents(self) -> list[str]:
        return [digest([self.sources[number].digest for number in part]) for part in self.parts]

    @cached_property
    def _bits(self) -> list[str]:
        return [f"{int(source.digest[: SPLITS // 4] or '0', 16):0{SPLITS}b}" for source in self.sources]

    def looks(self, layer: str) -> tuple[str, ...]:
        """The keys of what a layer makes of each part; of the images themselves for IMAGES."""
        about = {
            LOOK: VERSION,
            "crop": self.options.crop,
            "layer": layer,
            "network": self.identity if layer else "",
            "size": self.size,
            **({"exemplars": self.options.exemplars} if layer else {}),
        }
        return tuple(digest({**about, "images": contents}) for contents in self._contents)

    def skipped(self, store: Store, layer: str) -> list[list[str]]:
        """Names of the images that could not be shown to a layer, and why; of the parts that it was tried with."""
        found = [
            [self.sources[part[int(index)]].name, why]
            for part, record in zip(self.parts, store.records(self.looks(layer)), strict=True)
            for index, why in (record or {}).get("skipped", {}).items()
        ]
        return sorted(found)


@dataclass(frozen=True)
class Look(Study):
    """Some images to be looked at: each of the jobs is of one of ``layers``, IMAGES for the images themselves."""

    layers: Mapping[str, str]
    sources: tuple[Source, ...]
    options: Probes
    size: int

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """What each wanted layer makes of the images, see ``probes.look``, and the images as they were shown to it."""
        keys = {self.layers[job.key]: job.key for job in wanted}
        skipped: dict[str, str] = {}
        kept: dict[str, np.ndarray] = {}

        def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for numbers, shown in pictures(self.sources, self.size, self.options.crop, note):
                if IMAGES in keys:
                    kept.update(zip(map(str, numbers.tolist()), map(stored, map(quick, shown)), strict=True))
                yield numbers, shown

        def note(source: Source, why: str) -> None:
            skipped[str(self.sources.index(source))] = why

        layers = tuple(layer for layer in keys if layer != IMAGES)
        probe = self._probe(layers) if layers else None
        numbers, found = probe.look(read()) if probe else (np.array([one for some, _ in read() for one in some]), {})
        record = {LOOK: VERSION, "skipped": skipped}
        for layer in layers:
            looked: dict[str, Any] = dict(vars(found[layer])) if found else {"grid": None}
            about = {**record, "layer": layer, "grid": looked.pop("grid")}
            yield Entry(keys[layer], about, b"", {"numbers": numbers, **looked})
        if IMAGES in keys:
            yield Entry(keys[IMAGES], record, b"", kept)

    def _probe(self, layers: tuple[str, ...]) -> Probe:
        """The probe that a worker keeps from part to part: its graph is traced once."""
        size, exemplars = self.size, self.options.exemplars
        what = ("probe", layers, size, exemplars)
        return traced(self.setting, what, lambda network: Probe(network.cuts(layers, size), size, exemplars))


def looks(probing: Probing, layers: Sequence[str], setting: Setting, store: Store) -> list[Look]:
    """The parts of the images that some layers were not shown, by which of them; IMAGES may be among them."""
    keys = {layer: probing.looks(layer) for layer in layers}
    flat = [key for layer in layers for key in keys[layer]]
    missing = {key for key, record in zip(flat, store.records(flat), strict=True) if record is None}
    return [
        Look(
            setting,
            layer="images",
            recipe_name=LOOK,
            jobs=tuple(Job(None, key) for key in own),
            layers=own,
            sources=tuple(probing.sources[number] for number in part),
            options=probing.options,
            size=probing.size,
        )
        for place, part in enumerate(probing.parts)
        if (own := {keys[layer][place]: layer for layer in layers if keys[layer][place] in missing})
    ]
