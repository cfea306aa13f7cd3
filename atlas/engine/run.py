"""The build: drop what the store has, spread the rest over workers, compare what came of it, and keep count."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from atlas.engine.batches import Batch, Comparison, cut
from atlas.engine.compare import compared, comparisons
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
    """What became of every job of a plan, by key. A job that is not there was not reached.

    ``compared`` has the comparisons of layers, by layer.
    """

    done: dict[str, Done] = field(default_factory=dict)
    compared: dict[str, Done] = field(default_factory=dict)
    rendered: int = 0
    cached: int = 0

    def of(self, plan: Plan) -> "Outcome":
        """What became of the jobs of a part of the plan, before anything was rendered."""
        done = {job.key: self.done[job.key] for _, job in plan.jobs() if job.key in self.done}
        return Outcome(done, {}, 0, len(done))

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


@dataclass(frozen=True)
class Build:
    """What a build is of and where it runs: all that stays the same from picture to picture.

    ``network`` is the network's id; ``weights_digest`` names its weights' values.
    """

    name: str
    network: str
    weights_digest: str
    store: Store
    compute: Compute
    record: Record


def to_compare(plan: Plan, outcome: Outcome, build: Build) -> list[Comparison]:
    """The comparisons that can be made of what there is, and are not in the store; ``outcome`` notes those that are."""
    wanted = comparisons(plan, outcome.done, build.store, build.compute, build.weights_digest)
    outcome.compared = compared(wanted, build.store)
    return [one for one in wanted if one.whole and one.layer not in outcome.compared]


def run(
    plan: Plan,
    build: Build,
    outcome: Outcome,
    observe: Callable[[Report], None],
    observe_comparison: Callable[[Report], None],
    stopping: Callable[[], bool],
    whole: Plan,
) -> None:
    """Render what ``outcome`` lacks of the plan, compare the pictures of layers that are complete, and note all of it.

    ``whole`` is the plan that ``plan`` is a part of. ``observe`` is told of every batch, ``observe_comparison`` of each
    layer compared. Results are in the store before they are reported, so an interrupt or a dead machine loses the
    batches in flight and no more. Once ``stopping``, those are finished and no other is begun. Raises AtlasError when
    nothing can be made at all, KeyboardInterrupt when interrupted.
    """
    batches = _batches(plan, build, outcome)
    if not batches and not to_compare(whole, _of_whole(whole, plan, build, outcome), build):
        return
    build.store.sweep()
    flop = {(group.layer.name, group.recipe_name): group.flop for group in plan.groups}
    about = {
        "atlas": build.name,
        "pictures": len(plan),
        "missing": sum(len(batch.jobs) for batch in batches),
        "flop": sum(len(batch.jobs) * flop[batch.layer, batch.recipe_name] for batch in batches),
    }
    pool = _pool(build, len(batches) or len(plan.groups))
    log = Log(build.store, about)
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
        there = _of_whole(whole, plan, build, outcome)
        for report in dispatch(to_compare(whole, there, build), pool, random.Random(), stopping):
            outcome.compared[report.layer] = report.done[0]
            observe_comparison(report)
        state = "interrupted" if stopping() else "done"
    finally:
        pool.close(kill=state == "stopped")
        log.end(state)


def _of_whole(whole: Plan, plan: Plan, build: Build, outcome: Outcome) -> Outcome:
    """What became of the whole, of which other machines may have made the rest."""
    return outcome if whole is plan else look_up(whole, build.store, build.record)


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


def _batches(plan: Plan, build: Build, outcome: Outcome) -> list[Batch]:
    compute, record = build.compute, build.record
    missing = [(group, outcome.missing(group)) for group in plan.groups]
    return [
        Batch(
            ref=plan.ref,
            network=build.network,
            weights_digest=build.weights_digest,
            layer=group.layer.name,
            recipe_name=group.recipe_name,
            recipe=group.recipe,
            jobs=jobs,
            store=build.store.address,
            record=record.artefacts,
            frame_every=record.frame_every(group.recipe),
            threads=compute.threads_per_worker,
            device=compute.device,
        )
        for group, jobs in cut([(group, jobs) for group, jobs in missing if jobs], compute.batch, worker_count(compute))
    ]


def _pool(build: Build, batches: int) -> Pool:
    """The workers that a build asks for, no more than it has batches."""
    compute, address = build.compute, build.store.address
    if compute.backend == "sequential":
        return Here()
    if address.startswith("memory://"):
        raise AtlasError(
            f"store {address}: expected a folder or an object store, received the memory of one process, which "
            "workers do not share; name another store, or take backend: sequential"
        )
    count = min(worker_count(compute), batches)
    return Dask(compute.scheduler, count) if compute.backend == "dask" else Processes(count)
