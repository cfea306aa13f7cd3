"""The compiled loop: a batch of channels of one layer, from their starts to finished 8-bit pictures.

Channel numbers, starts and draws are tensors, so a layer of any depth is one trace. Nothing in the graph mixes images
but those of one job, and no shape but the batch's depends on the batch: a picture depends on its own job alone.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from atlas.ascent import optimizers, transforms
from atlas.ascent.objectives import Looked, look
from atlas.ascent.parameterization import Picture, PixelPicture, parameterization
from atlas.ascent.starts import photo
from atlas.networks.compiled import compiled
from atlas.networks.cut import Cut
from atlas.networks.load import Network
from atlas.processor import check_bfloat16
from atlas.spec.facts import Preprocessing
from atlas.spec.recipe import Recipe, octave_sizes

AS_IT_IS = Preprocessing("rgb", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))  # of a picture in [-1, 1]
TRACED = ("score", "mean", "max", "min")  # what a trace has of each step

# A function that stays one of its own in the graph. Inside of a loop, TensorFlow's oneDNN pass meets operations in any
# order, and in every other process leaves gradients of max-pools to a kernel ten times slower, whose rounding differs.
APART = {"_noinline": True}


@dataclass(frozen=True)
class Climb:
    """Where a batch of n stands: all that the next steps go on from, as numpy arrays.

    ``parameters (n, *shape)``; ``state`` the optimizer's memory; ``best`` the parameters of the best step so far and
    its score ``(n,)``, empty unless the recipe keeps the best; ``counted (n, s, s)`` the size of the gradient at each
    pixel, summed over the steps, empty unless the recipe counts pixels.
    """

    parameters: np.ndarray
    state: tuple[np.ndarray, ...]
    best: tuple[np.ndarray, ...]
    counted: tuple[np.ndarray, ...]

    def of(self, images: np.ndarray) -> "Climb":
        """The same for some of the images."""
        some = (tuple(array[images] for array in kept) for kept in (self.state, self.best, self.counted))
        return Climb(self.parameters[images], *some)

    def note(self, images: np.ndarray, there: "Climb") -> None:
        """Take over where some of the images have come to: the first of ``there``, which was filled up."""
        mine, theirs = ((one.parameters, *one.state, *one.best, *one.counted) for one in (self, there))
        for whole, part in zip(mine, theirs, strict=True):
            whole[images] = part[: len(images)]


@dataclass(frozen=True)
class Steps:
    """What some steps gave: ``trace (n, steps, 4) float32`` as TRACED, ``frames (n, count, s, s, 3) uint8``."""

    trace: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True)
class Measured:
    """What the network makes of n pictures of 8 bits without transforms.

    ``score (n,)``; ``maximum (n,)`` the largest value of ``field (n, h, w)``, which is where the objective looks.
    """

    score: np.ndarray
    maximum: np.ndarray
    field: np.ndarray


class Stage:
    """The steps at one size of picture. They are traced when it is made, what is measured when it is first asked for,
    and neither again; ``traces`` counts.
    """

    def __init__(self, cut: Cut, exact: Cut, recipe: Recipe, size: int, frame_every: int):
        """Steps go through ``cut``; finished pictures are measured in float32, by ``exact``."""
        self.exact, self.recipe, self.frame_every = exact, recipe, frame_every
        self.picture: Picture = parameterization(recipe, size, cut.graph.shape[2] == 1)
        self.signed = recipe.input == "signed"
        self.traces = 0
        self._photos = [self._ranged(tf.constant(photo(Path(path), size)[None])) for path in recipe.photos]
        self._seen = self._network(cut)
        number, shape = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, *self.picture.shape], tf.float32)
        memory = (shape,) * optimizers.memories(recipe.optimizer)
        best = (shape, tf.TensorSpec([None], tf.float32)) if recipe.keep == "best" else ()
        counted = (tf.TensorSpec([None, size, size], tf.float32),) if recipe.counts_pixels else ()
        two = tf.TensorSpec([None, None, 2], tf.int32)
        draws = transforms.Draws(tf.TensorSpec([None, None, 6], tf.float32), two, two)
        rates, first = tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int32)
        self._update = optimizers.updater(recipe.optimizer, recipe.arithmetic)
        # In plain arithmetic they are parts of the loop, where they round as outside of a graph.
        self._ascended, self._looked = self._ascent, self._look
        if recipe.arithmetic != "plain":
            self._ascended = tf.function(self._ascent, autograph=False, experimental_attributes=APART)
            if recipe.looks > 1:  # all looks call one copy
                self._looked = tf.function(self._look, autograph=False, experimental_attributes=APART)
        self._steps = compiled(self._climb, number, shape, memory, best, counted, draws, rates, first)

    @functools.cached_property
    def _measure(self) -> Any:
        pictures = tf.TensorSpec([None, *[self.picture.size] * 2, 3], tf.uint8)
        return compiled(self._measured, tf.TensorSpec([None], tf.int32), pictures)

    def begin(self, starts: np.ndarray) -> Climb:
        """Where the ascent begins, from parameters ``(n, *shape) float32``."""
        memory = tuple(np.zeros_like(starts) for _ in range(optimizers.memories(self.recipe.optimizer)))
        best = (starts.copy(), np.full(len(starts), -np.inf, np.float32)) if self.recipe.keep == "best" else ()
        pixels = (len(starts), *[self.picture.size] * 2)
        counted = (np.zeros(pixels, np.float32),) if self.recipe.counts_pixels else ()
        return Climb(starts.copy(), memory, best, counted)

    def climb(
        self, channels: np.ndarray, at: Climb, draws: transforms.Draws, rates: np.ndarray, first: int
    ) -> tuple[Climb, Steps]:
        """Ascend ``channels (n,)`` as many steps as there are ``rates``; ``first`` counts the steps done before.

        ``draws`` hold those of each image and look, ``(n, looks, ...)``; n is at least ``smallest_batch``.
        """
        given = (channels, at.parameters, at.state, at.best, at.counted, draws, rates, np.int32(first))
        with arranged(self.recipe.arithmetic):
            made = self._steps(*tf.nest.map_structure(tf.constant, given))
        *to, trace, frames = tf.nest.map_structure(lambda tensor: tensor.numpy(), made)
        return Climb(*to), Steps(trace, frames)

    def paint(self, parameters: np.ndarray) -> np.ndarray:
        """The finished pictures ``(n, s, s, 3) uint8`` of parameters."""
        return np.asarray(self._eight_bit(self.picture.paint(tf.constant(parameters))).numpy())

    def measure(self, channels: np.ndarray, pictures: np.ndarray) -> Measured:
        """What the network makes of pictures ``(n, s, s, 3) uint8``, each with its own of ``channels (n,)``."""
        with arranged(self.recipe.arithmetic):
            found = self._measure(tf.constant(channels), tf.constant(pictures))
        return Measured(*(tensor.numpy() for tensor in found))

    def _network(self, cut: Cut) -> Callable[..., Looked]:
        recipe = self.recipe

        def seen(picture: Any, channels: Any, *photos: Any) -> tuple[Any, Any, Any]:
            beside = dict(zip(recipe.photos, map(cut.see, photos), strict=True))
            looked = look(recipe.terms, cut, cut.see(picture), channels, recipe.repeats, beside)
            return looked.target, looked.score, looked.field

        run = tf.function(seen, jit_compile=True, autograph=False) if recipe.arithmetic == "xla" else seen
        return lambda *given: Looked(*run(*given))

    def _beside(self, channels: Any) -> list[Any]:
        """The photos that the objective looks at, ``(n, s, s, 3)`` each, in the network's range."""
        shape = [tf.shape(channels)[0], *[self.picture.size] * 2, 3]
        return [tf.ensure_shape(tf.broadcast_to(one, shape), [None, *shape[1:]]) for one in self._photos]

    def _climb(
        self, channels: Any, parameters: Any, state: Any, best: Any, counted: Any, draws: Any, rates: Any, first: Any
    ) -> tuple[Any, ...]:
        self.traces += 1  # a Python side effect: runs when TensorFlow traces, not when it runs
        steps, every, looks = tf.shape(rates)[0], max(self.frame_every, 1), self.recipe.looks
        before = (first + every - 1) // every  # frames taken in earlier steps
        count = (first + steps + every - 1) // every - before if self.frame_every else 0
        trace = tf.TensorArray(tf.float32, steps, element_shape=[len(TRACED), None])
        frames = tf.TensorArray(tf.uint8, count, element_shape=[None, *[self.picture.size] * 2, 3])

        def step(index: Any, parameters: Any, state: Any, best: Any, counted: Any, trace: Any, frames: Any) -> Any:
            now = transforms.Draws(*(drawn[:, index * looks : (index + 1) * looks] for drawn in draws))
            gradient, toward, traced = self._ascended(parameters, channels, now)
            gradient = tf.ensure_shape(gradient, parameters.shape)
            counted = tuple(so_far + tf.reduce_mean(tf.abs(toward), axis=3) for so_far in counted)
            trace = trace.write(index, traced)
            if best:
                better = traced[0] > best[1]
                chosen = tf.reshape(better, [-1, *[1] * len(self.picture.shape)])
                best = (tf.where(chosen, parameters, best[0]), tf.where(better, traced[0], best[1]))
            if self.frame_every:
                frames = tf.cond(
                    (first + index) % every == 0,
                    lambda: frames.write(
                        (first + index) // every - before, self._eight_bit(self.picture.paint(parameters))
                    ),
                    lambda: frames,
                )
            moved, state = self._update(parameters, gradient, state, first + index, rates[index])
            return index + 1, self.picture.constrain(moved), state, best, counted, trace, frames

        _, *to, trace, frames = tf.while_loop(
            lambda index, *_: index < steps,
            step,
            (tf.constant(0), parameters, tuple(state), tuple(best), tuple(counted), trace, frames),
            parallel_iterations=1,
        )
        framed = (
            tf.transpose(frames.stack(), [1, 0, 2, 3, 4])
            if self.frame_every
            else tf.zeros([tf.shape(channels)[0], 0, *[self.picture.size] * 2, 3], tf.uint8)
        )
        return *to, tf.transpose(trace.stack(), [2, 0, 1]), framed

    def _ascent(self, parameters: Any, channels: Any, draws: transforms.Draws) -> tuple[Any, Any, Any]:
        """One step: the gradient ``(n, *shape)`` of the parameters, that of the pictures ``(n, s, s, 3)``, which is the
        mean over its looks, and what is traced of it ``(4, n)``.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            painted = self.picture.paint(parameters)
            shown = painted if isinstance(self.picture, PixelPicture) else self._ranged(painted)
        toward, traced = self._over_looks(shown, channels, draws)
        return tape.gradient(shown, parameters, output_gradients=toward), toward, traced

    def _over_looks(self, shown: Any, channels: Any, draws: transforms.Draws) -> tuple[Any, Any]:
        """The mean of what all looks of a step give; one after the other, so that there is memory for one at a time."""
        toward, traced = self._looked(shown, channels, transforms.Draws(*(drawn[:, 0] for drawn in draws)))
        count = self.recipe.looks
        for number in range(1, count):
            with tf.control_dependencies([toward]):
                now = transforms.Draws(*(tf.identity(drawn[:, number]) for drawn in draws))
            gradient, values = self._looked(shown, channels, now)
            toward, traced = toward + gradient, traced + values
        return (toward, traced) if count == 1 else (toward / count, traced / count)

    def _look(self, shown: Any, channels: Any, draws: transforms.Draws) -> tuple[Any, Any]:
        """The gradient of pictures ``(n, s, s, 3)`` in the network's range as one look sees them, and what is traced of
        it ``(4, n)``.
        """
        photos = [self._moved(one, draws) for one in self._beside(channels)]  # (n, s', s', 3) each
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(shown)
            looked = self._seen(self._moved(shown, draws), channels, *photos)
        spread = [reduce(looked.field, axis=[1, 2]) for reduce in (tf.reduce_mean, tf.reduce_max, tf.reduce_min)]
        return tape.gradient(looked.target, shown), tf.stack([looked.score, *spread])

    def _measured(self, channels: Any, pictures: Any) -> tuple[Any, Any, Any]:
        self.traces += 1
        plain = tf.cast(pictures, tf.float32) / 255.0
        looked = self._network(self.exact)(self._ranged(plain), channels, *self._beside(channels))
        return looked.score, tf.reduce_max(looked.field, axis=[1, 2]), looked.field

    def _ranged(self, picture: Any) -> Any:
        """Pictures in [0, 1] in the range that is fed to the network."""
        return 2.0 * picture - 1.0 if self.signed else picture

    def _moved(self, picture: Any, draws: transforms.Draws) -> Any:
        """What the network sees of pictures in its range ``(n, s, s, 3)``: ``(n, s', s', 3)``."""
        slots, fill = self.recipe.transforms, self.recipe.fill
        return transforms.apply(slots, fill, picture, draws, 0.0 if self.signed else 0.5)

    def _eight_bit(self, picture: Any) -> Any:
        if self.signed and isinstance(self.picture, PixelPicture):
            picture = (picture + 1.0) / 2.0
        levels = tf.clip_by_value(picture, 0.0, 1.0) * 255.0
        return tf.cast(tf.round(levels) if self.recipe.rounding == "nearest" else tf.floor(levels), tf.uint8)


class Kernel:
    """Gradient ascent on one layer under one recipe: its stages, one for each octave, the last of full size."""

    def __init__(self, network: Network, layer: str, recipe: Recipe, frame_every: int = 0):
        """``recipe.size`` is a number here; ``frame_every`` keeps a frame every so many steps, 0 none.

        Raises NetworkError, WeightsError or AtlasError when the network has not what the recipe looks at, and
        AtlasError where its arithmetic is not this machine's.
        """
        if recipe.arithmetic == "bfloat16":
            check_bfloat16()
        self._network = network
        self.cut = exact = self._cut(layer, recipe)
        if recipe.arithmetic == "bfloat16":
            exact = self._cut(layer, recipe.model_copy(update={"arithmetic": "fast"}))
        self.recipe = recipe
        self.frame_every = frame_every
        self.smallest_batch = 1 if recipe.arithmetic == "plain" else self.cut.smallest_batch
        self.stages = [Stage(self.cut, exact, recipe, size, frame_every) for size in octave_sizes(recipe)]

    def _cut(self, layer: str, recipe: Recipe) -> Cut:
        cut = self._network.cut(layer, recipe)
        return cut if recipe.input == "own" else replace(cut, preprocessing=AS_IT_IS)

    @functools.cached_property
    def last_resort(self) -> "Kernel | None":
        """What a channel that no seed raises is tried with, see ``Recipe.last_resort``; None where there is nothing."""
        recipe = self.recipe.last_resort
        return None if recipe is None else Kernel(self._network, self.cut.layer, recipe, self.frame_every)

    @property
    def traces(self) -> int:
        """How often TensorFlow traced: for each size its steps, and for the last what is measured."""
        return sum(stage.traces for stage in self.stages)


@contextlib.contextmanager
def arranged(arithmetic: str) -> Iterator[None]:
    """Let TensorFlow arrange graphs for a recipe's ``arithmetic`` inside the block.

    That happens when a graph is first run: ``mixed`` puts what is safe into bfloat16 on cores, float16 on a GPU;
    ``plain`` leaves every operation as it was written, so that it rounds as it does outside of a graph.
    """
    gpu = bool(tf.config.get_visible_devices("GPU"))
    option = {
        "mixed": "auto_mixed_precision" if gpu else "auto_mixed_precision_onednn_bfloat16",
        "plain": "disable_meta_optimizer",
    }.get(arithmetic)
    if option is None:
        yield
        return
    tf.config.optimizer.set_experimental_options({option: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({option: False})
