"""Comparing the pictures of a layer with one another, once all are made: what the pages say of likeness.

A comparison is kept in the store as pictures are, under a key that says which pictures were compared: it is made once.
"""

import io
import time
from collections.abc import Mapping

import numpy as np
from PIL import Image

from atlas.canonical import digest
from atlas.engine import devices
from atlas.engine.batches import Comparison
from atlas.engine.worker import Done, Report, failed, keep, network, working
from atlas.errors import AtlasError
from atlas.probes.likeness import VERSION, likeness
from atlas.runtime import start_tensorflow
from atlas.spec.config import Compute
from atlas.spec.plan import Group, Job, Plan
from atlas.store.entry import Entry
from atlas.store.store import Store

NAME = "likeness"  # in the place of a recipe's, in logs and reports
FEWEST = 2  # pictures that there is something to compare in


def comparisons(
    plan: Plan, done: Mapping[str, Done], store: Store, compute: Compute, weights_digest: str
) -> list[Comparison]:
    """The comparisons of the main pictures that every layer has, ``whole`` where all of them were tried."""
    mains: dict[str, Group] = {}
    for group in plan.groups:
        mains.setdefault(group.layer.name, group)
    found, before = [], None
    for name, group in mains.items():
        tried = [done[job.key] for job in group.jobs if job.key in done]
        made = [one for one in tried if one.checksum]
        if len(made) >= FEWEST:
            key = digest({"before": before, NAME: VERSION, "pictures": [[one.key, one.checksum] for one in made]})
            found.append(
                Comparison(
                    ref=plan.ref,
                    weights_digest=weights_digest,
                    layer=name,
                    recipe_name=NAME,
                    before=before,
                    pictures=tuple(one.key for one in made),
                    jobs=(Job(None, key),),
                    store=store.address,
                    threads=compute.threads_per_worker,
                    device=compute.device,
                    whole=len(tried) == len(group.jobs),
                )
            )
        before = name
    return found


def compared(wanted: list[Comparison], store: Store) -> dict[str, Done]:
    """What the store has of some comparisons, by layer."""
    records = store.records([one.jobs[0].key for one in wanted])
    return {
        one.layer: Done(one.jobs[0].key, None, "compared", str(record["checksum"]))
        for one, record in zip(wanted, records, strict=True)
        if record
    }


def compare(comparison: Comparison) -> Report:
    """Compare the pictures of a layer in a worker, and keep what came of it."""
    began = time.perf_counter()
    store, job = Store(comparison.store), comparison.jobs[0]
    there = compared([comparison], store)
    if not there:
        with working:
            there = {comparison.layer: _tried(comparison, store, job)}
    return Report(comparison.layer, comparison.recipe_name, tuple(there.values()), 1, 0, time.perf_counter() - began)


def _tried(comparison: Comparison, store: Store, job: Job) -> Done:
    try:
        return _compare(comparison, store, job)
    except AtlasError:
        raise
    except Exception as error:  # whatever TensorFlow raises: out of memory, most of all
        return failed(job, error)


def _compare(comparison: Comparison, store: Store, job: Job) -> Done:
    devices.claim(comparison.device)
    start_tensorflow(comparison.threads)
    devices.check()
    also = [comparison.before] if comparison.before else []
    cut = network(comparison.ref, comparison.weights_digest).cut(comparison.layer, also=also)
    found = likeness(cut, (_picture(entry.picture) for entry in store.get_all(comparison.pictures)))
    record = {NAME: VERSION, "layer": comparison.layer, "before": comparison.before}
    entry = Entry(job.key, record, b"", {"pictures": _keys(comparison.pictures), **vars(found)})
    keep(store, entry)
    return Done(job.key, None, "compared", entry.checksum)


def _picture(data: bytes) -> np.ndarray:
    """The pixels ``(h, w, 3) uint8`` of a file that the store has checked."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _keys(pictures: tuple[str, ...]) -> np.ndarray:
    """Which pictures the rows are of: keys as ``(n, 32) uint8``."""
    return np.array([list(bytes.fromhex(key)) for key in pictures], np.uint8)
