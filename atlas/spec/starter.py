"""The text of a configuration to start from, with a remark on each of its keys."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from atlas.resources import DEMO
from atlas.spec.request import Request

COLUMN = 40  # where remarks begin
SCHEMA = "atlas.schema.json"
_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9 _./-]*[A-Za-z0-9_/]|[A-Za-z]")
_WEIGHTS = {
    "embedded": "ImageNet's in 8 bits, inside atlas; imagenet has every layer",
    "imagenet": "Keras downloads them once, when a build needs them",
    "random": "nothing was learned: what the architecture does by itself",
}


def spread(names: Sequence[str], count: int = 4) -> list[str]:
    """So many of some names, evenly from first to last; the last is among them."""
    places = {-(-len(names) * (number + 1) // count) - 1 for number in range(count)} if names else set()
    return [names[place] for place in sorted(places) if place >= 0]


def chosen(request: Request, layers: Sequence[str], channels: str) -> list[dict[str, str]]:
    """The list of layers for a configuration: of each so many channels, some such as ``0-15,100``, or ``all``.

    A pattern is written out where not all of its layers have so many channels.
    """
    depth = {layer.facts.name: layer.facts.channels for layer in request.layers}
    if channels == "all":
        return [{"name": name} for name in layers]
    if not channels.isdecimal():
        return [{"name": name, "channels": channels} for name in layers]
    count = int(channels)
    if all(count <= most for most in depth.values()):
        return [{"name": name, "channels": f"0-{count - 1}"} for name in layers]
    runs = {name: {"channels": f"0-{count - 1}"} if count < depth[name] else {} for name in depth}
    return [{"name": name} | runs[name] for name in depth]


def starter(request: Request, data: Mapping[str, Any], path: Path, beside: bool) -> str:
    """The text of a configuration.

    Parameters: ``data`` are its keys, ``request`` what they mean; ``path`` is where it will be; ``beside`` says whether
    the schema lies beside it, for editors.
    """
    name = shlex.quote(str(path))
    lines = [f"# yaml-language-server: $schema={SCHEMA}"] if beside else []
    lines += [
        f"# `atlas plan {name}` says what this means and about how long it takes, `atlas build {name}` makes it.",
        "# Some of the keys there are; `atlas schema` prints all of them. Mistakes are told with line and column.",
        "",
        _line(f"title: {_scalar(data['title'])}", "on every page"),
        _line(f"network: {_scalar(data['network'])}", "an id of keras.applications, or the path of a .keras file"),
    ]
    if "weights" in data:
        said = _WEIGHTS.get(request.ref.weights, "a file of weights, from this file's folder")
        lines.append(_line(f"weights: {_scalar(data['weights'])}", said))
    if "preprocessing" in data:
        lines.append(
            _line(f"preprocessing: {data['preprocessing']}", "tf, caffe, torch or none: what it was trained with")
        )
    lines += [
        "",
        f"# Names or patterns such as {_pattern(request)}; `atlas layers {shlex.quote(data['network'])}` lists them.",
        "# Without `channels` it is every channel of the layer.",
        "layers:",
        *(f"  - {_layer(layer)}" for layer in data["layers"]),
        "",
        "# How pictures are made. Each recipe changes its base; the first makes the main picture.",
        "recipes:",
        "  main:",
        _line("    base: default", "preview is quicker; lucid, maco, ... are others"),
        _line("    size: auto", "side in pixels; auto goes by what a neuron of the layer sees"),
        _line("    steps: 128", "half takes half as long"),
        _line("    seed: 0", "another seed gives another picture"),
    ]
    if "probes" in data:
        where = (
            "those of that package" if data["probes"]["images"] == DEMO else "a folder; the folders in it are labels"
        )
        images = f"  images: {_scalar(data['probes']['images'])}"
        lines += [
            "",
            "# Real images: which excite each channel, and what goes with what.",
            "probes:",
            _line(images, where),
        ]
    lines += [
        "",
        "# Where things go, from the folder that atlas is run in:",
        _line(f"store: {_scalar(request.store)}", "every result, so that nothing is made twice"),
        _line(f"output: {_scalar(data['output'])}", "the site; open index.html in it"),
    ]
    return "\n".join(lines) + "\n"


def _line(text: str, remark: str) -> str:
    return f"{text:<{COLUMN - 2}}  # {remark}"


def _layer(layer: Mapping[str, str]) -> str:
    if "channels" not in layer:
        return _scalar(layer["name"])
    return f"{{name: {_scalar(layer['name'])}, channels: {json.dumps(layer['channels'])}}}"


def _pattern(request: Request) -> str:
    """A pattern that means something in this network: the last layer's name with its last number left open."""
    name = request.layers[-1].facts.name
    return json.dumps(re.sub(r"\d+(?=\D*$)", "*", name) if re.search(r"\d", name) else "*")


def _scalar(text: str) -> str:
    """A text as a YAML value, in quotes where it would mean something else without them."""
    plain = _PLAIN.fullmatch(text) and yaml.safe_load(text) == text
    return text if plain else json.dumps(text, ensure_ascii=False)
