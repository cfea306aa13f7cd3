"""From a channel and a recipe to a finished rendering: batches, seeds, and what to do with a dead one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.ascent.kernel import Ascended, Kernel
from atlas.spec.plan import ATTEMPTS, seed_of


@dataclass(frozen=True)
class Rendering:
    """One finished picture with its numbers.

    ``picture (size, size, 3) uint8``; ``trace (steps,) float32``; ``state`` is ``activated``, ``dead`` or ``failed``
    (something was not finite); ``attempt`` counts from 0; ``score`` and ``maximum`` are on the 8-bit picture.
    """

    channel: int
    picture: np.ndarray
    trace: np.ndarray
    state: str
    attempt: int
    seed: int
    score: dict[str, float]
    maximum: dict[str, float]
    frames: np.ndarray

    def record(self) -> dict[str, Any]:
        """The numbers as plain data, as an entry keeps them."""
        return {
            "attempt": self.attempt,
            "attempts": ATTEMPTS + 1,
            "channel": self.channel,
            "max": self.maximum,
            "score": self.score,
            "seed": self.seed,
            "size": list(self.picture.shape[:2]),
            "state": self.state,
            "steps": len(self.trace),
        }


def render(kernel: Kernel, channels: Sequence[int]) -> list[Rendering]:
    """The renderings of some channels, in their order, as one batch padded to a power of two.

    A dead or not finite one is tried again with a seed derived from its own, at most ATTEMPTS times; the attempt with
    the highest score stays when none is activated.
    """
    best = dict(zip(channels, _batch(kernel, channels, 0), strict=True))
    for attempt in range(1, ATTEMPTS + 1):
        again = [channel for channel in channels if best[channel].state != "activated"]
        if not again:
            break
        for rendering in _batch(kernel, again, attempt):
            if _rank(rendering) > _rank(best[rendering.channel]):
                best[rendering.channel] = rendering
    return [best[channel] for channel in channels]


def _rank(rendering: Rendering) -> tuple[int, float]:
    order = {"failed": 0, "dead": 1, "activated": 2}[rendering.state]
    return order, rendering.score["end"] if order else 0.0


def _batch(kernel: Kernel, channels: Sequence[int], attempt: int) -> list[Rendering]:
    seeds = [seed_of(kernel.recipe, kernel.cut.layer, channel, attempt) for channel in channels]
    draws = [kernel.draw(seed) for seed in seeds]
    size = kernel.smallest_batch
    while size < len(channels):
        size *= 2
    filled = [min(index, len(channels) - 1) for index in range(size)]  # the last one fills up
    result = kernel(
        np.array([channels[index] for index in filled], np.int32),
        np.stack([draws[index][0] for index in filled]),
        np.stack([draws[index][1] for index in filled]),
    )
    return [
        _rendering(kernel, result, index, channel, attempt, seed)
        for index, (channel, seed) in enumerate(zip(channels, seeds, strict=True))
    ]


def _rendering(kernel: Kernel, result: Ascended, i: int, channel: int, attempt: int, seed: int) -> Rendering:
    score = {
        "end": float(result.score_end[i]),
        "grey": float(result.score_grey[i]),
        "start": float(result.score_start[i]),
    }
    maximum = {
        "end": float(result.max_end[i]),
        "grey": float(result.max_grey[i]),
        "start": float(result.max_start[i]),
    }
    finite = np.isfinite([*score.values(), *maximum.values()]).all() and np.isfinite(result.trace[i]).all()
    return Rendering(
        channel=channel,
        picture=result.pictures[i],
        trace=result.trace[i],
        state="failed" if not finite else "activated" if _activated(kernel, score, maximum) else "dead",
        attempt=attempt,
        seed=seed,
        score=score,
        maximum=maximum,
        frames=result.frames[i],
    )


def _activated(kernel: Kernel, score: dict[str, float], maximum: dict[str, float]) -> bool:
    """Whether the channel is above zero somewhere, and on the mean above its start and mid-grey.

    Asked only where a channel is raised that ends in a ReLU: elsewhere there is no zero to be stuck at.
    """
    if not kernel.cut.relu or kernel.recipe.objective.sign < 0:
        return True
    return maximum["end"] > 0 and score["end"] > max(score["start"], score["grey"])
