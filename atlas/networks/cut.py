"""A network cut at a layer: from pictures to the layer's value before its activation function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from atlas.activations import ELEMENTWISE, MONOTONE, ZERO_AT_ZERO
from atlas.networks.graph import ACTIVATIONS, Graph, Node, Value
from atlas.networks.lanes import smallest_batch
from atlas.networks.rounding import rounded
from atlas.networks.seen import SAME_AT_INFERENCE, Seen
from atlas.spec.facts import Preprocessing

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601
COMMUTES = SAME_AT_INFERENCE | {"MaxPooling2D", "ZeroPadding2D"}
PARAMETERS = ("negative_slope", "threshold", "alpha", "lambd", "approximate", "axis")  # of activation functions


@dataclass(frozen=True)
class Sight:
    """One layer of a cut.

    ``channels`` is its depth. ``function`` names the activation function that every value of the layer comes out of,
    empty where there is none; ``value`` is what goes into it, the layer's own where there is none. Either way
    ``activate`` of that value is the layer's output, ``output``.
    """

    layer: str
    channels: int
    function: str
    value: Value
    output: Value
    activate: Callable[[Any], Any]

    def activate_channel(self, values: Any) -> Any:
        """One channel's output ``(n, h, w)`` from its pre-activation; of a PReLU, whose slopes are each channel's own,
        and of a softmax, which looks at all channels, the values as they are."""
        return self.activate(values) if self.function in ELEMENTWISE | {"relu"} else values


@dataclass(frozen=True)
class Cut:
    """A network from pictures to one layer, the first of its ``sights``, and to others that are looked at as well.

    ``classes`` are the logits of its classifier, None where it has none. ``size`` is the (h, w) that pictures are
    resized to, or None. Whatever type its graph takes, pictures are float32, and so is what comes out.
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

    @property
    def smallest_batch(self) -> int:
        """How many images go through it at least, so that each gets the same bytes in every batch, see ``lanes``."""
        sights = [*self.sights, *([self.classes] if self.classes else [])]
        return smallest_batch(self.graph.nodes[index] for index in self.graph.needed([one.output for one in sights]))

    def sight(self, layer: str | None) -> Sight:
        """The sight of a layer, the main one for None."""
        return self.main if layer is None else next(sight for sight in self.sights if sight.layer == layer)

    def see(self, picture: Any) -> Seen:
        """What the network makes of pictures.

        Parameters: ``picture`` is ``(n, h, w, 3) float32 in [0, 1]``, of any size, batch and size possibly unknown.
        Preprocessing is inside, once; only what is asked for is computed.
        """
        import tensorflow as tf

        if self.size is not None:
            picture = resize(picture, self.size)
        given = preprocess(picture, self.preprocessing, self.graph.shape[2])
        given = given if self.graph.whole is None else rounded(given, self.graph.whole)
        return Seen(self.graph, tf.cast(given, self.graph.dtype))

    def pre(self, picture: Any) -> Any:
        """The main layer's pre-activation for pictures ``(n, h, w, 3)``: ``(n, h', w', channels) float32``."""
        return whole(self.see(picture), self.main)

    def activate(self, values: Any) -> Any:
        """The main layer's output from what ``pre`` gave, shape unchanged."""
        return self.main.activate(values)


def whole(seen: Seen, sight: Sight) -> Any:
    """All of a layer's pre-activation, ``(n, h, w, channels) float32``; of classes ``h`` and ``w`` are 1."""
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
    """Each image's own channel of a layer's pre-activation, ``(n, h, w) float32``, for ``channels (n,) int32``."""
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
    found = _Functions()
    before = _before(nodes, value, {}, found)
    if before is None or len(found.kinds) != 1:
        return Sight(layer, channels, "", value, value, lambda values: values)
    last = found.nodes[0]
    return Sight(layer, channels, last.function, before, value, _relu(last.ceiling) if last.relu else _call(last))


@dataclass
class _Functions:
    """The activation functions that values come out of: their nodes, and in ``kinds`` which differ from one another."""

    nodes: list[Node] = field(default_factory=list)
    kinds: set[tuple[str, ...]] = field(default_factory=set)

    def note(self, node: Node) -> None:
        own = [f"{name}={value}" for name in PARAMETERS if (value := getattr(node.layer, name, None)) is not None]
        own = [] if node.relu else own if node.function != "prelu" else [str(id(node.layer))]
        self.kinds.add((node.function, str(node.ceiling), *own))
        self.nodes.append(node)

    def commute_with(self, kind: str) -> bool:
        """Whether a computation of that kind may come before these functions as well as behind them."""
        names = {node.function for node in self.nodes}
        if kind == "MaxPooling2D":
            return names <= MONOTONE
        return kind != "ZeroPadding2D" or names <= ZERO_AT_ZERO


def _relu(ceiling: float | None) -> Callable[[Any], Any]:
    import tensorflow as tf

    return tf.nn.relu if ceiling is None else lambda values: tf.clip_by_value(values, 0.0, ceiling)


def _call(node: Node) -> Callable[[Any], Any]:
    return lambda values: node.call([values])


def _before(nodes: list[Node], value: Value, made: dict[Value, Value], found: _Functions) -> Value | None:
    """The pre-activation of ``value``, or None when some of it comes out of no activation function that is known.

    Walks back through what commutes with the functions (concatenation, max-pooling where they never fall, padding with
    zeros where they keep it, dropout at inference) and appends the same computations on the values before them: a
    max-pool of ReLU outputs is the ReLU of the max-pool. Every other consumer keeps the functions' values.
    """
    if value in made:
        return made[value]
    index, position = value
    if index < 0:
        return None
    node = nodes[index]
    if node.function in ACTIVATIONS:
        found.note(node)
        return node.parents[0]
    if node.kind not in COMMUTES | {"Concatenate"}:
        return None
    parents = []
    for parent in node.parents:
        before = _before(nodes, parent, made, found)
        if before is None:
            return None
        parents.append(before)
    if not found.commute_with(node.kind):
        return None
    nodes.append(replace(node, name="", parents=tuple(parents)))
    made[value] = (len(nodes) - 1, position)
    return made[value]


def preprocess(picture: Any, preprocessing: Preprocessing, channels: int) -> Any:
    """The network's input ``(n, h, w, channels)`` from a picture ``(n, h, w, 3) float32 in [0, 1]``.

    A network of one channel sees the luminance, with the mean of the three scales and offsets.
    """
    import tensorflow as tf

    if channels == 1:
        grey = tf.reduce_sum(picture * tf.constant(LUMINANCE), axis=-1, keepdims=True)
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
