"""How many workers a build has, on what, and how much they do at once."""

from collections.abc import Iterable

from atlas.engine.batches import batch_size, places
from atlas.engine.devices import gpus
from atlas.memory import available
from atlas.processor import cores
from atlas.spec.config import Compute
from atlas.spec.plan import Group


def visible_gpus(compute: Compute) -> tuple[str, ...]:
    """The GPUs that a build's workers are on."""
    return gpus() if compute.device != "cpu" else ()


def on_cores(compute: Compute) -> bool:
    """Whether all workers are on cores of this machine."""
    return compute.backend != "dask" and not visible_gpus(compute)


def worker_count(compute: Compute, memory: float) -> int:
    """How many workers a build may have: itself alone, as asked, one for each GPU, or one per core of this process's
    share, as far as there are ``memory`` bytes for each."""
    if compute.backend == "sequential":
        return 1
    if isinstance(compute.workers, int):
        return compute.workers
    if devices := visible_gpus(compute):
        return len(devices)
    room = available() if compute.scheduler is None else None  # workers of a cluster are on other machines
    fit = cores() if room is None or not memory else int(room / memory)
    return max(1, min(cores() // compute.threads_per_worker, fit))


def worker_memory(missing: Iterable[tuple[Group, int]], compute: Compute) -> float:
    """About how many bytes a worker takes at most that makes some of so many pictures of each group."""
    gpu, most = bool(visible_gpus(compute)), 0.0
    for group, count in missing:
        together = places(group, min(count, batch_size(group, compute.batch, gpu)))
        most = max(most, group.memory(together * group.recipe.repeats) if count else 0.0)
    return most


def at_once(compute: Compute, workers: int) -> int:
    """How many cores, or GPUs, so many workers keep busy: those beyond the cores that there are take turns."""
    return min(workers * compute.threads_per_worker, cores()) if on_cores(compute) else workers
