"""Do pictures that others made of a layer's channels mean the same channels? Asked of the network, not of the eye.

A picture is told by its *response*, the mean activation of every channel of the layer. Each channel is measured by what
it does on a crowd of pictures that were made for other channels: how far it is from its mean there, in its deviations.
The *rank* of a channel for a picture is how many channels of the layer stand out more in the response. A picture that
was made for channel n of the same network has a rank near 0 for n. *Alike* is the cosine of their response and ours.

The verdict goes by the rank for their picture; that for ours is the control. The thresholds were tried on pictures of
which the answer is known: ``scripts/calibrate_compare.py``, docs/comparing.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.probes.likeness import ROUNDING, responses
from atlas.probes.robust import robust_scores

if TYPE_CHECKING:
    from atlas.networks.cut import Cut

VERSION = 2  # of what is computed here: it is part of every key
FIRST = 0.03  # share of the layer's other channels that may stand out more where two channels are the same
BEYOND = 0.06  # and more than which do where they are different
LEAST = 24  # channels of a layer in which a rank can tell anything
MOST = 2 / 3  # of the channels of a layer that say the same of the layer
FEWEST = 8  # pictures in a crowd
SAME, UNCLEAR, DIFFERENT = range(3)
VERDICTS = ("same", "unclear", "different")

Pictures = Sequence[np.ndarray] | np.ndarray


@dataclass(frozen=True)
class Versus:
    """What came of n pictures of others beside ours of the same channels.

    ``theirs`` and ``ours (n,) float32`` are robust scores; ``rank`` and ``our_rank (n,) int32`` count from 0, among
    ``others`` channels: those that do anything on the crowd; ``alike (n,) float32`` is from -1 to 1; ``verdict (n,)
    int8`` are places in VERDICTS. Where numbers are not finite they are 0, and the verdict is unclear.
    """

    theirs: np.ndarray
    ours: np.ndarray
    rank: np.ndarray
    our_rank: np.ndarray
    alike: np.ndarray
    verdict: np.ndarray
    others: int


@dataclass(frozen=True)
class Crowd:
    """Pictures ``(h, w, 3) uint8`` by which channels are measured, and which of the layer's channels each was made
    for, -1 for none of them."""

    pictures: Iterable[np.ndarray]
    channels: Sequence[int]


def versus(cut: "Cut", channels: np.ndarray, theirs: Pictures, ours: Pictures, crowd: Crowd) -> Versus:
    """Compare n pictures ``(s, s, 3) uint8`` of ``channels (n,) int`` of a cut's layer, by a crowd of at least FEWEST.

    A layer of less than LEAST channels has no verdict but unclear.
    """
    mean, deviation = _measure(cut, crowd)
    differs = deviation > ROUNDING * np.abs(mean)
    told = [responses(cut, some)[0] for some in (theirs, ours)]
    scores = [robust_scores(cut, some, channels.tolist()) for some in (theirs, ours)]
    finite = np.all([np.isfinite(one).all(axis=1) for one in told] + [np.isfinite(one) for one in scores], axis=0)
    found, own = (
        np.where(differs & finite[:, None], one - mean, 0.0) / np.where(differs, deviation, 1.0) for one in told
    )
    others = max(0, int(differs.sum()) - 1)
    rank, our_rank = (_rank(one, channels) for one in (found, own))
    known = finite & differs[channels]
    if others + 1 >= LEAST:
        verdict = np.where(known, verdicts(rank / others, our_rank / others), UNCLEAR).astype(np.int8)
    else:
        verdict = np.full(len(channels), UNCLEAR, np.int8)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(own, axis=1)
    alike = ((found * own).sum(1) / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    their_score, our_score = (np.where(finite, one, 0.0).astype(np.float32) for one in scores)
    return Versus(their_score, our_score, rank, our_rank, alike, verdict, others)


def verdicts(share: np.ndarray, own: np.ndarray) -> np.ndarray:
    """What ranks say, given as shares ``(n,)`` of the layer's other channels: places in VERDICTS ``(n,) int8``.

    ``own`` are the shares for our pictures: where our own picture does not have the channel among the first, the rank
    cannot tell that another picture is of another channel.
    """
    apart = (share > BEYOND) & (own <= FIRST)
    return np.where(share <= FIRST, SAME, np.where(apart, DIFFERENT, UNCLEAR)).astype(np.int8)


def layer_verdict(verdict: np.ndarray) -> str:
    """What the verdicts of its channels say of a layer: the one that MOST of them give, else unclear."""
    shares = [(verdict == place).mean() for place in range(len(VERDICTS))]
    return next((word for word, share in zip(VERDICTS, shares, strict=True) if share >= MOST), VERDICTS[UNCLEAR])


def _measure(cut: "Cut", crowd: Crowd) -> tuple[np.ndarray, np.ndarray]:
    """The mean and deviation ``(channels,)`` of each channel on the crowd, without the pictures made for itself."""
    sizes: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    for channel, picture in zip(crowd.channels, crowd.pictures, strict=True):
        sizes.setdefault(picture.shape, []).append((channel, picture))
    among = np.concatenate([responses(cut, [one for _, one in some])[0] for some in sizes.values()])
    made_for = np.array([channel for some in sizes.values() for channel, _ in some])
    counts = np.isfinite(among) & (made_for[:, None] != np.arange(among.shape[1]))
    many = np.maximum(counts.sum(0), 1)
    mean = np.where(counts, among, 0.0).sum(0) / many
    return mean, np.sqrt((np.where(counts, among - mean, 0.0) ** 2).sum(0) / many)


def _rank(told: np.ndarray, channels: np.ndarray) -> np.ndarray:
    own = told[np.arange(len(channels)), channels]
    return np.asarray((told > own[:, None]).sum(axis=1), np.int32)
