"""From the arguments of a function to a checked request and a network that is loaded once."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from atlas.networks.answers import catalog
from atlas.networks.load import Network, load
from atlas.networks.weights import ensure
from atlas.spec.facts import NetworkRef, is_path
from atlas.spec.load import check_request
from atlas.spec.request import LayerRequest, Request


def ask(
    network: str | Path,
    layer: str | None,
    channels: int | Sequence[int] | None,
    recipe: Mapping[str, Any],
    **given: Any,
) -> Request:
    """The request for one layer, for all where it is None. Raises ConfigError with every problem."""
    numbers = [0] if channels is None else np.atleast_1d(channels).tolist()
    chosen = {"name": layer, "channels": ",".join(str(int(number)) for number in numbers)}
    data = {"network": _named(network), "recipes": {"shown": dict(recipe)}, **({"layers": [chosen]} if layer else {})}
    return check_request(data | {key: value for key, value in given.items() if value is not None}, catalog())


def loaded(request: Request) -> Network:
    """The network of a request; the last one is kept."""
    ensure(request.ref)
    return _loaded(request.ref)


def only(request: Request) -> LayerRequest:
    """The one layer of a request."""
    return request.layers[0]


@lru_cache(maxsize=1)
def _loaded(ref: NetworkRef) -> Network:
    return load(ref)


def _named(network: str | Path) -> str:
    text = str(network)
    return str(Path(text).expanduser().resolve()) if is_path(text) else text
