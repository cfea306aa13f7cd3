"""Which output of a network tells classes: the one whose last layer says so, or the one that a person names."""

from collections.abc import Iterator

from atlas.errors import NetworkError
from atlas.networks.graph import Graph, Head, Value
from atlas.networks.seen import SAME_AT_INFERENCE

SOFTMAX = {"softmax", "log_softmax"}
PASSING = SAME_AT_INFERENCE | {"Cast", "Identity"}


def head_of(graph: Graph, classes: bool | str = False) -> Head | None:
    """The output of a graph that tells classes; the first of several.

    An output of numbers ``(n, classes)`` does so when a softmax makes it, or a sigmoid of more than one. Parameters:
    ``classes`` True means that there is such an output even if its last layer does not say so; a name means the output
    of that layer.

    Raises: NetworkError when no output can be what ``classes`` says, or several can.
    """
    found = list(_outputs(graph))
    outputs = {head.layer: head for head, _ in found}
    if isinstance(classes, str):
        if classes not in outputs:
            received = f"received {classes!r}; choose among {', '.join(outputs)}" if outputs else "received none"
            raise NetworkError(f"classes: expected the name of an output of classes (n, classes), {received}")
        return outputs[classes]
    telling = [head for head, squashed in found if squashed and _count(graph, head) > 1]
    if telling or not classes:
        return telling[0] if telling else None
    several = [head.layer for head in outputs.values() if head.sigmoid or _count(graph, head) > 1]
    if len(several) != 1:
        received = f"received {', '.join(several)}; write classes: {several[0]}" if several else "received none"
        raise NetworkError(f"classes: expected one output of classes (n, classes), {received}")
    return outputs[several[0]]


def _outputs(graph: Graph) -> Iterator[tuple[Head, bool]]:
    """Each output of numbers ``(n, count)``, and whether a softmax or a sigmoid makes it."""
    for value in graph.outputs:
        index, place = _made(graph, value)
        if index < 0 or len(graph.shape_of(value)) != 2 or graph.shape_of(value)[1] is None:
            continue
        node = graph.nodes[index]
        squashed = node.function in SOFTMAX | {"sigmoid"} and len(node.parents) == 1
        logits = node.parents[0] if squashed else (index, place)
        yield Head(node.name, logits, node.function == "sigmoid"), squashed


def _made(graph: Graph, value: Value) -> Value:
    """The value that ``value`` is, past what changes nothing."""
    while value[0] >= 0 and graph.nodes[value[0]].kind in PASSING:
        value = graph.nodes[value[0]].parents[0]
    return value


def _count(graph: Graph, head: Head) -> int:
    return graph.shape_of(head.logits)[-1] or 0
