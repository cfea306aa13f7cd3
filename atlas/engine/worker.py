"""What runs in a worker: one batch, from channel numbers to entries in the store.

A worker keeps the network and the last few compiled kernels. It puts each result into the store itself, the moment it
is made, and answers with states only, no pixels.
"""

import functools
import importlib.metadata
import os
import signal
import threading
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas.engine import devices
from atlas.engine.batches import Batch
from atlas.engine.encode import FRAME_COLUMNS, ascended_photo, frame_sheet, lossless, stored
from atlas.errors import AtlasError, DamagedError
from atlas.runtime import start_tensorflow
from atlas.spec.plan import ATTEMPTS, KERNEL, Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import Rendering
    from atlas.networks.load import Network
    from atlas.spec.facts import NetworkRef
    from atlas.spec.recipe import Recipe

KERNELS_KEPT = 2
STATES = ("activated", "dead")  # of an entry
working = threading.Lock()  # held while a batch is rendered: one at a time, also where a cluster sends two
_keeping = threading.Lock()  # held while an entry is written, so that a worker that ends leaves no half-written file


@dataclass(frozen=True)
class Done:
    """What became of one job: ``state`` is activated, dead or failed; ``error`` a sentence where it failed.

    ``checksum`` is the entry's own, so that pages know an entry that was made again from the one before.
    """

    key: str
    channel: int | None
    state: str
    checksum: str = ""
    error: str = ""


def done_before(job: Job, record: dict[str, Any] | None, wanted: Sequence[str], frame_every: int) -> Done | None:
    """What the store says of a job, or None when the entry is not there with everything that is to be recorded."""
    if record is None or not {"picture", *wanted} <= set(record["has"]) or record.get("state") not in STATES:
        return None
    frames = record.get("frames", {})
    if frame_every and (frames.get("every") != frame_every or "steps" not in frames):
        return None
    return Done(job.key, job.channel, record["state"], record["checksum"])


@dataclass(frozen=True)
class Report:
    """What became of one batch.

    ``tried`` is how many of its jobs were not in the store; ``image_steps`` counts one image by one step;
    ``seconds`` is the batch's wall time.
    """

    layer: str
    recipe_name: str
    done: tuple[Done, ...]
    tried: int
    image_steps: int
    seconds: float


def settle(dispatcher: int) -> None:
    """Make this process a good worker: deaf to Ctrl-C, which its dispatcher handles, and gone soon after it is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == dispatcher:
            time.sleep(1)
        with _keeping:
            os._exit(1)

    threading.Thread(target=watch, daemon=True, name="dispatcher-watch").start()


def work(batch: Batch) -> Report:
    """Render one batch into the store. What the store already has is not made again.

    A channel that fails does not fail the others. Raises AtlasError for what would fail every batch alike: weights
    that cannot be had, a store that cannot be written.
    """
    started = time.perf_counter()
    store = Store(batch.setting.store)
    done, jobs, there = [], [], set()
    for job, found in zip(batch.jobs, store.records([job.key for job in batch.jobs]), strict=True):
        before = done_before(job, found, batch.record, batch.frame_every)
        if before:
            done.append(before)
        else:
            jobs.append(job)
            there |= {job.key} if found else set()
    if jobs:
        with working:
            done += _render(batch, store, jobs, there)
    steps = len(jobs) * batch.recipe.repeats * batch.recipe.steps
    return Report(batch.layer, batch.recipe_name, tuple(done), len(jobs), steps, time.perf_counter() - started)


def _render(batch: Batch, store: Store, jobs: Sequence[Job], there: Container[str]) -> list[Done]:
    """Render the jobs together; where that breaks, in halves, down to the one that fails.

    A GPU that has not the memory for all thus works on as many as it has memory for. ``there`` are the keys of entries
    that lack something which is to be recorded.
    """
    devices.claim(batch.setting.device)
    start_tensorflow(batch.setting.threads)
    devices.check()
    from atlas.ascent.render import render

    try:
        setting = batch.setting
        kernel = _kernel(setting.ref, setting.weights_digest, batch.layer, batch.recipe, batch.frame_every)
    except AtlasError:
        raise
    except Exception as error:  # whatever TensorFlow raises when the layer cannot be traced: all of them fail alike
        return [failed(job, error) for job in jobs]
    try:
        renderings = render(kernel, [job.channel or 0 for job in jobs])
    except AtlasError:
        raise
    except Exception as error:  # whatever TensorFlow raises when it runs: out of memory, most of all
        if len(jobs) > 1:
            middle = len(jobs) // 2
            return [done for part in (jobs[:middle], jobs[middle:]) for done in _render(batch, store, part, there)]
        return [failed(jobs[0], error)]
    return [_keep(batch, store, job, rendering, there) for job, rendering in zip(jobs, renderings, strict=True)]


def failed(job: Job, error: Exception) -> Done:
    """A job that an error came of, whatever TensorFlow raises."""
    return Done(job.key, job.channel, "failed", error=": ".join([type(error).__name__, *str(error).splitlines()[:1]]))


def _keep(batch: Batch, store: Store, job: Job, rendering: "Rendering", there: Container[str]) -> Done:
    if rendering.state == "failed":
        said = f"its numbers were not finite, also with {ATTEMPTS} other seeds"
        return Done(job.key, job.channel, "failed", error=said)
    record = rendering.record() | {
        "channel": job.channel,
        "kernel": KERNEL,
        "layer": batch.layer,
        "network": batch.network,
        "recipe": batch.recipe.shown,
        "versions": versions(),
        "weights": batch.setting.weights_digest,
    }
    artefacts = {
        f"repeat-{number}": stored(lossless(picture)) for number, picture in enumerate(rendering.pictures[1:], 1)
    }
    if "trace" in batch.record:
        artefacts["trace"] = rendering.trace
    if "maps" in batch.record:
        artefacts["maps"] = rendering.maps
    if "frames" in batch.record:
        artefacts["frames"] = stored(frame_sheet(rendering.frames))
        record["frames"] = {"every": batch.frame_every, "steps": rendering.framed, "columns": FRAME_COLUMNS}
    if job.channel is None and batch.recipe.photo:
        artefacts["photo"] = stored(ascended_photo(batch.recipe.photo, int(batch.recipe.size)))
    entry = Entry(job.key, record, lossless(rendering.picture), artefacts)
    if job.key in there:
        entry = _with_what_was_there(store, entry)
    keep(store, entry)
    return Done(job.key, job.channel, rendering.state, entry.checksum)


def keep(store: Store, entry: Entry) -> None:
    """Put an entry into the store, which a worker that ends meanwhile finishes."""
    with _keeping:
        store.put(entry)


def _with_what_was_there(store: Store, entry: Entry) -> Entry:
    """The entry with what another build has recorded beside the same picture, and this one did not ask for."""
    try:
        before = store.get(entry.key)
    except DamagedError:
        return entry
    if before.picture != entry.picture:
        return entry
    kept = {name: value for name, value in before.record.items() if name == "frames"}
    return Entry(entry.key, kept | dict(entry.record), entry.picture, {**before.artefacts, **entry.artefacts})


@functools.lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of what a picture's bytes depend on."""
    return {name: importlib.metadata.version(name) for name in ("keras", "numpy", "tensorflow")}


@functools.lru_cache(maxsize=1)
def network(ref: "NetworkRef", weights_digest: str) -> "Network":
    """The network that this worker keeps. Raises AtlasError when its weights are not those that were planned with."""
    from atlas.networks.load import load

    loaded = load(ref)
    if loaded.weights.digest != weights_digest:
        raise AtlasError(
            f"the weights of {loaded.facts.title} changed while the build ran: expected {weights_digest}, received "
            f"{loaded.weights.digest}; build again"
        )
    return loaded


@functools.lru_cache(maxsize=KERNELS_KEPT)
def _kernel(ref: "NetworkRef", weights_digest: str, layer: str, recipe: "Recipe", frame_every: int) -> "Kernel":
    from atlas.ascent.kernel import Kernel

    return Kernel(network(ref, weights_digest), layer, recipe, frame_every)
