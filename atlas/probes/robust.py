"""Robust scores: what a channel makes of a picture that is moved a little, again and again, as no single pixel is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.networks.compiled import compiled
from atlas.probes.likeness import TOGETHER
from atlas.spec.slots import Rotate, Scale, Shift

if TYPE_CHECKING:
    from atlas.networks.cut import Cut

MOVES = (Scale(between=(0.95, 1.05)), Rotate(degrees=5.0), Shift(pixels=4.0))
DRAWS = 16
SEED = 7


def moves(side: int) -> np.ndarray:
    """The maps ``(DRAWS, 6) float32`` by which every picture of ``side`` pixels is moved, the same for all."""
    from atlas.ascent.transforms import draw

    maps: np.ndarray = draw(MOVES, side, DRAWS, np.random.default_rng(SEED)).maps
    return maps


def robust_scores(cut: "Cut", pictures: Sequence[np.ndarray] | np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """The robust score ``(n,) float32`` of each of n pictures ``(s, s, 3) uint8`` for its own of ``channels``.

    That is the mean over DRAWS of the channel's mean activation on the moved picture, grey beyond its edge.
    """
    import tensorflow as tf

    from atlas.ascent.transforms import Draws, apply
    from atlas.networks.cut import whole

    def own(shown: Any, numbers: Any, one: Any) -> Any:
        plain = tf.cast(shown, tf.float32) / 255.0
        moved = apply(MOVES, "grey", plain, Draws(tf.broadcast_to(one, [tf.shape(shown)[0], 6])))
        seen, sight = cut.see(moved), cut.main
        means = tf.reduce_mean(sight.activate(whole(seen, sight)), axis=[1, 2])
        return tf.gather(means, numbers, axis=1, batch_dims=1)

    side = pictures[0].shape[0]
    given = (
        tf.TensorSpec([None, side, side, 3], tf.uint8),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([6], tf.float32),
    )
    run = compiled(own, *given)
    scores, ways = np.zeros(len(pictures), np.float32), [tf.constant(one) for one in moves(side)]
    for first in range(0, len(pictures), TOGETHER):
        some = np.arange(first, min(first + TOGETHER, len(pictures)))
        filled = np.concatenate([some, np.repeat(some[-1:], TOGETHER - len(some))])
        batch = (
            tf.constant(np.stack([pictures[row] for row in filled])),
            tf.constant(np.asarray(channels, np.int32)[filled]),
        )
        found = np.mean([run(*batch, one).numpy() for one in ways], axis=0)
        scores[some] = found[: len(some)]
    return scores
