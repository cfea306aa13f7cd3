"""Hold the receptive fields and strides that atlas states against gradients through the real networks.

The gradient of a neuron in the middle of a layer is taken back to the picture: what it reaches is what the neuron sees,
and how much further its neighbour's begins is the stride. Weights are drawn and positive, so that nothing cancels;
activations and normalisations pass everything on as it is, and a max-pool takes the mean, so that nothing is shut; on
the way back they make all that is above zero one, so that nothing fades away. The rest of the network is untouched.
Rows and columns are measured apart, on pictures that are long one way and short the other.

    python scripts/receptive_fields.py [--layers 8] [NETWORK ...]

Prints a table as Markdown, and every layer that differs. ``--layers`` takes so many of each network, from the first to
the last; all networks of keras.applications when none is named.
"""

import argparse
import gc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from atlas.networks import describe
from atlas.networks.architectures import build, set_value
from atlas.networks.families import networks
from atlas.networks.graph import Graph, Node, flatten, weights_of
from atlas.networks.seen import Seen
from atlas.spec.facts import LayerFacts

OPEN = {"Activation", "BatchNormalization", "LayerNormalization"}
LONGER = 96  # pixels of a picture beyond the receptive field, at least
STEPS = 64  # sides are a multiple of this, as those of most pictures are
SHORT = 96  # pixels of the short side


def measured(graph: Graph, layer: LayerFacts) -> tuple[int | None, float]:
    """The receptive field of a layer's middle neuron and its stride in pixels, the larger of down and across.

    The field is None where the neuron sees all of a picture that is longer than the field stated. The graph is one that
    ``opened`` gave.
    """
    fields, strides = zip(*(_along(graph, layer, axis) for axis in (1, 2)), strict=True)
    return None if None in fields else max(fields), max(strides)


def _along(graph: Graph, layer: LayerFacts, axis: int) -> tuple[int | None, float]:
    """The same along one axis: down (1) or across (2)."""
    import tensorflow as tf

    value = graph.value(layer.name)
    assert value is not None
    field = layer.receptive_field or 0
    length = -(-(field + 2 * layer.stride + LONGER) // STEPS) * STEPS
    shape = [1, length, SHORT, graph.shape[2]] if axis == 1 else [1, SHORT, length, graph.shape[2]]
    picture = tf.random.stateless_uniform(shape, (1, 2), 200.0, 250.0)  # above zero where a network rescales
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(picture)
        made = tf.reduce_mean(Seen(graph, picture).value(value), axis=3)[0]
        middle = [side // 2 for side in made.shape]
        scores = [made[tuple(middle)]]
        middle[axis - 1] = max(middle[axis - 1] - 1, 0)
        scores.append(made[tuple(middle)])
    (first, last), (before, until) = (_ends(tape.gradient(score, picture), axis) for score in scores)
    if last - first + 1 == length:
        return None, length / made.shape[axis - 1]
    return last - first + 1, (first - before + last - until) / 2


def _ends(gradient: Any, axis: int) -> tuple[int, int]:
    reached = np.abs(gradient.numpy()).max(tuple(other for other in range(4) if other != axis)) > 0
    places = reached.nonzero()[0]
    return int(places[0]), int(places[-1])


def opened(model: Any) -> Graph:
    """The graph of a model with positive weights, in which nothing is shut or cancels."""
    draws = np.random.default_rng(0).uniform(0.5, 1.5, 4099).astype(np.float32)  # again and again, for that is quick
    for weight in weights_of(model):
        shape = weight.variable.shape
        share = max(int(np.prod(shape[:-1])), 1)  # keeps sums about as large as what is summed
        set_value(weight.variable, np.resize(draws / np.float32(share), shape))
    graph = flatten(model)
    return replace(graph, nodes=tuple(map(_open, graph.nodes)))


def _open(node: Node) -> Node:
    import keras
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def passed(given: Any) -> Any:
        return tf.identity(given), lambda upstream: tf.cast(upstream > 0, tf.float32)

    if node.kind in OPEN and node.function != "softmax":
        return replace(node, call=lambda parents: passed(parents[0]))
    if node.kind == "MaxPooling2D":
        pool = keras.layers.AveragePooling2D(node.layer.pool_size, node.layer.strides, node.layer.padding)
        return replace(node, call=lambda parents: pool(parents[0]))
    return node


def chosen(layers: Sequence[LayerFacts], count: int) -> list[LayerFacts]:
    """So many layers, spread from the first to the last."""
    places = np.unique(np.linspace(0, len(layers) - 1, count).round().astype(int))
    return [layers[place] for place in places]


def right(layer: LayerFacts, found: tuple[int | None, float]) -> bool:
    """Whether what is stated of a layer is what was measured; of one that sees everything the stride is about so."""
    field, stride = found
    return field == layer.receptive_field and (round(stride) if field is None else stride) == layer.stride


def held(network: str, count: int) -> tuple[int, int, list[str]]:
    """Layers of a network, layers that were measured, and what differs, each as a sentence."""
    model, _ = build(network)
    layers = [layer for layer in describe.layers(flatten(model)) if layer.listed]
    graph, some = opened(model), chosen(layers, count)
    wrong = []
    for layer in some:
        found = measured(graph, layer)
        if not right(layer, found):
            stated = f"{layer.receptive_field} px every {layer.stride} px"
            wrong.append(f"{network} {layer.name}: stated {stated}, measured {found[0]} every {found[1]:g}")
    return len(layers), len(some), wrong


def main() -> None:
    """Print the table, and what differs below it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=networks(), metavar="NETWORK")
    parser.add_argument("--layers", type=int, default=8, help="layers of each network")
    asked = parser.parse_args()
    print("| network | layers | measured | differ |\n|---|---|---|---|")
    differ = []
    for network in asked.networks:
        layers, some, wrong = held(network, asked.layers)
        differ += wrong
        print(f"| {network} | {layers} | {some} | {len(wrong)} |", flush=True)
        gc.collect()
    print("\n".join(["", *differ]) if differ else "\nNothing differs.")


if __name__ == "__main__":
    main()
