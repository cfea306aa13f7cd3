"""How the values of a network lie over its picture: receptive fields and strides, by rule and, without one, by trial.

Along each axis a value is *spans*: position 0 sees the pixels from ``first`` to ``last``, and so on for as many
positions as it takes until all repeats further along. The spans of a computation are known for what slides a window
or works place by place. Of every other computation nothing is assumed: it is run on some numbers, and again with
some of their rows or columns changed, which shows what each position of its output depends on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from atlas.activations import ELEMENTWISE
from atlas.networks.graph import INPUT, Graph, Node, Value
from atlas.networks.trial import depends

WINDOWS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
POOLS = {"MaxPooling2D", "AveragePooling2D"}
GLOBAL = {"GlobalAveragePooling2D", "GlobalMaxPooling2D"}
PLACE_BY_PLACE = {
    *("Dropout", "SpatialDropout2D", "StochasticDepth", "GaussianDropout", "GaussianNoise", "Identity"),
    *("Rescaling", "Normalization", "ActivityRegularization", "BatchNormalization", "LayerScale"),
    *("Add", "Multiply", "Subtract", "Maximum", "Minimum", "Average", "Divide", "TrueDivide"),
}
OVER_CHANNELS = {"Concatenate", "LayerNormalization", "UnitNormalization"}  # place by place along that axis only
ACTIVATIONS = ELEMENTWISE | {"relu", "prelu"}
Spans = tuple[tuple[int, int], ...]
REPEATS = 4096  # positions after which spans repeat, at most


@dataclass(frozen=True)
class Axis:
    """One axis of a value over the picture.

    ``spans`` are the first and the last pixel that positions 0, 1, ... see, if the picture went on without end; after
    these positions all repeats ``shift`` pixels further. ``spans`` None: each position sees the whole picture; then
    ``shift`` is still how far apart positions are.
    """

    spans: Spans | None = ((0, 0),)
    shift: Fraction = Fraction(1)

    @property
    def stride(self) -> Fraction:
        """How far apart two positions are, in pixels."""
        return abs(self.shift) / len(self.spans or [()])

    @property
    def field(self) -> int | None:
        """How many pixels a position sees at most, None for all of them."""
        return None if self.spans is None else max(last - first + 1 for first, last in self.spans)

    def at(self, position: int) -> tuple[int, int]:
        """The first and the last pixel that a position sees, of an axis with spans."""
        spans = cast(Spans, self.spans)
        turns, place = divmod(position, len(spans))
        further = turns * int(self.shift)
        return spans[place][0] + further, spans[place][1] + further

    def within(self, outer: "Axis") -> "Axis":
        """The spans over the picture, where these are spans over positions that ``outer`` lays over the picture."""
        if self.spans is None or outer.spans is None or not self.shift:
            return Axis(None, self.stride * outer.stride)
        turns = len(outer.spans) // math.gcd(len(outer.spans), int(self.shift))
        count = turns * len(self.spans)
        if count > REPEATS:
            return Axis(None, self.stride * outer.stride)
        shift = outer.shift / len(outer.spans) * self.shift * turns
        return Axis(tuple(outer.over(*self.at(position)) for position in range(count)), shift)

    def over(self, first: int, last: int) -> tuple[int, int]:
        """The first and the last pixel that some neighbouring positions see."""
        count = len(self.spans or ())
        ends = {*range(first, min(first + count, last + 1)), *range(max(first, last - count + 1), last + 1)}
        spans = [self.at(position) for position in ends]
        return min(start for start, _ in spans), max(end for _, end in spans)

    def __or__(self, other: "Axis") -> "Axis":
        """What positions see that see both."""
        count = math.lcm(len(self.spans or [()]), len(other.spans or [()]))
        shift = self.shift * count / len(self.spans or [()])
        same = shift == other.shift * count / len(other.spans or [()])
        if self.spans is None or other.spans is None or not same or count > REPEATS:
            return Axis(None, max(self.stride, other.stride))
        spans = [(self.at(position), other.at(position)) for position in range(count)]
        return Axis(tuple((min(one[0], two[0]), max(one[1], two[1])) for one, two in spans), shift)


@dataclass(frozen=True)
class Reach:
    """How a value lies over the picture, down and across it."""

    down: Axis = Axis()
    across: Axis = Axis()

    @property
    def field(self) -> int | None:
        """The receptive field in pixels, the larger of both sides; None when a neuron sees the whole picture."""
        fields = self.down.field, self.across.field
        return None if fields[0] is None or fields[1] is None else max(fields[0], fields[1])

    @property
    def stride(self) -> tuple[float, float]:
        """How far apart neurons are in pixels, down and across."""
        return float(self.down.stride), float(self.across.stride)


def reaches(graph: Graph) -> dict[Value, Reach]:
    """How each value ``(n, h, w, c)`` of a graph lies over the picture, and each that sees the whole of it anyway."""
    found = {INPUT: Reach()}
    known: dict[Any, Any] = {}
    for index, node in enumerate(graph.nodes):
        for place in range(len(node.shapes)):
            reach = _reach(graph, (index, place), found, known)
            if reach is not None:
                found[index, place] = reach
    return found


def _reach(graph: Graph, value: Value, found: dict[Value, Reach], known: dict[Any, Any]) -> Reach | None:
    """How a value lies over the picture; None where that has no meaning until it is a map again."""
    node, shape = graph.nodes[value[0]], graph.shape_of(value)
    seen = [found[parent] for parent in node.parents if parent in found]
    complete = len(seen) == len(node.parents)
    local = _local(graph, node) if complete and len(shape) == 4 else None
    if local is not None:
        merged = _merged(graph, node, seen, shape)
        return Reach(local[0].within(merged.down), local[1].within(merged.across))
    if node.kind in GLOBAL or (complete and all(one.down.spans is None and one.across.spans is None for one in seen)):
        return _whole(seen)
    if len(shape) != 4:
        return None
    tried = depends(graph, value, {at: reach.stride for at, reach in found.items()}, known)
    views = [
        Reach(Axis(*down).within(found[at].down), Axis(*across).within(found[at].across))
        for at, (down, across) in tried.items()
    ]
    if not views:
        return _whole(seen)
    return Reach(_all([one.down for one in views]), _all([one.across for one in views]))


def _whole(seen: Sequence[Reach]) -> Reach:
    """What sees the whole picture, at the stride of what it takes."""
    sides = ([one.down for one in seen], [one.across for one in seen])
    return Reach(*(Axis(None, max((axis.stride for axis in side), default=Fraction(1))) for side in sides))


def _all(axes: Sequence[Axis]) -> Axis:
    first, *others = axes
    for axis in others:
        first |= axis
    return first


def _merged(graph: Graph, node: Node, seen: Sequence[Reach], shape: tuple[int | None, ...]) -> Reach:
    """What a node sees that takes its parents place by place; one of a single place is spread over all the others."""
    sides = []
    for number, name in ((1, "down"), (2, "across")):
        pairs = zip(node.parents, seen, strict=True)
        given = [(graph.shape_of(parent)[number], getattr(one, name)) for parent, one in pairs]
        spread = [axis for side, axis in given if side == 1 and shape[number] != 1 and len(given) > 1]
        axes = [axis for side, axis in given if side != 1 or shape[number] == 1 or len(given) == 1] or spread
        merged = _all(axes)
        sides.append(Axis(None, merged.stride) if spread else merged)
    return Reach(*sides)


def _local(graph: Graph, node: Node) -> tuple[Axis, Axis] | None:
    """The spans of a node's output over its input, down and across, by rule; None for what has none."""
    layer = node.layer
    if node.kind in WINDOWS | POOLS:
        size = layer.pool_size if node.kind in POOLS else layer.kernel_size
        dilations = (1, 1) if node.kind in POOLS else layer.dilation_rate
        sides = graph.shape_of(node.parents[0])[1:3]
        return tuple(  # type: ignore[return-value]
            _window((taps - 1) * dilation + 1, stride, layer.padding, side)
            for taps, dilation, stride, side in zip(size, dilations, layer.strides, sides, strict=True)
        )
    if node.kind == "Conv2DTranspose":
        return tuple(  # type: ignore[return-value]
            _spreading(taps, dilation, stride, layer.padding)
            for taps, dilation, stride in zip(layer.kernel_size, layer.dilation_rate, layer.strides, strict=True)
        )
    if node.kind == "ZeroPadding2D":
        return tuple(Axis(((-before, -before),)) for before, _ in layer.padding)  # type: ignore[return-value]
    if node.kind == "Cropping2D":
        return tuple(Axis(((before, before),)) for before, _ in layer.cropping)  # type: ignore[return-value]
    if node.kind == "Activation" and node.function in ACTIVATIONS:
        return Axis(), Axis()
    if node.kind == "Dense" or node.kind in PLACE_BY_PLACE:
        return (Axis(), Axis()) if all(len(graph.shape_of(one)) == 4 for one in node.parents) else None
    if node.kind in OVER_CHANNELS and node.joins_channels:
        return Axis(), Axis()
    return None


def _window(reach: int, stride: int, padding: str, side: int | None) -> Axis:
    """A window of ``reach`` positions, every ``stride`` of ``side`` positions, None where any number is possible."""
    before = 0
    if padding == "same":
        made = -(-side // stride) if side else 0
        before = max((made - 1) * stride + reach - side if side else reach - stride, 0) // 2
    return Axis(((-before, reach - 1 - before),), Fraction(stride))


def _spreading(taps: int, dilation: int, stride: int, padding: str) -> Axis:
    """A transposed window: each input position is spread over ``taps`` outputs, the next one ``stride`` further."""
    before = max((taps - 1) * dilation + 1 - stride, 0) // 2 if padding == "same" else 0
    return Axis(tuple(_readers(output + before, taps, dilation, stride) for output in range(stride)))


def _readers(output: int, taps: int, dilation: int, stride: int) -> tuple[int, int]:
    """The first and the last input position that an output has something of."""
    offsets = [output - tap * dilation for tap in range(taps)]
    inputs = [offset // stride for offset in offsets if offset % stride == 0]
    return (min(inputs), max(inputs)) if inputs else (output // stride, output // stride)
