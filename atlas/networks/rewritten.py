"""What atlas computes its own way: GELU and layer norms in fewer passes over memory than Keras's take.

Each has its gradient written out, which needs half of the passes that TensorFlow's needs. Convolutions in groups, the
third of what atlas computes itself, are with all other convolutions in ``fuse``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from atlas.networks.graph import Node


def own_way(node: Node) -> str:
    """Which of its own ways atlas computes a node in: ``groups``, ``gelu``, ``layer_norms``; empty for Keras's own."""
    if node.kind == "Conv2D" and getattr(node.layer, "groups", 1) > 1:
        return "groups"
    if getattr(node.layer, "compute_dtype", "") != "float32":  # operations without weights have none: they stay
        return ""
    if node.function == "gelu" and _is_exact(node.layer):
        return "gelu"
    return "layer_norms" if node.kind == "LayerNormalization" and _is_over_channels(node) else ""


def rewrite(node: Node) -> Node:
    """The node with a GELU or a layer norm as here; every other as it is."""
    way = own_way(node)
    if way == "gelu":
        return replace(node, call=Gelu())
    return replace(node, call=LayerNorm.of(node.layer)) if way == "layer_norms" else node


def _is_exact(layer: Any) -> bool:
    """Whether a layer with GELU has it as it is defined, not approximated by a tanh."""
    import keras

    return getattr(layer, "activation", None) is keras.activations.gelu


def _is_over_channels(node: Node) -> bool:
    """Whether a layer norm is one over the last axis, of the mean and the deviation both."""
    last = len(node.shapes[0]) - 1
    return not node.first and list(node.layer.axis) in ([-1], [last]) and not getattr(node.layer, "rms_scaling", False)


class Gelu:
    """The Gaussian error linear unit (Hendrycks and Gimpel 2016) of values of any shape, computed in float32."""

    def __call__(self, parents: Sequence[Any]) -> Any:
        """The function of the one parent."""
        import tensorflow as tf

        def activated(before: Any) -> Any:
            share = _normal_share(before)
            return before * share, lambda upstream: upstream * _slope(before, share)

        return cast(Callable[[Any], Any], tf.custom_gradient(activated))(tf.cast(parents[0], tf.float32))

    def with_slope(self, before: Any) -> tuple[Any, Any]:
        """The function of values, and its slope there, of their own type."""
        import tensorflow as tf

        wide = tf.cast(before, tf.float32)
        share = _normal_share(wide)
        return wide * share, tf.cast(_slope(wide, share), before.dtype)


def _normal_share(values: Any) -> Any:
    """The share of a standard normal distribution that lies below each value."""
    import tensorflow as tf

    return 0.5 * tf.math.erfc(values * -math.sqrt(0.5))


def _slope(before: Any, share: Any) -> Any:
    import tensorflow as tf

    return share + before * tf.exp(-0.5 * tf.square(before)) * (1 / math.sqrt(2 * math.pi))


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """A layer norm over the channels, the last axis: ``factor`` and ``offset (channels,)`` or ``(1,) float32``."""

    factor: np.ndarray
    offset: np.ndarray
    epsilon: float

    @classmethod
    def of(cls, layer: Any) -> "LayerNorm":
        """That of a Keras layer; its weights are read now."""
        factor = np.ones(1, np.float32) if layer.gamma is None else layer.gamma.numpy().reshape(-1)
        offset = np.zeros(1, np.float32) if layer.beta is None else layer.beta.numpy().reshape(-1)
        return cls(factor, offset, layer.epsilon)

    def __call__(self, parents: Sequence[Any]) -> Any:
        """The values of the one parent ``(..., channels)``, normalised at each position, in float32."""
        import tensorflow as tf

        def normalised(given: Any) -> Any:
            centred = given - _mean(given)
            over = tf.math.rsqrt(_mean(tf.square(centred)) + self.epsilon)
            unit = centred * over

            def back(upstream: Any) -> Any:
                upstream = upstream * self.factor
                return over * (upstream - _mean(upstream) - unit * _mean(upstream * unit))

            return unit * self.factor + self.offset, back

        return cast(Callable[[Any], Any], tf.custom_gradient(normalised))(tf.cast(parents[0], tf.float32))


def _mean(values: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(values, -1, keepdims=True)
