"""Convolutions as plain arrays, each with the batch norm behind it: fewer passes over memory, and kernels to slice.

A batch norm at inference is a factor and an offset for each channel, so it goes into the kernel and the bias of the
convolution before it. Kernels become constants of the compiled graph, which lets the convolution library arrange them
once instead of at every step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from atlas.networks.graph import Graph, Node

FEW = 4  # channels of an input that is a picture


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution: ``kernel (kh, kw, given, made) float32``, ``bias (made,)``, ``padding`` SAME or VALID."""

    kernel: np.ndarray
    bias: np.ndarray
    strides: tuple[int, int]
    padding: str
    dilations: tuple[int, int]

    def __call__(self, parents: Any) -> Any:
        """The convolution of ``(n, h, w, given)``: ``(n, h', w', made)``."""
        import tensorflow as tf

        dense = self.strides == self.dilations == (1, 1)
        made = self._of_few(parents[0]) if dense and self.kernel.shape[2] <= FEW else self._convolved(parents[0])
        return tf.nn.bias_add(made, tf.constant(self.bias))

    def _convolved(self, given: Any) -> Any:
        import tensorflow as tf

        return tf.nn.conv2d(given, tf.constant(self.kernel), self.strides, self.padding, dilations=self.dilations)

    def _of_few(self, given: Any) -> Any:
        """The convolution of a picture, whose gradient to so few channels is a matrix product and a sum of the taps.

        The convolution library computes that gradient for as many channels as fill a vector of the processor, and
        throws most of them away: on an early layer of VGG19 that was half of all time.
        """
        import tensorflow as tf

        kernel = self.kernel.reshape(-1, self.kernel.shape[3])  # (kh kw given, made)

        def convolved(given: Any) -> Any:
            def back(upstream: Any) -> Any:
                shape = tf.shape(upstream)
                flat = tf.reshape(upstream, [shape[0], -1, kernel.shape[1]])
                taps = tf.matmul(flat, tf.constant(kernel), transpose_b=True)  # (n, h' w', kh kw given)
                taps = tf.reshape(taps, [*tf.unstack(shape[:3]), kernel.shape[0]])
                return tf.ensure_shape(_summed(taps, self.kernel.shape, self.padding), given.shape)

            return self._convolved(given), back

        return cast(Callable[[Any], Any], tf.custom_gradient(convolved))(given)

    def channel(self, given: Any, channels: Any) -> Any:
        """One channel for each image, ``(n, h', w')``, of ``given (n, h, w, given)`` and ``channels (n,) int32``.

        For each tap of the kernel a dot product of every position with the image's own weights; then the taps are
        summed where they meet, which is a convolution with ones at the taps' places.
        """
        import tensorflow as tf

        height, width, depth, made = self.kernel.shape
        taps = height * width
        kernels = tf.constant(self.kernel.transpose(3, 2, 0, 1).reshape(made, depth, taps))
        shape = tf.shape(given)
        products = tf.matmul(tf.reshape(given, [shape[0], -1, depth]), tf.gather(kernels, channels))  # (n, h w, taps)
        products = tf.ensure_shape(tf.reshape(products, [*tf.unstack(shape[:3]), taps]), [*given.shape[:3], taps])
        places = np.eye(taps, dtype=np.float32).reshape(height, width, taps, 1)
        if taps > 1 or self.strides != (1, 1):
            products = tf.nn.conv2d(products, places, self.strides, self.padding, dilations=self.dilations)
        return products[..., 0] + tf.gather(tf.constant(self.bias), channels)[:, None, None]


def _summed(taps: Any, kernel: tuple[int, ...], padding: str) -> Any:
    """Each input's sum over the taps that read it: ``taps (n, h', w', kh kw given)`` as ``(n, h, w, given)``."""
    import tensorflow as tf

    down, across, given, _ = kernel
    before = [(side - 1) // 2 if padding == "SAME" else 0 for side in (down, across)]  # zeros before the input
    grown = [0 if padding == "SAME" else side - 1 for side in (down, across)]  # of the input over the output

    def summed(taps: Any) -> Any:
        height, width = tf.shape(taps)[1] + grown[0], tf.shape(taps)[2] + grown[1]
        margins = [
            [side - 1 - first, more + first] for side, first, more in zip((down, across), before, grown, strict=True)
        ]
        wide = tf.pad(taps, [[0, 0], *margins, [0, 0]])
        parts = []
        for y in range(down):
            for x in range(across):
                top, left, first = down - 1 - y, across - 1 - x, (y * across + x) * given
                parts.append(wide[:, top : top + height, left : left + width, first : first + given])
        return tf.add_n(parts)

    return tf.function(summed, jit_compile=True, autograph=False)(taps)


def fuse(graph: Graph) -> Graph:
    """The same graph with its convolutions as arrays; the weights are read now."""
    nodes = list(graph.nodes)
    consumers: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        for parent, _ in node.parents:
            consumers.setdefault(parent, []).append(index)
    for index, node in enumerate(nodes):
        found = _convolution(node)
        if found is None:
            continue
        nodes[index] = replace(node, call=found)
        taken_by = consumers.get(index, [])
        if len(taken_by) == 1 and nodes[taken_by[0]].kind == "BatchNormalization":
            norm = nodes[taken_by[0]]
            scaled = _scaled(found, norm.layer)
            if scaled is not None:
                nodes[taken_by[0]] = replace(norm, kind="Conv2D", parents=node.parents, call=scaled)
    return replace(graph, nodes=tuple(nodes))


def _convolution(node: Node) -> Convolution | None:
    layer = node.layer
    if node.kind != "Conv2D" or isinstance(node.call, Convolution):
        return None
    if layer.data_format != "channels_last" or layer.groups != 1 or layer.compute_dtype != "float32":
        return None
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(layer.filters, np.float32)
    padding = layer.padding.upper()
    return Convolution(layer.kernel.numpy(), bias, tuple(layer.strides), padding, tuple(layer.dilation_rate))


def _scaled(convolution: Convolution, norm: Any) -> Convolution | None:
    """The convolution with the batch norm behind it inside."""
    if norm.axis not in (-1, 3) or norm.compute_dtype != "float32":
        return None
    factor = (norm.gamma.numpy() if norm.scale else 1.0) / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    offset = (norm.beta.numpy() if norm.center else 0.0) - norm.moving_mean.numpy() * factor
    kernel = (convolution.kernel * factor).astype(np.float32)
    return replace(convolution, kernel=kernel, bias=(convolution.bias * factor + offset).astype(np.float32))
