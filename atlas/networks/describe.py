"""Facts read from a network's graph: which layers there are to look at, how deep, how wide they see, what they cost.

Which layers. A layer is listed when its output is a map ``(n, h, w, channels)`` that a chain of computations ends in.
Convolution, batch norm and activation are one such chain, and so are an addition and its activation: the chain bears
the name of its last link, so of ``conv``, ``bn`` and ``relu`` only ``relu`` is listed, of ``add`` and ``out`` only
``out`` (unless something else takes the sum as well). Listed are therefore activations, convolutions with theirs
inside, additions, concatenations over channels, and convolutions that nothing normalises, activates or merges. Pools
are listed too, though they are no feature layers, and so are the classes of a network that ends in a classifier, one
channel for each. Batch norms, padding, dropout, rescaling, products such as those of
squeeze-and-excitation, and whatever has become a single position that sees the whole picture are not listed. They can
be looked at all the same, as every layer can that gives a map or a vector ``(n, channels)``, by whoever names them.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from atlas.activations import ELEMENTWISE
from atlas.networks.cut import Cut, cut
from atlas.networks.graph import Graph, Value
from atlas.networks.reach import reaches
from atlas.networks.rewritten import own_way
from atlas.networks.work import CONVOLUTIONS, POOLS, asked_alone, works
from atlas.spec.facts import MULTIPLY_ADDS, WORK, Branch, LayerFacts, Preprocessing, Work

MERGES = {"Add": "add", "Concatenate": "concat"}
NORMALISATIONS = {"BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "LayerScale"}
OTHERS = {**dict.fromkeys(CONVOLUTIONS, "conv"), **MERGES}  # kinds of layers that are not listed, but for maps
PASSING = {
    *("Dropout", "SpatialDropout2D", "StochasticDepth", "GaussianDropout", "GaussianNoise", "Identity"),
    *("ZeroPadding2D", "Cropping2D", "Rescaling", "Normalization", "ActivityRegularization"),
}


def layers(graph: Graph) -> tuple[LayerFacts, ...]:
    """The layers of a graph that can be looked at, from input to output; those that are not listed are marked."""
    consumers = graph.consumers()
    lie = reaches(graph)
    work = np.array([[getattr(one, kind) for kind in WORK] for one in works(graph, lie)])
    head = graph.head.layer if graph.head else ""
    found = []
    for index, node in enumerate(graph.nodes):
        value, shape = (index, 0), node.shapes[0]
        if node.name in ("", head) or len(node.shapes) != 1 or len(shape) not in (2, 4) or shape[-1] is None:
            continue
        kind = _kind(graph, index, consumers)
        reach = lie[value] if len(shape) == 4 else None
        field = reach.field if reach else None
        listed = bool(kind and reach) and not (field is None and shape[1:3] == (1, 1))
        sight = cut(graph, [(node.name, value)], Preprocessing())
        found.append(
            LayerFacts(
                name=node.name,
                channels=shape[-1],
                receptive_field=field,
                stride=math.ceil(max(reach.stride)) if reach else 1,
                kind=kind or (OTHERS.get(node.kind, "map") if reach else "vector"),
                feature=listed and kind != "pool",
                activation=sight.main.function,
                work=_total(work, graph.needed([value]), asked_alone(sight.graph, sight.main.value)),
                branches=tuple(_branches(graph, index, 0, consumers)) if kind == "concat" else (),
                behind=_shut(sight),
                own_ways=_own_ways(graph, value),
                smallest_batch=sight.smallest_batch,
                listed=listed,
            )
        )
    return (*found, *_classes(graph, work))


def _classes(graph: Graph, work: np.ndarray) -> tuple[LayerFacts, ...]:
    """The layer of the classifier where the network ends in one: a channel for each class, before the softmax."""
    found = graph.logits()
    if found is None:
        return ()
    name, (index, position) = found
    channels = graph.nodes[index].shapes[position][-1]
    whole = _total(work, graph.needed([(index, position)]), ())
    sight, ways = cut(graph, [found], Preprocessing()), _own_ways(graph, (index, position))
    described = LayerFacts(name, channels or 0, None, 1, "classes", feature=False, activation="", work=whole)
    return (replace(described, behind=_shut(sight), own_ways=ways, smallest_batch=sight.smallest_batch),)


def _total(work: np.ndarray, needed: Iterable[int], alone: Iterable[int]) -> Work:
    """The work of the nodes that are needed, from rows of numbers as ``WORK`` for each; convolutions that are asked for
    one channel ``alone`` cost no multiply-adds."""
    total = work[list(needed)].sum(axis=0)
    adds = [WORK.index(kind) for kind in MULTIPLY_ADDS]
    total[adds] -= work[list(alone)][:, adds].sum(axis=0)
    return Work(**dict(zip(WORK, total.tolist(), strict=True)))


def _shut(cut: Cut) -> tuple[str, ...]:
    """The activation functions, other than ReLU, that a gradient passes on its way from a cut's layer to the input and
    that can be shut."""
    needed = cut.graph.needed([cut.main.value])
    return tuple(sorted({cut.graph.nodes[index].function for index in needed} & ELEMENTWISE))


def _own_ways(graph: Graph, value: Value) -> tuple[str, ...]:
    """What atlas computes its own way between a value and the input, or as it makes the value."""
    return tuple(sorted({own_way(graph.nodes[index]) for index in graph.needed([value])} - {""}))


def _kind(graph: Graph, index: int, consumers: dict[Value, list[int]]) -> str:
    """The kind of the layer whose chain ends in this node; empty when the chain goes on, or is none of those listed."""
    node = graph.nodes[index]
    if node.kind in POOLS:
        return "pool"
    if node.kind == "Activation":
        parent, _ = node.parents[0]
        inside = parent >= 0 and graph.nodes[parent].layer is node.layer
        return "conv" if inside and graph.nodes[parent].kind in CONVOLUTIONS else "activation"
    if node.kind in CONVOLUTIONS and node.name:
        return "" if _normalised_or_merged((index, 0), graph, consumers) else "conv"
    if node.kind == "Concatenate" and not node.joins_channels:
        return ""
    if node.kind in MERGES and len(node.parents) > 1:
        return "" if _only_activated((index, 0), graph, consumers) else MERGES[node.kind]
    return ""


def _only_activated(value: Value, graph: Graph, consumers: dict[Value, list[int]]) -> bool:
    """Whether all that is done with ``value`` is to activate it, through normalisation or not."""
    taken_by = consumers.get(value, [])
    if len(taken_by) != 1:
        return False
    node = graph.nodes[taken_by[0]]
    if node.kind in NORMALISATIONS | PASSING:
        return _only_activated((taken_by[0], 0), graph, consumers)
    return node.kind == "Activation"


def _normalised_or_merged(value: Value, graph: Graph, consumers: dict[Value, list[int]]) -> bool:
    """Whether ``value`` is normalised, activated or merged next, past dropout and padding."""
    for index in consumers.get(value, []):
        kind = graph.nodes[index].kind
        if kind == "Activation" or kind in MERGES or kind in NORMALISATIONS:
            return True
        if kind in PASSING and _normalised_or_merged((index, 0), graph, consumers):
            return True
    return False


def _branches(graph: Graph, index: int, first: int, consumers: dict[Value, list[int]]) -> Iterator[Branch]:
    """What a concatenation is made of, in order from channel ``first``; one that only this one takes is opened."""
    for parent in graph.nodes[index].parents:
        node_index, position = parent
        node = graph.nodes[node_index] if node_index >= 0 else None
        channels = graph.shape[2] if node is None else node.shapes[position][-1] or 0
        if node is not None and node.kind == "Concatenate" and len(consumers[parent]) == 1:
            yield from _branches(graph, node_index, first, consumers)
        else:
            name = "input" if node is None else node.name
            yield Branch(name, first, first + channels - 1, _source(graph, parent, consumers))
        first += channels


def _source(graph: Graph, value: Value, consumers: dict[Value, list[int]]) -> str:
    """The listed layer whose channels ``value`` has, as they are or max-pooled; empty where there is none."""
    index, position = value
    while index >= 0:
        node = graph.nodes[index]
        if position == 0 and node.kind not in POOLS and _kind(graph, index, consumers):
            return node.name
        if node.kind not in PASSING | {"MaxPooling2D"}:
            return ""
        index, position = node.parents[0]
    return ""
