"""The compiled loop: a batch of channels of one layer, from their starts to finished 8-bit pictures, in one call.

Channel numbers, starts and maps are tensors, so a layer of any depth is one trace. Nothing in the graph mixes images
and no shape but the batch's depends on the batch: a picture depends on its own job alone.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from atlas.ascent import objectives, optimizers, transforms
from atlas.ascent.parameterization import parameterization
from atlas.networks.cut import Cut
from atlas.spec.facts import Preprocessing
from atlas.spec.recipe import Recipe

SIGNED = Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))  # a picture scaled to [-1, 1]


@dataclass(frozen=True)
class Ascended:
    """What a batch of n gave, as numpy arrays.

    ``pictures (n, size, size, 3) uint8``; ``trace (n, steps) float32``, the score at each step on that step's
    transformed picture, before the update; ``score_*`` and ``max_*`` ``(n,) float32``, the score and the largest
    activation without transforms on the 8-bit start, on the finished picture and on mid-grey; ``frames
    (n, count, size, size, 3) uint8``, empty unless asked for.
    """

    pictures: np.ndarray
    trace: np.ndarray
    score_start: np.ndarray
    score_end: np.ndarray
    score_grey: np.ndarray
    max_grey: np.ndarray
    max_start: np.ndarray
    max_end: np.ndarray
    frames: np.ndarray


EXACT = {
    *("Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "BatchNormalization", "Rescaling"),
    *("MaxPooling2D", "AveragePooling2D", "ZeroPadding2D", "Cropping2D", "Concatenate", "Add", "Dropout", "Identity"),
}


def smallest_batch(cut: Cut) -> int:
    """How many images go through a network at least, so that each gets the same bytes in every batch.

    Two, since a batch of one takes another path through convolutions. Eight where the network has roots, exponentials
    and the like: TensorFlow computes those eight at a time and rounds otherwise in what is left over at the end.
    """
    nodes = [cut.graph.nodes[index] for index in cut.graph.needed([cut.value])]
    return 2 if all(node.relu or node.kind in EXACT for node in nodes) else 8


class Kernel:
    """Gradient ascent on one layer under one recipe. Traced when it is made and never again; ``traces`` counts."""

    def __init__(self, cut: Cut, recipe: Recipe, frame_every: int = 0):
        """``recipe.size`` is a number here; ``frame_every`` keeps a frame every so many steps, 0 none."""
        self.cut = cut if recipe.input == "own" else replace(cut, preprocessing=SIGNED)
        self.recipe = recipe
        self.frame_every = frame_every
        self.picture = parameterization(recipe)
        self.smallest_batch = smallest_batch(self.cut)
        self.traces = 0
        float32, int32 = tf.float32, tf.int32
        signature = [
            tf.TensorSpec([None], int32),
            tf.TensorSpec([None, *self.picture.shape], float32),
            tf.TensorSpec([None, None, transforms.NUMBERS], float32),
        ]
        self._graph = tf.function(self._ascend, input_signature=signature, autograph=False).get_concrete_function()

    def __call__(self, channels: np.ndarray, starts: np.ndarray, maps: np.ndarray) -> Ascended:
        """Ascend ``channels (n,)`` from ``starts (n, *shape)`` under ``maps (n, steps, 8)``, n at least 2."""
        result = self._graph(
            tf.constant(channels, tf.int32), tf.constant(starts, tf.float32), tf.constant(maps, tf.float32)
        )
        return Ascended(**{name: value.numpy() for name, value in result.items()})

    def draw(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """What is random in one job, made from its seed alone: its start ``shape`` and its maps ``(steps, 8)``."""
        generator = np.random.Generator(np.random.Philox(seed))
        start = self.picture.start(self.recipe, generator)
        recipe = self.recipe
        return start, transforms.draw_maps(recipe.transforms, self.picture.size, recipe.steps, generator)

    def _before(self, picture: Any, channels: Any) -> Any:
        """Each image's own channel before the ReLU, ``(n, h, w)``, of pictures ``(n, s, s, 3)`` in [0, 1]."""
        return objectives.pick(self.cut.pre(picture), channels)

    def _ascend(self, channels: Any, starts: Any, maps: Any) -> dict[str, Any]:
        self.traces += 1  # a Python side effect: runs when TensorFlow traces, not when it runs
        recipe, steps = self.recipe, tf.shape(maps)[1]
        trace = tf.TensorArray(tf.float32, steps, element_shape=[None])
        every = max(self.frame_every, 1)
        count = (steps + every - 1) // every if self.frame_every else 0
        frames = tf.TensorArray(tf.uint8, count, element_shape=[None, None, None, 3])

        def step(index: Any, parameters: Any, state: Any, trace: Any, frames: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(parameters)
                picture = self.picture.paint(parameters)  # (n, s, s, 3)
                seen = transforms.apply(recipe.transforms, recipe.fill, picture, maps[:, index])  # (n, s', s', 3)
                before = self._before(seen, channels)  # (n, h, w)
                target = objectives.target(recipe.objective, self.cut, before)  # (n,)
            gradient = tf.ensure_shape(tape.gradient(target, parameters), parameters.shape)
            trace = trace.write(index, objectives.score(recipe.objective, self.cut, before))
            if self.frame_every:
                frames = tf.cond(
                    index % every == 0,
                    lambda: frames.write(index // every, self._eight_bit(picture)),
                    lambda: frames,
                )
            moved, state = optimizers.update(recipe.optimizer, parameters, gradient, state, index)
            return index + 1, self.picture.constrain(moved), state, trace, frames

        state = optimizers.state_of(recipe.optimizer, starts)
        _, parameters, _, trace, frames = tf.while_loop(
            lambda index, *_: index < steps, step, (tf.constant(0), starts, state, trace, frames), parallel_iterations=1
        )
        pictures = self._eight_bit(self.picture.paint(parameters))
        started = self._eight_bit(self.picture.paint(starts))
        return {
            "pictures": pictures,
            "trace": tf.transpose(trace.stack()),
            "frames": self._chosen(frames, pictures),
            **self._measured("start", tf.cast(started, tf.float32) / 255.0, channels),
            **self._measured("end", tf.cast(pictures, tf.float32) / 255.0, channels),
            **self._measured("grey", tf.fill(tf.shape(pictures), 0.5), channels),
        }

    def _eight_bit(self, picture: Any) -> Any:
        levels = tf.clip_by_value(picture, 0.0, 1.0) * 255.0
        return tf.cast(tf.round(levels) if self.recipe.rounding == "nearest" else tf.floor(levels), tf.uint8)

    def _measured(self, name: str, picture: Any, channels: Any) -> dict[str, Any]:
        """Score and largest activation of pictures ``(n, s, s, 3)`` in [0, 1], without transforms."""
        before = self._before(picture, channels)
        return {
            f"score_{name}": objectives.score(self.recipe.objective, self.cut, before),
            f"max_{name}": tf.reduce_max(self.cut.activate(before), axis=[1, 2]),
        }

    def _chosen(self, frames: Any, pictures: Any) -> Any:
        """Every so many frames and the finished picture, ``(n, count, s, s, 3)``; none when not asked for."""
        if not self.frame_every:
            return tf.zeros([tf.shape(pictures)[0], 0, *pictures.shape[1:]], tf.uint8)
        return tf.transpose(tf.concat([frames.stack(), pictures[None]], axis=0), [1, 0, 2, 3, 4])
