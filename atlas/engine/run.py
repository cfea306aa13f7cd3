"""The build: drop what the store has, spread the rest over workers, study what came of it, and keep count."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from atlas.engine.batches import Batch, Setting, Study, cut
from atlas.engine.calling import callings
from atlas.engine.dispatch import dispatch
from atlas.engine.finding import Finding, findings
from atlas.engine.likeness import comparisons
from atlas.engine.log import Log
from atlas.engine.mains import mains
from atlas.engine.photos import Photos, photo_studies
from atlas.engine.pools import Dask, Here, Pool, Processes
from atlas.engine.probing import IMAGES, LOOK, Probing, looks
from atlas.engine.study import found_before
from atlas.engine.versus import against
from atlas.engine.wire import wires
from atlas.engine.worker import Done, Report, done_before
from atlas.engine.workers import visible_gpus, worker_count, worker_memory
from atlas.errors import AtlasError
from atlas.probes.theirs import Theirs
from atlas.spec.config import Compute
from atlas.spec.plan import Group, Job, Plan
from atlas.spec.request import Record
from atlas.store.store import Store

TOGETHER = 10_000  # entries that are looked up at once


@dataclass
class Outcome:
    """What became of every job of a plan, by key. A job that is not there was not reached.

    ``found`` has what studies found out, by kind and layer (or photo), also those that failed; ``broken`` the parts of
    images that could not be looked at, by key.
    """

    done: dict[str, Done] = field(default_factory=dict)
    found: dict[str, dict[str, Done]] = field(default_factory=dict)
    broken: dict[str, Done] = field(default_factory=dict)
    rendered: int = 0
    cached: int = 0

    def of(self, plan: Plan) -> "Outcome":
        """What became of the jobs of a part of the plan, before anything was rendered."""
        done = {job.key: self.done[job.key] for _, job in plan.jobs() if job.key in self.done}
        return Outcome(done, cached=len(done))

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
                before = done_before(job, found, record.artefacts, every, group.recipe, group.layer.activation)
                if before:
                    outcome.done[job.key] = before
    outcome.cached = len(outcome.done)
    return outcome


@dataclass(frozen=True)
class Build:
    """What a build is of and where it runs: all that stays the same from picture to picture.

    ``network`` is the network's id; ``weights_digest`` names its weights' values; ``probing`` are the real images and
    ``photos`` those whose maps are shown, None where there are none; ``classifier`` is the layer of the network's
    classes, None without; ``theirs`` are pictures by others to compare with, None without.
    """

    name: str
    network: str
    weights_digest: str
    store: Store
    compute: Compute
    record: Record
    probing: Probing | None = None
    photos: Photos | None = None
    classifier: str | None = None
    theirs: Theirs | None = None

    def setting(self, plan: Plan) -> Setting:
        """With what all work of the build is done."""
        threads, device = self.compute.threads_per_worker, self.compute.device
        return Setting(plan.ref, self.network, self.weights_digest, self.store.address, threads, device)


def to_study(plan: Plan, outcome: Outcome, build: Build) -> list[Study]:
    """The studies that can be made now of what there is, and are neither in the store nor failed; ``outcome`` notes
    those that are. Another round may come: images are looked at before it is asked what all of them tell."""
    setting, layers = build.setting(plan), mains(plan, outcome.done)
    wanted: list[Study] = [
        *wires([one.facts for one in layers], setting, build.network),
        *comparisons(layers, setting),
        *(findings(layers, setting, build.probing) if build.probing else ()),
        *(callings(layers, setting, build.classifier) if build.classifier else ()),
        *(photo_studies(build.photos, setting) if build.photos else ()),
        *(against(layers, setting, build.theirs) if build.theirs else ()),
    ]
    there = found_before([job for one in wanted for job in one.jobs], build.store)
    missing = []
    for one in wanted:
        own = outcome.found.setdefault(one.recipe_name, {})
        if one.jobs[0].key in there:
            own[one.layer] = there[one.jobs[0].key]
        elif one.layer not in own:
            missing.append(one)
    waiting = [one for one in missing if isinstance(one, Finding)]
    if not build.probing or not waiting:
        return missing
    shown = [layer for one in waiting for layer in one.shown]
    shown += [IMAGES] if build.probing.options.publish_images else []
    first = looks(build.probing, list(dict.fromkeys(shown)), setting, build.store)
    others = [one for one in missing if not isinstance(one, Finding)]
    if broken := [outcome.broken[job.key] for one in first for job in one.jobs if job.key in outcome.broken]:
        for one in waiting:
            outcome.found[one.recipe_name][one.layer] = replace(broken[0], key=one.jobs[0].key)
        return others
    return [*first, *others] if first else missing


def run(
    plan: Plan,
    build: Build,
    outcome: Outcome,
    observe: Callable[[Report], None],
    observe_study: Callable[[Report], None],
    stopping: Callable[[], bool],
    whole: Plan,
) -> None:
    """Render what ``outcome`` lacks of the plan, study the layers that are complete, and note all of it.

    ``whole`` is the plan that ``plan`` is a part of. ``observe`` is told of every batch, ``observe_study`` of each
    study. Results are in the store before they are reported, so an interrupt or a dead machine loses the
    batches in flight and no more. Once ``stopping``, those are finished and no other is begun. Raises AtlasError when
    nothing can be made at all, KeyboardInterrupt when interrupted.
    """
    missing = [(group, jobs) for group in plan.groups if (jobs := outcome.missing(group))]
    workers = worker_count(build.compute, worker_memory(((group, len(jobs)) for group, jobs in missing), build.compute))
    batches = _batches(plan, build, missing, workers)
    if not batches and not to_study(whole, _of_whole(whole, plan, build, outcome), build):
        return
    build.store.sweep()
    work = {(group.layer.name, group.recipe_name): group.flop for group in plan.groups}
    about = {
        "atlas": build.name,
        "pictures": len(plan),
        "missing": sum(len(batch.jobs) for batch in batches),
        "work": sum(len(batch.jobs) * work[batch.layer, batch.recipe_name] for batch in batches),
    }
    parts = len(build.probing.parts) if build.probing else 0
    pool = _pool(build, min(workers, max(len(batches), len(plan.groups), parts)))
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
            _note(log, report, rendered * work[report.layer, report.recipe_name])
            observe(report)
        there = _of_whole(whole, plan, build, outcome)
        while not stopping() and (studies := to_study(whole, there, build)):
            for report in dispatch(studies, pool, random.Random(), stopping):
                _found(there, report)
                observe_study(report)
        outcome.found = there.found
        state = "interrupted" if stopping() else "done"
    finally:
        try:
            pool.close(kill=state == "stopped")
        finally:
            log.end(state)


def _found(outcome: Outcome, report: Report) -> None:
    if report.recipe_name == LOOK:
        outcome.broken |= {one.key: one for one in report.done if one.error}
    else:
        outcome.found.setdefault(report.recipe_name, {})[report.layer] = report.done[0]


def _of_whole(whole: Plan, plan: Plan, build: Build, outcome: Outcome) -> Outcome:
    """What became of the whole, of which other machines may have made the rest."""
    return outcome if whole is plan else look_up(whole, build.store, build.record)


def _note(log: Log, report: Report, work: float) -> None:
    states = [done.state for done in report.done]
    log.write(
        "batch",
        layer=report.layer,
        recipe=report.recipe_name,
        made=len(states),
        dead=states.count("dead") + states.count("unraised"),
        failed=states.count("failed"),
        seconds=round(report.seconds, 3),
        work=work,
    )


def _batches(plan: Plan, build: Build, missing: list[tuple[Group, tuple[Job, ...]]], workers: int) -> list[Batch]:
    compute, record = build.compute, build.record
    return [
        Batch(
            setting=build.setting(plan),
            layer=group.layer.name,
            activation=group.layer.activation,
            recipe_name=group.recipe_name,
            recipe=group.recipe,
            jobs=tuple(jobs),
            record=record.artefacts,
            frame_every=record.frame_every(group.recipe),
            photos=group.photos,
        )
        for group, jobs in cut(missing, compute.batch, workers, gpu=bool(visible_gpus(compute)))
    ]


def _pool(build: Build, count: int) -> Pool:
    """So many workers, of the kind that a build asks for."""
    compute, address = build.compute, build.store.address
    if compute.backend == "sequential":
        return Here()
    if address.startswith("memory://"):
        raise AtlasError(
            f"store {address}: expected a folder or an object store, received the memory of one process, which "
            "workers do not share; name another store, or take backend: sequential"
        )
    return Dask(compute.scheduler, count) if compute.backend == "dask" else Processes(count)
