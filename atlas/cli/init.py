"""``atlas init``: a configuration to start from, by options or by three questions."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from atlas.cli import options
from atlas.errors import AtlasError
from atlas.spec.facts import is_path

NETWORK, CHANNELS = "inceptionv3", "16"  # what is offered
File = Annotated[str, typer.Argument(metavar="FILE", help="The file to write, which ends in .yaml.")]
NetworkOption = Annotated[
    str | None, typer.Option("--network", help=f"An id such as vgg19, or a .keras file; {NETWORK} when left out.")
]
WeightsOption = Annotated[
    str | None, typer.Option("--weights", help="imagenet, embedded, random, random:SEED or a path.")
]
LayersOption = Annotated[
    str | None, typer.Option("--layers", help="Names or patterns with commas between them, or all; four when left out.")
]
ChannelsOption = Annotated[
    str | None, typer.Option("--channels", help="How many of each layer; or which, such as 0-15,100; or all.")
]
TitleOption = Annotated[str | None, typer.Option("--title", help="The site's title.")]
ImagesOption = Annotated[
    str | None, typer.Option("--images", metavar="FOLDER", help="Real images to look at too. Or scikit-image.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


def init(
    file: File = "atlas.yaml",
    network: NetworkOption = None,
    weights: WeightsOption = None,
    preprocessing: options.PreprocessingOption = None,
    layers: LayersOption = None,
    channels: ChannelsOption = None,
    title: TitleOption = None,
    images: ImagesOption = None,
    force: ForceOption = False,
) -> None:
    """Write a configuration with a remark on each key. Asks three questions on a terminal when no option is given."""
    path = _path(file, force)
    given = {
        "network": network,
        "weights": weights,
        "preprocessing": preprocessing,
        "layers": layers,
        "channels": channels,
        "title": title,
        "images": images,
    }
    wish = {key: value for key, value in given.items() if value is not None}
    if not wish and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        wish = _asked()
    from atlas.cli.wish import written
    from atlas.files import write_atomically

    request, text = written(wish, path)
    write_atomically(path, text.encode())
    count = sum(len(layer.channels) for layer in request.layers)
    plural = "s" if len(request.layers) > 1 else ""
    typer.echo(f"{file} written: {count:,} channels in {len(request.layers)} layer{plural} of {request.facts.title}")
    name = shlex.quote(file)
    typer.echo(f"next: atlas plan {name} says how long it takes, atlas build {name} makes it")


def _path(file: str, force: bool) -> Path:
    """Where to write; raises AtlasError where that is no place for a configuration."""
    path = Path(file)
    if path.suffix not in (".yaml", ".yml"):
        raise AtlasError(f"FILE: expected a name that ends in .yaml, received {file!r}")
    if not path.absolute().parent.is_dir():
        raise AtlasError(f"{file}: expected a folder that is there, received {path.parent}; make it first")
    if path.is_dir() or (os.path.lexists(path) and not force):
        hint = "name another" if path.is_dir() else "name another, or write over it with --force"
        raise AtlasError(f"{file}: expected a name that is free, received one where something is; {hint}")
    return path


def _asked() -> dict[str, str]:
    """The answers to three questions; one that cannot be is asked again."""
    from atlas.cli.wish import sound

    wish: dict[str, str] = {}
    _ask(wish, "network", "Network", NETWORK)
    if is_path(wish["network"]):
        _ask(wish, "preprocessing", "Its preprocessing: tf, caffe, torch or none", "tf")
    names = [layer["name"] for layer in sound(wish)[1]["layers"]]
    _ask(wish, "layers", "Layers, by names or patterns, or all", ", ".join(dict.fromkeys(names)))
    _ask(wish, "channels", "How many channels of each, or all", CHANNELS)
    return wish


def _ask(wish: dict[str, str], key: str, question: str, default: str) -> None:
    from atlas.cli.wish import sound

    while key not in wish:
        answer = str(typer.prompt(question, default=default)).strip()
        own = {"preprocessing": "tf"} if is_path(answer) else {}  # which is asked next
        try:
            sound(own | wish | {key: answer})
            wish[key] = answer
        except AtlasError as error:
            typer.echo(f"atlas: {error}", err=True)
