"""From the arguments of a function to a checked request and a network that is loaded once."""

import gc
import operator
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atlas.ascent.kernel import Kernel
from atlas.errors import AtlasError, ConfigError, NetworkError
from atlas.images.loader import photo_name
from atlas.networks.answers import catalog
from atlas.networks.load import Network, contents, load
from atlas.networks.weights import ensure
from atlas.spec.facts import NetworkRef, is_path
from atlas.spec.load import check_request
from atlas.spec.recipe import Recipe
from atlas.spec.request import LayerRequest, Request

RECIPE = "shown"  # the name that the one recipe of a request has
KERNELS_KEPT = 4  # in memory, of the last network
ARGUMENTS = {  # what a key of the request is to whoever calls a function
    "layers[0].channels": "channels",
    "layers[0].name": "layer",
    f"recipes.{RECIPE}.base": "recipe",
}

_kept: tuple[tuple[NetworkRef, dict[str, str]], Network] | None = None  # the last network, and what its files held
_kernels: dict[Hashable, Kernel] = {}  # of that network


@dataclass(frozen=True)
class Asked:
    """A request for one layer. ``channels`` are in the order in which they were asked for, None without any; ``alone``
    says whether one number was asked for, or none."""

    request: Request
    layer: LayerRequest
    channels: tuple[int, ...] | None
    alone: bool


def ask(network: str | Path, **given: Any) -> Request:
    """The request for a network and all that its weights reach. Raises ConfigError with every problem."""
    data = {"network": _named(network), **{key: value for key, value in given.items() if value is not None}}
    try:
        return check_request(data, catalog())
    except ConfigError as error:
        raise ConfigError([_of_arguments(problem) for problem in error.problems]) from None


def ask_layer(network: str | Path, layer: str, channels: Any, recipe: Mapping[str, Any], **given: Any) -> Asked:
    """The request for one layer: ``channels`` are a whole number, several, runs such as ``"0-63,100"``, or None.

    Raises: ConfigError with every problem in keys of a configuration; AtlasError for a layer that is no name of one,
    and for channels that are none of these.
    """
    if not isinstance(layer, str) or not layer:
        raise AtlasError(f"layer: expected the name of one layer, such as mixed4, received {layer!r:.60}")
    numbers, alone = _numbers(channels)
    chosen = {"name": layer, "channels": channels if numbers is None else ",".join(map(str, numbers))}
    request = ask(network, layers=[chosen], recipes={RECIPE: dict(recipe)}, **given)
    only = request.only(layer)
    wanted = None if channels is None else only.channels if numbers is None else tuple(numbers)
    return Asked(request, only, wanted, alone)


def whole(value: Any, name: str, least: int = 0) -> int:
    """A whole number of any kind, numpy's too, at least ``least``. Raises AtlasError, with ``name``, for all else: 3.0
    and True are none."""
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise AtlasError(f"{name}: expected a whole number, received {value!r:.60}")
    if number < least:
        raise AtlasError(f"{name}: expected at least {least}, received {number}")
    return number


def loaded(request: Request) -> Network:
    """The network of a request; the last one is kept while its files hold what they did."""
    global _kept
    ensure(request.ref)
    now = (request.ref, contents(request.ref))
    if _kept is None or _kept[0] != now:
        _kept = None  # the one before is let go first
        _kernels.clear()
        _kept = now, load(request.ref)
    network = _kept[1]
    if network.facts.id != request.facts.id:
        raise NetworkError(f"{request.ref.network}: expected a file that stays as it is while it is read; try again")
    return network


def kernel(network: Network, layer: str, recipe: Recipe, frame_every: int) -> Kernel:
    """The kernel for pictures of a layer of the network that is kept: one of the last KERNELS_KEPT, or a new one.

    So the second channel of a layer is not compiled again. A photo counts by what its file holds now.
    """
    key = (layer, recipe, frame_every, *(photo_name(Path(photo)) for photo in recipe.files))
    kept = _kernels.pop(key, None)
    if kept is None and len(_kernels) >= KERNELS_KEPT:
        del _kernels[next(iter(_kernels))]
        gc.collect()  # graphs refer to themselves, and hold weights
    _kernels[key] = kept or Kernel(network, layer, recipe, frame_every)
    return _kernels[key]


def _numbers(channels: Any) -> tuple[list[int] | None, bool]:
    """The numbers of some channels, None where they are runs in words or none; and whether it is one number."""
    if channels is None or isinstance(channels, str):
        return None, channels is None
    try:
        several = [channels] if isinstance(channels, bytes | Mapping) else list(channels)
    except TypeError:  # what is no collection is one number, or none
        return [whole(channels, "channels")], True
    if not several:
        raise AtlasError("channels: expected at least one channel, received none")
    return [whole(one, "channels") for one in several], False


def _of_arguments(problem: str) -> str:
    """A problem by the name of the argument that it is with."""
    key, colon, said = problem.partition(": ")
    return f"{ARGUMENTS.get(key, key.removeprefix(f'recipes.{RECIPE}.'))}{colon}{said}"


def _named(network: str | Path) -> str:
    text = str(network)
    return str(Path(text).expanduser().resolve()) if is_path(text) else text
