"""Which channels of the layers before excite and inhibit a channel most, and which of the layers after it does: from
what the engine read from the weights."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from atlas.canonical import digest
from atlas.pages import addresses, images
from atlas.pages.tree import Atlas, Layer
from atlas.store.entry import Entry
from atlas.store.store import Store

WEIGHTS = "weights"  # the kind of study, in the record
SIDES = ("excite", "inhibit")

Feeding = Mapping[str, tuple[str, ...]]  # layers -> those that feed them


@dataclass(frozen=True)
class Wires:
    """The strongest weights between the n channels of a layer and those of another, ``layer``: see ``probes.wiring``.

    ``channels (n, 2, k)`` are the other's that excite and that inhibit most, -1 where there is none, with their
    ``strength``; ``kernels (n, 2, k, h, w)`` in [-1, 1] are shares of ``scale``. ``note`` says what was taken as
    linear, and is empty where the weights are exact.
    """

    layer: str
    channels: np.ndarray
    strength: np.ndarray
    kernels: np.ndarray
    scale: float
    note: str

    def side(self, channel: int, side: int) -> Iterator[tuple[int, float]]:
        """The channels that are listed for one, with their strengths: of what excites for side 0, inhibits for 1."""
        for other, strength in zip(self.channels[channel, side], self.strength[channel, side], strict=True):
            if other >= 0:
                yield int(other), float(strength)

    @cached_property
    def colours(self) -> np.ndarray:
        """The kernels as they are drawn, those of each channel on a scale of their own."""
        return images.coloured(self.kernels)

    @cached_property
    def margins(self) -> np.ndarray:
        """How many positions at either end of h and w ``(n, 2) int`` are not drawn: nothing can be seen there in any
        kernel of a channel, or there are too many."""
        seen = self.colours[..., 3] > 0
        found = []
        for axis, size in ((3, seen.shape[3]), (4, seen.shape[4])):
            along = seen.max(axis=tuple({1, 2, 3, 4} - {axis}))
            found.append(np.maximum((along | along[:, ::-1]).argmax(axis=1), math.ceil((size - images.KERNEL) / 2)))
        return np.stack(found, axis=1)

    def drawn(self, channel: int) -> np.ndarray:
        """The colours ``(2, k, h, w, 4) uint8`` of the kernels of a channel, without its margins: the middle stays."""
        (top, left), (high, wide) = self.margins[channel], self.kernels.shape[3:]
        drawn: np.ndarray = self.colours[channel][:, :, top : high - top, left : wide - left]
        return drawn


@dataclass(frozen=True)
class Wired:
    """All weights of a layer that are told: from layers ``before`` and to those ``after``. ``source`` is a digest."""

    before: tuple[Wires, ...]
    after: tuple[Wires, ...]
    source: str

    def of(self, channel: int) -> tuple[list[Wires], list[Wires]]:
        """Those before and those after that list something for a channel."""
        before, after = (
            [one for one in wires if one.channels[channel].max() >= 0] for wires in (self.before, self.after)
        )
        return before, after

    def sheet(self, channel: int) -> bytes:
        """The kernels of a channel in one picture: a row for each of those before, and then of those after."""
        before, after = self.of(channel)
        return images.kernel_sheet([one.drawn(channel) for one in (*before, *after)])

    def told(self, layer: str, channel: int) -> dict[str, Any] | None:
        """What is told of a channel as plain data, None where there is nothing to tell."""
        before, after = ([_told(one, channel) for one in some] for some in self.of(channel))
        sheet = addresses.kernels(layer, channel)
        return {"sheet": sheet, "before": before, "after": after} if before or after else None


def _told(wires: Wires, channel: int) -> dict[str, Any]:
    sides = {
        name: [
            {"channel": other, "strength": float(f"{strength:.4g}")} for other, strength in wires.side(channel, side)
        ]
        for side, name in enumerate(SIDES)
    }
    largest = float(np.abs(wires.kernels[channel]).max()) * wires.scale
    window = [int(side) for side in wires.drawn(channel).shape[2:4]]
    return {"layer": wires.layer, "note": wires.note, "window": window, "largest": float(f"{largest:.4g}"), **sides}


def read_feeding(atlas: Atlas, store: Store) -> Feeding:
    """Which layers feed which, as far as their weights were read. Reads headers only."""
    known = {layer.name: layer.found[WEIGHTS] for layer in atlas.layers if WEIGHTS in layer.found}
    records = store.records(list(known.values()))
    return {name: tuple(record["before"]) for name, record in zip(known, records, strict=True) if record}


def read_wired(atlas: Atlas, layer: Layer, store: Store, feeding: Feeding) -> Wired:
    """The weights that lead to a layer and from it."""
    before, after = [], []
    above = [one for one in atlas.layers if layer.name in feeding.get(one.name, ())]
    read = [*([layer] if feeding.get(layer.name) else []), *above]
    keys = [one.found[WEIGHTS] for one in read]
    for one, entry in zip(read, store.get_all(keys), strict=True):
        for index, below in enumerate(entry.record["before"]):
            if one is layer:
                before.append(_wires(entry, index, "before", below))
            elif below == layer.name:
                after.append(_wires(entry, index, "after", one.name))
    return Wired(tuple(before), tuple(after), digest([images.KERNELS, layer.name, keys]))


def _wires(entry: Entry, index: int, side: str, layer: str) -> Wires:
    channels, strength, kernels = (entry.artefacts[f"{side}{part}_{index}"] for part in ("", "_strength", "_slices"))
    about = {"scale": entry.record["scales"][index], "note": entry.record["notes"][index]}
    return Wires(layer, channels, strength, kernels.astype(np.float32), **about)
