"""How many workers a build has, on what, and how much they do at once."""

from atlas.engine.devices import gpus
from atlas.processor import cores
from atlas.spec.config import Compute


def visible_gpus(compute: Compute) -> tuple[str, ...]:
    """The GPUs that a build's workers are on."""
    return gpus() if compute.device != "cpu" else ()


def on_cores(compute: Compute) -> bool:
    """Whether all workers are on cores of this machine."""
    return compute.backend != "dask" and not visible_gpus(compute)


def worker_count(compute: Compute) -> int:
    """How many workers a build may have: as asked, one for each GPU, or one per core of this process's share."""
    if isinstance(compute.workers, int):
        return compute.workers
    if devices := visible_gpus(compute):
        return len(devices)
    return max(1, cores() // compute.threads_per_worker)


def at_once(compute: Compute) -> int:
    """How many cores, or GPUs, are at work at once: workers beyond the cores that there are take turns."""
    workers = 1 if compute.backend == "sequential" else worker_count(compute)
    return min(workers * compute.threads_per_worker, cores()) if on_cores(compute) else workers
