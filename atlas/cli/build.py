"""``atlas build``, and its two halves ``atlas render`` and ``atlas site``: the main job."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import typer

from atlas.cli import options
from atlas.cli.compared import compared, sentences
from atlas.cli.prepare import Prepared, kept, prepare, render
from atlas.cli.progress import Observer, observer, skipped
from atlas.errors import AtlasError
from atlas.runtime import deaf

NAMED = 5  # files of a site that a sentence names


def build(
    config: options.ConfigFile,
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
    """Render every picture that is missing and write the site."""
    given = options.overrides(
        weights=weights,
        output=output,
        store=store,
        compute_workers=workers,
        compute_backend=backend,
        compute_scheduler=scheduler,
        compute_device=device,
    )
    make(prepare(config, given, limit), observer(quiet, as_json))


def make(prepared: Prepared, watch: Observer) -> None:
    """Make what is missing, write the site, and leave."""
    if prepared.missing:
        from atlas.pages.write import check_output

        check_output(prepared.record(), prepared.request.output, prepared.file)
        if anew := prepared.anew:
            watch.say(anew.sentence)
    with _counting(prepared, watch):
        _finish(prepared, watch, prepared.complete or render(prepared, watch), pages=True)


def render_only(
    config: options.ConfigFile,
    shard: options.ShardOption = None,
    weights: options.WeightsOption = None,
    store: options.StoreOption = None,
    limit: options.LimitOption = None,
    workers: options.WorkersOption = None,
    backend: options.BackendOption = None,
    scheduler: options.SchedulerOption = None,
    device: options.DeviceOption = None,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Render pictures into the store and write no pages: a part of them where many machines share the work."""
    given = options.overrides(
        weights=weights,
        store=store,
        compute_workers=workers,
        compute_backend=backend,
        compute_scheduler=scheduler,
        compute_device=device,
    )
    part = _shard(shard)
    prepared = prepare(config, given, limit, alone=shard is None).part(part)
    watch = observer(quiet, as_json)
    with _counting(prepared, watch):
        _finish(prepared, watch, prepared.complete or render(prepared, watch), pages=False)


def site(
    config: options.ConfigFile,
    weights: options.WeightsOption = None,
    output: options.OutputOption = None,
    store: options.StoreOption = None,
    limit: options.LimitOption = None,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Write the site from the pictures that are there, and render none."""
    prepared = prepare(config, options.overrides(weights=weights, output=output, store=store), limit)
    if not prepared.outcome.done:
        raise AtlasError(
            f"{config}: expected pictures in {prepared.store.address}, found none of {len(prepared.plan):,}; "
            "run atlas build or atlas render first"
        )
    _finish(prepared, observer(quiet, as_json), True, pages=True)


@contextlib.contextmanager
def _counting(prepared: Prepared, watch: Observer) -> Iterator[None]:
    """A Ctrl-C that ends the block at once, the second one or one while pages are written, says what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        with deaf():  # another Ctrl-C would cut the message short
            watch.say(kept(prepared))
        raise typer.Exit(130) from None


def _finish(prepared: Prepared, watch: Observer, complete: bool, *, pages: bool) -> None:
    """Write pages where they are asked for, say what came of it, and leave with the right exit code."""
    outcome = prepared.outcome
    summary: dict[str, Any] = {
        "event": "done" if complete else "interrupted",
        "channels": len(prepared.plan),
        "rendered": outcome.rendered,
        "cached": outcome.cached,
        "missing": prepared.missing,
        "dead": sum(done.state in ("dead", "unraised") for done in outcome.done.values()),
        "failed": [{"key": done.key, "channel": done.channel, "error": done.error} for done in outcome.failed],
        "not_found_out": {
            f"{kind} of {layer}": one.error
            for kind, found in outcome.found.items()
            for layer, one in found.items()
            if one.error
        },
        "skipped": dict(prepared.skipped),
    }
    said = _of_pictures(prepared, summary)
    if prepared.build.theirs:
        summary["compared"] = compared(prepared)
        said += sentences(summary["compared"])
    if pages and len(outcome.done) > len(outcome.failed):
        said += _write(prepared, watch, summary)
    elif pages and outcome.failed:
        said.append(f"every picture failed: {prepared.request.output} is left as it was")
    if not complete:
        watch.say(kept(prepared))
    watch.finish(summary, said)
    if not complete:
        raise typer.Exit(130)
    if outcome.failed:
        raise typer.Exit(1)


def _write(prepared: Prepared, watch: Observer, summary: dict[str, Any]) -> list[str]:
    """Write the pages and add to the summary; what a person is told of them."""
    from atlas.engine.record import keep_record
    from atlas.pages.theme import Theme
    from atlas.pages.write import may_have_shelf, write_atlas, write_shelf

    request, record = prepared.request, prepared.record()
    website = request.website
    theme = Theme(website.templates, website.logo, website.shelf and may_have_shelf(request.output))
    compute = request.compute
    asked = compute.workers if compute.backend == "processes" and isinstance(compute.workers, int) else None

    def waiting() -> None:
        watch.say(f"{request.output}: another process is writing there; this one waits until it is done")

    written = write_atlas(record, prepared.store, request.output, theme, asked, watch.writing, prepared.file, waiting)
    keep_record(prepared.store, record, request.output)
    shelf = write_shelf(request.output.absolute().parent)
    summary |= {"site": str(request.output / "index.html"), "pages_changed": written.changed, "shelf": shelf}
    summary |= {"mended": list(written.mended), "left_alone": list(written.strange)}
    summary["seconds"] = {"pictures": round(written.pictures, 2), "pages": round(written.making, 2)}
    said = []
    if written.removed:
        said.append(f"{written.removed:,} files of the previous build are no longer wanted and were removed")
    if written.mended:
        said.append(f"changed since a build wrote them, and written again: {_some(written.mended)}")
    if written.strange:
        said.append(f"no longer wanted, but not what a build wrote, and so left alone: {_some(written.strange)}")
    if shelf:
        said.append(f"no list of atlases beside it: {shelf}")
    said.append(f"site: {summary['site']}" + (" (unchanged)" if written.unchanged else ""))
    return said


def _some(names: tuple[str, ...]) -> str:
    """The first few of some files by name, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _of_pictures(prepared: Prepared, summary: dict[str, Any]) -> list[str]:
    """What a person is told of the pictures."""
    said = []
    if summary["rendered"] == 0 and not summary["failed"] and not summary["missing"]:
        said.append(f"nothing to render: all {summary['channels']:,} pictures are cached")
    else:
        missing = f", {summary['missing']:,} are missing" if summary["missing"] else ""
        said.append(f"{summary['rendered']:,} pictures rendered, {summary['cached']:,} were cached{missing}")
    if summary["dead"]:
        said.append(f"{summary['dead']:,} dead or not raised, whatever was tried; their pages say so")
    if summary["failed"]:
        keys = {done["key"] for done in summary["failed"]}
        names = {
            job.key: f"{group.layer.name} {job.channel} ({group.recipe_name})"
            for group, job in prepared.plan.jobs()
            if job.key in keys
        }
        said += [f"failed: {names[row['key']]}: {row['error']}" for row in summary["failed"]]
    said += [f"not found out: {what}: {error}" for what, error in summary["not_found_out"].items()]
    return said + skipped(summary["skipped"])


def _shard(text: str | None) -> tuple[int, int]:
    """Which part of how many, the first is 1; all of one when nothing is given."""
    if text is None:
        return 1, 1
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise AtlasError(f"--shard: expected a part such as 3/16, from 1/16 to 16/16, received {text}")
    return number, count
