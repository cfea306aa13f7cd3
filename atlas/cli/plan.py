"""``atlas plan`` and ``atlas status``: what a build would do, and what the builds on a store are doing."""

import json
import time

import typer

from atlas.cli import options, tables
from atlas.cli.prepare import prepare
from atlas.cli.progress import duration

BY = {
    "calibrated": "at this machine's measured speed",
    "measured": "at the speed of the last build",
    "guessed": "at a guess",
}


def plan(
    config: options.ConfigFile,
    weights: options.WeightsOption = None,
    store: options.StoreOption = None,
    limit: options.LimitOption = None,
    workers: options.WorkersOption = None,
    measure: options.CalibrateOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Say what a build would render, what is cached, and about how long it would take."""
    from atlas.engine.estimate import estimate
    from atlas.engine.workers import on_cores

    prepared = prepare(config, options.overrides(weights=weights, store=store, compute_workers=workers), limit)
    compute = prepared.request.compute
    if measure:
        from atlas.ascent.calibration import calibrate

        calibrate()
    missing = [(group, len(prepared.outcome.missing(group))) for group in prepared.plan.groups]
    found = estimate(missing, compute, prepared.store)
    rows = [
        {
            "layer": group.layer.name,
            "recipe": group.recipe_name,
            "size": group.recipe.size,
            "steps": group.recipe.steps,
            "arithmetic": group.recipe.arithmetic,
            "channels": len(group.jobs),
            "cached": len(group.jobs) - lacking,
            "seconds": each * lacking / found.workers,
        }
        for (group, lacking), each in zip(missing, found.groups, strict=True)
    ]
    anew = prepared.anew
    if as_json:
        said = {"channels": len(prepared.plan), "missing": prepared.missing, "seconds": found.total, "by": found.by}
        said |= {"workers": found.workers, "memory": round(found.memory)}
        why = {"made_anew": {"pictures": anew.pictures, "reasons": anew.reasons}} if anew else {}
        typer.echo(json.dumps(said | {"measured": found.by != "guessed"} | why | {"groups": rows}))
        return
    recipes = {str(row["recipe"]): row["arithmetic"] for row in rows}
    columns = ("layer", "recipe", "size", "steps", "channels", "cached")
    tables.show(columns, [[row[name] for name in columns] for row in rows], left=2)
    total = f"{len(prepared.plan):,} pictures, {prepared.outcome.cached:,} cached, {prepared.missing:,} to render"
    memory = f"{found.memory / 1e9:.1f} GB"
    on = f"on 1 worker that takes up to {memory}"
    if found.workers > 1:
        on = f"on {found.workers} workers that take up to {memory} each"
    by = BY[found.by]
    if found.by == "guessed" and on_cores(compute) and not measure:
        by += "; --calibrate measures this machine"
    about = f": about {duration(found.total)} {on}, {by}" if prepared.missing else ""
    typer.echo(f"\n{total}{about}")
    if in_16_bits := [name for name, one in recipes.items() if one == "bfloat16"]:
        typer.echo(f"computed in bfloat16 (16 bits): {', '.join(in_16_bits)}")
    if anew:
        typer.echo(anew.sentence)


def status(
    store: options.PlaceOption = None,
    all_runs: options.AllOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Say what the builds on a store are doing: those that run, and how the last ones ended."""
    from atlas.engine.log import runs
    from atlas.spec.config import Config
    from atlas.store.store import Store

    address = store or str(Config.model_fields["store"].default)
    found = list(runs(Store(address)))
    shown = found if all_runs else [run for run in found if run.state == "running"] or found[:1]
    if as_json:
        for run in shown:
            typer.echo(json.dumps(run.summary))
        return
    if not shown:
        typer.echo(f"no build has run on {address}")
    for run in shown:
        typer.echo(_sentence(run.summary))


def _sentence(said: dict[str, object]) -> str:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(float(str(said["began"]))))
    text = (
        f"{said['atlas']}: {said['state']}, {said['made']:,} of {said['missing']:,} pictures rendered, since {began} "
        f"on {said['host']} (process {said['process']})"
    )
    if said["failed"]:
        text += f", {said['failed']:,} failed"
    if said["state"] == "running" and said["left"] is not None:
        text += f", {duration(float(str(said['left'])))} left"
    return text
