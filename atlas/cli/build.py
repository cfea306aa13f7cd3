"""``atlas build`` and ``atlas plan``: the main job."""

import json
from dataclasses import dataclass
from typing import Any

import typer

from atlas.cli import options
from atlas.cli.progress import Observer, Row, duration, observer

GFLOPS = 50.0  # of one worker, for estimates only: between the 40 of an AVX2 core and the 110 of one with AVX-512
START = 10.0  # seconds until workers are up and the first layer is traced


@dataclass(frozen=True)
class Prepared:
    """A checked request with its plan and what the store has of it."""

    request: Any
    weights: Any
    plan: Any
    store: Any
    outcome: Any


def build(
    config: options.ConfigFile,
    weights: options.WeightsOption = None,
    output: options.OutputOption = None,
    store: options.StoreOption = None,
    limit: options.LimitOption = None,
    workers: options.WorkersOption = None,
    backend: options.BackendOption = None,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Render every picture that is missing and write the site."""
    given = options.overrides(
        weights=weights, output=output, store=store, compute_workers=workers, compute_backend=backend
    )
    prepared = _prepare(config, given, limit)
    total, cached = len(prepared.plan), prepared.outcome.cached
    watch = observer(quiet, as_json)
    if cached < total:
        _render(prepared, watch)
    written, shelf = _write(prepared, watch)
    failed = prepared.outcome.failed
    summary = {
        "event": "done",
        "channels": total,
        "rendered": prepared.outcome.rendered,
        "cached": cached,
        "dead": sum(done.state == "dead" for done in prepared.outcome.done.values()),
        "failed": [{"key": done.key, "channel": done.channel, "error": done.error} for done in failed],
        "site": str(prepared.request.output / "index.html"),
        "pages_changed": written.changed,
        "shelf": shelf,
    }
    watch.finish(summary, _sentences(prepared, summary, written))
    if failed:
        raise typer.Exit(1)


def plan(
    config: options.ConfigFile,
    weights: options.WeightsOption = None,
    store: options.StoreOption = None,
    limit: options.LimitOption = None,
    workers: options.WorkersOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say what a build would render, what is cached, and about how long it would take."""
    from atlas.engine.run import worker_count

    prepared = _prepare(config, options.overrides(weights=weights, store=store, compute_workers=workers), limit)
    count = worker_count(prepared.request.compute)
    rows = []
    for group in prepared.plan.groups:
        missing = sum(job.key not in prepared.outcome.done for job in group.jobs)
        rows.append(
            {
                "layer": group.layer.name,
                "recipe": group.recipe_name,
                "size": group.recipe.size,
                "steps": group.recipe.steps,
                "channels": len(group.jobs),
                "cached": len(group.jobs) - missing,
                "seconds": group.flop * missing / (GFLOPS * 1e9 * count),
            }
        )
    missing = len(prepared.plan) - prepared.outcome.cached
    seconds = sum(row["seconds"] for row in rows) + (START if missing else 0)
    if as_json:
        typer.echo(json.dumps({"channels": len(prepared.plan), "missing": missing, "seconds": seconds, "groups": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("layer", "recipe", "size", "steps", "channels", "cached"):
        table.add_column(name, justify="left" if name in ("layer", "recipe") else "right")
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("layer", "recipe", "size", "steps", "channels", "cached")))
    console = Console(highlight=False)
    console.print(table)
    said = f"{len(prepared.plan):,} pictures, {prepared.outcome.cached:,} cached, {missing:,} to render"
    about = f": about {duration(seconds)} on {count} worker{'s' if count > 1 else ''}" if missing else ""
    console.print(f"\n{said}{about}", soft_wrap=True)


def _prepare(config: str, given: dict[str, Any], limit: int | None) -> Prepared:
    """Read the configuration, plan, and look into the store. No TensorFlow for a network that is known."""
    from atlas.engine.run import look_up
    from atlas.networks.weights import locate
    from atlas.spec.load import load_request
    from atlas.spec.plan import make_plan
    from atlas.store.directory import Store

    request = load_request(options.find_config(config), given, options.catalog(), limit)
    found = locate(request.ref)
    plan = make_plan(request, found.digest)
    store = Store(request.store)
    return Prepared(request, found, plan, store, look_up(plan, store, request.record))


def _render(prepared: Prepared, watch: Observer) -> None:
    from atlas.engine.run import run
    from atlas.networks.weights import ensure
    from atlas.pages.write import check_output

    request = prepared.request
    check_output(_record(prepared), request.output)
    ensure(request.ref)  # before any worker starts: a download, or one clear sentence
    rows = [
        Row(group.layer.name, group.recipe_name, count, group.flop)
        for group in prepared.plan.groups
        if (count := sum(job.key not in prepared.outcome.done for job in group.jobs))
    ]
    with watch.rendering(rows):
        try:
            run(
                prepared.plan,
                prepared.store,
                request.compute,
                request.record,
                network=request.facts.id,
                weights_digest=prepared.weights.digest,
                outcome=prepared.outcome,
                observe=watch.report,
            )
        except KeyboardInterrupt:
            kept = len(prepared.outcome.done) - len(prepared.outcome.failed)
            watch.say(f"interrupted: {kept:,} of {len(prepared.plan):,} pictures are kept; build again to go on")
            raise typer.Exit(130) from None


def _write(prepared: Prepared, watch: Observer) -> tuple[Any, str | None]:
    from atlas.pages.write import write_atlas, write_shelf

    request, record = prepared.request, _record(prepared)
    if prepared.store.get_atlas(request.name) != record:
        prepared.store.put_atlas(request.name, record)
    written = write_atlas(record, prepared.store, request.output, watch.writing)
    return written, write_shelf(request.output.absolute().parent)


def _record(prepared: Prepared) -> dict[str, Any]:
    from atlas.engine.record import atlas_record

    request, found = prepared.request, prepared.weights
    weights = {
        "kind": found.kind,
        "digest": found.digest,
        "description": found.description,
        "licence": found.licence,
        "seed": request.ref.seed,
    }
    return atlas_record(request, weights, prepared.plan, prepared.outcome)


def _sentences(prepared: Prepared, summary: dict[str, Any], written: Any) -> list[str]:
    """What a person is told at the end of a build."""
    said = []
    names = {job.key: f"{group.layer.name} {job.channel} ({group.recipe_name})" for group, job in prepared.plan.jobs()}
    if summary["rendered"] == 0 and not summary["failed"]:
        said.append(f"nothing to render: all {summary['channels']:,} pictures are cached")
    else:
        said.append(f"{summary['rendered']:,} pictures rendered, {summary['cached']:,} were cached")
    if summary["dead"]:
        said.append(f"{summary['dead']:,} dead: not activated with any seed that was tried; their pages say so")
    said += [f"failed: {names[row['key']]}: {row['error']}" for row in summary["failed"]]
    if written.removed:
        said.append(f"{written.removed:,} files of the previous build are no longer wanted and were removed")
    if summary["shelf"]:
        said.append(f"no list of atlases beside it: {summary['shelf']}")
    said.append(f"site: {summary['site']}" + (" (unchanged)" if written.unchanged else ""))
    return said
