"""What each computation of a network costs, by kinds of work that take their own time each."""

import math
from collections.abc import Mapping

from atlas.networks.graph import Graph, Node, Value
from atlas.networks.reach import Reach
from atlas.networks.seen import CHANNEL_BY_CHANNEL
from atlas.spec.facts import Work

CONVOLUTIONS = {"Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"}
POOLS = {"MaxPooling2D", "AveragePooling2D"}
NORMS = {"LayerNormalization", "GroupNormalization", "UnitNormalization"}
FREE = {  # of which nothing is left in an ascent
    *("Dropout", "SpatialDropout2D", "StochasticDepth", "GaussianDropout", "GaussianNoise", "Identity"),
    "ActivityRegularization",
}
PLAIN = {  # activation functions without an exponential
    *("", "linear", "relu", "leaky_relu", "prelu", "hard_silu", "hard_sigmoid", "hard_tanh", "softsign", "threshold"),
    *("soft_shrink", "hard_shrink"),
}


def works(graph: Graph, reaches: Mapping[Value, Reach]) -> list[Work]:
    """The work of each node of a graph, per input pixel; borders aside, and what has a single position or is no map."""
    taken = graph.consumers()
    return [_work(graph, index, reaches, taken) for index in range(len(graph.nodes))]


def asked_alone(graph: Graph, value: Value) -> set[int]:
    """The convolutions that an ascent of one channel of a value asks for that channel alone, see ``Seen.channel``: they
    take hardly any time."""
    asked: set[int] = set()
    seen, stack = {value}, [value]
    while stack:
        index, _ = stack.pop()
        if index < 0:
            continue
        node = graph.nodes[index]
        if node.kind == "Conv2D":
            asked.add(index)
        elif _passes_on(graph, node):
            stack += [parent for parent in node.parents if parent not in seen]
            seen.update(node.parents)
    return asked - set(graph.needed(parent for index in asked for parent in graph.nodes[index].parents))


def _passes_on(graph: Graph, node: Node) -> bool:
    """Whether one channel of it needs one channel of each of its parents, and no more."""
    parents = [graph.nodes[parent].kind for parent, _ in node.parents if parent >= 0]
    if node.kind == "BatchNormalization":
        return parents == ["Conv2D"]
    return node.kind in CHANNEL_BY_CHANNEL | {"Add"} or (node.kind == "Concatenate" and node.joins_channels)


def _work(graph: Graph, index: int, reaches: Mapping[Value, Reach], taken: Mapping[Value, list[int]]) -> Work:
    node, shape = graph.nodes[index], graph.nodes[index].shapes[0]
    if node.kind in FREE or _in_a_kernel(graph, node, taken):
        return Work()
    if len(shape) != 4 or shape[1:3] == (1, 1):
        return Work(nodes=1)
    density = _density((index, 0), reaches)
    made = (shape[3] or 0) * density
    if node.kind in CONVOLUTIONS | {"Dense"}:
        return _convolved(graph, node, made, density, reaches)
    if node.kind in POOLS:
        return Work(pooled=math.prod(node.layer.pool_size) * made, nodes=1)
    if node.kind in NORMS:
        return Work(normed=made, nodes=1)
    return Work(curved=made, nodes=1) if node.function not in PLAIN else Work(moved=made, nodes=1)


def _convolved(graph: Graph, node: Node, made: float, density: float, reaches: Mapping[Value, Reach]) -> Work:
    """That of a convolution, or a dense layer, that makes so many values per input pixel at places so dense."""
    layer, (parent, position) = node.layer, node.parents[0]
    depth = (graph.nodes[parent].shapes[position] if parent >= 0 else graph.shape)[-1] or 0
    before = _density(node.parents[0], reaches)
    fed, taps = depth * before + made, 1 if node.kind == "Dense" else math.prod(layer.kernel_size)
    if node.kind == "SeparableConv2D":
        between = depth * layer.depth_multiplier * density
        return Work(apart=taps * between, point=between * layer.filters, fed=fed + 2 * between, nodes=2)
    if node.kind == "DepthwiseConv2D":
        return Work(apart=taps * made, fed=fed, nodes=1)
    if (groups := getattr(layer, "groups", 1)) > 1:
        return Work(apart=taps * made * depth / groups, fed=fed, nodes=1)
    if node.kind == "Conv2DTranspose":  # each input position is spread, not each output position gathered
        return Work(wide=taps * depth * before * layer.filters, fed=fed, nodes=1)
    adds = taps * depth * made
    return Work(point=adds, fed=fed, nodes=1) if taps == 1 else Work(wide=adds, fed=fed, nodes=1)


def _density(value: Value, reaches: Mapping[Value, Reach]) -> float:
    """How many positions a value has for each pixel of the input."""
    down, across = reaches[value].stride
    return float(1 / (down * across))


def _in_a_kernel(graph: Graph, node: Node, taken: Mapping[Value, list[int]]) -> bool:
    """Whether it is a batch norm inside the kernel of the convolution before it, see ``fuse``."""
    if node.kind != "BatchNormalization" or node.parents[0][0] < 0:
        return False
    return graph.nodes[node.parents[0][0]].kind == "Conv2D" and len(taken[node.parents[0]]) == 1
