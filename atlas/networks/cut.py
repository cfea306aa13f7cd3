"""A network cut at a layer: from pictures to the layer's value before its ReLU."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from atlas.networks.graph import Graph, Node, Value
from atlas.networks.rounding import rounded
from atlas.networks.seen import SAME_AT_INFERENCE, Seen
from atlas.spec.facts import Preprocessing

COMMUTES_WITH_RELU = SAME_AT_INFERENCE | {"MaxPooling2D", "ZeroPadding2D"}


@dataclass(frozen=True)
class Sight:
    """One layer of a cut.

    ``channels`` is its depth. ``relu`` says whether every value of the layer comes out of a ReLU; then ``value`` is
    what goes into it, with ``ceiling`` the ReLU's upper bound (6 for ReLU6, None for none). Otherwise ``value`` is the
    layer's own. Either way ``activate`` of that value is the layer's output, ``output``.
    """

    layer: str
    channels: int
    relu: bool
    ceiling: float | None
    value: Value
    output: Value

    def activate(self, values: Any) -> Any:
        """The layer's output from its values before the ReLU, shape unchanged."""
        import tensorflow as tf

        if not self.relu:
            return values
        return tf.nn.relu(values) if self.ceiling is None else tf.clip_by_value(values, 0.0, self.ceiling)


@dataclass(frozen=True)
class Cut:
    """A network from pictures to one layer, the first of its ``sights``, and to others that are looked at as well.

    ``classes`` are the logits of its classifier, None where it has none. ``size`` is the (h, w) that pictures are
    resized to, or None.
    """

    sights: tuple[Sight, ...]
    preprocessing: Preprocessing
    graph: Graph
    size: tuple[int, int] | None = None
    classes: Sight | None = None

    @property
    def layer(self) -> str:
        """The name of the layer that the network is cut at."""
        return self.main.layer

    @property
    def main(self) -> Sight:
        """The layer that the network is cut at."""
        return self.sights[0]

    def sight(self, layer: str | None) -> Sight:
        """The sight of a layer, the main one for None."""
        return self.main if layer is None else next(sight for sight in self.sights if sight.layer == layer)

    def see(self, picture: Any) -> Seen:
        """What the network makes of pictures.

        Parameters: ``picture`` is ``(n, h, w, 3) float32 in [0, 1]``, of any size, batch and size possibly unknown.
        Preprocessing is inside, once; only what is asked for is computed.
        """
        if self.size is not None:
            picture = resize(picture, self.size)
        given = preprocess(picture, self.preprocessing, self.graph.shape[2])
        return Seen(self.graph, given if self.graph.whole is None else rounded(given, self.graph.whole))

    def pre(self, picture: Any) -> Any:
        """The main layer's values before its ReLU for pictures ``(n, h, w, 3)``: ``(n, h', w', channels) float32``."""
        return whole(self.see(picture), self.main)

    def activate(self, values: Any) -> Any:
        """The main layer's output from what ``pre`` gave, shape unchanged."""
        return self.main.activate(values)


def whole(seen: Seen, sight: Sight) -> Any:
    """All of a layer before its ReLU, ``(n, h, w, channels) float32``; of classes ``h`` and ``w`` are 1."""
    return _map(seen.value(sight.value))


def activations(seen: Seen, sight: Sight) -> Any:
    """All of a layer's output, ``(n, h, w, channels) float32``: the same as ``activate`` makes of ``whole``, but where
    nothing else is asked of the layer without a second computation beside the network's own."""
    return _map(seen.value(sight.output))


def _map(values: Any) -> Any:
    import tensorflow as tf

    values = tf.cast(values, tf.float32)
    return values[:, None, None, :] if len(values.shape) == 2 else values


def channel(seen: Seen, sight: Sight, channels: Any) -> Any:
    """Each image's own channel of a layer before its ReLU, ``(n, h, w) float32``, for ``channels (n,) int32``."""
    import tensorflow as tf

    if len(seen.graph.shape_of(sight.value)) == 2:
        return tf.gather(whole(seen, sight), channels, axis=3, batch_dims=1)
    return tf.cast(seen.channel(sight.value, channels), tf.float32)


def cut(
    graph: Graph,
    layers: Sequence[tuple[str, Value]],
    preprocessing: Preprocessing,
    size: tuple[int, int] | None = None,
    classes: tuple[str, Value] | None = None,
) -> Cut:
    """The cut of ``graph`` at some layers, each with the value that is its output; the first is the main one.

    ``size`` is what pictures are resized to, or None; ``classes`` is the classifier's layer where it is looked at.
    """
    nodes = list(graph.nodes)
    sights = tuple(_sight(nodes, layer, value) for layer, value in layers)
    head = _sight(nodes, *classes) if classes else None
    return Cut(sights, preprocessing, replace(graph, nodes=tuple(nodes)), size, head)


def _sight(nodes: list[Node], layer: str, value: Value) -> Sight:
    index, position = value
    channels = int(nodes[index].shapes[position][-1] or 0)
    made: dict[Value, Value] = {}
    ceilings: set[float | None] = set()
    before = _before_relu(nodes, value, made, ceilings)
    if before is None or len(ceilings) != 1:
        return Sight(layer, channels, False, None, value, value)
    return Sight(layer, channels, True, ceilings.pop(), before, value)


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
    scale, offset = (
        one[0] if len(set(one)) == 1 else tf.constant(one) for one in (preprocessing.scale, preprocessing.offset)
    )
    return picture * scale + offset  # by one number for all channels where it is one: a faster loop


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
