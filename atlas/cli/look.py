"""``atlas layers`` and ``atlas show``: a look at a network without building anything."""

import json
from pathlib import Path
from typing import Annotated

import typer

from atlas.cli import options, tables
from atlas.errors import AtlasError
from atlas.spec.facts import is_path

Network = Annotated[str, typer.Argument(metavar="NETWORK", help="A network's id, or the path of a .keras file.")]


def layers(
    network: Network,
    as_json: options.JsonOption = False,
) -> None:
    """List the layers of a network with their channels and receptive fields."""
    from atlas.networks.catalog import facts
    from atlas.networks.families import preprocessing as named
    from atlas.spec.facts import NetworkRef

    known = facts(NetworkRef(_path_or_id(network), "random", preprocessing=named("none")))
    listed = [layer for layer in known.layers if layer.listed]
    rows = [
        {
            "layer": layer.name,
            "kind": layer.kind,
            "channels": layer.channels,
            "receptive_field": layer.receptive_field,
            "stride": layer.stride,
            "feature": layer.feature,
        }
        for layer in listed
    ]
    if as_json:
        typer.echo(json.dumps({"network": known.id, "title": known.title, "layers": rows}))
        return
    fields = ["whole picture" if one.receptive_field is None else f"{one.receptive_field} px" for one in listed]
    tables.show(
        ("layer", "kind", "channels", "receptive field"),
        [(one.name, one.kind, one.channels, field) for one, field in zip(listed, fields, strict=True)],
        left=2,
        dim=[place for place, one in enumerate(listed) if not one.feature],
    )
    features = known.feature_layers
    total = sum(layer.channels for layer in features)
    typer.echo(f"\n{known.title}: {total:,} channels in {len(features)} feature layers")


def show(
    network: Network,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="A layer's name, as `atlas layers` lists it.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .png for the picture or grid, a .gif for the ascent.")
    ],
    channels: Annotated[
        str | None,
        typer.Argument(
            metavar="CHANNELS",
            help="A channel, or some for a grid: 47, 0-63, 3,5; none for deepdream and caricature.",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="imagenet, embedded, random, random:SEED or a path.")
    ] = None,
    preprocessing: options.PreprocessingOption = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe", help="default, fine, preview, lucid, tutorial, unregularised, maco, deepdream, caricature."
        ),
    ] = "default",
    steps: Annotated[int | None, typer.Option("--steps", help="Number of updates.")] = None,
    size: Annotated[int | None, typer.Option("--size", help="Side of the picture in pixels.")] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="noise, noise-caffe, grey-noise, grey, black, or the path of a photo.")
    ] = None,
    photo: Annotated[str | None, typer.Option("--photo", help="The photo that a caricature is made of.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed gives another picture.")] = None,
    threads: Annotated[
        int,
        typer.Option(
            "--threads",
            min=1,
            help="Threads that compute one picture. With several it comes sooner, and rounds otherwise than a build's.",
        ),
    ] = 1,
) -> None:
    """Make one picture, a grid of them, or the animation of an ascent, into one file."""
    if output.suffix not in (".png", ".gif"):
        raise AtlasError(f"--output: expected a name that ends in .png or .gif, received {output.name}")
    if not output.absolute().parent.is_dir():
        raise AtlasError(f"--output: expected a folder that is there, received {output.parent}")
    from atlas.ascent import showing
    from atlas.ascent.show import animation, frame_every, grid
    from atlas.networks.answers import catalog
    from atlas.networks.weights import ensure
    from atlas.processor import has_bfloat16, usual
    from atlas.spec.load import check_request

    if photo and recipe != "caricature":
        raise AtlasError(f"--photo: expected it with recipe caricature, received it with {recipe}; see --start")
    objective = {"photo": photo} if photo else None
    changes = {"base": recipe, "steps": steps, "size": size, "seed": seed, "start": start, "objective": objective}
    request = check_request(
        {
            "network": network,
            "weights": weights,
            "preprocessing": preprocessing,
            "layers": [{"name": layer, "channels": channels or "0"}],
            "recipes": {"shown": {key: value for key, value in changes.items() if value is not None}},
        },
        catalog(),
    )
    asked = request.computed(usual(has_bfloat16())).only(layer)
    if channels is None and not asked.recipes["shown"].whole:
        raise AtlasError(f"CHANNELS: expected channels of {layer} such as 4 or 0-63 for recipe {recipe}, received none")
    ensure(request.ref)
    shown, moves = asked.recipes["shown"], output.suffix == ".gif"
    every, name = frame_every(shown) if moves else 0, asked.facts.name
    wanted = showing.Showing(request.ref, request.facts.id, name, shown, every, threads)
    pictures = 1 if shown.whole else len(asked.channels)
    work = showing.seconds(asked.facts, shown, pictures)
    count = showing.processes(pictures, work) if threads == 1 else 1
    if work > showing.WORTH_IT:
        what = f"{pictures} picture{'s' if pictures > 1 else ''} of {shown.steps} steps"
        what += " in bfloat16" if shown.arithmetic == "bfloat16" else ""
        typer.echo(f"atlas: making {what}{f', in {count} processes' if count > 1 else ''}", err=True)
    made = showing.share(wanted.make, asked.channels, count)
    remarks = ["computed in bfloat16"] if shown.arithmetic == "bfloat16" else []
    remarks += [f"made with {threads} threads, which round otherwise than a build"] if threads > 1 else []
    remark = ", ".join(remarks)
    (animation if moves else grid)(made, output, remark)
    if threads > 1:
        typer.echo(f"atlas: {output}: {remark}", err=True)
    for one in made:
        if one.state == "dead":
            typer.echo(f"atlas: {name} {one.channel} stayed dead: not activated with any seed tried", err=True)
    typer.echo(str(output))


def _path_or_id(network: str) -> str:
    return str(Path(network).resolve()) if is_path(network) else network
