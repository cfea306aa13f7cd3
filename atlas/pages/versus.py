"""The same channels as others have made them, beside the atlas's own: on a channel's page, and on one for a layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.pages import addresses, words
from atlas.pages.ledger import Writer
from atlas.pages.numbers import Numbers, rounded
from atlas.pages.tree import Atlas, Comparing, Layer
from atlas.pages.views import Picture
from atlas.store.store import Store

OF_CHANNEL = {"same": "the same channel", "unclear": "unclear", "different": "another channel"}
OF_LAYER = {"same": "the same channels", "unclear": "unclear", "different": "other channels"}


@dataclass(frozen=True)
class Beside:
    """One channel beside what others have made of it. ``theirs`` is None where their pictures are not shown, ``ours``
    where there is none. ``place`` counts from 1, of ``total`` channels of the layer, ``our_place`` is that for our
    picture; ``apart`` is by how much the two disagree, 0 to 1; scores are robust ones, as they are said, and
    ``better`` is ours less theirs."""

    number: int
    page: str
    verdict: str
    word: str
    place: int
    our_place: int
    total: int
    apart: float
    likeness: float
    alike: str
    their_score: str
    our_score: str
    better: float
    theirs: Picture | None
    ours: Picture | None


@dataclass(frozen=True)
class Held:
    """What came of holding a layer's pictures against others: ``rows`` are the channels' places in the arrays,
    ``source`` says what all of it was made from."""

    by: str
    publish: bool
    layer: str
    folder: str
    rows: Mapping[int, int]
    record: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    source: str

    @property
    def counts(self) -> dict[str, int]:
        """How many channels each verdict was given to."""
        given = self.arrays["verdict"][list(self.rows.values())]
        return {word: int((given == place).sum()) for place, word in enumerate(self.record["verdicts"])}

    @property
    def verdict(self) -> str:
        """What is said of the layer."""
        return str(self.record["verdict"])

    @property
    def thresholds(self) -> tuple[str, str]:
        """Up to which share of the way down a channel is the same, and from which on it is another."""
        return words.percent(self.record["first"]), words.percent(self.record["beyond"])

    @property
    def skipped(self) -> Mapping[str, str]:
        """Why pictures could not be looked at, by their names."""
        return dict(self.record["skipped"])

    def told(self, channel: int) -> dict[str, Any] | None:
        """What is known of a channel, as data; None where there is nothing to compare with."""
        if channel not in self.rows:
            return None
        row = self.rows[channel]
        return {
            "by": self.by,
            "verdict": self.record["verdicts"][int(self.arrays["verdict"][row])],
            "rank": int(self.arrays["rank"][row]),
            "our_rank": int(self.arrays["our_rank"][row]),
            "others": int(self.record["others"]),
            "alike": rounded(float(self.arrays["alike"][row])),
            "theirs": rounded(float(self.arrays["theirs"][row])),
            "ours": rounded(float(self.arrays["ours"][row])),
            "picture": addresses.theirs(self.folder, channel) if self.publish else None,
        }


def read_held(atlas: Atlas, layer: Layer, store: Store) -> Held | None:
    """What came of comparing a layer, or None where nothing was compared."""
    comparing = held_by(atlas, layer)
    if comparing is None:
        return None
    entry = store.get(layer.found[addresses.VERSUS])
    if "channels" not in entry.artefacts:
        rows: dict[int, int] = {}
    else:
        rows = {int(channel): row for row, channel in enumerate(entry.artefacts["channels"])}
    shown = {channel.number for channel in layer.shown}
    rows = {channel: row for channel, row in rows.items() if channel in shown}
    return Held(
        comparing.by, comparing.publish, layer.name, layer.folder, rows, entry.record, entry.artefacts, entry.key
    )


def held_by(atlas: Atlas, layer: Layer) -> Comparing | None:
    """With whose pictures a layer was compared."""
    return atlas.comparing if addresses.VERSUS in layer.found else None


def write_theirs(held: Held | None, writer: Writer) -> None:
    """Write their pictures that are not there already."""
    if held is None or not held.publish:
        return
    for channel, row in held.rows.items():
        name = addresses.theirs(held.folder, channel)
        if not writer.has(name, held.source):
            writer.put(name, held.arrays[f"theirs-{row}"].tobytes(), held.source)


def beside_view(atlas: Atlas, held: Held | None, channel: int, numbers: Numbers | None) -> Beside | None:
    """A channel beside others, None where there is nothing to compare with."""
    told = held.told(channel) if held else None
    if held is None or told is None:
        return None
    layer, word = held.layer, told["verdict"]
    width, height = (numbers.width, numbers.height) if numbers else (0, 0)
    theirs, ours = (
        Picture(address, width, height, f"{alt} {layer} channel {channel}")
        for address, alt in (
            (addresses.theirs(held.folder, channel), f"By {held.by}, for"),
            (addresses.picture(atlas, held.folder, channel, atlas.main), "The picture made here for"),
        )
    )
    return Beside(
        number=channel,
        page=addresses.channel_page(held.folder, channel),
        verdict=word,
        word=OF_CHANNEL[word],
        place=told["rank"] + 1,
        our_place=told["our_rank"] + 1,
        total=told["others"] + 1,
        apart=told["rank"] / max(1, told["others"]),
        likeness=told["alike"],
        alike=words.likeness(told["alike"]),
        their_score=words.score(told["theirs"]),
        our_score=words.score(told["ours"]),
        better=told["ours"] - told["theirs"],
        theirs=theirs if held.publish else None,
        ours=ours if numbers else None,
    )


def in_order(atlas: Atlas, held: Held, numbers: Mapping[tuple[int | None, str], Numbers]) -> list[Beside]:
    """All channels of a layer that were compared, those that disagree most first."""
    every = [beside_view(atlas, held, channel, numbers.get((channel, atlas.main))) for channel in held.rows]
    return sorted((one for one in every if one), key=lambda one: (-one.apart, one.number))
