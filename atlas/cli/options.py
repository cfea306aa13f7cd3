"""Options that several commands share, each with its sentence, and how a configuration is found by them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from atlas.errors import AtlasError
from atlas.resources import resource

ConfigFile = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or one that travels with atlas: quickstart, vgg16, vgg19, inceptionv3, "
        "inceptionv3-first-look, vgg19-tutorial, photos, sea-cucumber.",
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", help="imagenet, embedded, random, random:SEED or a path; in place of the file's."),
]
PreprocessingOption = Annotated[
    str | None, typer.Option("--preprocessing", help="tf, caffe, torch or none; for a .keras file.")
]
StoreOption = Annotated[
    str | None, typer.Option("--store", help="Folder or address of the results; in place of the file's.")
]
PlaceOption = Annotated[
    str | None, typer.Option("--store", help="Folder or address of the results; .atlas when left out.")
]
OutputOption = Annotated[str | None, typer.Option("--output", help="Folder of the site; in place of the file's.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N channels of each layer.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="How many workers; in place of the file's.")
]
BackendOption = Annotated[
    str | None,
    typer.Option("--backend", help="processes on this machine, dask for a cluster, sequential for this process."),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="A Dask scheduler's; left out, a cluster on this machine."),
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="auto, cpu or gpu; auto takes GPUs where there are some.")
]
ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="N/OF", help="Only the Nth part of so many, such as 3/16.")
]
CalibrateOption = Annotated[
    bool,
    typer.Option("--calibrate", help="Measure this machine's speed first, some ten seconds; kept for the next time."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs to read.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every build that the store remembers.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but problems.")]


def find_config(name: str) -> Path:
    """The configuration that an argument means: a path, or the name of a packaged one.

    Raises AtlasError that lists the packaged ones when there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml"):
        raise AtlasError(f"{name}: expected a configuration file, received a path where there is none")
    packaged = {file.stem: file for file in sorted(resource("configs").glob("*.yaml"), key=lambda file: file.stem)}
    if name in packaged:
        return packaged[name]
    raise AtlasError(f"{name}: expected a YAML file or one of {', '.join(packaged)}, received neither")


def overrides(**given: Any) -> dict[str, Any]:
    """The options that were given, as overrides of a configuration; ``compute_workers`` means ``compute.workers``, as
    with ``compare``."""
    return {
        key.replace("compute_", "compute.").replace("compare_", "compare."): value
        for key, value in given.items()
        if value is not None
    }
