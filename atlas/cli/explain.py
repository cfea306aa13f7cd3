"""``atlas explain``: all that can be found out of one channel, in the terminal."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from atlas.cli import options
from atlas.errors import AtlasError
from atlas.runtime import start_tensorflow


def explain(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="An id such as vgg19, or a .keras file.")],
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="A layer's name, as `atlas layers` lists it.")],
    channel: Annotated[int, typer.Argument(metavar="CHANNEL", min=0, help="The channel, counted from 0.")],
    images: Annotated[
        str, typer.Option("--images", metavar="FOLDER", help="Images; folders in it are labels. Or scikit-image.")
    ],
    weights: Annotated[
        str | None, typer.Option("--weights", help="imagenet, embedded, random, random:SEED or a path.")
    ] = None,
    preprocessing: options.PreprocessingOption = None,
    classes: Annotated[
        bool, typer.Option("--classes", help="Take a network of keras.applications with its classifier.")
    ] = False,
    class_names: Annotated[
        str | None, typer.Option("--class-names", metavar="FILE", help="A name for each class, one a line.")
    ] = None,
    recipe: Annotated[str, typer.Option("--recipe", help="How the channel's picture is made.")] = "default",
    limit: Annotated[
        int | None, typer.Option("--limit", min=2, help="At most so many images, drawn by chance.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .png for the channel's picture.")] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say why a channel's picture looks as it does: which images excite it, which labels it is near to, what feeds it,
    what the network calls it."""
    if output is not None and (output.suffix != ".png" or not output.absolute().parent.is_dir()):
        raise AtlasError(f"--output: expected a name that ends in .png in a folder that is there, received {output}")
    if not as_json:
        typer.echo("one moment: the picture is made, and the images are looked at", err=True)
    start_tensorflow(1)  # as a build's workers do: the same bytes
    from atlas.api.explain import explain as find

    found = find(
        network,
        layer,
        channel,
        images,
        weights=weights,
        preprocessing=preprocessing,
        classes=classes or None,
        recipe=recipe,
        limit=limit,
        names=class_names,
    )
    if output is not None:
        _save(found, output)
    typer.echo(json.dumps(_plain(found)) if as_json else "\n".join(_sentences(found)))


def _save(found: Any, output: Path) -> None:
    import io

    from PIL import Image

    from atlas.files import write_atomically

    buffer = io.BytesIO()
    Image.fromarray(found.picture.picture).save(buffer, "PNG")
    write_atomically(output, buffer.getvalue())


def _sentences(found: Any) -> Iterator[str]:
    """The finding, line by line, for people."""
    count = len(found.images.numbers)
    yield f"{found.layer} {found.channel}"
    yield f"  picture      {found.picture.state}, score {found.score:.3g}, largest activation {found.peak:.3g}"
    yield f"  among images score above {found.score_below:.0%} of {count:,}, largest above {found.peak_below:.0%}"
    yield f"  excited by   {_listed([(_name(source), value) for source, value in found.images.top(found.channel)])}"
    if len(found.labels) > 1:
        yield from _of_labels(found.labels)
    yield f"  goes with    {_listed(found.together) or 'no other channel of its layer'}"
    if found.fed_by:
        yield f"  fed by       {found.fed_by}"
        yield f"    excited by   {_listed(_percent(found.excited)) or 'no channel'}"
        yield f"    inhibited by {_listed(_percent(found.inhibited)) or 'no channel'}"
        yield from ([f"    {found.note}"] if found.note else [])
    if found.called:
        yield f"  called       {_listed([(name, f'{share:.0%}') for name, share in found.called])}"
        yield f"  raises       {_listed(found.raises) or 'no class'}"
        yield f"  lowers       {_listed(found.lowers) or 'no class'}"
    yield from (f"  skipped      {name}: {why}" for name, why in sorted(found.images.skipped.items()))


def _percent(shares: Sequence[tuple[int, float]]) -> list[tuple[int, str]]:
    return [(number, f"{share:+.1%}") for number, share in shares]


def _of_labels(labels: Sequence[Any]) -> Iterator[str]:
    """Which labels are near, and whether the nearest is so by far."""
    first, second = labels[:2]
    apart = f"1 - cosine {first.cosine:.3f}, distance {first.euclid:.3g}"
    yield f"  nearest to   {first.name} ({apart}, {first.images} images)"
    yield f"  then         {second.name} ({second.cosine:.3f}), {(second.cosine - first.cosine):.3f} farther"
    yield f"  farthest     {labels[-1].name} ({labels[-1].cosine:.3f})"


def _name(source: Any) -> str:
    return str(source.name)


def _listed(pairs: Sequence[tuple[Any, Any]]) -> str:
    return ", ".join(f"{name} ({value if isinstance(value, str) else f'{value:.3g}'})" for name, value in pairs)


def _plain(found: Any) -> dict[str, Any]:
    """The finding as plain data."""
    images = found.images
    return {
        "layer": found.layer,
        "channel": found.channel,
        "state": found.picture.state,
        "score": found.score,
        "peak": found.peak,
        "score_below": found.score_below,
        "peak_below": found.peak_below,
        "images": len(images.numbers),
        "skipped": dict(images.skipped),
        "top": [{"image": one.name, "label": one.label, "largest": value} for one, value in images.top(found.channel)],
        "labels": [vars(label) for label in found.labels],
        "together": _rows(found.together, "channel", "correlation"),
        "fed_by": found.fed_by,
        "excited_by": _rows(found.excited, "channel", "share"),
        "inhibited_by": _rows(found.inhibited, "channel", "share"),
        "note": found.note,
        "called": _rows(found.called, "class", "probability"),
        "raises": _rows(found.raises, "class", "logits"),
        "lowers": _rows(found.lowers, "class", "logits"),
    }


def _rows(pairs: Sequence[tuple[Any, Any]], name: str, value: str) -> list[dict[str, Any]]:
    return [{name: one, value: other} for one, other in pairs]
