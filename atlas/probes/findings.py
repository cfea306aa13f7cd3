"""What real images tell of a layer's channels, from what the network made of each: in memory that does not grow with
the number of images.

An image excites a channel by its largest activation, anywhere in it; the mean over all positions is what the score of a
picture is. Two channels go together when their means rise and fall together over the images (Pearson's correlation).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.probes.look import Looked

LEVELS = 101  # quantiles that are kept: 0, 1, ... 100 %
BINS = 24  # of a histogram
SPREAD = (0.9, 0.1)  # the quantiles that images below the strongest are shown from and to
BLOCK = 1 << 21  # numbers, one for an image and a channel, that are in memory at once
NEAR = 8  # channels that go with a channel most, in its own layer
BESIDE = 6  # and in the layer before it, or after it
TINY = 1e-12  # product of two deviations below which a channel is taken for the same in all images

Parts = Callable[[], Iterator[tuple[np.ndarray, Looked]]]
"""All images once more, some at a time: their numbers ``(n,) int32``, ascending, and what the layer made of them."""


@dataclass(frozen=True)
class Findings:
    """What n images tell of s channels, in the order in which these were asked for.

    ``top (k, s) int32`` are the images that excite a channel most, the strongest first, ``top_value (k, s)`` their
    largest activations, ``top_place (k, s, 2) uint16`` row and column of these, ``top_map (k, s, h, w) uint8`` where
    the channel is active in each; with fewer images, k is smaller. ``spread``, ``spread_value`` and ``spread_place``
    are the same of images over the range below. ``largest (LEVELS, s)`` and ``mean (LEVELS, s)`` are quantiles over
    the images. ``histogram (BINS, s)`` counts images by their largest activation, in equal steps from the lowest to
    the highest. ``active (s,)`` is the mean share of positions above zero, ``silent (s,)`` the share of images in which
    the channel is nowhere above zero.
    """

    top: np.ndarray
    top_value: np.ndarray
    top_place: np.ndarray
    top_map: np.ndarray
    spread: np.ndarray
    spread_value: np.ndarray
    spread_place: np.ndarray
    largest: np.ndarray
    mean: np.ndarray
    histogram: np.ndarray
    active: np.ndarray
    silent: np.ndarray


def find(parts: Parts, count: int, channels: Sequence[int], exemplars: int) -> Findings:
    """What ``count`` images tell of some channels: some channels at a time, where all would be too much for memory."""
    chosen = np.asarray(channels)
    width = max(1, BLOCK // max(count, 1))
    blocks = [_block(parts, chosen[first : first + width], exemplars) for first in range(0, len(chosen), width)]
    found = {name: np.concatenate([block[name] for block in blocks], axis=1) for name in blocks[0]}
    maps = _maps(parts, chosen, found["top"])
    return Findings(**{**found, "active": found["active"][0], "silent": found["silent"][0]}, top_map=maps)


def _block(parts: Parts, channels: np.ndarray, exemplars: int) -> dict[str, np.ndarray]:
    """All but the maps, of channels whose numbers fit into memory for all images: arrays ``(..., s, ...)``."""
    rows = [
        (numbers, one.largest[:, channels], one.place[:, channels], one.mean[:, channels], one.active[:, channels])
        for numbers, one in parts()
    ]
    numbers, largest, place, mean, active = (np.concatenate(part) for part in zip(*rows, strict=True))
    by_number = np.argsort(numbers)
    numbers, largest, place, mean, active = (array[by_number] for array in (numbers, largest, place, mean, active))
    order = np.argsort(-largest, axis=0, kind="stable")  # (n, s): of equal ones the first comes first
    top = order[:exemplars]
    last = len(numbers) - 1
    levels = np.linspace(*SPREAD, max(1, exemplars // 2))
    spread = order[np.unique(np.round((1 - levels) * last).astype(int))]
    low, high = largest.min(axis=0), largest.max(axis=0)
    step = np.where(high > low, high - low, 1).astype(np.float64) / BINS
    bins = np.minimum((largest - low) / step, BINS - 1).astype(int)
    found = {"histogram": np.stack([(bins == number).sum(axis=0) for number in range(BINS)]).astype(np.int32)}
    for name, ranks in (("top", top), ("spread", spread)):
        found[name] = numbers[ranks]
        found[f"{name}_value"] = np.take_along_axis(largest, ranks, axis=0)
        found[f"{name}_place"] = place[ranks, np.arange(len(channels))]
    shares = np.linspace(0, 1, LEVELS)
    return found | {
        "largest": np.quantile(largest, shares, axis=0).astype(np.float32),
        "mean": np.quantile(mean, shares, axis=0).astype(np.float32),
        "active": active.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32),
        "silent": (largest <= 0).mean(axis=0, keepdims=True).astype(np.float32),
    }


def _maps(parts: Parts, channels: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Where each channel is active in its strongest images: each is among the strongest of its own part as well."""
    maps = None
    for numbers, one in parts():
        if maps is None:
            maps = np.zeros((*top.shape, *one.maps.shape[2:]), np.uint8)
        best = np.where(one.best >= 0, numbers[one.best], -1)[:, channels]  # (k, s)
        for rank in range(len(best)):
            ranks, columns = np.nonzero(top == best[rank])
            maps[ranks, columns] = one.maps[rank, channels[columns]]
    return np.zeros((*top.shape, 1, 1), np.uint8) if maps is None else maps


@dataclass(frozen=True)
class Company:
    """The channels that go with each of s channels most: ``channel (s, count) int32`` and ``value (s, count)``, their
    correlation, the largest first; what is not above 0 has channel -1."""

    channel: np.ndarray
    value: np.ndarray


def company(one: Parts, own: Sequence[int], other: Parts | None = None, theirs: Sequence[int] = ()) -> list[Company]:
    """Of channels of a layer, those of the same layer that go with them; with another layer, first those of the other
    that go with ours, then those of ours that go with each of theirs."""
    correlated = _correlation(one, np.asarray(own), other, np.asarray(theirs if other else own))
    if other is None:
        np.fill_diagonal(correlated, -1)
        return [_most(correlated, np.asarray(own), NEAR)]
    return [_most(correlated, np.asarray(theirs), BESIDE), _most(correlated.T, np.asarray(own), BESIDE)]


def _correlation(one: Parts, own: np.ndarray, other: Parts | None, theirs: np.ndarray) -> np.ndarray:
    """``(own, theirs) float64``; 0 where a channel is the same in all images. Sums are over differences from the first
    image, so that nothing is lost where means are large."""
    count, products = 0, np.zeros((len(own), len(theirs)))
    base = sums = squares = (np.zeros(len(own)), np.zeros(len(theirs)))
    for (_, a), (_, b) in zip(one(), (other or one)(), strict=True):
        pair = a.mean[:, own].astype(np.float64), b.mean[:, theirs].astype(np.float64)
        base = base if count else (pair[0][0], pair[1][0])
        x, y = pair[0] - base[0], pair[1] - base[1]
        sums = sums[0] + x.sum(0), sums[1] + y.sum(0)
        squares = squares[0] + (x**2).sum(0), squares[1] + (y**2).sum(0)
        products += x.T @ y
        count += len(x)
    spread = [np.sqrt(np.maximum(square - total**2 / count, 0)) for square, total in zip(squares, sums, strict=True)]
    scale = np.outer(*spread)
    covariance = products - np.outer(*sums) / count
    return np.asarray(np.where(scale > TINY, covariance / np.where(scale > TINY, scale, 1), 0.0))


def _most(values: np.ndarray, numbers: np.ndarray, count: int) -> Company:
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    found = np.take_along_axis(values, order, axis=1)
    return Company(np.where(found > 0, numbers[order], -1).astype(np.int32), found.astype(np.float32))
