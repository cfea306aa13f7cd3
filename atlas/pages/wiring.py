"""Which channels of the layers before excite and inhibit a channel most, and which of the layers after it does: from
what the engine read from the weights."""

import math
from collections.abc import Mapping
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

Listed = list[tuple[int, float]]  # channels with their shares
Feeding = Mapping[str, tuple[str, ...]]  # layers -> those that feed them


@dataclass(frozen=True)
class Wires:
    """The weights between the n channels of a layer and those of another, ``layer``: see ``probes.wiring``.

    ``channels (n, 2, k)`` are the other's that excite and that inhibit most, -1 where there is none, with their
    ``share`` of all that the later layer's channel reads from the earlier layer; ``kernels (n, 2, k, h, w)`` in [-1, 1]
    are shares of ``scale``. ``note`` says what was taken as linear, and is empty where the weights are exact.
    """

    layer: str
    channels: np.ndarray
    share: np.ndarray
    kernels: np.ndarray
    scale: float
    note: str

    @cached_property
    def listed(self) -> list[tuple[Listed, Listed]]:
        """For each channel those that are listed, with their shares: what excites, and what inhibits."""
        return [
            (_listed(others[0], values[0]), _listed(others[1], values[1]))
            for others, values in zip(self.channels.tolist(), self.share.tolist(), strict=True)
        ]

    @cached_property
    def largest(self) -> list[float]:
        """The largest weight of each channel's kernels, without its sign."""
        found: list[float] = (np.abs(self.kernels).max(axis=(1, 2, 3, 4)) * self.scale).tolist()
        return found

    @cached_property
    def colours(self) -> np.ndarray:
        """The kernels as they are drawn, those of each channel on a scale of their own."""
        return images.coloured(self.kernels)

    @cached_property
    def margins(self) -> list[list[int]]:
        """How many positions at either end of h and of w are not drawn, for each channel: nothing can be seen there in
        any of its kernels, or there are too many."""
        largest = np.abs(self.kernels).max(axis=(1, 2))  # (n, h, w)
        seen = largest >= images.LEAST * largest.max(axis=(1, 2), keepdims=True)
        found = []
        for axis, size in ((1, seen.shape[1]), (2, seen.shape[2])):
            along = seen.max(axis=3 - axis)
            found.append(np.maximum((along | along[:, ::-1]).argmax(axis=1), math.ceil((size - images.KERNEL) / 2)))
        margins: list[list[int]] = np.stack(found, axis=1).tolist()
        return margins

    def window(self, channel: int) -> tuple[int, int]:
        """Height and width of what is drawn of the kernels of a channel, in positions."""
        (top, left), (high, wide) = self.margins[channel], self.kernels.shape[3:]
        return high - 2 * top, wide - 2 * left

    def drawn(self, channel: int) -> np.ndarray:
        """The colours ``(2, k, h, w, 4) uint8`` of the kernels of a channel, without its margins: the middle stays."""
        (top, left), (high, wide) = self.margins[channel], self.window(channel)
        drawn: np.ndarray = self.colours[channel][:, :, top : top + high, left : left + wide]
        return drawn


@dataclass(frozen=True)
class Wired:
    """All weights of a layer that are told: from layers ``before`` and to those ``after``. ``source`` is a digest."""

    before: tuple[Wires, ...]
    after: tuple[Wires, ...]
    source: str

    def of(self, channel: int) -> tuple[list[Wires], list[Wires]]:
        """Those before and those after that list something for a channel."""
        before, after = ([one for one in wires if any(one.listed[channel])] for wires in (self.before, self.after))
        return before, after

    def sheet(self, channel: int) -> bytes:
        """The kernels of a channel in one picture: a row for each of those before, and then of those after."""
        before, after = self.of(channel)
        return images.kernel_sheet([one.drawn(channel) for one in (*before, *after)])

    def told(self, folder: str, channel: int) -> dict[str, Any] | None:
        """What is told of a channel as plain data, None where there is nothing to tell."""
        before, after = ([_told(one, channel) for one in some] for some in self.of(channel))
        sheet = addresses.kernels(folder, channel)
        return {"sheet": sheet, "before": before, "after": after} if before or after else None


def _told(wires: Wires, channel: int) -> dict[str, Any]:
    sides = {
        name: [{"channel": other, "share": _number(share)} for other, share in listed]
        for name, listed in zip(SIDES, wires.listed[channel], strict=True)
    }
    largest = _number(wires.largest[channel])
    about = {"layer": wires.layer, "note": wires.note, "window": wires.window(channel), "largest": largest}
    return {**about, **sides}


def _listed(others: list[int], shares: list[float]) -> Listed:
    return [pair for pair in zip(others, shares, strict=True) if pair[0] >= 0]


def _number(value: float) -> float:
    """A number to four digits."""
    return float(f"{value:.4g}")


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
    channels, share, kernels = (entry.artefacts[f"{side}{part}_{index}"] for part in ("", "_share", "_slices"))
    about = {"scale": entry.record["scales"][index], "note": entry.record["notes"][index]}
    return Wires(layer, channels, share, kernels.astype(np.float32), **about)
