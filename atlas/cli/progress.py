"""What a person, a log file or another program sees while a build runs."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import typer

LINE_EVERY = 5.0  # seconds between two plain lines
TRUST = 0.2  # the share of a build that an expectation weighs as much as
SKIPPED = 20  # images that could not be shown, by name


@dataclass(frozen=True)
class Row:
    """Pictures to render of one layer by one recipe; ``cost`` is about how many seconds of a worker each takes."""

    layer: str
    recipe: str
    count: int
    cost: float


@dataclass(frozen=True)
class Expected:
    """What is to be rendered, and by how many ``workers``, None where nobody knows. ``measured`` says whether the costs
    rest on a measured speed or are a guess."""

    rows: Sequence[Row]
    workers: int | None
    measured: bool


class Observer(Protocol):
    """What a build tells while it runs."""

    def rendering(self, expected: Expected) -> contextlib.AbstractContextManager[None]:
        """Rendering begins."""

    def report(self, report: Any) -> None:
        """A batch has ended (``engine.worker.Report``)."""

    def studied(self, report: Any) -> None:
        """Something was found out of a layer, or a part of the images was looked at (``engine.worker.Report``)."""

    def writing(self, done: int, total: int) -> None:
        """Pages are being written."""

    def say(self, sentence: str) -> None:
        """Something a person must know."""

    def finish(self, summary: dict[str, Any], sentences: list[str]) -> None:
        """All is done."""


class Count:
    """How far a build is: channels in all and per layer, and its speed since the first batch was handed out."""

    def __init__(self, expected: Expected):
        rows = expected.rows
        self.total = sum(row.count for row in rows)
        self.rows = {(row.layer, row.recipe): [0, row.count] for row in rows}
        self.costs = {(row.layer, row.recipe): row.cost for row in rows}
        self.cost = sum(row.cost * row.count for row in rows)
        self.trust = TRUST * self.cost if expected.measured else 0.0
        self.workers = expected.workers
        self.busy = 0.0  # seconds of all workers for what was paid
        self.paid = 0.0
        self.done = 0
        self.image_steps = 0
        self.started = time.monotonic()

    def add(self, report: Any) -> tuple[str, str]:
        """Count a report; the row it belongs to."""
        row = (report.layer, report.recipe_name)
        self.rows[row][0] += len(report.done)
        self.done += len(report.done)
        self.paid += self.costs[row] * len(report.done)
        self.image_steps += report.image_steps
        self.busy += report.seconds
        return row

    @property
    def speed(self) -> float:
        """Image-steps per second: one image by one look of a step."""
        return self.image_steps / max(time.monotonic() - self.started, 1e-9)

    @property
    def left(self) -> float:
        """Seconds that are left as workers went so far: deep layers and large pictures count for what they cost.

        At first it goes by what was expected, since early batches load the network and trace layers.
        """
        workers = self.workers or max(1.0, self.busy / max(time.monotonic() - self.started, 1e-9))
        pace = (self.busy + self.trust) / max(self.paid + self.trust, 1e-9)
        return pace * (self.cost - self.paid) / workers


def duration(seconds: float) -> str:
    """A time for people: ``8 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            value = seconds / unit
            return f"{value:.1f} {name}" if name == "h" else f"{value:.0f} {name}"
    return f"{seconds / 86_400:.1f} days"


def said_of(report: Any) -> str:
    """What a study has found out, in words."""
    said = {
        "classes": "pictures of {} shown to the classifier",
        "images": "images searched for {}",
        "likeness": "pictures of {} compared",
        "looks": "{} looked at",
        "photos": "maps of {} made",
        "versus": "{} held against pictures by others",
        "weights": "weights to {} read",
    }
    return said.get(report.recipe_name, f"{report.recipe_name} of {{}} found").format(report.layer)


def skipped(names: Mapping[str, str]) -> list[str]:
    """Sentences on images that could not be shown, by their names, with why."""
    said = [f"skipped: {name}: expected an image, received {why}" for name, why in names.items()]
    if len(said) > SKIPPED:
        said[SKIPPED:] = [f"skipped: {len(said) - SKIPPED:,} more images; --json names all of them"]
    return said


def observer(quiet: bool, as_json: bool) -> Observer:
    """The observer for these options and this output: JSON lines, nothing, a live display, or plain lines."""
    if as_json:
        return Json()
    if quiet:
        return Quiet()
    return Live() if sys.stdout.isatty() else Lines()


class Quiet:
    """Says nothing but what a person must know."""

    @contextlib.contextmanager
    def rendering(self, expected: Expected) -> Iterator[None]:
        """Rendering begins."""
        self.count = Count(expected)
        yield

    def report(self, report: Any) -> None:
        """A batch has ended."""
        self.count.add(report)

    def studied(self, report: Any) -> None:
        """Something was found out."""

    def writing(self, done: int, total: int) -> None:
        """Pages are being written."""

    def say(self, sentence: str) -> None:
        """Print to the error stream."""
        typer.echo(f"atlas: {sentence}", err=True)

    def finish(self, summary: dict[str, Any], sentences: list[str]) -> None:
        """Say what failed."""
        for sentence in sentences:
            if sentence.startswith(("failed:", "skipped:", "not found out:")):
                self.say(sentence)


class Lines(Quiet):
    """Plain lines, for files and logs: one every few seconds."""

    _last = 0.0

    def report(self, report: Any) -> None:
        """A line, unless one was just printed."""
        layer, recipe = row = self.count.add(report)
        now = time.monotonic()
        if now - self._last < LINE_EVERY and self.count.done < self.count.total:
            return
        self._last = now
        done, total = self.count.rows[row]
        typer.echo(
            f"{self.count.done}/{self.count.total} pictures, {layer} {recipe} {done}/{total}, "
            f"{self.count.speed:.0f} image-steps/s, {duration(self.count.left)} left"
        )

    def studied(self, report: Any) -> None:
        """A line, unless one was just printed."""
        now = time.monotonic()
        if now - self._last >= LINE_EVERY:
            self._last = now
            typer.echo(said_of(report))

    def finish(self, summary: dict[str, Any], sentences: list[str]) -> None:
        """The end, in sentences."""
        for sentence in sentences:
            typer.echo(sentence)


class Json(Quiet):
    """One JSON object per line, on the output stream."""

    def report(self, report: Any) -> None:
        """A batch as an object."""
        self.count.add(report)
        done = [{"channel": one.channel, "key": one.key, "state": one.state} for one in report.done]
        self._print(
            event="batch",
            layer=report.layer,
            recipe=report.recipe_name,
            done=done,
            seconds=round(report.seconds, 3),
            pictures_done=self.count.done,
            pictures_total=self.count.total,
        )

    def studied(self, report: Any) -> None:
        """A study as an object."""
        self._print(event="studied", kind=report.recipe_name, layer=report.layer, seconds=round(report.seconds, 3))

    def say(self, sentence: str) -> None:
        """A notice as an object."""
        self._print(event="notice", text=sentence)

    def finish(self, summary: dict[str, Any], sentences: list[str]) -> None:
        """The summary as an object."""
        self._print(**summary)

    def _print(self, **event: Any) -> None:
        typer.echo(json.dumps(event))


class Live(Lines):
    """A bar for the whole build and one for each layer, on a terminal."""

    @contextlib.contextmanager
    def rendering(self, expected: Expected) -> Iterator[None]:
        """Bars while the rendering runs."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self.count = Count(expected)
        rows = expected.rows
        several = len({row.recipe for row in rows}) > 1
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
        )
        with Progress(*columns, TimeElapsedColumn(), transient=True) as progress:
            self._progress = progress
            self._all = progress.add_task("[bold]all", total=self.count.total, said="starting workers")
            self._bars = {
                (row.layer, row.recipe): progress.add_task(
                    f"{row.layer} {row.recipe}" if several else row.layer,
                    total=row.count,
                    said="",
                    visible=len(rows) <= 24,
                )
                for row in rows
            }
            yield

    def report(self, report: Any) -> None:
        """Move the bars."""
        row = self.count.add(report)
        self._progress.update(self._bars[row], completed=self.count.rows[row][0])
        said = f"{self.count.speed:.0f} image-steps/s, {duration(self.count.left)} left"
        self._progress.update(self._all, completed=self.count.done, said=said)

    def studied(self, report: Any) -> None:
        """A word beside the bars."""
        self._progress.update(self._all, said=said_of(report))

    def writing(self, done: int, total: int) -> None:
        """A line that counts the pages."""
        end = "\r" if done < total else "\r\x1b[K"
        print(f"writing pages {done:,}/{total:,}", end=end, flush=True)
