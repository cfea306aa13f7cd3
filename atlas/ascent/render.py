"""From a channel and a recipe to a finished rendering: batches, seeds, measures, and what to do with a dead one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import PIL.Image

from atlas.activations import SEEDS, state
from atlas.ascent.ascend import Image, ascend, filled, prepare
from atlas.ascent.kernel import Kernel, Measured
from atlas.errors import AtlasError
from atlas.networks.load import Network
from atlas.spec.plan import seed_of
from atlas.spec.recipe import Recipe

BATCH = 16  # images at once
UNDONE = ("dead", "unraised", "failed")  # states of which another attempt is made
GREY = 128  # mid-grey in 8 bits
OPAQUE = 5  # one pixel in so many is wholly opaque


@dataclass(frozen=True, eq=False)
class Rendering:
    """One finished job: its picture with its numbers, and those of its repeats.

    ``pictures (repeats, size, size, 3) uint8``, the first is the main one; ``trace (steps, 4) float32`` as
    ``kernel.TRACED``, of the steps that were taken; ``maps (2, h, w) float32`` is where the objective looks, on the
    start and on the picture; ``frames (count, size, size, 3) uint8`` are of before ``framed`` steps and, the last, the
    finished picture; ``opacity (size, size) uint8`` is how much each pixel counted in the ascent, of recipes that keep
    that: the size of its gradient over all steps, 255 where that is among the largest fifth; ``state`` is one of
    ``activations.state``, ``made`` (nobody asks) or ``failed`` (something was not finite); ``attempt`` counts from 0,
    of ``attempts`` that a channel has; ``score`` and ``maximum`` are on the 8-bit picture.
    """

    channel: int
    pictures: np.ndarray
    trace: np.ndarray
    maps: np.ndarray
    frames: np.ndarray
    framed: tuple[int, ...]
    state: str
    settled: bool
    attempt: int
    seed: int
    score: dict[str, float]
    maximum: dict[str, float]
    attempts: int
    opacity: np.ndarray | None

    @property
    def picture(self) -> np.ndarray:
        """The main picture, ``(size, size, 3) uint8``."""
        return np.asarray(self.pictures[0])

    def record(self) -> dict[str, Any]:
        """The numbers as plain data, as an entry keeps them."""
        return {
            "attempt": self.attempt,
            "attempts": self.attempts,
            "channel": self.channel,
            "max": self.maximum,
            "score": self.score,
            "seed": self.seed,
            "settled": self.settled,
            "size": list(self.picture.shape[:2]),
            "state": self.state,
            "steps": len(self.trace),
        }


def render(kernel: Kernel, channels: Sequence[int]) -> list[Rendering]:
    """The renderings of some channels, in their order, as one batch padded to a power of two.

    One that is dead, not raised or not finite is tried again with a seed derived from its own, at most SEEDS times,
    and then under the recipe's last resort, where it has one. The attempt with the highest score stays when all fail.
    """
    best = dict(zip(channels, _batch(kernel, channels, 0), strict=True))
    for attempt in range(1, kernel.recipe.attempts):
        again = [channel for channel in channels if best[channel].state in UNDONE]
        if not again:
            break
        other = kernel.last_resort if attempt > SEEDS else kernel
        for rendering in _batch(other or kernel, again, attempt):
            if _rank(rendering) > _rank(best[rendering.channel]):
                best[rendering.channel] = rendering
    return [replace(best[channel], attempts=kernel.recipe.attempts) for channel in channels]


def renderings(
    network: Network,
    layer: str,
    channels: Sequence[int],
    recipe: Recipe,
    frame_every: int = 0,
    make: Callable[[Network, str, Recipe, int], Kernel] = Kernel,
) -> list[Rendering]:
    """The renderings of some channels, one for a recipe of whole layers; a frame every so many steps, 0 for none.

    ``make`` gives the kernel: a new one, unless whoever asks keeps some. Raises AtlasError when a picture could not
    be made.
    """
    made: list[Rendering] = []
    try:
        kernel = make(network, layer, recipe, frame_every)
        wanted, size = [0] if recipe.whole else channels, max(1, BATCH // recipe.repeats)
        for first in range(0, len(wanted), size):
            made += render(kernel, wanted[first : first + size])
    except AtlasError:
        raise
    except Exception as error:  # whatever TensorFlow raises: out of memory, an operation without a gradient
        said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise AtlasError(f"{layer}: expected a layer that can be ascended, received {said}") from error
    for one in made:
        if one.state == "failed":
            raise AtlasError(f"{layer} {one.channel}: expected finite numbers, received others; try another seed")
    return made


def _rank(rendering: Rendering) -> tuple[int, float]:
    order = 0 if rendering.state == "failed" else 1 if rendering.state in UNDONE else 2
    return order, rendering.score["end"] if order else 0.0


def _batch(kernel: Kernel, channels: Sequence[int], attempt: int) -> list[Rendering]:
    """One attempt at each channel: all together, or in plain arithmetic one by one, as a loop outside of a graph."""
    recipe, layer = kernel.recipe, kernel.cut.layer
    if recipe.arithmetic == "plain" and len(channels) > 1:
        return [rendering for channel in channels for rendering in _batch(kernel, [channel], attempt)]
    seeds = {channel: seed_of(recipe, layer, channel, attempt) for channel in channels}
    images = [
        prepare(kernel, channel, seed_of(recipe, layer, channel, attempt, repeat))
        for channel in channels
        for repeat in range(recipe.repeats)
    ]
    ascend(kernel, images)
    batch = [images[number] for number in filled(kernel, len(images))]
    stage = kernel.stages[-1]
    owners = np.array([image.channel for image in batch], np.int32)
    started = stage.paint(np.stack([image.start for image in batch]))
    pictures = stage.paint(np.stack([image.parameters for image in batch]))
    measured = {
        "start": stage.measure(owners, started),
        "end": stage.measure(owners, pictures),
        "grey": stage.measure(owners, np.full_like(pictures, GREY)),
    }
    return [
        _rendering(kernel, images, pictures, measured, place * recipe.repeats, attempt, seeds[channel])
        for place, channel in enumerate(channels)
    ]


def _rendering(
    kernel: Kernel,
    images: list[Image],
    pictures: np.ndarray,
    measured: Mapping[str, Measured],
    first: int,
    attempt: int,
    seed: int,
) -> Rendering:
    """The rendering of one job, whose images begin with the ``first`` of the batch."""
    image, repeats = images[first], kernel.recipe.repeats
    score = {name: float(found.score[first]) for name, found in measured.items()}
    maximum = {name: float(found.maximum[first]) for name, found in measured.items()}
    trace = np.concatenate(image.trace)
    own = slice(first, first + repeats)  # of all repeats
    finite = all(np.isfinite([*found.score[own], *found.maximum[own]]).all() for found in measured.values())
    finite &= all(np.isfinite(steps).all() for repeat in images[own] for steps in repeat.trace)
    return Rendering(
        channel=image.channel,
        pictures=pictures[first : first + repeats],
        trace=trace,
        maps=np.stack([measured[name].field[first] for name in ("start", "end")]),
        frames=_frames(image, pictures[first]) if kernel.frame_every else pictures[:0],
        framed=tuple(image.framed),
        state=_state(kernel, score, maximum) if finite else "failed",
        settled=image.settled,
        attempt=attempt,
        seed=seed,
        score=score,
        maximum=maximum,
        attempts=kernel.recipe.attempts,
        opacity=_opacity(image.counted) if image.counted is not None and finite else None,
    )


def _opacity(counted: np.ndarray) -> np.ndarray:
    """How much pixels counted ``(s, s) float32``, in 8 bits: the largest one in OPAQUE of them are wholly opaque."""
    most = np.quantile(counted, 1 - 1 / OPAQUE) or counted.max() or 1.0
    return np.asarray(np.round(255 * np.minimum(counted / most, 1)), np.uint8)


def _frames(image: Image, picture: np.ndarray) -> np.ndarray:
    """The frames of all octaves at the size of the last, and the finished picture."""
    side = picture.shape[0]
    shown = [np.asarray(PIL.Image.fromarray(one).resize((side, side))) for some in image.frames for one in some]
    return np.stack([*shown, picture])


def _state(kernel: Kernel, score: Mapping[str, float], maximum: Mapping[str, float]) -> str:
    """``made`` where it is not asked whether a channel is raised."""
    return state(kernel.cut.main.function, score, maximum) if kernel.recipe.activates else "made"
