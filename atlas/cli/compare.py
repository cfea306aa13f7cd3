"""``atlas compare``: the same channels as others have made them, by what the network makes of both."""

from pathlib import Path
from typing import Annotated, Any

import typer

from atlas.cli import options
from atlas.cli.build import make
from atlas.cli.prepare import called, prepare
from atlas.cli.progress import Observer, observer
from atlas.errors import AtlasError

MICROSCOPE = "OpenAI Microscope"


def compare(
    config: options.ConfigFile,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="FOLDER", help="Pictures by others; in place of the file's compare key."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option("--names", metavar="PATTERN", help="How they are called, such as Mixed_{op}_ch{channel}.png."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who made them, as pages say it, such as Lucid.")] = None,
    fetch: Annotated[
        bool,
        typer.Option("--fetch", help="First fetch what the folder lacks of OpenAI Microscope's pictures, slowly."),
    ] = False,
    weights: options.WeightsOption = None,
    output: options.OutputOption = None,
    store: options.StoreOption = None,
    limit: options.LimitOption = None,
    workers: options.WorkersOption = None,
    backend: options.BackendOption = None,
    scheduler: options.SchedulerOption = None,
    device: options.DeviceOption = None,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Hold pictures of the same channels by others against the atlas's own: say which mean the same, and show both."""
    given = options.overrides(
        weights=weights,
        output=output,
        store=store,
        compute_workers=workers,
        compute_backend=backend,
        compute_scheduler=scheduler,
        compute_device=device,
        compare_pictures=str(pictures) if pictures else None,
        compare_names=names,
        compare_by=by or (MICROSCOPE if fetch else None),
    )
    watch = observer(quiet, as_json)
    if fetch:
        _fetch(config, given, limit, pictures, watch)
    prepared = prepare(config, given, limit)
    if prepared.request.compare is None:
        raise AtlasError(
            f"{config}: expected --pictures FOLDER, or a compare key that names one, received neither; name a folder"
        )
    make(prepared, watch)


def _fetch(config: str, given: dict[str, Any], limit: int | None, folder: Path | None, watch: Observer) -> None:
    """Fetch the pictures of every channel of the atlas that Microscope has, and the folder has not."""
    from atlas.engine.fetch import fetch
    from atlas.networks.answers import catalog
    from atlas.spec.load import load_request

    if folder is None:
        raise AtlasError("--fetch: expected --pictures FOLDER beside it, where they are kept, received none")
    folder.mkdir(parents=True, exist_ok=True)
    request = load_request(options.find_config(config), given, catalog(), limit)
    wanted = [(place, channel) for layer, place in called(request) if place for channel in layer.channels]
    absent = fetch(wanted, folder, watch.say)
    if absent:
        watch.say(f"not there: {len(absent)} pictures, such as {absent[0]}")
