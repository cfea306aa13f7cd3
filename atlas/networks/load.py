"""A network with its weights, ready to be cut: the kernel's door to Keras."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.errors import NetworkError, WeightsError
from atlas.networks.architectures import build
from atlas.networks.bfloat16 import in_sixteen_bits
from atlas.networks.catalog import facts
from atlas.networks.cut import Cut, cut
from atlas.networks.embedded_weights import EMBEDDED
from atlas.networks.fill import fill_at_random, fill_from_file
from atlas.networks.fuse import fuse
from atlas.networks.graph import Graph, Value, flatten, with_gradient_through
from atlas.networks.known import INCEPTIONV3_NAMES
from atlas.networks.own import open_model
from atlas.networks.record import Record, digest_of, record
from atlas.networks.weights import Weights, available, ensure, locate
from atlas.runtime import unmoved
from atlas.spec.facts import NetworkFacts, NetworkRef, is_path
from atlas.spec.problems import no_layer
from atlas.spec.recipe import Recipe


@dataclass(frozen=True)
class Network:
    """A network in memory.

    ``record`` is what Keras tells of it. ``model`` is the Keras model with its weights, without preprocessing: for
    pictures of any size, except NASNet and a user's own, which is as it was saved. ``plain`` is the same as a flat list
    of computations, for any size that these allow, and ``graph`` that with batch norms inside the convolutions before
    them; cuts run one of the two, or ``short``. With embedded weights all end at the last layer that these reach.
    """

    ref: NetworkRef
    facts: NetworkFacts
    weights: Weights
    record: Record
    model: Any
    graph: Graph
    plain: Graph

    @functools.cached_property
    def short(self) -> Graph:
        """``graph`` in bfloat16: its arrays are cast once."""
        return in_sixteen_bits(self.graph)

    def cut(self, layer: str, recipe: Recipe | None = None, also: Sequence[str] = ()) -> Cut:
        """The network from pictures to a layer, to what else the recipe's objective looks at, and to other layers.

        Raises: NetworkError when there is no such layer, with the nearest right name; WeightsError when the weights do
        not reach it.
        """
        names = list(dict.fromkeys([layer, *(recipe.layers if recipe else ()), *also]))
        values = [(name, self.value(name)) for name in names]
        arithmetic = recipe.arithmetic if recipe else "fast"
        graph = self.plain if arithmetic == "plain" else self.short if arithmetic == "bfloat16" else self.graph
        graph = with_gradient_through(graph, recipe.through if recipe else 0.0)
        classes = self._logits() if recipe and recipe.looks_at_classes else None
        return cut(graph, values, self.facts.preprocessing, self._size(names, classes is not None), classes)

    def cuts(self, layers: Sequence[str], side: int) -> list[Cut]:
        """What looks at some layers of pictures of ``side`` px at once: one cut, but for layers that take pictures of
        another size, which have a cut of their own. Raises as ``cut``."""
        head = (self.graph.logits() or ("",))[0]
        free = self.record.fixed is None
        apart = [layer for layer in layers if free and self._size([layer]) not in (None, (side, side))]
        others = sorted((layer for layer in layers if layer not in apart), key=lambda layer: layer == head)
        return [self.cut(names[0], also=names[1:]) for names in (others, apart) if names]

    def _size(self, names: Sequence[str], classes: bool = False) -> tuple[int, int] | None:
        """What pictures are resized to (h, w) where some layers are looked at, None for nothing.

        Listed layers may take any size where a classifier and what is no map need not: these are shown pictures of the
        one size that the network is known to take.
        """
        height, width, _ = self.graph.shape
        if height and width:
            needs = [self.value(name) for name in names if not self._listed(name)]
            head = self.graph.head is not None and names[0] == self.graph.head.layer
            if classes or head or any(self._leaves_maps(value) for value in needs):
                return height, width
        return self.record.fixed

    def _listed(self, layer: str) -> bool:
        known = self.facts.layer(layer)
        return known is None or known.listed

    def _leaves_maps(self, value: Value) -> bool:
        """Whether a value is none of four axes, or made of such a one."""
        return any(len(shape) != 4 for index in self.graph.needed([value]) for shape in self.graph.nodes[index].shapes)

    def value(self, layer: str) -> Value:
        """The output of a layer in ``plain`` and ``graph`` alike; of the classifier's layer the logits.

        Raises: NetworkError when there is no such layer, with the nearest right name; WeightsError when the weights do
        not reach it.
        """
        if self.facts.layer(layer) is None:
            raise NetworkError(no_layer(layer, self.facts))
        reason = available(self.ref, layer)
        logits = self.graph.logits()
        if logits and logits[0] == layer:
            return logits[1]
        value = self.graph.value(_keras_name(self.facts.id, layer))
        if reason or value is None:
            raise WeightsError(reason or f"expected a layer of {self.facts.called}, received {layer!r}")
        return value

    def _logits(self) -> tuple[str, Value]:
        found = self.graph.logits()
        if found is None:
            raise NetworkError(
                f"objective class: expected {self.facts.called} with its classifier, received it without; "
                "write classes: true, or save a network of your own with it"
            )
        return found


def load(ref: NetworkRef) -> Network:
    """Load a network with its weights, downloading ImageNet's where they are missing.

    Raises: NetworkError and WeightsError, each with one sentence that says what to do.
    """
    import keras

    ensure(ref)
    read = contents(ref)
    known, weights = facts(ref), locate(ref)
    if is_path(ref.network):
        with unmoved():
            model = open_model(Path(ref.network))
    else:
        model, _ = build(ref.network, bool(ref.classes))
    if weights.kind == "embedded":
        model = keras.Model(model.input, model.get_layer(EMBEDDED[ref.network].last).output)
    if weights.kind == "random":
        fill_at_random(model, ref.seed)
    elif weights.kind != "own" and weights.path is not None:
        fill_from_file(model, weights.path)
    plain = flatten(model, ref.classes)
    network = Network(ref, known, weights, record(ref.network, ref.classes), model, fuse(plain), plain)
    if contents(ref) != read:
        raise NetworkError(f"{ref.network}: expected files that stay as they are while they are read; try again")
    return network


def contents(ref: NetworkRef) -> dict[str, str]:
    """The files that a network is read from, its own and that of its weights, by their paths: the sha256 of each. What
    is kept of a network in memory holds as long as these stay. Raises as ``locate``."""
    path = locate(ref).path
    paths = [*([ref.network] if is_path(ref.network) else []), *([str(path)] if path else [])]
    return {one: digest_of(one) for one in paths}


def _keras_name(network: str, layer: str) -> str:
    """The stable name in Keras of a layer of ours: they differ in InceptionV3's stem only."""
    if network != "inceptionv3":
        return layer
    return next((name for name, ours in INCEPTIONV3_NAMES.items() if ours == layer), layer)
