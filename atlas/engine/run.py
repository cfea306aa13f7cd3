"""The build: drop what the store has, spread the rest over workers, and keep count."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from atlas.engine.batches import Batch, cut
from atlas.engine.devices import gpus
from atlas.engine.dispatch import dispatch
from atlas.engine.log import Log
from atlas.engine.pools import Dask, Here, Pool, Processes
from atlas.engine.worker import Done, Report, done_before
from atlas.errors import AtlasError
from atlas.spec.config import Compute
from atlas.spec.plan import Group, Job, Plan
from atlas.spec.request import Record
from atlas.store.store import Store

TOGETHER = 10_000  # entries that are looked up at once


@dataclass
class Outcome:
    """What became of every job of a plan, by key. A job that is not there was not reached."""

    done: dict[str, Done] = field(default_factory=dict)
    rendered: int = 0
    cached: int = 0

    def of(self, plan: Plan) -> "Outcome":
        """What became of the jobs of a part of the plan, before anything was rendered."""
        done = {job.key: self.done[job.key] for _, job in plan.jobs() if job.key in self.done}
        return Outcome(done, 0, len(done))

    def missing(self, group: Group) -> tuple[Job, ...]:
        """The jobs of a group that were not reached."""
        return tuple(job for job in group.jobs if job.key not in self.done)

    @property
    def failed(self) -> list[Done]:
        """The jobs that could not be made."""
        return [done for done in self.done.values() if done.state == "failed"]


def look_up(plan: Plan, store: Store, record: Record) -> Outcome:
    """What the store already has of a plan: presence, length and the artefacts asked for are checked."""
    outcome = Outcome()
    for group in plan.groups:
        every = record.frame_every(group.recipe)
        for first in range(0, len(group.jobs), TOGETHER):
            jobs = group.jobs[first : first + TOGETHER]
            for job, found in zip(jobs, store.records([job.key for job in jobs]), strict=True):
                before = done_before(job, found, record.artefacts, every)
                if before:
                    outcome.done[job.key] = before
    outcome.cached = len(outcome.done)
    return outcome


def worker_count(compute: Compute) -> int:
    """How many workers a build may have: as asked, one for each GPU, or one per core of this process's share."""
    if isinstance(compute.workers, int):
        return compute.workers
    devices = gpus() if compute.device != "cpu" else ()
    if devices:
        return len(devices)
    import joblib  # counts what affinity and cgroups leave to this process

    return max(1, int(joblib.cpu_count()) // compute.threads_per_worker)


def run(
    plan: Plan,
    store: Store,
    compute: Compute,
    record: Record,
    *,
    name: str,
    network: str,
    weights_digest: str,
    outcome: Outcome,
    observe: Callable[[Report], None],
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Render what ``outcome`` lacks of the plan and note each result in it; ``observe`` is told of every batch.

    Results are in the store before they are reported, so an interrupt or a dead machine loses the batches in flight
    and no more. Once ``stopping``, those are finished and no other is begun. Raises AtlasError when nothing can be made
    at all, KeyboardInterrupt when interrupted.
    """
    batches = _batches(plan, store, compute, record, network, weights_digest, outcome)
    if not batches:
        return
    store.sweep()
    flop = {(group.layer.name, group.recipe_name): group.flop for group in plan.groups}
    about = {
        "atlas": name,
        "pictures": len(plan),
        "missing": sum(len(batch.jobs) for batch in batches),
        "flop": sum(len(batch.jobs) * flop[batch.layer, batch.recipe_name] for batch in batches),
    }
    pool = _pool(store, compute, len(batches))
    log = Log(store, about)
    state = "stopped"
    try:
        for report in dispatch(batches, pool, random.Random(), stopping):
            for done in report.done:
                outcome.done[done.key] = done
            found = len(report.done) - report.tried  # which another build has put there meanwhile
            rendered = sum(done.state != "failed" for done in report.done) - found
            outcome.cached += found
            outcome.rendered += rendered
            _note(log, report, rendered * flop[report.layer, report.recipe_name])
            observe(report)
        state = "interrupted" if stopping() else "done"
    finally:
        pool.close(kill=state == "stopped")
        log.end(state)


def _note(log: Log, report: Report, flop: float) -> None:
    states = [done.state for done in report.done]
    log.write(
        "batch",
        layer=report.layer,
        recipe=report.recipe_name,
        made=len(states),
        dead=states.count("dead"),
        failed=states.count("failed"),
        seconds=round(report.seconds, 3),
        flop=flop,
    )


def _batches(
    plan: Plan,
    store: Store,
    compute: Compute,
    record: Record,
    network: str,
    weights_digest: str,
    outcome: Outcome,
) -> list[Batch]:
    missing = [(group, outcome.missing(group)) for group in plan.groups]
    return [
        Batch(
            ref=plan.ref,
            network=network,
            weights_digest=weights_digest,
            layer=group.layer.name,
            recipe_name=group.recipe_name,
            recipe=group.recipe,
            jobs=jobs,
            store=store.address,
            record=record.artefacts,
            frame_every=record.frame_every(group.recipe),
            threads=compute.threads_per_worker,
            device=compute.device,
        )
        for group, jobs in cut([(group, jobs) for group, jobs in missing if jobs], compute.batch, worker_count(compute))
    ]


def _pool(store: Store, compute: Compute, batches: int) -> Pool:
    """The workers that a build asks for, no more than it has batches."""
    if compute.backend == "sequential":
        return Here()
    if store.address.startswith("memory://"):
        raise AtlasError(
            f"store {store.address}: expected a folder or an object store, received the memory of one process, which "
            "workers do not share; name another store, or take backend: sequential"
        )
    count = min(worker_count(compute), batches)
    return Dask(compute.scheduler, count) if compute.backend == "dask" else Processes(count)
