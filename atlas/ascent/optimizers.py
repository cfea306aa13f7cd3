"""Optimizers: one update of the parameters from their gradient. No state is shared between images."""

from typing import Any

import tensorflow as tf

from atlas.spec.recipe import Adam, Ascent, Optimizer

TINY = 1e-8  # keeps a zero gradient from becoming a NaN


def state_of(optimizer: Optimizer, parameters: Any) -> tuple[Any, ...]:
    """The optimizer's memory before the first update: as many tensors shaped like the parameters as it needs."""
    return (tf.zeros_like(parameters), tf.zeros_like(parameters)) if isinstance(optimizer, Adam) else ()


def update(
    optimizer: Optimizer, parameters: Any, gradient: Any, state: tuple[Any, ...], step: Any
) -> tuple[Any, tuple[Any, ...]]:
    """The parameters one step up their ``gradient``, and the new memory; ``step`` is an int32 tensor from 0."""
    match optimizer:
        case Adam():
            mean = optimizer.beta1 * state[0] + (1 - optimizer.beta1) * gradient
            square = optimizer.beta2 * state[1] + (1 - optimizer.beta2) * tf.square(gradient)
            count = tf.cast(step + 1, tf.float32)
            unbiased = mean / (1 - tf.pow(optimizer.beta1, count))
            spread = tf.sqrt(square / (1 - tf.pow(optimizer.beta2, count)))
            return parameters + optimizer.rate * unbiased / (spread + TINY), (mean, square)
        case Ascent():
            axes = list(range(1, len(gradient.shape)))
            variance = tf.math.reduce_variance(gradient, axis=axes, keepdims=True)
            deviation = tf.sqrt(tf.broadcast_to(variance, tf.shape(gradient)))  # as in parameterization: no lone roots
            return parameters + optimizer.rate * gradient / (deviation + TINY), ()
