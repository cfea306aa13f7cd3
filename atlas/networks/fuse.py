"""Convolutions as plain arrays, each with the batch norm behind it: fewer passes over memory, and kernels to slice.

A batch norm at inference is a factor and an offset for each channel, so it goes into the kernel and the bias of the
convolution before it. An average over neighbours changes places with the 1x1 convolution behind it, which has fewer
channels to average. Small kernels become constants of the compiled graph, which lets the convolution library arrange
them once instead of at every step. Large ones are given to it: it would keep several copies of every constant.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np

from atlas.networks.graph import Graph, Node
from atlas.networks.rewritten import rewrite
from atlas.runtime import has_onednn

FEW = 4  # channels of an input that is a picture
LARGE = 1_000_000  # bytes of a kernel, of which a graph holds no copies: with them all layers of VGG19 took 7 GB
# Graphs hold twenty copies of the others. Where these are more bytes together, only kernels below SMALL stay constants:
# InceptionResNetV2 took 4.3 GB.
CONSTANTS, SMALL = 32_000_000, 250_000


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution: ``kernel (kh, kw, given, made) float32``, ``bias (made,)``, ``padding`` SAME or VALID.

    In ``groups``, each turns its own share of the channels into an equal share of those made; then ``given`` is the
    depth of one share. ``pool`` is an average over neighbours that comes behind it. ``dtype`` is the type that it
    computes in, float32 or bfloat16, whatever it is given. ``shared`` says that the kernel is one tensor for all
    graphs, each of which makes a constant of it otherwise.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strides: tuple[int, int]
    padding: str
    dilations: tuple[int, int]
    pool: Callable[[Sequence[Any]], Any] | None = None
    groups: int = 1
    dtype: str = "float32"
    shared: bool = False

    def __call__(self, parents: Any) -> Any:
        """The convolution of ``(n, h, w, depth)``: ``(n, h', w', made)``."""
        import tensorflow as tf

        given = tf.cast(parents[0], self.dtype)
        few = self.groups == 1 and given.shape[3] <= FEW and self.dilations == (1, 1)
        few = few and None not in given.shape[1:3]
        made = self._of_few(given) if few else self._convolved(given)
        made = tf.nn.bias_add(made, tf.constant(self.bias, made.dtype))
        return tf.cast(self.pool([made]), self.dtype) if self.pool else made

    @functools.cached_property
    def _kernel(self) -> Any:
        return self._held(self.kernel)

    @functools.cached_property
    def _by_channel(self) -> Any:
        """The kernel of each channel that is made, ``(made, given, taps)``."""
        height, width, depth, made = self.kernel.shape
        return self._held(self.kernel.transpose(3, 2, 0, 1).reshape(made, depth, height * width))

    def _held(self, array: np.ndarray) -> Any:
        """An array for graphs: one that each makes a constant of, or one tensor that is given to all of them."""
        import tensorflow as tf

        array = array.astype(tf.as_dtype(self.dtype).as_numpy_dtype, copy=False)
        if array.nbytes < LARGE and not self.shared:
            return array
        with tf.init_scope():  # outside of the graph that is being traced
            return tf.constant(array)

    def _convolved(self, given: Any) -> Any:
        import tensorflow as tf

        groups, kernel = self.groups, self._kernel
        convolve = functools.partial(tf.nn.conv2d, strides=self.strides, padding=self.padding, dilations=self.dilations)
        height, width, depth, made = self.kernel.shape
        if groups > 1 == depth and len(set(self.strides)) == 1:
            kernel = tf.reshape(kernel, [height, width, groups, made // groups])
            return tf.nn.depthwise_conv2d(given, kernel, (1, *self.strides, 1), self.padding, dilations=self.dilations)
        if groups > 1 and not has_grouped_gradients():
            parts = zip(tf.split(given, groups, 3), tf.split(kernel, groups, 3), strict=True)
            return tf.concat([convolve(own, its) for own, its in parts], 3)
        return convolve(given, kernel)

    def _of_few(self, given: Any) -> Any:
        """The convolution of a picture, whose gradient is computed for a block of neighbours at once.

        The convolution library computes a gradient to three channels for as many as fill a vector of the processor, and
        throws most of them away: on an early layer of VGG19 that was half of all time. A block has channels enough.
        """
        import tensorflow as tf

        height, width = given.shape[1:3]
        block = max(2, math.lcm(*self.strides))
        down = _reads(height, self.kernel.shape[0], self.strides[0], self.padding, block)
        across = _reads(width, self.kernel.shape[1], self.strides[1], self.padding, block)
        spread = np.einsum("urk,vsl,klgm->uvmrsg", down.places, across.places, self.kernel)
        back_kernel = spread.reshape(*spread.shape[:3], -1)  # (offsets down, across, made, block block given)
        margins = [[0, 0], down.margin, across.margin, [0, 0]]
        steps = [block // stride for stride in self.strides]

        def convolved(given: Any) -> Any:
            def back(upstream: Any) -> Any:
                blocks = tf.nn.conv2d(tf.pad(upstream, margins), tf.constant(back_kernel, given.dtype), steps, "VALID")
                return tf.nn.depth_to_space(blocks, block)[:, :height, :width]

            return self._convolved(given), back

        return cast(Callable[[Any], Any], tf.custom_gradient(convolved))(given)

    def channel(self, given: Any, channels: Any) -> Any:
        """One channel of each image, ``(n, h', w') float32``, of ``given (n, h, w, depth)``, ``channels (n,) int32``.

        For each tap of the kernel a dot product of every position with the image's own weights; then the taps are
        summed where they meet, which is a convolution with ones at the taps' places.
        """
        import tensorflow as tf

        height, width, depth, made = self.kernel.shape
        given, taps, groups = tf.cast(given, self.dtype), height * width, self.groups
        shape, kernels = tf.shape(given), tf.gather(self._by_channel, channels)
        if groups > 1:
            apart = tf.reshape(given, [*tf.unstack(shape[:3]), groups, depth])
            own = tf.gather(apart, channels // (made // groups), axis=3, batch_dims=1)
            given = tf.ensure_shape(own, [*given.shape[:3], depth])
        products = tf.cast(tf.matmul(tf.reshape(given, [shape[0], -1, depth]), kernels), tf.float32)  # (n, h w, taps)
        products = tf.ensure_shape(tf.reshape(products, [*tf.unstack(shape[:3]), taps]), [*given.shape[:3], taps])
        places = np.eye(taps, dtype=np.float32).reshape(height, width, taps, 1)
        if taps > 1 or self.strides != (1, 1):
            products = tf.nn.conv2d(products, places, self.strides, self.padding, dilations=self.dilations)
        products += tf.gather(tf.constant(self.bias), channels)[:, None, None, None]
        return (self.pool([products]) if self.pool else products)[..., 0]


def has_grouped_gradients() -> bool:
    """Whether TensorFlow has gradients of convolutions in groups: those of oneDNN, or of a GPU."""
    import tensorflow as tf

    return has_onednn() or bool(tf.config.get_visible_devices("GPU"))


class _Reads(NamedTuple):
    """Along one axis, which outputs read an input: those at some offsets from the input's block.

    ``places (offsets, block, kernel) float32`` is one where the output at an offset reads that input of the block with
    that tap of the kernel; ``margin`` is how many outputs to add before and behind, so that every block has them all.
    """

    places: np.ndarray
    margin: list[int]


def _reads(side: int, kernel: int, stride: int, padding: str, block: int) -> _Reads:
    """Who reads the inputs, ``side`` of them, in blocks of a multiple of ``stride``."""
    made = -(-side // stride) if padding == "SAME" else (side - kernel) // stride + 1
    before = max((made - 1) * stride + kernel - side, 0) // 2 if padding == "SAME" else 0  # zeros before the input
    read = [(place, tap, place + before - tap) for place in range(block) for tap in range(kernel)]
    offsets = {(place, tap): distance // stride for place, tap, distance in read if distance % stride == 0}
    first, last = min(0, *offsets.values()), max(offsets.values())
    places = np.zeros((last - first + 1, block, kernel), np.float32)
    for (place, tap), offset in offsets.items():
        places[offset - first, place, tap] = 1.0
    reached = (-(-side // block) - 1) * (block // stride) + last
    return _Reads(places, [-first, max(reached - made + 1, 0)])


def fuse(graph: Graph) -> Graph:
    """The same graph with its convolutions as arrays, and what atlas computes its own way; the weights are read now."""
    nodes = list(graph.nodes)
    consumers: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        for parent, _ in node.parents:
            consumers.setdefault(parent, []).append(index)
    for index, node in enumerate(nodes):
        found = _convolution(node)
        if found is None:
            continue
        parent = node.parents[0][0]
        if parent >= 0 and consumers[parent] == [index] and _trades_places(found, nodes[parent]):
            before = nodes[parent]
            node, found = replace(node, parents=before.parents), replace(found, pool=before.call)
        nodes[index] = replace(node, call=found)
        taken_by = consumers.get(index, [])
        if len(taken_by) == 1 and nodes[taken_by[0]].kind == "BatchNormalization":
            norm = nodes[taken_by[0]]
            scaled = _scaled(found, norm.layer) if norm.joins_channels else None
            if scaled is not None:
                nodes[taken_by[0]] = replace(norm, kind="Conv2D", parents=node.parents, call=scaled)
    for index in _too_many(graph, nodes):
        nodes[index] = replace(nodes[index], call=replace(cast(Convolution, nodes[index].call), shared=True))
    return replace(graph, nodes=tuple(map(rewrite, nodes)))


def _too_many(graph: Graph, nodes: Sequence[Node]) -> list[int]:
    """The convolutions besides the large ones whose kernels are given to graphs, since all would be too many."""
    calls = {index: nodes[index].call for index in replace(graph, nodes=tuple(nodes)).needed(graph.outputs)}
    kernels = {index: call.kernel.nbytes for index, call in calls.items() if isinstance(call, Convolution)}
    if sum(size for size in kernels.values() if size < LARGE) < CONSTANTS:
        return []
    return [index for index, size in kernels.items() if size >= SMALL]


def _convolution(node: Node) -> Convolution | None:
    layer = node.layer
    if node.kind != "Conv2D" or isinstance(node.call, Convolution):
        return None
    if layer.compute_dtype != "float32":
        return None
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(layer.filters, np.float32)
    padding = layer.padding.upper()
    kernel, strides, dilations = layer.kernel.numpy(), tuple(layer.strides), tuple(layer.dilation_rate)
    return Convolution(kernel, bias, strides, padding, dilations, groups=layer.groups)


def _trades_places(convolution: Convolution, before: Node) -> bool:
    """Whether what comes before a convolution is an average that may as well come behind it, where it costs less."""
    height, width, given, made = convolution.kernel.shape
    if before.kind != "AveragePooling2D" or made >= given * convolution.groups:
        return False
    return (height, width) == convolution.strides == tuple(before.layer.strides) == (1, 1)


def _scaled(convolution: Convolution, norm: Any) -> Convolution | None:
    """The convolution with the batch norm behind it inside."""
    if norm.compute_dtype != "float32":
        return None
    factor = (norm.gamma.numpy() if norm.scale else 1.0) / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    offset = (norm.beta.numpy() if norm.center else 0.0) - norm.moving_mean.numpy() * factor
    kernel = (convolution.kernel * factor).astype(np.float32)
    return replace(convolution, kernel=kernel, bias=(convolution.bias * factor + offset).astype(np.float32))
