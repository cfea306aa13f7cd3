"""Graphs with channels last throughout: layers that put channels before rows and columns keep that to themselves.

A layer with ``data_format="channels_first"`` takes and gives ``(n, c, h, w)``. Its node takes and gives ``(n, h, w,
c)``, as every other node does, and turns the axes on the way into the layer and out of it. So a value of four axes has
its channels at the end wherever it is read: in an ascent, as feature maps, as weights, in facts.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from atlas.networks.graph import Node, Value

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
FORMATS = {"channels_first": True, "channels_last": False}
TURNING = {"Permute", "Transpose"}
SHAPING = {*TURNING, "Reshape"}  # give a layout of their own


def channels_last(nodes: Sequence[Node]) -> list[Node]:
    """The same computations, all of whose values of four axes have their channels last."""
    if not any(getattr(node.layer, "data_format", None) == "channels_first" for node in nodes):
        return list(nodes)
    first = _first(nodes)
    return [
        _turned(node, [(index, place) in first for place in range(len(node.shapes))], first)
        for index, node in enumerate(nodes)
    ]


def _first(nodes: Sequence[Node]) -> set[Value]:
    """The values whose layers put channels before rows and columns.

    A layer with a data format says so itself. A permutation turns what it takes. What is reshaped is as the layers
    that take it want; everything else is as what it takes.
    """
    taken_by: dict[Value, list[int]] = {}
    for index, node in enumerate(nodes):
        for parent in node.parents:
            taken_by.setdefault(parent, []).append(index)
    found: set[Value] = set()
    for index, node in enumerate(nodes):
        before = any(parent in found for parent in node.parents)
        own = _own(node)
        if node.kind in TURNING and _axes(node) in (TO_FIRST, TO_LAST):
            own = before if _axes(node) == (TO_FIRST if before else TO_LAST) else not before
        elif node.kind == "Reshape":
            own = _wanted(nodes, (index, 0), taken_by)
        if own is None:
            own = before
        if own:
            found.update((index, place) for place, shape in enumerate(node.shapes) if len(shape) == 4)
    return found


def _wanted(nodes: Sequence[Node], value: Value, taken_by: dict[Value, list[int]]) -> bool | None:
    """Whether the layers that take ``value``, as it is or computed place by place, want channels first."""
    for index in taken_by.get(value, []):
        node = nodes[index]
        own = _own(node)
        if own is None and node.kind not in SHAPING and len(node.shapes[0]) == 4:
            own = _wanted(nodes, (index, 0), taken_by)
        if own is not None:
            return own
    return None


def _own(node: Node) -> bool | None:
    """Whether a layer has channels first by its own data format; None where it has none, or does not keep to maps."""
    return None if node.kind == "Flatten" else FORMATS.get(str(getattr(node.layer, "data_format", None)))


def _axes(node: Node) -> tuple[int, ...]:
    """The order in which a permutation takes the axes of its input, the batch first."""
    dims = getattr(node.layer, "dims", None)
    return (0, *dims) if dims else tuple(getattr(node.layer, "axes", None) or ())


def _turned(node: Node, outputs: list[bool], first: set[Value]) -> Node:
    """A node that takes and gives its values with channels last; ``outputs`` says which its layer gives otherwise."""
    inputs = [parent in first for parent in node.parents]
    if not any(inputs) and not any(outputs):
        return node
    pairs = zip(node.shapes, outputs, strict=True)
    shapes = tuple(tuple(shape[axis] for axis in TO_LAST) if turn else shape for shape, turn in pairs)
    if node.kind in TURNING and _axes(node) == (TO_FIRST if outputs[0] else TO_LAST) and inputs != outputs:
        return replace(node, kind="Identity", shapes=shapes, call=lambda parents: parents[0])
    return replace(node, shapes=shapes, call=_turning(node.call, inputs, outputs), first=True)


def _turning(call: Callable[[Sequence[Any]], Any], inputs: list[bool], outputs: list[bool]) -> Callable[..., Any]:
    import tensorflow as tf

    def turned(parents: Sequence[Any]) -> Any:
        given = [tf.transpose(one, TO_FIRST) if turn else one for one, turn in zip(parents, inputs, strict=True)]
        made = call(given)
        if not isinstance(made, list | tuple):
            return tf.transpose(made, TO_LAST) if outputs[0] else made
        return [tf.transpose(one, TO_LAST) if turn else one for one, turn in zip(made, outputs, strict=True)]

    return turned
