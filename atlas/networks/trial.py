"""What a part of a network depends on, found by running it: on some numbers, and again with some of them changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from atlas.networks.graph import Graph, Value

Span = tuple[tuple[tuple[int, int], ...] | None, Fraction]
"""The arguments of a ``reach.Axis``: spans of the output's positions over those of a value, and their shift."""

SIDE, FEW = 24, 12  # positions on a side that are tried where a side may be any; FEW of values of many channels
MANY = 512  # channels
USUAL = 224  # pixels on a side of a picture whose size is not fixed
NUMBERS = 1 << 23  # that go through a part at once, at most
CLEAR = 1e-5  # a change that is no rounding, as a share of the largest number


def depends(
    graph: Graph, value: Value, strides: Mapping[Value, tuple[float, float]], known: dict[Any, Any]
) -> dict[Value, tuple[Span, Span]]:
    """The values that ``value`` depends on among those with known ``strides``, and how, down and across.

    Only the nearest of them are asked. Empty when the part between cannot be run on its own, or depends on nothing.
    ``known`` keeps what was found for a layer, for the next one like it.
    """
    nearest, nodes = _between(graph, value, strides)
    key = _identity(graph, value, nodes, nearest)
    if key is not None and key in known:
        return dict(zip(nearest, known[key], strict=True)) if known[key] else {}
    found = _tried(graph, value, strides, nearest, nodes)
    if key is not None and (not found or len(found) == len(nearest)):
        known[key] = list(found.values())
    return found


def _between(graph: Graph, value: Value, strides: Mapping[Value, Any]) -> tuple[list[Value], list[int]]:
    """The nearest values with known strides that ``value`` is made of, and the nodes that make it of them."""
    nodes = graph.needed([value], known=strides)
    taken = dict.fromkeys(parent for index in nodes for parent in graph.nodes[index].parents)
    return [parent for parent in taken if parent in strides], nodes


def _identity(graph: Graph, value: Value, nodes: Sequence[int], nearest: Sequence[Value]) -> Any:
    """What equal layers have in common; None for more than one computation, and for bare operations."""
    node = graph.nodes[value[0]]
    config = getattr(node.layer, "get_config", None)
    if len(nodes) != 1 or config is None or not hasattr(node.layer, "weights"):
        return None
    own = {name: one for name, one in config().items() if name != "name"}
    return type(node.layer), repr(own), value[1], tuple(graph.shape_of(one) for one in nearest)


def _tried(
    graph: Graph,
    value: Value,
    strides: Mapping[Value, tuple[float, float]],
    nearest: Sequence[Value],
    nodes: Sequence[int],
) -> dict[Value, tuple[Span, Span]]:
    import tensorflow as tf

    def run(given: Mapping[Value, np.ndarray]) -> np.ndarray:
        values: dict[Value, Any] = {at: tf.constant(array) for at, array in given.items()}
        for index in nodes:
            node = graph.nodes[index]
            made = node.call([values[parent] for parent in node.parents])
            several = made if isinstance(made, list | tuple) else [made]
            values.update(((index, place), one) for place, one in enumerate(several))
        return np.asarray(tf.cast(values[value], tf.float32))

    shapes = [(at, graph.shape_of(at)) for at in nearest]
    if any(len(shape) != 4 or shape[3] is None for _, shape in shapes):
        return {}
    real = {at: _real(shape, strides[at]) for at, shape in shapes}
    seen: dict[Value, tuple[Span, Span]] = {}
    for signed in (False, True):
        try:
            for base, made in _fitting(run, real, signed):
                found = {at: (_spans(run, base, made, at, 1), _spans(run, base, made, at, 2)) for at in nearest}
                seen = {at: (down, across) for at, (down, across) in found.items() if down and across}
                if seen and all(axis[0] is not None for axes in seen.values() for axis in axes):
                    return seen  # else a window may be larger than what was tried
        except Exception:  # whatever a layer raises that does not take these numbers, or has no weights yet
            return {}
        if seen:
            return seen
    return {}


def _real(shape: tuple[int | None, ...], stride: tuple[float, float]) -> tuple[int, int, int]:
    """Rows, columns and channels of a value; those of a usual picture where any size goes."""
    rows, columns = (side or round(USUAL / step) for side, step in zip(shape[1:3], stride, strict=True))
    return rows, columns, shape[3] or 1


def _fitting(
    run: Callable[[Mapping[Value, np.ndarray]], np.ndarray], real: Mapping[Value, tuple[int, int, int]], signed: bool
) -> Iterator[tuple[dict[Value, np.ndarray], np.ndarray]]:
    """Numbers to try and what is made of them: on few places, or more than there really are of a small map, where it
    comes to the same, and on as many as there are."""
    draws = np.random.default_rng(0)
    rows, columns, _ = max(real.values())
    side = FEW if max(one[2] for one in real.values()) > MANY else SIDE

    def numbers(sizes: Mapping[Value, tuple[int, int, int]]) -> dict[Value, np.ndarray]:
        return {at: _draw(draws, (1, *size), signed) for at, size in sizes.items()}

    base = numbers(real)
    made = run(base)
    if all(size[:2] in ((rows, columns), (1, 1)) for size in real.values()):
        other = {at: (side, side, size[2]) if size[:2] != (1, 1) else size for at, size in real.items()}
        try:
            there = numbers(other)
            tried = run(there)
        except Exception:  # a layer that takes one size only
            yield base, made
            return
        same = [
            one * side == two * given or one - given == two - side
            for one, two, given in zip(made.shape[1:3], tried.shape[1:3], (rows, columns), strict=True)
        ]
        if all(same):
            yield there, tried
        if all(same) and max(rows, columns) <= side:
            return
    yield base, made


def _draw(draws: np.random.Generator, shape: tuple[int, ...], signed: bool) -> np.ndarray:
    """Numbers of all magnitudes from 0.05 to 150, so that some of them lie inside of whatever bounds a layer has."""
    found = np.exp(draws.uniform(-3, 5, shape)).astype(np.float32)
    return found * draws.choice(np.array([-1, 1], np.float32), shape) if signed else found


def _spans(run: Any, base: Mapping[Value, np.ndarray], made: np.ndarray, at: Value, axis: int) -> Span | None:
    """How positions of the output along an axis lie over those of the value ``at``; None where they have none of it."""
    side = base[at].shape[axis]
    before = _changed(run, base, made, at, axis, [slice(0, end + 1) for end in range(side)])
    behind = _changed(run, base, made, at, axis, [slice(start, side) for start in range(side)])
    first = np.where(before.any(0), before.argmax(0), side)
    last = np.where(behind.any(0), side - 1 - behind[::-1].argmax(0), -1)
    spans = [(int(one), int(two)) for one, two in zip(first, last, strict=True)]
    return _repeating(spans, side) if any(one <= two for one, two in spans) else None


def _changed(
    run: Any, base: Mapping[Value, np.ndarray], made: np.ndarray, at: Value, axis: int, parts: Sequence[slice]
) -> np.ndarray:
    """Which positions of the output along an axis change when each part of a value along that axis is another:
    ``(parts, positions) bool``."""
    draws = np.random.default_rng(1)
    other = _draw(draws, base[at].shape, bool((base[at] < 0).any()))
    size = max(*(array.size for array in base.values()), made.size)
    step, found = max(1, NUMBERS // size), []
    for start in range(0, len(parts), step):
        some = parts[start : start + step]
        given = {one: np.repeat(array, len(some), axis=0) for one, array in base.items()}
        for image, part in enumerate(some):
            rows, columns = (part, slice(None)) if axis == 1 else (slice(None), part)
            given[at][image, rows, columns] = other[0, rows, columns]
        there = run(given)
        with np.errstate(invalid="ignore"):
            same = np.abs(there - made) <= CLEAR * np.nanmax(np.abs(np.where(np.isfinite(made), made, 0)))
        differs = ~same & ~(np.isnan(there) & np.isnan(made))
        found.append(differs.any(axis=tuple(one for one in (1, 2, 3) if one != axis)))
    return np.concatenate(found)


def _repeating(spans: Sequence[tuple[int, int]], side: int) -> Span:
    """The spans of a few positions, repeated, that all positions but those near the edges have."""
    count = len(spans)
    ratio = Fraction(side, count)
    start, end = count // 4, max(count - count // 4, count // 4 + 1)
    inner = spans[start:end]
    if all(one == (0, side - 1) for one in inner) or side == 1:
        return (None, ratio) if count > 1 or side > 1 else (((0, 0),), Fraction(1))
    for period in sorted({ratio.denominator, *range(1, max(2, len(inner) // 2 + 1))}):
        shift = inner[period][0] - inner[0][0] if period < len(inner) else 0
        pairs = zip(inner, inner[period:], strict=False)
        if shift and all((two[0] - one[0], two[1] - one[1]) == (shift, shift) for one, two in pairs):
            return tuple(_back(inner, start, place, period, shift) for place in range(period)), Fraction(shift)
    firsts, lasts = zip(*spans, strict=True)
    narrow = max(last - first for first, last in spans) < side // 2
    if narrow and list(firsts) == sorted(firsts) and list(lasts) == sorted(lasts):
        return tuple(spans), Fraction(side)  # each has a span of its own, as a picture resized by an odd factor
    return None, ratio


def _back(inner: Sequence[tuple[int, int]], start: int, place: int, period: int, shift: int) -> tuple[int, int]:
    """The span of position ``place``, from that of its like among ``inner``, which begin at position ``start``."""
    further = (place - start) % period
    turns = (start + further - place) // period
    return inner[further][0] - turns * shift, inner[further][1] - turns * shift
