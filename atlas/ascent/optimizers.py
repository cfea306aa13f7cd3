"""Optimizers: one update of the parameters from their gradient. No state is shared between images."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from atlas.spec.slots import Adam, Ascent, Optimizer

TINY = 1e-8  # Adam's own, keeps a zero gradient from becoming a NaN
SMALLEST = 1e-30  # does the same where a gradient is divided by its own size, which can be very small


def rates(optimizer: Optimizer, steps: int) -> np.ndarray:
    """The rate of each step, ``(steps,) float32``: full at the first and, unless constant, near nothing at the last."""
    done = np.arange(steps) / steps
    shares = {"constant": np.ones(steps), "linear": 1 - done, "cosine": (1 + np.cos(np.pi * done)) / 2}
    return (optimizer.rate * shares[optimizer.schedule]).astype(np.float32)


def memories(optimizer: Optimizer) -> int:
    """How many arrays shaped like the parameters the optimizer remembers from step to step; zeros before the first."""
    return 2 if isinstance(optimizer, Adam) else 0


@functools.lru_cache(maxsize=16)  # kernels share what XLA compiles, 0.7 MB that it keeps for good
def updater(optimizer: Optimizer, arithmetic: str) -> Callable[..., Any]:
    """``update`` by one optimizer, compiled by XLA into one pass over memory unless the ``arithmetic`` is ``plain``."""
    update_by = functools.partial(update, optimizer)
    return update_by if arithmetic == "plain" else tf.function(update_by, jit_compile=True, autograph=False)


def update(
    optimizer: Optimizer, parameters: Any, gradient: Any, state: tuple[Any, ...], step: Any, rate: Any
) -> tuple[Any, tuple[Any, ...]]:
    """The parameters one step up their ``gradient``, and the new memory; ``step`` is an int32 tensor from 0."""
    match optimizer:
        case Adam():
            mean = optimizer.beta1 * state[0] + (1 - optimizer.beta1) * gradient
            square = optimizer.beta2 * state[1] + (1 - optimizer.beta2) * tf.square(gradient)
            count = tf.cast(step + 1, tf.float32)
            unbiased = mean / (1 - tf.pow(optimizer.beta1, count))
            spread = tf.sqrt(square / (1 - tf.pow(optimizer.beta2, count)))
            return parameters + rate * unbiased / (spread + TINY), (mean, square)
        case Ascent():
            return parameters + rate * gradient / tf.maximum(_size(optimizer, gradient), SMALLEST), ()


def _size(optimizer: Ascent, gradient: Any) -> Any:
    """The gradient's size, one for each image, broadcast before its root as in ``parameterization``: no lone roots."""
    axes = list(range(1, len(gradient.shape)))
    if optimizer.over == "mean":
        return tf.broadcast_to(tf.reduce_mean(tf.abs(gradient), axis=axes, keepdims=True), tf.shape(gradient))
    if optimizer.over == "length":
        power = tf.reduce_sum(tf.square(gradient), axis=axes, keepdims=True)
    else:
        power = tf.math.reduce_variance(gradient, axis=axes, keepdims=True)
    return tf.sqrt(tf.broadcast_to(power, tf.shape(gradient)))
