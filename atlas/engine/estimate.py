"""What a build will take, before it begins: by this machine's measured pace, the last build's speed, or a guess."""

from collections.abc import Sequence
from dataclasses import dataclass

from atlas.engine.batches import cut, places
from atlas.engine.log import measured_speed
from atlas.engine.workers import at_once, on_cores, worker_count, worker_memory
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
    groups = tuple(group.seconds(paces.get(group.recipe.arithmetic, otherwise)) for group, _ in missing)
    tracing = sum(TRACE + OF_NODE * group.layer.work.nodes for group, count in missing if count)
    memory = worker_memory((group for group, count in missing if count), compute)
    workers = worker_count(compute, memory)
    each = dict(zip((group.identity for group, _ in missing), groups, strict=True))
    batches = cut(((group, range(count)) for group, count in missing), compute.batch, workers, not on_cores(compute))
    work = [each[group.identity] * places(group, len(some)) for group, some in batches]
    total = max([(sum(work) + tracing) / at_once(compute, workers), *work]) + START if work else 0.0
    return Estimate(groups, total, "calibrated" if paces else "measured" if last else "guessed", workers, memory)
