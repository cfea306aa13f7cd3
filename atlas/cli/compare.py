"""``atlas compare``: the same channels as others have made them, by what the network makes of both."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from atlas.cli import options
from atlas.cli.build import make
from atlas.cli.compared import refused
from atlas.cli.prepare import called, prepare
from atlas.cli.progress import Observer, observer
from atlas.errors import AtlasError
from atlas.microscope import NAME as MICROSCOPE

EVERY = 10.0  # seconds between two sentences on how far fetching is


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
    if why := refused(prepared):
        raise AtlasError(f"{config}: {why}")
    make(prepared, watch)


def _fetch(config: str, given: dict[str, Any], limit: int | None, folder: Path | None, watch: Observer) -> None:
    """Fetch the pictures of every channel of the atlas that Microscope has, and the folder has not."""
    from atlas.engine.fetch import fetch
    from atlas.networks.answers import catalog
    from atlas.spec.load import load_request

    if folder is None:
        raise AtlasError("--fetch: expected --pictures FOLDER beside it, where they are kept, received none")
    path = options.find_config(config)
    without = {key: one for key, one in given.items() if not key.startswith("compare.")}
    request = load_request(path, {**without, "compare": None}, catalog(), limit)
    wanted = [(place, channel) for layer, place in called(request) if place for channel in layer.channels]
    if not any(place.same != "other" for place, _ in wanted):
        raise AtlasError(
            f"--fetch: expected layers that {MICROSCOPE} shows of this network with these weights, received none; "
            "leave --fetch out and name pictures of your own"
        )
    found = fetch(wanted, folder, _slowly(watch))
    watch.say(f"{found.new:,} pictures fetched, {found.kept:,} were there")
    for what, names in (("not there", found.absent), ("no images", found.broken)):
        if names:
            watch.say(f"{what}: {len(names):,}, the first {names[0]}")


def _slowly(watch: Observer) -> Callable[[int, int], None]:
    """What tells how far fetching is, now and then."""
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            watch.say(f"{done:,} of {total:,} pictures fetched or there")

    return tell
