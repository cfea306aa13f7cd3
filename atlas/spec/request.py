"""A configuration that was checked against its network: everything a plan needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from atlas.errors import NetworkError
from atlas.spec.comparing import Compare
from atlas.spec.config import FRAMES, Compute
from atlas.spec.facts import LayerFacts, NetworkFacts, NetworkRef, Preprocessing
from atlas.spec.probing import Probes
from atlas.spec.recipe import Recipe
from atlas.spec.website import Website


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
class Record:
    """What is kept beside the pictures: ``artefacts`` by name, and how many steps lie between frames, None for auto."""

    artefacts: tuple[str, ...] = ()
    every: int | None = None

    def frame_every(self, recipe: Recipe) -> int:
        """Steps from frame to frame of a recipe; 0 when no frames are kept."""
        if "frames" not in self.artefacts:
            return 0
        return self.every or -(-recipe.steps // FRAMES)


@dataclass(frozen=True)
class Request:
    """What a build was asked for. ``store`` is a folder or an address, ``output`` a folder; from the current directory
    if relative. ``probes`` are the real images, by an absolute path and with a size, None where there are none;
    ``compare`` the pictures by others, by an absolute path, None without; ``class_names`` are a user's own, as many as
    the network has classes, None when none were given."""

    name: str
    title: str
    ref: NetworkRef
    facts: NetworkFacts
    layers: tuple[LayerRequest, ...]
    record: Record
    probes: Probes | None
    compare: Compare | None
    compute: Compute
    store: str
    output: Path
    website: Website
    class_names: tuple[str, ...] | None

    def computed(self, arithmetic: str) -> "Request":
        """The same where ``arithmetic: auto`` of its recipes means ``arithmetic``."""
        layers = [
            replace(layer, recipes={name: one.computed(arithmetic) for name, one in layer.recipes.items()})
            for layer in self.layers
        ]
        return replace(self, layers=tuple(layers))

    def only(self, name: str) -> LayerRequest:
        """The one layer that was asked for by its ``name``. Raises NetworkError when that is a pattern."""
        if [layer.facts.name for layer in self.layers] != [name]:
            named = ", ".join(layer.facts.name for layer in self.layers[:3])
            raise NetworkError(
                f"expected the name of one layer of {self.facts.id}, received the pattern {name!r}; name one, such as "
                f"{named}"
            )
        return self.layers[0]
