"""What ``atlas init`` was asked for, made a configuration that is sound."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas.cli.init import CHANNELS, NETWORK
from atlas.errors import AtlasError, ConfigError
from atlas.networks.answers import catalog
from atlas.resources import DEMO
from atlas.spec.config import parse_channels
from atlas.spec.facts import is_path
from atlas.spec.load import WEIGHTS, check_request, read_request
from atlas.spec.request import Request
from atlas.spec.starter import SCHEMA, chosen, spread, starter

KEYS = re.compile(  # of those that are options
    r"^(probes\.)?(?P<key>title|network|weights|preprocessing|layers|images)(\[\d+\])?(?P<inner>\.\w+)?: "
)


def written(wish: Mapping[str, str], path: Path) -> tuple[Request, str]:
    """The request that a wish is, and the configuration that says so, which was read as a build reads it."""
    request, data = sound(wish)
    for key in ("network", "weights"):
        if key in data and data[key] not in (request.ref.network, *WEIGHTS) and not data[key].startswith("random:"):
            data[key] = _from(path, data[key])
    if "probes" in data and data["probes"]["images"] != DEMO:
        data["probes"] = {"images": _from(path, data["probes"]["images"])}
    beside = (path.parent / SCHEMA).is_file()
    data = {
        "title": request.title,
        "output": f"site/{path.stem}{'-random' * (request.ref.weights == 'random')}",
        **data,
    }
    text = starter(request, data, path, beside)
    return read_request(text, path, catalog()), text


def _from(path: Path, given: str) -> str:
    """A path from the current directory, as one from the folder of the configuration; an absolute one as it is."""
    if Path(given).is_absolute():
        return given
    there = Path(given).parent.resolve() / Path(given).name
    return os.path.relpath(there, path.parent.resolve())


def sound(wish: Mapping[str, str]) -> tuple[Request, dict[str, Any]]:
    """The request that a wish is, and its keys as a configuration has them; paths are from the current directory."""
    channels = _channels(wish.get("channels", CHANNELS))
    data: dict[str, Any] = {"network": NETWORK}
    data |= {key: wish[key] for key in ("title", "network", "weights", "preprocessing") if key in wish}
    data |= {"probes": {"images": wish["images"]}} if "images" in wish else {}
    asked = [name.strip() for name in wish.get("layers", "").split(",") if name.strip()]
    named = {"layers": asked} if asked and asked != ["all"] else {}
    own = is_path(data["network"])
    kinds = [{}] if own or "weights" in data else [{"weights": "embedded"}, {"weights": "imagenet"}]
    for place, kind in enumerate(kinds):
        try:
            request = _request(data | kind | named)
        except AtlasError:
            if place == len(kinds) - 1:
                raise
            continue
        break
    every = [layer.facts.name for layer in request.layers]
    data |= kind | {"layers": chosen(request, (named and asked) or (every if asked else spread(every)), channels)}
    return _request(data), data


def _request(data: dict[str, Any]) -> Request:
    try:
        return check_request(data, catalog())
    except ConfigError as error:
        said = [re.sub(KEYS, _option, problem) for problem in error.problems]
        first = {problem.partition(": ")[0]: problem for problem in reversed(said)}  # of each option
        raise AtlasError("; and ".join(reversed(first.values()))) from None


def _option(found: re.Match[str]) -> str:
    """The option that gave a key of the configuration."""
    return "--channels: " if found["inner"] == ".channels" else f"--{found['key']}: "


def _channels(text: str) -> str:
    """What ``--channels`` says, once it is sound."""
    text = text.strip()
    count = re.fullmatch(r"[0-9]{1,9}", text)
    try:
        if text != "all" and not (count and int(text)):
            parse_channels("" if count else text)
    except ValueError:
        said = "expected a number such as 16, channels such as 0-15,100, or all"
        raise AtlasError(f"--channels: {said}, received {text!r}") from None
    return text
