"""A network cut at a layer: from pictures to the layer's value before its ReLU."""

from dataclasses import dataclass, replace
from typing import Any

from atlas.networks.graph import Graph, Node, Value
from atlas.spec.facts import Preprocessing

SAME_AT_INFERENCE = {"Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "Identity"}
COMMUTES_WITH_RELU = SAME_AT_INFERENCE | {"MaxPooling2D", "ZeroPadding2D"}


@dataclass(frozen=True)
class Cut:
    """A network from pictures to one layer.

    ``channels`` is the layer's depth. ``relu`` says whether every value of the layer comes out of a ReLU; then
    ``pre`` gives the values before it and ``activate`` applies it, with ``ceiling`` its upper bound (6 for ReLU6,
    None for none). Otherwise ``pre`` gives the layer's own values and ``activate`` changes nothing. Either way
    ``activate(pre(picture))`` is the layer's output.
    """

    layer: str
    channels: int
    relu: bool
    ceiling: float | None
    preprocessing: Preprocessing
    graph: Graph
    value: Value
    size: tuple[int, int] | None = None

    def pre(self, picture: Any) -> Any:
        """The layer's values before its ReLU, or its values where it does not end in one.

        Parameters: ``picture`` is ``(n, h, w, 3) float32 in [0, 1]``, of any size, batch and size possibly unknown.
        Returns ``(n, h', w', channels)``. Preprocessing is inside, once; nothing after the layer is computed.
        """
        import tensorflow as tf

        if self.size is not None:
            picture = resize(picture, self.size)
        given = preprocess(picture, self.preprocessing, self.graph.shape[2])
        return tf.cast(self.graph.run(given, [self.value])[0], tf.float32)

    def activate(self, values: Any) -> Any:
        """The layer's output from what ``pre`` gave, shape unchanged."""
        import tensorflow as tf

        if not self.relu:
            return values
        return tf.nn.relu(values) if self.ceiling is None else tf.clip_by_value(values, 0.0, self.ceiling)


def cut(
    graph: Graph, layer: str, value: Value, preprocessing: Preprocessing, size: tuple[int, int] | None = None
) -> Cut:
    """The cut of ``graph`` at ``value``, the output of ``layer``; ``size`` is what pictures are resized to, or None."""
    index, position = value
    channels = graph.nodes[index].shapes[position][-1]
    nodes = list(graph.nodes)
    made: dict[Value, Value] = {}
    ceilings: set[float | None] = set()
    before = _before_relu(nodes, value, made, ceilings)
    relu = before is not None and len(ceilings) == 1
    ceiling = ceilings.pop() if relu else None
    target = before if relu and before is not None else value
    return Cut(
        layer, int(channels or 0), relu, ceiling, preprocessing, replace(graph, nodes=tuple(nodes)), target, size
    )


def _before_relu(
    nodes: list[Node], value: Value, made: dict[Value, Value], ceilings: set[float | None]
) -> Value | None:
    """The value that ``value`` is the ReLU of, or None when some of it comes out of no ReLU.

    Walks back through what commutes with a ReLU (concatenation, max-pooling, padding with zeros, dropout at inference)
    and appends the same computations on the values before it: a max-pool of ReLU outputs is the ReLU of the max-pool.
    Every other consumer of those ReLUs keeps the rectified values. Collects the ReLUs' ceilings.
    """
    if value in made:
        return made[value]
    index, position = value
    if index < 0:
        return None
    node = nodes[index]
    if node.relu:
        ceilings.add(node.ceiling)
        return node.parents[0]
    if node.kind != "Concatenate" and node.kind not in COMMUTES_WITH_RELU:
        return None
    parents = []
    for parent in node.parents:
        before = _before_relu(nodes, parent, made, ceilings)
        if before is None:
            return None
        parents.append(before)
    nodes.append(replace(node, name="", parents=tuple(parents)))
    made[value] = (len(nodes) - 1, position)
    return made[value]


def preprocess(picture: Any, preprocessing: Preprocessing, channels: int) -> Any:
    """The network's input ``(n, h, w, channels)`` from a picture ``(n, h, w, 3) float32 in [0, 1]``.

    A network of one channel sees the luminance (ITU-R BT.601), with the mean of the three scales and offsets.
    """
    import tensorflow as tf

    if channels == 1:
        grey = tf.reduce_sum(picture * tf.constant([0.299, 0.587, 0.114]), axis=-1, keepdims=True)
        return grey * (sum(preprocessing.scale) / 3) + sum(preprocessing.offset) / 3
    if preprocessing.order == "bgr":
        picture = picture[..., ::-1]
    return picture * tf.constant(preprocessing.scale) + tf.constant(preprocessing.offset)


def resize(picture: Any, size: tuple[int, int]) -> Any:
    """The picture ``(n, h, w, c)`` at another size ``(h', w')``: triangle filter, as two matrix products.

    Its gradient compiles everywhere, unlike that of TensorFlow's own resizing.
    """
    import tensorflow as tf

    rows = _weights(tf.shape(picture)[1], size[0])  # (h', h)
    columns = _weights(tf.shape(picture)[2], size[1])  # (w', w)
    return tf.einsum("yh,xw,nhwc->nyxc", rows, columns, picture)


def _weights(given: Any, wanted: int) -> Any:
    """How much each of ``given`` pixels gives to each of ``wanted``: ``(wanted, given)``, rows sum to 1."""
    import tensorflow as tf

    step = tf.cast(given, tf.float32) / wanted
    centres = (tf.range(wanted, dtype=tf.float32) + 0.5) * step - 0.5
    distances = tf.abs(centres[:, None] - tf.range(tf.cast(given, tf.float32))[None, :])
    weights = tf.maximum(0.0, 1.0 - distances / tf.maximum(step, 1.0))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
