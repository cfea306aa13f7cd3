"""What the network calls a channel's picture, and which classes the channel raises and lowers, as its page says it.

A slope is in logits per unit of the channel's mean activation, see ``probes.classes``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.pages import addresses, words
from atlas.pages.numbers import rounded
from atlas.pages.tree import Atlas, Channel, Layer
from atlas.store.store import Store

CLASSES = "classes"  # the kind of study, in the record
SLOPES = {"raised": 1, "lowered": -1}  # the lists of slopes, and the sign of what belongs there


@dataclass(frozen=True)
class Called:
    """What the engine asked the classifier about a layer's pictures; ``rows`` are the channels' places in the arrays,
    ``record`` says ``sigmoid`` and, where there are no slopes for a reason, ``why``."""

    rows: Mapping[int, int]
    record: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    def top(self, channel: int) -> Iterator[tuple[int, float, float]]:
        """The likeliest classes of a channel's picture with their probabilities and logits."""
        row = self.rows[channel]
        columns = (self.arrays[name][row].tolist() for name in ("classes", "probabilities", "logits"))
        yield from zip(*columns, strict=True)

    def slopes(self, channel: int, kind: str) -> list[tuple[int, float]] | None:
        """The classes ``raised`` or ``lowered`` by a channel, the strongest first, and by how much; None where it was
        not asked. A list of the raised has only those above zero: the engine's ends with others where it is long."""
        if kind not in self.arrays:
            return None
        row, sign = self.rows[channel], SLOPES[kind]
        pairs = zip(self.arrays[kind][row].tolist(), self.arrays[f"{kind}_by"][row].tolist(), strict=True)
        return [(number, slope) for number, slope in pairs if sign * slope > 0]


@dataclass(frozen=True)
class ClassRow:
    """One class on a channel's page: its number, its name or empty, the page of its own channel where the atlas has
    it, what is said of it, and the length of its bar, 0 to 100."""

    number: int
    name: str
    page: str | None
    value: str
    aside: str
    share: float


@dataclass(frozen=True)
class CalledView:
    """What a channel's page says of classes. ``raised`` and ``lowered`` are None where it was not asked, and ``why``
    says the reason if there is one; ``sigmoid`` that each class has a probability for itself."""

    count: int
    sigmoid: bool
    top: tuple[ClassRow, ...]
    raised: tuple[ClassRow, ...] | None
    lowered: tuple[ClassRow, ...] | None
    why: str


def read_called(atlas: Atlas, layer: Layer, store: Store) -> Called | None:
    """What the network calls a layer's pictures, or None where it was not asked."""
    if CLASSES not in layer.found:
        return None
    entry = store.get(layer.found[CLASSES])
    numbers = {one.renderings[atlas.main].key: one.number for one in layer.shown}
    found = enumerate(bytes(row).hex() for row in entry.artefacts["pictures"])
    return Called({numbers[key]: row for row, key in found if key in numbers}, entry.record, entry.artefacts)


def called_view(atlas: Atlas, channel: Channel, called: Called | None) -> CalledView | None:
    """What a channel's page says of classes; None where nothing is known of it."""
    if called is None or channel.number not in called.rows:
        return None
    slopes = {kind: called.slopes(channel.number, kind) for kind in SLOPES}
    largest = max((abs(slope) for found in slopes.values() for _, slope in found or ()), default=1.0)
    raised, lowered = (
        None
        if found is None
        else tuple(_row(atlas, number, words.slope(slope), "", abs(slope) / largest) for number, slope in found)
        for found in slopes.values()
    )
    return CalledView(
        count=atlas.classifier.channels if atlas.classifier else 0,
        sigmoid=bool(called.record["sigmoid"]),
        top=tuple(
            _row(atlas, number, words.chance(chance), f"logit {words.score(logit)}", chance)
            for number, chance, logit in called.top(channel.number)
        ),
        raised=raised,
        lowered=lowered,
        why=str(called.record.get("why", "")),
    )


def _row(atlas: Atlas, number: int, value: str, aside: str, share: float) -> ClassRow:
    name = atlas.class_names[number] if atlas.class_names else ""
    return ClassRow(number, name, _page(atlas, number), value, aside, round(100 * share, 1))


def _page(atlas: Atlas, number: int) -> str | None:
    """The page of a class's own channel, None where the atlas does not show it."""
    name = atlas.classifier.name if atlas.classifier else ""
    shown = name in atlas.index and number in atlas.index[name][1]
    return addresses.channel_page(atlas.folder(name), number) if shown else None


def called_data(atlas: Atlas, channel: int, called: Called | None) -> dict[str, Any] | None:
    """What the network calls a channel's picture, and slopes of classes, as data; None where it was not asked."""
    if called is None or channel not in called.rows:
        return None

    def row(number: int, **values: float) -> dict[str, Any]:
        name = atlas.class_names[number] if atlas.class_names else None
        return {"class": number, "name": name} | {key: rounded(value) for key, value in values.items()}

    slopes = {kind: called.slopes(channel, kind) for kind in SLOPES}
    return {
        "top": [row(number, probability=chance, logit=logit) for number, chance, logit in called.top(channel)],
        **{kind: found and [row(number, slope=slope) for number, slope in found] for kind, found in slopes.items()},
        "why": called.record.get("why"),
    }
