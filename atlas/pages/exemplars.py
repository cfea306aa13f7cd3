"""What real images tell of a layer's channels, as the engine found it out, and how a channel's page says it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from atlas.pages import addresses, words
from atlas.pages.ledger import Writer
from atlas.pages.likeness import LEAST, Near
from atlas.pages.numbers import rounded
from atlas.pages.tree import Atlas, Channel, Layer
from atlas.pages.views import Picture
from atlas.store.store import Store

LABELS = 3  # of the nearest and of the farthest that a channel's page names
WIDTH, HEIGHT, FOOT = 440, 96, 22  # of a histogram, px; FOOT is the room for its scale


@dataclass(frozen=True)
class Exemplar:
    """One real image on a channel's page: its column in the sheet, and what is said of it."""

    column: int
    said: str
    value: str
    alt: str


@dataclass(frozen=True)
class Histogram:
    """The images by their largest activation: bars as an SVG path, the ends of the scale, and where the synthetic
    picture lies, px from the left; ``beyond`` says that it lies over the end."""

    width: int
    height: int
    bars: str
    low: str
    high: str
    mark: float
    beyond: bool


@dataclass(frozen=True)
class RealImages:
    """What a channel's page says of real images. ``sheet`` is None where images are not published; ``crops`` says
    whether its second row has what the most active neuron sees. ``facts`` are pairs of a name and a value."""

    count: int
    sheet: Picture | None
    crops: bool
    top: tuple[Exemplar, ...]
    spread: tuple[Exemplar, ...]
    facts: tuple[tuple[str, str], ...]
    histogram: Histogram
    nearest: tuple[tuple[str, str], ...]
    farthest: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Found:
    """What was found out of a layer, see ``engine.finding``; ``key`` is its entry's."""

    layer: str
    folder: str
    key: str
    record: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    @cached_property
    def rows(self) -> dict[int, int]:
        """The place of each channel in the arrays."""
        return {int(channel): row for row, channel in enumerate(self.arrays["channels"])}

    @cached_property
    def labels(self) -> list[str]:
        """The images' labels, in the order of the arrays."""
        return list(self._told["labels"])

    @cached_property
    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.arrays["told"].tobytes())
        return told

    def name_and_label(self, image: int) -> tuple[str, str]:
        """The name of an image, empty where images are not published, and its label, empty where it has none."""
        name, label = self._told["images"][str(image)]
        return name, label

    def sheet(self, channel: int) -> bytes | None:
        """The sheet of a channel's images, None where they are not published."""
        ends = self.arrays.get("sheet_ends")
        if ends is None:
            return None
        row = self.rows[channel]
        return self.arrays["sheets"][int(ends[row - 1]) if row else 0 : int(ends[row])].tobytes()

    def told(self, channel: int) -> dict[str, Any] | None:
        """What real images tell of a channel as plain data; None where nothing is known of it."""
        if channel not in self.rows:
            return None
        row, arrays = self.rows[channel], self.arrays
        exemplars = {
            kind: [
                {
                    "image": name,
                    "label": label,
                    "largest": rounded(float(arrays[f"{kind}_value"][rank, row])),
                    "at": arrays[f"{kind}_place"][rank, row].tolist(),
                }
                for rank, image in enumerate(arrays[kind][:, row].tolist())
                for name, label in [self.name_and_label(image)]
            ]
            for kind in ("top", "spread")
        }
        numbers = ("score", "peak", "score_below", "peak_below", "active", "silent")
        levels = ("largest", "mean")
        apart = zip(self.labels, arrays["cosine"][row].tolist(), arrays["euclid"][row].tolist(), strict=True)
        return {
            "count": self.record["images"],
            "sheet": addresses.exemplars(self.folder, channel) if "sheets" in arrays else None,
            **exemplars,
            **{name: rounded(float(arrays[name][row])) for name in numbers},
            "grid": self.record["grid"],
            "histogram": arrays["histogram"][:, row].tolist(),
            "quantiles": {name: [rounded(one) for one in arrays[name][::10, row].tolist()] for name in levels},
            "labels": {label: {"cosine": rounded(near), "euclid": rounded(far)} for label, near, far in apart},
        }

    def together(self) -> dict[int, list[Near]]:
        """For each channel, those of the same layer that go with it over the images."""
        return {channel: self._near("with", row, self.layer) for channel, row in self.rows.items()}

    def together_before(self, before: str) -> dict[int, list[Near]]:
        """For each channel, those of the layer before that go with it."""
        if "before" not in self.arrays:
            return {}
        return {channel: self._near("before", row, before) for channel, row in self.rows.items()}

    def together_after(self, channels: tuple[int, ...]) -> dict[int, list[Near]]:
        """For each of the layer before's channels, those of this layer that go with it."""
        if len(self.arrays.get("after", ())) != len(channels):
            return {}
        return {channel: self._near("after", row, self.layer) for row, channel in enumerate(channels)}

    def _near(self, kind: str, row: int, layer: str) -> list[Near]:
        pairs = zip(self.arrays[kind][row].tolist(), self.arrays[f"{kind}_value"][row].tolist(), strict=True)
        return [Near(layer, number, round(value, 3)) for number, value in pairs if number >= 0 and value >= LEAST]


def read_found(layer: Layer, store: Store) -> Found | None:
    """What real images tell of a layer, or None where it was not asked."""
    if addresses.IMAGES not in layer.found:
        return None
    entry = store.get(layer.found[addresses.IMAGES])
    return Found(layer.name, layer.folder, entry.key, entry.record, entry.artefacts)


def write_exemplars(layer: Layer, found: Found | None, writer: Writer) -> None:
    """Write the sheet of each channel's images, where they are published."""
    for channel in found.rows if found else ():
        sheet = found.sheet(channel) if found else None
        if sheet:
            writer.put(addresses.exemplars(layer.folder, channel), sheet)


def real_images(atlas: Atlas, layer: Layer, channel: Channel, found: Found | None) -> RealImages | None:
    """What a channel's page says of real images; None where nothing is known of it."""
    if found is None or channel.number not in found.rows:
        return None
    row, arrays = found.rows[channel.number], found.arrays
    count = int(found.record["images"])
    active = words.percent(float(arrays["active"][row]))  # of one position: of all images that are not silent
    top, spread = (_exemplars(layer, channel, found, kind, row) for kind in ("top", "spread"))
    tiles = found.record["tiles"]
    side = int(tiles["side"])
    size = side * (len(top) + len(spread)), side * int(tiles["rows"])
    address = addresses.exemplars(layer.folder, channel.number)
    alt = f"Real images that excite {layer.name} channel {channel.number}"
    nearest, farthest = _labels(found, row)
    return RealImages(
        count=count,
        sheet=Picture(address, *size, alt) if "sheets" in arrays else None,
        crops=int(tiles["rows"]) > 1,
        top=top,
        spread=spread,
        facts=(
            (
                "this picture’s score",
                f"{words.score(float(arrays['score'][row]))}, {_above(arrays['score_below'][row])}",
            ),
            (
                "its largest activation",
                f"{words.score(float(arrays['peak'][row]))}, {_above(arrays['peak_below'][row])}",
            ),
            *([] if found.record["grid"] == [1, 1] else [("active", f"at {active} of positions")]),
            ("silent", f"in {words.percent(float(arrays['silent'][row]))} of images"),
        ),
        histogram=_histogram(arrays, row),
        nearest=nearest,
        farthest=farthest,
    )


def _exemplars(layer: Layer, channel: Channel, found: Found, kind: str, row: int) -> tuple[Exemplar, ...]:
    first = 0 if kind == "top" else len(found.arrays["top"])
    made = []
    for rank, image in enumerate(found.arrays[kind][:, row].tolist()):
        name, label = found.name_and_label(image)
        value = words.score(float(found.arrays[f"{kind}_value"][rank, row]))
        what = name or (f"an image labelled {label}" if label else "an image")
        alt = f"{what}, where {layer.name} channel {channel.number} is at most {value}"
        made.append(Exemplar(first + rank, label or name, value, alt))
    return tuple(made)


def _above(share: float) -> str:
    """How many of the images stay below."""
    if share >= 1:
        return "above all images"
    return "below all images" if share <= 0 else f"above {words.percent(float(share))} of images"


def _labels(found: Found, row: int) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The labels whose images are nearest to a channel's picture, and those that are farthest, with 1 - cosine."""
    apart = found.arrays["cosine"][row]
    if len(apart) < 2:
        return (), ()
    order = np.argsort(apart, kind="stable")
    count = min(LABELS, len(order) // 2)
    said = [(found.labels[label], f"{apart[label]:.2f}") for label in order]
    return tuple(said[:count]), tuple(said[-count:])


def _histogram(arrays: Mapping[str, np.ndarray], row: int) -> Histogram:
    counts, low, high = arrays["histogram"][:, row], float(arrays["largest"][0, row]), float(arrays["largest"][-1, row])
    room, wide = HEIGHT - FOOT, WIDTH / len(counts)
    tops = room - room * counts / max(int(counts.max()), 1)
    bars = "".join(
        f"M{index * wide + 0.5:.1f} {room}V{top:.1f}h{wide - 1:.1f}V{room}"
        for index, top in enumerate(tops)
        if counts[index]
    )
    share = (float(arrays["peak"][row]) - low) / (high - low) if high > low else 1.0
    mark = round(WIDTH * min(max(share, 0.0), 1.0), 1)
    return Histogram(WIDTH, HEIGHT, bars, words.score(low), words.score(high), mark, share > 1)
