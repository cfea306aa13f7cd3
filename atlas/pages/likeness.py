"""Which pictures of a layer, and of the layers beside it, are most alike, from what the engine found by comparing."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from atlas.pages.tree import Atlas, Layer
from atlas.store.store import Store

LIKENESS = "likeness"  # the kind of study, in the record
NEAR = 8  # channels named as nearest in the layer itself
BESIDE = 6  # and in each of the layers beside it
LEAST = 0.005  # likeness of those that are named at all: what is shown as 0.01


@dataclass(frozen=True)
class Near:
    """A channel that another is like; ``alike`` is 1 for the same response and 0 for one that has nothing to do with
    it."""

    layer: str
    channel: int
    alike: float


@dataclass(frozen=True)
class Compared:
    """What came of comparing the n pictures of a layer, see ``probes.likeness``; ``channels`` are their numbers."""

    layer: str
    channels: tuple[int, ...]
    own: np.ndarray
    before: np.ndarray
    axes: np.ndarray
    cells: np.ndarray
    colours: np.ndarray

    @cached_property
    def rows(self) -> dict[int, int]:
        """The row of each channel."""
        return {channel: row for row, channel in enumerate(self.channels)}

    @property
    def near(self) -> list[list[Near]]:
        """For each picture, those of the same layer that are most like it."""
        alike = self.own @ self.own.T
        np.fill_diagonal(alike, -np.inf)
        return _nearest(alike, self, NEAR)

    def near_in(self, before: "Compared") -> list[list[Near]]:
        """For each picture, those of the layer before that are most like it, by what both excite there."""
        return _nearest(self.before @ before.own.T, before, BESIDE)

    def near_after(self, after: "Compared") -> list[list[Near]]:
        """For each picture, those of the layer after that are most like it, by what both excite here."""
        return _nearest((after.before @ self.own.T).T, after, BESIDE)

    @property
    def by_colour(self) -> list[int]:
        """The rank of each picture by colour: round the wheel of hues from red; those with hardly any come last."""
        a, b = self.colours[:, 1], self.colours[:, 2]
        chroma, hue = np.hypot(a, b), np.arctan2(b, a) % (2 * np.pi)
        order = np.lexsort((np.arange(len(hue)), hue, chroma < np.quantile(chroma, 0.1)))
        ranks = np.empty(len(order), int)
        ranks[order] = np.arange(len(order))
        return [int(rank) for rank in ranks]

    @property
    def axes_text(self) -> str:
        """The axes as base64 of ``(n, axes) int8``, 127 for 1."""
        return base64.b64encode(np.round(127 * self.axes).astype(np.int8).tobytes()).decode()


def read_compared(atlas: Atlas, layer: Layer, store: Store) -> Compared | None:
    """What came of comparing the pictures of a layer, or None when they were not."""
    if LIKENESS not in layer.found:
        return None
    found = store.get(layer.found[LIKENESS]).artefacts
    numbers = {channel.renderings[atlas.main].key: channel.number for channel in layer.shown}
    channels = [numbers.get(bytes(row).hex()) for row in found["pictures"]]
    rows = [row for row, channel in enumerate(channels) if channel is not None]
    if not rows:
        return None
    arrays = {name: found[name][rows].astype(np.float32) for name in ("own", "before", "axes", "colours")}
    shown = tuple(channel for channel in channels if channel is not None)
    return Compared(layer.name, shown, cells=found["cells"][rows], **arrays)


def _nearest(alike: np.ndarray, other: Compared, count: int) -> list[list[Near]]:
    """The columns of each row with the largest values, at most ``count``, largest first; equal ones by their number."""
    if alike.shape[1] == 0:
        return [[] for _ in alike]
    order = np.argsort(-alike, axis=1, kind="stable")[:, :count]
    return [_row(other, columns, values) for columns, values in zip(order, alike, strict=True)]


def _row(other: Compared, columns: Sequence[int], values: np.ndarray) -> list[Near]:
    return [
        Near(other.layer, other.channels[column], round(float(values[column]), 3))
        for column in columns
        if values[column] >= LEAST
    ]
