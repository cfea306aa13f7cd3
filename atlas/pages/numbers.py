"""The numbers that an entry has beside its picture."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atlas.pages.images import map_size
from atlas.store.entry import Entry


@dataclass(frozen=True)
class Frames:
    """The frames of an ascent in one picture, so many in a row: before how many steps each was taken, and after them
    the finished picture."""

    steps: tuple[int, ...]
    columns: int


@dataclass(frozen=True)
class Maps:
    """Where the objective looks, before the ascent and after it: the least and the largest value of both, and the width
    and height in px of their picture."""

    low: float
    high: float
    width: int
    height: int


@dataclass(frozen=True)
class Numbers:
    """What an entry says of its picture: size in px, scores, and the trace, empty when none was recorded.

    ``attempt`` counts from 0, of at most ``attempts``; ``settled`` says whether it stopped before its last step;
    ``of_photo`` whether the photo that it was made of is there too, in the same size; ``opacity`` whether it is kept
    how much each pixel counted.
    """

    width: int
    height: int
    attempt: int
    attempts: int
    steps: int
    settled: bool
    start: float | None
    grey: float | None
    end: float | None
    trace: tuple[float, ...]
    frames: Frames | None
    maps: Maps | None
    of_photo: bool
    opacity: bool


def read_numbers(entry: Entry) -> Numbers:
    """The numbers of an entry."""
    record, trace, maps = entry.record, entry.artefacts.get("trace"), entry.artefacts.get("maps")
    score: Mapping[str, float | None] = record.get("score", {})
    height, width = record["size"]
    return Numbers(
        width=width,
        height=height,
        attempt=record.get("attempt", 0),
        attempts=record.get("attempts", 1),
        steps=record.get("steps", 0),
        settled=record.get("settled", False),
        start=score.get("start"),
        grey=score.get("grey"),
        end=score.get("end"),
        trace=() if trace is None else tuple(float(value) for value in trace[:, 0]),
        frames=_frames(record["frames"]) if "frames" in entry.artefacts else None,
        maps=None if maps is None else Maps(float(maps.min()), float(maps.max()), *map_size(*maps.shape[1:])),
        of_photo="photo" in entry.artefacts,
        opacity="opacity" in entry.artefacts,
    )


def _frames(value: Mapping[str, Any]) -> Frames | None:
    """None for frames of which it is not known when they were taken."""
    return Frames(tuple(value["steps"]), value["columns"]) if "steps" in value else None


def rounded(value: float | None) -> float | None:
    """A number to six digits; None where it is not finite."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None
