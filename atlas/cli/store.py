"""``atlas store``: list, verify and prune what is kept."""

import json
import time
from typing import Annotated

import typer

from atlas.cli import options
from atlas.cli.usage import Commands
from atlas.errors import AtlasError

app = typer.Typer(help="Look after the store: list, verify and prune what is kept.", cls=Commands)

StoreArgument = Annotated[
    str, typer.Argument(metavar="STORE", help="Folder or address of the results, such as s3://bucket/folder.")
]
RepairOption = Annotated[bool, typer.Option("--repair", help="Delete damaged entries; a build makes them again.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")]
Configs = Annotated[list[str], typer.Argument(metavar="CONFIG...", help="Configurations whose results are to stay.")]


@app.command("ls")
def ls(store: StoreArgument = ".atlas", as_json: options.JsonOption = False) -> None:
    """Say how much is kept, for each atlas and in all."""
    from atlas.store.care import shares
    from atlas.store.store import Store

    rows = shares(Store(store))
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    for row in rows:
        typer.echo(f"{row['entries']:>9,}  {_size(row['bytes']):>9}  {row['atlas']}")
    for row in rows:
        if "fault" in row:
            typer.echo(f"atlas: {row['fault']}", err=True)


@app.command("verify")
def verify(store: StoreArgument = ".atlas", repair: RepairOption = False, as_json: options.JsonOption = False) -> None:
    """Read every entry and every atlas's record whole and name the damaged ones; exit code 1 when there are some."""
    from atlas.store.care import verified, verified_atlases
    from atlas.store.store import Store

    place, bad, unread, count, records = Store(store), 0, 0, 0, 0
    for one in verified(place):
        count += 1
        bad += one.damaged
        unread += bool(one.fault) and not one.damaged
        if one.fault:
            typer.echo(json.dumps({"key": one.key, "fault": one.fault}) if as_json else one.fault)
        if one.damaged and repair:
            place.drop(one.key)
    for one in verified_atlases(place):
        records += one.damaged
        unread += bool(one.fault) and not one.damaged
        if one.fault:
            typer.echo(json.dumps({"atlas": one.key, "fault": one.fault}) if as_json else one.fault)
        if one.damaged and repair:
            place.drop_atlas(one.key)
    if as_json:
        found = {"entries": count, "damaged": bad, "records": records, "unread": unread, "deleted": repair}
        typer.echo(json.dumps({"event": "done"} | found))
    else:
        gone = " and deleted" if repair else ""
        what = f"{bad:,} damaged{gone if bad else ''}" if bad or unread else "all of them whole"
        what += f", and {records:,} damaged record{'s' * (records > 1)} of an atlas{gone}" if records else ""
        more = f", {unread:,} could not be read and were left alone" if unread else ""
        typer.echo(f"{count:,} entries read, {what}{more}")
    if bad or unread or records:
        raise typer.Exit(1)


@app.command("prune")
def prune(
    configs: Configs,
    store: options.StoreOption = None,
    dry_run: DryOption = False,
    yes: YesOption = False,
) -> None:
    """Delete the entries that none of the configurations needs, except those of the last day."""
    from atlas.cli.prepare import prepare
    from atlas.engine.log import runs
    from atlas.store.care import unneeded

    prepared = [prepare(config, options.overrides(store=store), None) for config in configs]
    addresses = {one.store.address for one in prepared}
    if len(addresses) > 1:
        raise AtlasError(f"expected configurations of one store, received {', '.join(sorted(addresses))}; name --store")
    place = prepared[0].store
    alive = [run for run in runs(place) if run.state == "running"]
    if alive:
        said = alive[0].summary
        raise AtlasError(
            f"{place.address}: expected a store that nobody uses, received one that {said['atlas']} on {said['host']} "
            f"(process {said['process']}) is building on; wait until it is done"
        )
    needed = {key for one in prepared for key in one.keys}
    needed |= {key for one in prepared for key in one.studied}
    found = list(unneeded(place, needed, time.time()))
    total = f"{len(found):,} entries, {_size(sum(one.size for one in found))}"
    if dry_run or not found:
        typer.echo(f"{total} would be deleted" if found else "nothing to delete")
        return
    if not yes and not typer.confirm(f"Delete {total} from {place.address}?"):
        typer.echo("nothing was deleted")
        return
    for one in found:
        place.drop(one.key)
    typer.echo(f"{total} deleted")


def _size(count: float) -> str:
    """So many bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
