"""What is found out about layers beside making their pictures: one entry of the store for each thing that is found."""

import time
from collections.abc import Sequence

from atlas.engine import devices
from atlas.engine.batches import Study
from atlas.engine.worker import Done, Report, failed, keep, network, working
from atlas.errors import AtlasError
from atlas.spec.plan import Job
from atlas.store.store import Store

FOUND = "found"  # the state of what a study found


def study(work: Study) -> Report:
    """Find something out in a worker, and keep what the store does not have."""
    began, store = time.perf_counter(), Store(work.setting.store)
    there = found_before(work.jobs, store)
    missing = [job for job in work.jobs if job.key not in there]
    done = list(there.values())
    if missing:
        with working, devices.ready(work.setting.device, work.setting.threads):
            done += _tried(work, store, missing)
    seconds = time.perf_counter() - began
    return Report(work.layer, work.recipe_name, tuple(done), len(missing), 0, seconds)


def found_before(jobs: Sequence[Job], store: Store) -> dict[str, Done]:
    """What the store has of some jobs, by their keys."""
    records = store.records([job.key for job in jobs])
    return {
        job.key: Done(job.key, None, FOUND, str(record["checksum"]))
        for job, record in zip(jobs, records, strict=True)
        if record
    }


def _tried(work: Study, store: Store, missing: Sequence[Job]) -> list[Done]:
    done: dict[str, Done] = {}
    try:
        loaded = network(work.setting)
        for entry in work.entries(loaded, store, missing):
            keep(store, entry)
            done[entry.key] = Done(entry.key, None, FOUND, entry.checksum)
    except AtlasError:
        raise
    except Exception as error:  # whatever TensorFlow raises: out of memory, most of all
        done = {job.key: failed(job, error) for job in missing} | done
    return list(done.values())
