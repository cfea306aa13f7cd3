"""The weights between two layers: which channels excite or inhibit a channel, and which it excites or inhibits.

They are read from the kernels alone, with no picture. Where there is more than one convolution between two layers, as
in a block of InceptionV3, the kernels are multiplied through with everything between them taken as linear: see
``atlas.networks.linear``. What comes out of a ReLU is never negative, so a positive weight excites and a negative one
inhibits.

Products of many kernels are larger than those of few, and say less. What can be compared between channels is the share
that a weight has of all that a channel reads from a layer. On 400 crops of the pictures of scikit-image, channels of
mixed4 went with the five of mixed3 that excite them most (mean correlation of means 0.34 in its 1x1 branch, 0.10 in its
branch of five convolutions) and less clearly against those that inhibit them (-0.06, and 0). Those that a channel of
mixed3 is said to excite went with it by 0.22 when listed by share, by 0.07 when listed by strength: 98 % of these were
of the branch of five convolutions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from atlas.errors import NetworkError
from atlas.networks.cut import COMMUTES
from atlas.networks.graph import Graph, Value
from atlas.networks.linear import CONVOLUTIONS, Reads, Taps, is_linear, read_back, taps
from atlas.networks.weights import available

if TYPE_CHECKING:
    from atlas.networks.load import Network

VERSION = 2  # of what is computed here
STRONGEST = 5  # channels in a list
TOGETHER = 64  # channels of the upper layer whose kernels are multiplied through at once


@dataclass(frozen=True)
class Wiring:
    """The weights from a layer with m channels, after its ReLU, to one with n, before its ReLU, batch norms inside.

    ``strength (n, m) float32`` is the sum of a kernel over its positions: how much a channel rises where the other
    rises everywhere by one, far from all borders. A kernel that weighs both signs alike has next to none.
    ``share (n, m) float32`` is the same in units of the sum of a row's absolute values: 1 or -1 where a channel reads
    nothing else, 0 where it reads nothing.

    ``before (n, 2, k) int16`` are for each channel of the upper layer the channels of the lower one that excite it most
    (``[:, 0]``, the largest share first) and inhibit it most (``[:, 1]``); ``after (m, 2, k) int16`` are for each
    channel of the lower layer those of the upper one in which its share is largest, of either sign. It is -1 where
    there are no more of that sign. Channels of the upper layer that are mere copies of the lower one's
    (``Branch.copies``) are in neither; their strength is the identity, their share 0.

    ``before_slices (n, 2, k, h, w) float16`` and ``after_slices (m, 2, k, h, w) float16`` are the kernels of these
    pairs in [-1, 1], as shares of ``scale () float32``, the largest weight among them; zeros where there is no channel.
    Their window is the smallest that holds every kernel between the two layers. The neuron of the upper layer stands
    over the middle of it, and one step is one position of the lower layer, whatever the strides between; h or w is even
    where the neuron stands between two positions, such as behind a pool of 2 x 2.

    ``note`` is a sentence on what was taken as linear; empty where the weights are exact.
    """

    strength: np.ndarray
    share: np.ndarray
    before: np.ndarray
    before_slices: np.ndarray
    after: np.ndarray
    after_slices: np.ndarray
    scale: np.ndarray
    note: str


def between(network: "Network", layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The layers between which weights can be read: each layer that has some before it -> those that feed it.

    One layer feeds another when there is a way from it to the other past no third feature layer of the network, be that
    among ``layers`` or not. Pools may stand between them; pools and classes feed nothing and are fed by nothing here. A
    layer can be fed by several: a sum by the last convolution of its block and, where the shortcut has a convolution,
    by the block's input. A shortcut without one has no weights. Pairs with anything between them that is not linear
    (a product, as in squeeze-and-excitation, a sigmoid, attention) and layers that the weights do not reach are left
    out. The order is that of ``layers``.
    """
    features = _features(network)
    known = [(value, name) for name in layers for value, feature in features.items() if feature == name]
    found = {}
    for above, name in known:
        nodes = _since(network.plain, above, features)
        ways = {below: _way(network.plain, value, nodes) for value, below in known if value != above}
        feeding = tuple(below for below, way in ways.items() if _has_weights(network.plain, way))
        if feeding:
            found[name] = feeding
    return found


def wiring(network: "Network", below: str, above: str, strongest: int = STRONGEST) -> Wiring:
    """The weights from the channels of one layer to those of the next.

    Parameters: ``below`` feeds ``above``, as ``between`` says; ``strongest`` is k, the length of the lists. One thread
    throughout, for the same bytes on every run.

    Raises: NetworkError when there is no such layer, or when there are no weights between them to read; WeightsError
    when the weights do not reach them.
    """
    from threadpoolctl import threadpool_limits

    graph = network.plain
    lower, upper = network.value(below), network.value(above)
    way = _way(graph, lower, _since(graph, upper, _features(network)))
    if not _has_weights(graph, way):
        raise NetworkError(
            f"expected two layers of {network.facts.called} with convolutions between them, no other feature layer and "
            f"nothing that is not linear, received {below} and {above}"
        )
    steps = {index: taps(graph, graph.nodes[index]) for index in way}
    with threadpool_limits(1):
        strength = _strength(graph, steps, lower, upper)
        totals = np.abs(strength).sum(axis=1, keepdims=True)
        share = strength / np.where(totals > 0, totals, 1)
        known = network.facts.layer(above)
        for branch in known.branches if known else ():
            if branch.copies == below:
                share[branch.first : branch.last + 1] = 0
        before, after = _strongest(share, strongest), _strongest(share.T, strongest)
        before_slices, after_slices = _slices(graph, steps, lower, upper, before, after)
    scale = np.float32(max(np.abs(before_slices).max(), np.abs(after_slices).max())) or np.float32(1)
    slices = [(found / scale).astype(np.float16) for found in (before_slices, after_slices)]
    note = _note(graph, way, upper)
    sums = strength.astype(np.float32), share.astype(np.float32)
    return Wiring(*sums, before, slices[0], after, slices[1], np.array(scale), note)


def _features(network: "Network") -> dict[Value, str]:
    """The feature layers that the weights reach, by their values."""
    names = [layer.name for layer in network.facts.feature_layers if available(network.ref, layer.name) is None]
    return {network.value(name): name for name in names}


def _since(graph: Graph, above: Value, features: Collection[Value]) -> list[int]:
    """The nodes that make ``above`` from the feature layers before it, in order."""
    return graph.needed([above], known=set(features) - {above})


def _way(graph: Graph, below: Value, nodes: Sequence[int]) -> list[int]:
    """Those of some nodes, in order, that depend on ``below``."""
    reached, way = {below}, []
    for index in nodes:
        if reached.intersection(graph.nodes[index].parents):
            way.append(index)
            reached.update((index, position) for position in range(len(graph.nodes[index].shapes)))
    return way


def _has_weights(graph: Graph, way: Sequence[int]) -> bool:
    """Whether a way is linear and has a convolution on it."""
    nodes = [graph.nodes[index] for index in way]
    return any(node.kind in CONVOLUTIONS for node in nodes) and all(is_linear(graph, node) for node in nodes)


def _strength(graph: Graph, steps: dict[int, tuple[Taps, ...]], below: Value, above: Value) -> np.ndarray:
    """The sums of the kernels ``(n, m) float64``: the product of the sums along each way."""
    totals = {index: tuple(one.total for one in several) for index, several in steps.items()}
    count, given = graph.shape_of(above)[3] or 0, graph.shape_of(below)[3] or 0
    found = read_back(graph, totals, below, above, Reads(np.eye(count)[:, None, None, :]))
    return np.zeros((count, given)) if found is None else found.weights[:, 0, 0]


def _strongest(share: np.ndarray, count: int) -> np.ndarray:
    """For each row ``(n, m)`` the columns of the largest positive and negative numbers: ``(n, 2, count) int16``."""
    found = np.full((len(share), 2, count), -1, np.int16)
    for side, signed in enumerate((share, -share)):
        order = np.argsort(-signed, axis=1, kind="stable")[:, :count]
        found[:, side, : order.shape[1]] = np.where(np.take_along_axis(signed, order, 1) > 0, order, -1)
    return found


def _slices(
    graph: Graph,
    steps: dict[int, tuple[Taps, ...]],
    below: Value,
    above: Value,
    before: np.ndarray,
    after: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The kernels of the pairs in ``before (n, 2, k)`` and ``after (m, 2, k)``, each ``(..., h, w) float32``."""
    count = len(before)
    sizes = {index: tuple(replace(one, kernel=np.abs(one.kernel)) for one in some) for index, some in steps.items()}
    everything = read_back(graph, sizes, below, above, Reads(np.ones((1, 1, 1, count), np.float32)))
    first, size = (everything.first, everything.weights.shape[1:3]) if everything else ((0, 0), (1, 1))
    of_before = np.zeros((*before.shape, *size), np.float32)
    of_after = np.zeros((*after.shape, *size), np.float32)
    for start in range(0, count, TOGETHER):
        some = np.eye(min(TOGETHER, count - start), count, start, np.float32)
        found = read_back(graph, steps, below, above, Reads(some[:, None, None, :]))
        if found is None:
            continue
        kernels = found.over(first, (size[0], size[1]))  # (some, h, w, m)
        upper, side, place = np.nonzero(before[start : start + TOGETHER] >= 0)
        lower = before[start + upper, side, place]
        of_before[start + upper, side, place] = kernels[upper, :, :, lower]
        lower, side, place = np.nonzero((after >= start) & (after < start + TOGETHER))
        of_after[lower, side, place] = kernels[after[lower, side, place] - start, :, :, lower]
    return of_before, of_after


def _note(graph: Graph, way: Sequence[int], above: Value) -> str:
    """What is taken as linear on a way, beside the activation that makes the upper layer itself."""
    own, stack = set(), [above]
    while stack:
        index, _ = stack.pop()
        if index in way and index not in own:
            own.add(index)
            if graph.nodes[index].kind in COMMUTES | {"Concatenate"}:
                stack.extend(graph.nodes[index].parents)
    taken = []
    if any(graph.nodes[index].kind == "Activation" for index in way if index not in own):
        taken.append("activations between the two layers count as the identity")
    if any(graph.nodes[index].kind == "MaxPooling2D" for index in way):
        taken.append("max-pools count as averages")
    return f"{' and '.join(taken)}.".capitalize() if taken else ""
