"""The part of a graph between two values as one linear map: what a neuron of the one reads of the other.

Convolutions, batch norms (their factors) and average pools are what they are. Two things are made linear. An activation
that lets positive values pass about as they are, a ReLU or a relative of it, counts as the identity. A max-pool counts
as the average of what it sees: it takes one of them, and this says from where without saying which; the sum of a kernel
is the same as if the pool let one of them pass. The product of the kernels is what Voss et al. 2021 call expanded
weights (Visualizing Weights, https://distill.pub/2020/circuits/visualizing-weights/). Offsets are left aside, and so is
the border: all is said of a neuron whose whole window lies inside the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from atlas.networks.graph import Graph, Node, Value
from atlas.networks.seen import SAME_AT_INFERENCE

CONVOLUTIONS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
POOLS = {"MaxPooling2D", "AveragePooling2D"}
MOVING = {"ZeroPadding2D", "Cropping2D"}
LIKE_RELU = {
    *("relu", "leaky_relu", "leakyrelu", "prelu", "elu", "selu", "gelu", "silu", "mish"),
    *("hard_silu", "hardsilu"),
}


@dataclass(frozen=True, eq=False)
class Reads:
    """How n neurons read a value: ``weights (n, h, w, channels)``.

    ``first`` is the position (y, x) of the first weight, counted from where the neuron at position 0 would be if each
    stride began at 0.
    """

    weights: np.ndarray
    first: tuple[int, int] = (0, 0)

    def over(self, first: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """The weights ``(n, *size, channels)`` of a larger window that begins at ``first``, zeros around them."""
        count, height, width, channels = self.weights.shape
        y, x = self.first[0] - first[0], self.first[1] - first[1]
        found = np.zeros((count, *size, channels), self.weights.dtype)
        found[:, y : y + height, x : x + width] = self.weights
        return found

    def __add__(self, other: "Reads") -> "Reads":
        """What is read along two ways, in a window that holds both."""
        ends = [
            [start + side for start, side in zip(one.first, one.weights.shape[1:3], strict=True)]
            for one in (self, other)
        ]
        y, x = (min(starts) for starts in zip(self.first, other.first, strict=True))
        height, width = (max(places) - start for places, start in zip(zip(*ends, strict=True), (y, x), strict=True))
        return Reads(self.over((y, x), (height, width)) + other.over((y, x), (height, width)), (y, x))


@dataclass(frozen=True, eq=False)
class Taps:
    """One linear map of neighbours: ``kernel (kh, kw, groups, made, given) float32``, each group of channels by itself.

    ``before`` are the rows and columns of zeros that it sees before its input; negative where it leaves some out.
    """

    kernel: np.ndarray
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)

    def back(self, reads: Reads) -> Reads:
        """How neurons read its input, from how they read its output."""
        count, height, width, _ = reads.weights.shape
        *taps, groups, made, given = self.kernel.shape
        (down, across), (dy, dx) = self.strides, self.dilations
        rows, columns = down * (height - 1) + 1, across * (width - 1) + 1
        size = rows + dy * (taps[0] - 1), columns + dx * (taps[1] - 1)
        found = np.zeros((count, *size, groups * given), reads.weights.dtype)
        by_group = reads.weights.reshape(-1, groups, made).transpose(1, 0, 2)  # (groups, n h w, made)
        for y, x in np.ndindex(*taps):
            kernel = self.kernel[y, x].astype(reads.weights.dtype)
            alone = made == given == 1
            read = by_group * kernel if alone else by_group @ kernel  # (groups, n h w, given)
            read = read.transpose(1, 0, 2).reshape(count, height, width, -1)
            found[:, dy * y : dy * y + rows : down, dx * x : dx * x + columns : across] += read
        first = down * reads.first[0] - self.before[0], across * reads.first[1] - self.before[1]
        return Reads(found, first)

    @property
    def total(self) -> "Taps":
        """The same with its kernel summed over positions: what it does to maps that are the same everywhere."""
        kernel = self.kernel.sum((0, 1), dtype=np.float64, keepdims=True)
        return replace(self, kernel=kernel, strides=(1, 1), before=(0, 0))


def is_linear(graph: Graph, node: Node) -> bool:
    """Whether a computation is linear, or made so here, and the same at every position."""
    shape = node.shapes[0]
    parents = [graph.shape_of(parent) for parent in node.parents]
    if len(node.shapes) != 1 or any(len(one) != 4 or one[3] is None for one in (shape, *parents)):
        return False
    if node.kind in CONVOLUTIONS | POOLS | MOVING:
        return True
    if node.kind == "BatchNormalization":
        return node.joins_channels
    if node.kind == "Add":  # of the same size: nothing is spread over the others
        return all(one == shape for one in parents)
    if node.kind == "Concatenate":
        return node.joins_channels and sum(one[3] or 0 for one in parents) == shape[3]
    return node.function in LIKE_RELU or node.kind in SAME_AT_INFERENCE


def taps(graph: Graph, node: Node) -> tuple[Taps, ...]:
    """A linear computation of one value as maps one after the other; none for what counts as the identity."""
    layer = node.layer
    channels = graph.shape_of(node.parents[0])[3] or 0
    if node.kind == "Conv2D":
        kernel = _array(layer.kernel)
        height, width, given, made = kernel.shape
        kernel = kernel.reshape(height, width, given, layer.groups, made // layer.groups).transpose(0, 1, 3, 4, 2)
        return (_strided(layer, kernel, layer.dilation_rate),)
    if node.kind == "DepthwiseConv2D":
        return (_strided(layer, _array(layer.kernel)[..., None], layer.dilation_rate),)
    if node.kind == "SeparableConv2D":
        depthwise = _strided(layer, _array(layer.depthwise_kernel)[..., None], layer.dilation_rate)
        return depthwise, Taps(_array(layer.pointwise_kernel).swapaxes(2, 3)[:, :, None])
    if node.kind in POOLS:
        height, width = layer.pool_size
        return (_strided(layer, np.full((height, width, channels, 1, 1), 1 / (height * width), np.float32)),)
    if node.kind == "BatchNormalization":
        factor = 1 / np.sqrt(_array(layer.moving_variance) + np.float32(layer.epsilon))
        factor = factor * _array(layer.gamma) if layer.scale else factor
        return (Taps(factor.reshape(1, 1, channels, 1, 1)),)
    if node.kind in MOVING:
        (top, _), (left, _) = layer.padding if node.kind == "ZeroPadding2D" else layer.cropping
        before = (top, left) if node.kind == "ZeroPadding2D" else (-top, -left)
        return (Taps(np.ones((1, 1, channels, 1, 1), np.float32), before=before),)
    return ()


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.numpy(), np.float32)


def _strided(layer: Any, kernel: np.ndarray, dilations: Sequence[int] = (1, 1)) -> Taps:
    """The taps of a layer with strides and padding.

    Padding ``same`` before the input depends on the input's size; it is that of a multiple of the stride.
    """
    reaches = [(side - 1) * dilation + 1 for side, dilation in zip(kernel.shape[:2], dilations, strict=True)]
    before = [max(reach - stride, 0) // 2 for reach, stride in zip(reaches, layer.strides, strict=True)]
    if layer.padding != "same":
        before = [0, 0]
    return Taps(kernel, tuple(layer.strides), (dilations[0], dilations[1]), (before[0], before[1]))


def read_back(
    graph: Graph, steps: dict[int, tuple[Taps, ...]], below: Value, above: Value, reads: Reads
) -> Reads | None:
    """How neurons read ``below``, from how they read ``above``; None where they read nothing of it.

    Parameters: ``steps`` are the nodes on all ways from below to above, in order, each with its ``taps``.
    """
    found = {above: reads}
    for index in reversed(steps):
        node = graph.nodes[index]
        read = found.pop((index, 0), None)
        if read is None:
            continue
        for one in reversed(steps[index]):
            read = one.back(read)
        first = 0
        for parent in node.parents:
            part = read
            if node.kind == "Concatenate":
                channels = graph.shape_of(parent)[3] or 0
                part, first = replace(read, weights=read.weights[..., first : first + channels]), first + channels
            if (parent == below or parent[0] in steps) and part.weights.any():
                found[parent] = found[parent] + part if parent in found else part
    return found.get(below)
