"""What a build will take, before it begins: by this machine's measured pace, the last build's speed, or a guess."""

from collections.abc import Sequence
from dataclasses import dataclass

from atlas.engine.batches import cut, places
from atlas.engine.log import measured_speed
from atlas.engine.workers import at_once, on_cores, visible_gpus, worker_count, worker_memory
from atlas.spec.config import Compute
from atlas.spec.machine import measured
from atlas.spec.pace import GUESSED_SPEED, at_speed
from atlas.spec.plan import Group
from atlas.store.store import Store

START = 10.0  # seconds until workers are up and have a network, and for pages
TRACE, OF_NODE = 4.0, 0.02  # seconds to trace a layer by one recipe, and for each computation up to it


@dataclass(frozen=True)
class Estimate:
    """What pictures of some groups take: ``groups`` in seconds of one worker for one picture of each, ``total`` in
    seconds of all ``workers`` together, each of which takes up to ``memory`` bytes. ``by`` says how the time was found:
    calibrated, measured (by the last build) or guessed.
    """

    groups: tuple[float, ...]
    total: float
    by: str
    workers: int
    memory: float


def estimate(missing: Sequence[tuple[Group, int]], compute: Compute, store: Store) -> Estimate:
    """What so many pictures of each group take."""
    paces = measured() if on_cores(compute) else {}
    last = 0.0 if paces else measured_speed(store)
    otherwise = paces.get("fast") or at_speed(last or GUESSED_SPEED)
    memory = worker_memory(missing, compute)
    workers = worker_count(compute, memory)
    share = 1.0 if last else workers / at_once(compute, workers)  # the last build's speed is that of a worker
    groups = tuple(share * group.seconds(paces.get(group.recipe.arithmetic, otherwise)) for group, _ in missing)
    each = dict(zip((group.identity for group, _ in missing), groups, strict=True))
    jobs = [(group, range(count)) for group, count in missing if count]
    batches = cut(jobs, compute.batch, workers, bool(visible_gpus(compute)))
    work = [each[group.identity] * places(group, len(some)) for group, some in batches]
    tracing = [TRACE + OF_NODE * group.layer.work.nodes for group, _ in jobs]
    total = START + _shared(work, workers) + _shared(tracing, workers) if work else 0.0
    by = "calibrated" if paces else "measured" if last else "guessed"
    return Estimate(groups, total, by, min(workers, max(1, len(work))), memory)


def _shared(seconds: list[float], workers: int) -> float:
    """How long so many workers take for things that each of them does alone."""
    return max(sum(seconds) / workers, *seconds)
