"""The build: drop what the store has, spread the rest over workers, keep count, and record the atlas."""

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field

from atlas.engine.batches import Batch, cut
from atlas.engine.worker import Done, Report, done_before, settle, work
from atlas.errors import AtlasError
from atlas.spec.config import Compute
from atlas.spec.plan import Group, Job, Plan
from atlas.spec.request import Record
from atlas.store.directory import Store


@dataclass
class Outcome:
    """What became of every job of a plan, by key. A job that is not there was not reached."""

    done: dict[str, Done] = field(default_factory=dict)
    rendered: int = 0
    cached: int = 0

    @property
    def failed(self) -> list[Done]:
        """The jobs that could not be made."""
        return [done for done in self.done.values() if done.state == "failed"]


def look_up(plan: Plan, store: Store, record: Record) -> Outcome:
    """What the store already has of a plan: presence, length and the artefacts asked for are checked."""
    outcome = Outcome()
    for group, job in plan.jobs():
        every = record.frame_every(group.recipe)
        before = done_before(job, store.record(job.key), record.artefacts, every)
        if before:
            outcome.done[job.key] = before
    outcome.cached = len(outcome.done)
    return outcome


def worker_count(compute: Compute) -> int:
    """How many workers a build may have: as asked, or one per core of this process's share of the machine."""
    if isinstance(compute.workers, int):
        return compute.workers
    import joblib

    return max(1, int(joblib.cpu_count()) // compute.threads_per_worker)


def run(
    plan: Plan,
    store: Store,
    compute: Compute,
    record: Record,
    *,
    network: str,
    weights_digest: str,
    outcome: Outcome,
    observe: Callable[[Report], None],
) -> None:
    """Render what ``outcome`` lacks of the plan and note each result in it; ``observe`` is told of every batch.

    Results are in the store before they are reported, so an interrupt or a dead machine loses the batches in flight
    and no more. Raises AtlasError when nothing can be made at all, KeyboardInterrupt when interrupted.
    """
    missing = [(group, _missing(group, outcome)) for group in plan.groups]
    workers = worker_count(compute)
    batches = [
        Batch(
            ref=plan.ref,
            network=network,
            weights_digest=weights_digest,
            layer=group.layer.name,
            recipe_name=group.recipe_name,
            recipe=group.recipe,
            jobs=jobs,
            store=str(store.folder),
            record=record.artefacts,
            frame_every=record.frame_every(group.recipe),
            threads=compute.threads_per_worker,
        )
        for group, jobs in cut([(group, jobs) for group, jobs in missing if jobs], compute.batch, workers)
    ]
    if not batches:
        return
    with closing(_spread(batches, compute, min(workers, len(batches)))) as reports:
        for report in reports:
            for done in report.done:
                outcome.done[done.key] = done
                outcome.rendered += done.state != "failed"
            observe(report)


def _missing(group: Group, outcome: Outcome) -> tuple[Job, ...]:
    return tuple(job for job in group.jobs if job.key not in outcome.done)


def _spread(batches: list[Batch], compute: Compute, workers: int) -> Generator[Report, None, None]:
    """The reports of all batches, in the order in which they end."""
    if compute.backend == "sequential":
        yield from map(work, batches)
        return
    import joblib
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = joblib.Parallel(
        n_jobs=workers,  # joblib runs a single one in this process
        backend="loky",
        return_as="generator_unordered",
        pre_dispatch=2 * workers,
        batch_size=1,
        max_nbytes=None,
        initializer=settle,
        initargs=(os.getpid(),),
    )
    finished = False
    try:
        reports: Iterable[Report] = parallel(joblib.delayed(work)(batch) for batch in batches)
        yield from reports
        finished = True
    except TerminatedWorkerError as error:
        raise AtlasError(
            "expected workers that live, received the end of one (killed, or out of memory); what was finished is "
            "kept: build again, with fewer workers or a smaller batch if it recurs"
        ) from error
    finally:
        get_reusable_executor().shutdown(wait=finished, kill_workers=not finished)
