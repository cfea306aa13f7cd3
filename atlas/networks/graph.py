"""A network as a flat list of computations from input to output: what facts are read from and what a cut runs.

Layers have the names that the model gives them. Nested models are opened (their layers are ``outer.inner``), each
further call of a shared layer is numbered (``shared-2``), and a layer with its activation inside, such as a convolution
with ``activation="relu"``, becomes two nodes: the layer without it, and the activation, which bears the layer's name.
So every value before a ReLU is a value of the graph.
"""

import inspect
import itertools
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from atlas.activations import ELEMENTWISE, RECTIFIERS, SOFTMAXES, SQUASHERS
from atlas.networks.rounding import cut_off, limits, passable

Value = tuple[int, int]
"""One tensor of a graph: the index of the node that makes it, and which of its outputs it is."""

INPUT: Value = (-1, 0)
ACTIVATIONS = RECTIFIERS | SQUASHERS | SOFTMAXES
WITH_ACTIVATION = {"Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "Dense"}
ACTIVATION_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "Softmax": "softmax"}


@dataclass(frozen=True)
class Node:
    """One computation of a network.

    ``name`` is the layer's name, empty for the inner half of a layer with its activation inside. ``kind`` is
    the Keras class (``Conv2D``, ``Add``), or ``Activation`` with ``function`` the activation's name. ``layer`` is the
    Keras layer or operation, for its attributes and weights. ``parents`` are the values it takes, ``shapes`` the static
    shapes of its outputs, and ``call`` computes the outputs from the parents. Values of four axes are ``(n, h, w, c)``;
    ``first`` says that the layer itself has the channels before rows and columns.
    """

    name: str
    kind: str
    layer: Any
    parents: tuple[Value, ...]
    shapes: tuple[tuple[int | None, ...], ...]
    call: Callable[[Sequence[Any]], Any]
    function: str = ""
    ceiling: float | None = None
    first: bool = False

    @property
    def joins_channels(self) -> bool:
        """Whether the axis that its layer works along is that of the channels."""
        axis = getattr(self.layer, "axis", None)
        axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        return axis in ((1, -3) if self.first else (3, -1))

    @property
    def relu(self) -> bool:
        """Whether it is a ReLU: zero below zero, then the identity up to ``ceiling`` (None: without end)."""
        return self.function == "relu"


class Head(NamedTuple):
    """An output that tells classes: its layer's stable name, its logits, whether a sigmoid tells each for itself."""

    layer: str
    logits: Value
    sigmoid: bool


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each comes after its parents.

    ``shape`` is that of the input, (h, w, c); ``outputs`` are the model's. ``whole`` is the (lowest, highest) number of
    an input of whole numbers, None where the network takes real ones. ``head`` is the output that tells classes, None
    where none does. ``dtype`` is the type of real numbers that it takes.
    """

    nodes: tuple[Node, ...]
    shape: tuple[int | None, int | None, int]
    outputs: tuple[Value, ...] = (INPUT,)
    whole: tuple[int, int] | None = None
    head: "Head | None" = None
    dtype: str = "float32"

    @property
    def output(self) -> Value:
        """The model's first output."""
        return self.outputs[0]

    def value(self, name: str) -> Value | None:
        """The output of the layer of that name, or None when there is none or it has several."""
        for index, node in enumerate(self.nodes):
            if node.name == name and len(node.shapes) == 1:
                return (index, 0)
        return None

    def shape_of(self, value: Value) -> tuple[int | None, ...]:
        """The static shape of a value, the batch first."""
        index, position = value
        return (None, *self.shape) if index < 0 else self.nodes[index].shapes[position]

    def logits(self) -> tuple[str, Value] | None:
        """The classifier's layer and its logits, before the softmax; None for a network that ends in no classes."""
        return (self.head.layer, self.head.logits) if self.head else None

    @property
    def sigmoid(self) -> bool:
        """Whether the classifier tells each class for itself, by a sigmoid, rather than one of all by a softmax."""
        return self.head is not None and self.head.sigmoid

    def consumers(self) -> dict[Value, list[int]]:
        """The nodes that take each value, in order, once for each time that they take it."""
        found: dict[Value, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for parent in node.parents:
                found.setdefault(parent, []).append(index)
        return found

    def needed(self, wanted: Iterable[Value], known: Container[Value] = ()) -> list[int]:
        """The nodes that have to run for these values, in order; values that are ``known`` need none."""
        found: set[int] = set()
        stack = [value for value in wanted if value not in known]
        while stack:
            index, _ = stack.pop()
            if index >= 0 and index not in found:
                found.add(index)
                stack.extend(parent for parent in self.nodes[index].parents if parent not in known)
        return sorted(found)


def with_gradient_through(graph: Graph, share: float) -> Graph:
    """The same graph, where a share of the gradient goes on backwards through every activation function that is shut.

    A ReLU is shut below zero; other functions are where their own slope is less than that share, or falls.
    """
    if not share:
        return graph
    return replace(graph, nodes=tuple(_leaking_back(node, share) for node in graph.nodes))


def _leaking_back(node: Node, share: float) -> Node:
    if node.relu:
        return replace(node, call=_through_relu(node, share))
    return replace(node, call=_through(node, share)) if node.function in ELEMENTWISE else node


def _through(node: Node, share: float) -> Callable[[Sequence[Any]], Any]:
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def activated(before: Any) -> Any:
        after, slope = _with_slope(node, before)
        return after, lambda upstream: tf.cast(upstream, slope.dtype) * tf.maximum(slope, tf.cast(share, slope.dtype))

    return lambda parents: activated(parents[0])


def _with_slope(node: Node, before: Any) -> tuple[Any, Any]:
    """What an activation function makes of values, and its slope there."""
    import tensorflow as tf

    known: Callable[[Any], tuple[Any, Any]] | None = getattr(node.call, "with_slope", None)
    if known:
        return known(before)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(before)
        after = node.call([before])
    return after, tape.gradient(after, before)


def _through_relu(node: Node, share: float) -> Callable[[Sequence[Any]], Any]:
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def activated(before: Any) -> Any:
        after = node.call([before])
        ceiling = node.ceiling

        def back(upstream: Any) -> Any:
            if ceiling is not None:
                upstream = tf.where(before < ceiling, upstream, tf.constant(0, upstream.dtype))
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=after, alpha=share)

        return after, back

    return lambda parents: activated(parents[0])


def flatten(model: Any, classes: bool | str = False) -> Graph:
    """The graph of a Keras Functional or Sequential model with one input picture.

    ``classes`` says that it tells classes, though no softmax says so, or names the output that does. Raises
    NetworkError when it has no such output.
    """
    from atlas.networks.heads import head_of
    from atlas.networks.layout import channels_last

    nodes: list[Node] = []
    outputs = _walk(model, [INPUT], "", nodes, _Calls(_names(model, "")))
    _, *shape = model.inputs[0].shape
    graph = Graph(passable(channels_last(nodes)), tuple(shape), tuple(outputs), limits(model.inputs[0].dtype))
    return replace(graph, head=head_of(graph, classes))


class Weight(NamedTuple):
    """A weight of a model: its name ``<layer>/<variable>``, and Keras's own layer and variable."""

    name: str
    layer: Any
    variable: Any


def weights_of(model: Any) -> Iterator[Weight]:
    """Each weight of a model once, in Keras's order; nested models are opened."""
    seen: set[int] = set()
    for name, layer in _layers(model, ""):
        for variable in layer.weights:
            if id(variable) not in seen:
                seen.add(id(variable))
                yield Weight(f"{name}/{variable.name}", layer, variable)


def stable_names(layers: Sequence[Any]) -> dict[str, str]:
    """Keras's name of each layer -> the name it has in a fresh process.

    Keras numbers unnamed layers by a counter that is global to the process (``conv2d_37``). The numbers grow in the
    order of creation, so their ranks are the numbers that a fresh process gives.
    """
    from keras.src.utils.naming import to_snake_case  # the rule that makes Keras's names; it has no public one

    names = {layer.name: layer.name for layer in layers}
    numbered: dict[str, list[tuple[int, str]]] = {}
    for layer in layers:
        base = to_snake_case(type(layer).__name__)
        match = re.fullmatch(rf"{re.escape(base)}(?:_(\d+))?", layer.name)
        if match:
            numbered.setdefault(base, []).append((int(match[1] or 0), layer.name))
    for base, members in numbered.items():
        for rank, (_, name) in enumerate(sorted(members)):
            names[name] = base if rank == 0 else f"{base}_{rank}"
    return names


def inner(layer: Any) -> Any:
    """The Functional model that a layer is or (a Sequential) has inside, None for any other layer."""
    layer = getattr(layer, "_functional", None) or layer
    return layer if hasattr(layer, "_nodes_by_depth") else None


def _layers(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every layer that is not itself a model, with its name; nested models are opened."""
    for layer in model.layers:
        name = prefix + layer.name
        if inner(layer):
            yield from _layers(layer, name + ".")
        else:
            yield name, layer


def _names(model: Any, prefix: str) -> Iterator[str]:
    """The names of all layers and operations, nested models and what is inside them included."""
    for operation in inner(model).operations:
        yield prefix + operation.name
        if inner(operation):
            yield from _names(operation, f"{prefix}{operation.name}.")


class _Calls:
    """Names for the calls of layers, each once: a layer's own for its first call, a number behind it for the next.

    ``own`` are the names of all layers: no call of another layer takes one of them.
    """

    def __init__(self, own: Iterable[str]):
        self._own, self._given = set(own), set[str]()

    def name(self, own: str) -> str:
        """The name of the next call of the layer of that name."""
        name = own
        for number in itertools.count(2):
            if name not in self._given and (name == own or name not in self._own):
                break
            name = f"{own}-{number}"
        self._given.add(name)
        return name


def _walk(model: Any, given: Sequence[Value], prefix: str, nodes: list[Node], calls: _Calls) -> list[Value]:
    """Append the nodes of ``model`` called on ``given``; the values of its outputs."""
    model = inner(model)
    values = dict(zip(map(id, model.inputs), given, strict=True))
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            parents = [values[id(tensor)] for tensor in node.input_tensors]
            name = calls.name(prefix + node.operation.name)
            if inner(node.operation):
                parents = [
                    _as_whole(parent, given, taken, nodes)
                    for parent, given, taken in zip(
                        parents, node.input_tensors, inner(node.operation).inputs, strict=True
                    )
                ]
                outputs = _walk(node.operation, parents, name + ".", nodes, calls)
            else:
                outputs = _append(node, name, tuple(parents), nodes)
            values.update(zip(map(id, node.outputs), outputs, strict=True))
    return [values[id(tensor)] for tensor in model.outputs]


def _as_whole(parent: Value, given: Any, taken: Any, nodes: list[Node]) -> Value:
    """What a nested model takes of a value: without fractions where it takes whole numbers and is given real ones."""
    within = limits(taken.dtype)
    if within is None or limits(given.dtype):
        return parent
    nodes.append(Node("", "Cast", None, (parent,), (tuple(given.shape),), lambda parents: cut_off(parents[0], within)))
    return len(nodes) - 1, 0


def _append(node: Any, name: str, parents: tuple[Value, ...], nodes: list[Node]) -> list[Value]:
    """Append one call of a layer: one node, or two where its activation is inside."""
    layer, kind = node.operation, type(node.operation).__name__
    shapes = tuple(tuple(tensor.shape) for tensor in node.outputs)
    function, ceiling = _activation(layer)
    call = _caller(node)
    if kind in WITH_ACTIVATION and function != "linear":
        nodes.append(Node("", kind, layer, parents, shapes, _without_activation(layer, call)))
        parents = ((len(nodes) - 1, 0),)
        nodes.append(Node(name, "Activation", layer, parents, shapes, _only_activation(layer), function, ceiling))
    elif function == "linear" and kind == "Activation":
        nodes.append(Node(name, "Identity", layer, parents, shapes, call))
    elif function and kind not in WITH_ACTIVATION:
        nodes.append(Node(name, "Activation", layer, parents, shapes, call, function, ceiling))
    else:
        nodes.append(Node(name, kind, layer, parents, shapes, call))
    return [(len(nodes) - 1, position) for position in range(len(shapes))]


def _activation(layer: Any) -> tuple[str, float | None]:
    """Name and ceiling of the activation that a layer, an operation or a function applies last; empty for none."""
    from keras.src.utils.naming import to_snake_case  # as in stable_names

    kind = type(layer).__name__
    if layer is None:
        return "linear", None
    if kind in WITH_ACTIVATION or kind == "Activation":
        return _activation(layer.activation)
    if kind == "ReLU":
        plain = not layer.negative_slope and not layer.threshold
        return ("relu", layer.max_value) if plain else ("leaky_relu", None)
    if kind in ("Relu", "Relu6"):
        return "relu", 6.0 if kind == "Relu6" else None
    if kind == "Softmax" and getattr(layer, "axis", -1) not in (-1, 3):
        return "positional_softmax", None
    if kind in ACTIVATION_LAYERS:
        return ACTIVATION_LAYERS[kind], None
    if type(layer).__module__.startswith("keras.src.ops") and (name := to_snake_case(kind)) in ACTIVATIONS:
        return name, None
    name = getattr(layer, "__name__", "")
    return ("relu", 6.0) if name == "relu6" else (name, None)


def _caller(node: Any) -> Callable[[Sequence[Any]], Any]:
    """A function that calls the node's layer on other tensors, as at inference."""
    layer, arguments = node.operation, node.arguments
    keys = [id(tensor) for tensor in arguments.keras_tensors]
    inference = {"training": False} if "training" in inspect.signature(layer.call).parameters else {}

    def call(parents: Sequence[Any]) -> Any:
        args, kwargs = arguments.fill_in(dict(zip(keys, parents, strict=True)))
        return layer(*args, **{**kwargs, **inference})

    return call


def _without_activation(layer: Any, call: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """``call`` with the layer's own activation left out; past Keras's attribute tracking, which may be locked."""

    def linear(parents: Sequence[Any]) -> Any:
        activation = layer.activation
        object.__setattr__(layer, "activation", None)
        try:
            return call(parents)
        finally:
            object.__setattr__(layer, "activation", activation)

    return linear


def _only_activation(layer: Any) -> Callable[[Sequence[Any]], Any]:
    """The layer's own activation alone."""
    return lambda parents: layer.activation(parents[0])
