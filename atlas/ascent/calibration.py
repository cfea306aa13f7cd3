"""How fast this machine does each kind of work: measured once in a few seconds, by one process on each core.

What a step of an ascent takes was fitted on one machine, see ``spec.pace``. Here the kinds of its work are timed alone,
all cores busy as in a build, and estimates follow the ratio to the times of that machine.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from atlas.memory import available
from atlas.processes import spread
from atlas.processor import cores, has_bfloat16
from atlas.runtime import start_tensorflow
from atlas.spec.machine import keep
from atlas.spec.plan import WORKER

IMAGES = 2  # that go through together, as in most batches
SIDE = 56  # of the values that an operation is timed on, in positions; deep layers have fewer, with more channels
NODES = 64  # computations in a row of hardly any work
TURNS = 15  # of each kind, of which the median counts
TURN = 0.01  # seconds that one is to last, at least


@dataclass(frozen=True)
class Timed:
    """One kind of work to be timed: a function of values of a ``shape``, which has so many ``units`` of the kind."""

    shape: tuple[int, ...]
    dtype: str
    units: float
    function: Callable[[Any], Any]


def calibrate() -> None:
    """Measure this machine and keep what was found: a process with one thread on each core, all of them at once, as far
    as there is memory for them.

    Of each kind of work the median of the processes counts. Raises as ``spread``.
    """
    arithmetics = ("fast", "bfloat16") if has_bfloat16() else ("fast",)
    room = available()
    count = cores() if room is None else max(1, min(cores(), int(room / WORKER)))
    found = list(spread(measure, [arithmetics] * count, count))
    keep(
        {
            arithmetic: {kind: median(one[arithmetic][kind] for one in found) for kind in found[0][arithmetic]}
            for arithmetic in arithmetics
        }
    )


def measure(arithmetics: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """The seconds that this process takes for a unit of each kind of work, forward and its gradient, by arithmetic.

    All kinds take turns, so that a moment in which the machine is busy does not count for one alone.
    """
    start_tensorflow(1)
    steps = {one: {kind: _timer(timed) for kind, timed in kinds(one).items()} for one in arithmetics}
    turns = [{one: {kind: take() for kind, take in each.items()} for one, each in steps.items()} for _ in range(TURNS)]
    return {one: {kind: median(turn[one][kind] for turn in turns) for kind in each} for one, each in steps.items()}


def _timer(timed: Timed) -> Callable[[], float]:
    """What times it for one turn: the seconds for a unit."""
    import tensorflow as tf

    from atlas.networks.compiled import compiled

    step = compiled(partial(forward_and_back, timed.function), tf.TensorSpec(timed.shape, timed.dtype))
    values = drawn(timed)
    step(values)
    once = _seconds(step, values, 1)
    times = max(1, round(TURN / once))
    return lambda: _seconds(step, values, times) / times / timed.units


def _seconds(step: Callable[[Any], Any], values: Any, times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        step(values)
    return time.perf_counter() - begun


def drawn(timed: Timed) -> Any:
    """Values to time it on."""
    import tensorflow as tf

    return tf.cast(tf.random.stateless_normal(timed.shape, seed=(1, 2)), timed.dtype)


def forward_and_back(function: Callable[[Any], Any], values: Any) -> Any:
    """The gradient of the sum of what a function makes of values."""
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        made = function(values)
    return tape.gradient(made, values)


def kinds(arithmetic: str) -> dict[str, Timed]:
    """What is timed of each kind of ``spec.facts.WORK`` that counts, and of what is done with a picture."""
    import tensorflow as tf

    from atlas.networks.rewritten import Gelu, LayerNorm

    dtype = "bfloat16" if arithmetic == "bfloat16" else "float32"
    generator = tf.random.Generator.from_seed(1)

    def kernel(*shape: int) -> Any:
        return tf.cast(0.05 * generator.normal(shape), dtype)

    def wide(values: Any) -> Any:
        return tf.nn.conv2d(values, of_wide, 1, "SAME")

    def point(values: Any) -> Any:
        return tf.nn.conv2d(values, of_point, 1, "SAME")

    def apart(values: Any) -> Any:
        return tf.nn.depthwise_conv2d(values, of_apart, (1, 1, 1, 1), "SAME")

    def curved(values: Any) -> Any:
        return tf.cast(Gelu()([tf.nn.silu(tf.cast(values, tf.float32))]), dtype)

    def normed(values: Any) -> Any:
        return tf.cast(norm([values]), dtype)

    def moved(values: Any) -> Any:
        return tf.nn.relu(values) + values

    def nodes(values: Any) -> Any:
        for _ in range(NODES):
            values = tf.nn.relu(tf.nn.conv2d(values, of_nodes, 1, "SAME"))
        return values

    def picture(values: Any) -> Any:
        planes = tf.cast(values, tf.float32)
        painted = tf.sigmoid(tf.signal.irfft2d(tf.complex(planes[..., 0], planes[..., 1])))
        return tf.image.resize(tf.transpose(painted, (0, 2, 3, 1)), (200, 200))

    depth = 128
    of_wide, of_point, of_apart = kernel(3, 3, depth, depth), kernel(1, 1, depth, 4 * depth), kernel(5, 5, depth, 1)
    of_nodes = kernel(1, 1, 8, 8)
    norm = LayerNorm(np.ones(1, np.float32), np.zeros(1, np.float32), 1e-3)
    shape = (IMAGES, SIDE, SIDE, depth)
    values = float(np.prod(shape))
    return {
        "wide": Timed(shape, dtype, 9 * depth * values, wide),
        "point": Timed(shape, dtype, 4 * depth * values, point),
        "apart": Timed(shape, dtype, 25 * values, apart),
        "curved": Timed(shape, dtype, 2 * values, curved),
        "normed": Timed(shape, dtype, values, normed),
        "moved": Timed(shape, dtype, 2 * values, moved),
        "nodes": Timed((IMAGES, 4, 4, 8), dtype, 2 * NODES, nodes),
        "picture": Timed((IMAGES, 3, 224, 113, 2), dtype, IMAGES * 224**2, picture),
    }
