"""What a network makes of some pictures: each value of its graph when it is asked for, once, and no others."""

from typing import Any

from atlas.networks.fuse import Convolution
from atlas.networks.graph import INPUT, Graph, Node, Value

SAME_AT_INFERENCE = {"Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "Identity"}
CHANNEL_BY_CHANNEL = SAME_AT_INFERENCE | {"MaxPooling2D", "AveragePooling2D", "ZeroPadding2D", "Cropping2D"}


class Seen:
    """The values of a graph for one input ``(n, h, w, c)``."""

    def __init__(self, graph: Graph, given: Any):
        self.graph = graph
        self._values: dict[Value, Any] = {INPUT: given}

    def value(self, value: Value) -> Any:
        """A value of the graph, all of its channels."""
        for index in self.graph.needed([value], known=self._values):
            node = self.graph.nodes[index]
            outputs = node.call([self._values[parent] for parent in node.parents])
            several = outputs if isinstance(outputs, list | tuple) else [outputs]
            self._values.update(((index, position), output) for position, output in enumerate(several))
        return self._values[value]

    def channel(self, value: Value, channels: Any) -> Any:
        """Each image's own channel of a value, ``(n, h, w)``, for ``channels (n,) int32``.

        The convolutions that make the value are asked for that channel alone; what they see is computed in full.
        """
        import tensorflow as tf

        index, _ = value
        node = self.graph.nodes[index] if index >= 0 and value not in self._values else None
        if node is not None and isinstance(node.call, Convolution):
            return node.call.channel(self.value(node.parents[0]), channels)
        if node is not None and node.kind in CHANNEL_BY_CHANNEL and len(node.shapes) == 1:
            made = node.call([self.channel(node.parents[0], channels)[..., None]])
            return self._in_32_bits(made)[..., 0]
        if node is not None and node.kind == "Add" and self._of_layer(node):
            shapes = {self.graph.shape_of(parent) for parent in node.parents}
            if len(shapes) == 1:  # else one of them is spread over the others
                return tf.add_n([self.channel(parent, channels) for parent in node.parents])
        if node is not None and node.kind == "Concatenate" and self._of_layer(node) and node.joins_channels:
            return self._of_branches(node.parents, channels)
        return self._in_32_bits(tf.gather(self.value(value), channels, axis=3, batch_dims=1))

    def _in_32_bits(self, values: Any) -> Any:
        """What a graph in bfloat16 makes as float32, which its convolutions make of one channel; else as it is."""
        import tensorflow as tf

        return tf.cast(values, tf.float32) if self.graph.dtype == "bfloat16" else values

    @staticmethod
    def _of_layer(node: Node) -> bool:
        """Whether a layer computes this, and no bare operation, whose constants are none of its parents."""
        import keras

        return isinstance(node.layer, keras.layers.Layer)

    def _of_branches(self, parents: tuple[Value, ...], channels: Any) -> Any:
        """Each image's own channel of a concatenation: that of the branch which makes it."""
        import tensorflow as tf

        found, first = None, 0
        for parent in parents:
            depth = int(self.graph.shape_of(parent)[-1] or 0)
            own = self.channel(parent, tf.clip_by_value(channels - first, 0, depth - 1))  # (n, h, w)
            inside = tf.logical_and(channels >= first, channels < first + depth)[:, None, None]
            found = own if found is None else tf.where(inside, own, found)
            first += depth
        return found
