"""Do pictures that others made of a layer's channels mean the same channels? Asked of the network, not of the eye.

A picture is told by its *response*, the mean activation of every channel of the layer, each channel measured by what
it does on a crowd of pictures. The *rank* of a channel for a picture is how many channels of the layer stand out more
in its response; its share is that of all others. A picture that was made for channel n of the same network has a rank
near 0 for n. *Alike* is the cosine of their response and ours.

The thresholds lie between the shares of 64 channels for pictures of other seeds and those for pictures of each other:
``scripts/calibrate_compare.py``, docs/comparing.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.probes.likeness import ROUNDING, responses
from atlas.probes.robust import robust_scores

if TYPE_CHECKING:
    from atlas.networks.cut import Cut

VERSION = 1  # of what is computed here: it is part of every key
FIRST = 0.03  # share of a rank up to which two channels are the same
BEYOND = 0.06  # and from which on they are different
MOST = 2 / 3  # of the channels of a layer that say the same of the layer
FEWEST = 8  # pictures in a crowd
SAME, UNCLEAR, DIFFERENT = VERDICTS = ("same", "unclear", "different")


@dataclass(frozen=True)
class Versus:
    """What came of n pictures of others beside ours of the same channels.

    ``theirs`` and ``ours (n,) float32`` are robust scores; ``rank (n,) int32`` counts from 0; ``alike (n,) float32``
    is from -1 to 1; ``verdict (n,) int8`` are places in VERDICTS.
    """

    theirs: np.ndarray
    ours: np.ndarray
    rank: np.ndarray
    alike: np.ndarray
    verdict: np.ndarray


def versus(
    cut: "Cut", channels: np.ndarray, theirs: np.ndarray, ours: np.ndarray, crowd: Iterable[np.ndarray]
) -> Versus:
    """Compare pictures ``(n, s, s, 3) uint8`` of ``channels (n,) int`` of a cut's layer.

    ``crowd`` are pictures ``(h, w, 3) uint8`` of any channels, at least FEWEST.
    """
    among = np.concatenate([responses(cut, same)[0] for same in _by_size(crowd)])
    mean, deviation = among.mean(0), among.std(0)
    differs = deviation > ROUNDING * np.abs(mean)
    found, own = (
        np.where(differs, responses(cut, some)[0] - mean, 0.0) / np.where(differs, deviation, 1.0)
        for some in (theirs, ours)
    )
    rank = (found > found[np.arange(len(channels)), channels][:, None]).sum(axis=1).astype(np.int32)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(own, axis=1)
    return Versus(
        theirs=robust_scores(cut, theirs, channels.tolist()),
        ours=robust_scores(cut, ours, channels.tolist()),
        rank=rank,
        alike=((found * own).sum(1) / np.where(lengths > 0, lengths, 1.0)).astype(np.float32),
        verdict=verdicts(rank / max(1, found.shape[1] - 1)),
    )


def verdicts(share: np.ndarray) -> np.ndarray:
    """What ranks say, given as shares ``(n,)`` of the layer's other channels: places in VERDICTS ``(n,) int8``."""
    return np.where(share <= FIRST, 0, np.where(share > BEYOND, 2, 1)).astype(np.int8)


def layer_verdict(verdict: np.ndarray) -> str:
    """What the verdicts of its channels say of a layer: the one that MOST of them give, else unclear."""
    shares = [(verdict == place).mean() for place in range(len(VERDICTS))]
    return next((word for word, share in zip(VERDICTS, shares, strict=True) if share >= MOST), UNCLEAR)


def _by_size(pictures: Iterable[np.ndarray]) -> list[list[np.ndarray]]:
    found: dict[tuple[int, ...], list[np.ndarray]] = {}
    for picture in pictures:
        found.setdefault(picture.shape, []).append(picture)
    return list(found.values())
