"""A configuration that was checked against its network: everything a plan needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from atlas.spec.config import Compute
from atlas.spec.facts import LayerFacts, NetworkFacts, NetworkRef, Preprocessing
from atlas.spec.recipe import Recipe


@dataclass(frozen=True)
class Catalog:
    """What the reader asks about networks; ``networks`` answers, so that ``spec`` need not import it.

    ``facts(ref)`` raises NetworkError; ``find_weights(ref)`` raises WeightsError when there are none; ``available(ref,
    layer)`` is None, or why the weights do not reach that layer; ``preprocessing(name)`` is what tf, caffe, torch or
    none means.
    """

    facts: Callable[[NetworkRef], NetworkFacts]
    find_weights: Callable[[NetworkRef], object]
    available: Callable[[NetworkRef, str], str | None]
    preprocessing: Callable[[str], Preprocessing]


@dataclass(frozen=True)
class LayerRequest:
    """A layer and the channels asked for, in order, each once; ``recipes`` by name, sizes resolved."""

    facts: LayerFacts
    channels: tuple[int, ...]
    recipes: Mapping[str, Recipe]


@dataclass(frozen=True)
class Request:
    """What a build was asked for. ``store`` and ``output`` are folders, from the current directory if relative."""

    name: str
    title: str
    ref: NetworkRef
    facts: NetworkFacts
    layers: tuple[LayerRequest, ...]
    record: tuple[str, ...]
    compute: Compute
    store: str
    output: Path
