"""What runs in a worker: one batch, from channel numbers to entries in the store.

A worker keeps one network and the last few kernels compiled on it. It puts the results of a batch into the store
itself, the moment they are made, and answers with states only, no pixels.
"""

import functools
import gc
import importlib.metadata
import os
import signal
import threading
import time
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from atlas.activations import SEEDS, is_raised
from atlas.engine import devices
from atlas.engine.batches import Batch, Setting
from atlas.engine.encode import FRAME_COLUMNS, ascended_photo, frame_sheet, lossless, stored
from atlas.errors import AtlasError, DamagedError
from atlas.images.loader import photo_name
from atlas.spec.plan import KERNEL, Job
from atlas.spec.recipe import Recipe
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import Rendering
    from atlas.networks.load import Network
    from atlas.spec.facts import NetworkRef

T = TypeVar("T")

KERNELS_KEPT = 2
STATES = ("activated", "raised", "made", "dead", "unraised")  # of an entry
working = threading.Lock()  # held while a batch is rendered: one at a time, also where a cluster sends two
_keeping = threading.Lock()  # held while entries are written, so that a worker that ends leaves no half-written file


@dataclass(frozen=True)
class Done:
    """What became of one job: ``state`` is one of STATES or failed; ``error`` a sentence where it failed.

    ``checksum`` is the entry's own, so that pages know an entry that was made again from the one before.
    """

    key: str
    channel: int | None
    state: str
    checksum: str = ""
    error: str = ""


def done_before(
    job: Job, record: dict[str, Any] | None, wanted: Sequence[str], frame_every: int, recipe: Recipe, activation: str
) -> Done | None:
    """What the store says of a job of a layer behind that activation function, or None when the entry is not there with
    everything that is to be recorded, or has no picture of its channel and not all attempts behind it."""
    if record is None or not {"picture", *wanted} <= set(record["has"]):
        return None
    state = _state(record, recipe, activation)
    if state is None:
        return None
    frames = record.get("frames", {})
    if frame_every and (frames.get("every") != frame_every or "steps" not in frames):
        return None
    return Done(job.key, job.channel, state, record["checksum"])


def _state(record: Mapping[str, Any], recipe: Recipe, activation: str) -> str | None:
    """The state of an entry; older ones called all but dead channels activated, and made fewer attempts."""
    state = record.get("state")
    if state not in STATES:
        return None
    if not recipe.activates:
        return "made"
    try:
        if state == "activated" and not activation:
            state = "raised" if is_raised(record["score"]) else "unraised"
        tried = state not in ("dead", "unraised") or record["attempts"] >= recipe.attempts
    except (KeyError, TypeError):  # a flipped bit in the entry's header
        return None
    return state if tried else None


@dataclass(frozen=True)
class Report:
    """What became of one batch.

    ``tried`` is how many of its jobs were not in the store; ``image_steps`` counts one image by one look of a step;
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
        before = done_before(job, found, batch.record, batch.frame_every, batch.recipe, batch.activation)
        if before:
            done.append(before)
        else:
            jobs.append(job)
            there |= {job.key} if found else set()
    if jobs:
        with working, devices.ready(batch.setting.device, batch.setting.threads):
            done += _render(batch, store, jobs, there)
    steps = len(jobs) * batch.recipe.repeats * batch.recipe.steps * batch.recipe.looks
    return Report(batch.layer, batch.recipe_name, tuple(done), len(jobs), steps, time.perf_counter() - started)


def _render(batch: Batch, store: Store, jobs: Sequence[Job], there: Container[str]) -> list[Done]:
    """Render the jobs together; where that breaks, in halves, down to the one that fails.

    A GPU that has not the memory for all thus works on as many as it has memory for. ``there`` are the keys of entries
    that lack something which is to be recorded.
    """
    from atlas.ascent.render import render

    try:
        kernel = _kernel(batch)
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
    return _keep(batch, store, zip(jobs, renderings, strict=True), there)


def failed(job: Job, error: Exception) -> Done:
    """A job that an error came of, whatever TensorFlow raises."""
    return Done(job.key, job.channel, "failed", error=": ".join([type(error).__name__, *str(error).splitlines()[:1]]))


def _keep(batch: Batch, store: Store, made: Iterable[tuple[Job, "Rendering"]], there: Container[str]) -> list[Done]:
    """Keep what came of some jobs, all of it at once."""
    done, entries = [], []
    for job, rendering in made:
        if rendering.state == "failed":
            said = f"its numbers were not finite, also with {SEEDS} other seeds"
            done.append(Done(job.key, job.channel, "failed", error=said))
            continue
        entry = _entry(batch, job, rendering)
        if job.key in there:
            entry = _with_what_was_there(store, entry)
        entries.append(entry)
        done.append(Done(job.key, job.channel, rendering.state, entry.checksum))
    _check_photos(batch)
    keep(store, *entries)
    return done


def _entry(batch: Batch, job: Job, rendering: "Rendering") -> Entry:
    record = rendering.record() | {
        "channel": job.channel,
        "kernel": KERNEL,
        "layer": batch.layer,
        "network": batch.setting.network,
        "recipe": batch.recipe.shown,
        "versions": versions(),
        "weights": batch.setting.weights_digest,
    }
    artefacts = {
        f"repeat-{number}": stored(lossless(picture)) for number, picture in enumerate(rendering.pictures[1:], 1)
    }
    if rendering.opacity is not None:
        artefacts["opacity"] = rendering.opacity
    if "trace" in batch.record:
        artefacts["trace"] = rendering.trace
    if "maps" in batch.record:
        artefacts["maps"] = rendering.maps
    if "frames" in batch.record:
        artefacts["frames"] = stored(frame_sheet(rendering.frames))
        record["frames"] = {"every": batch.frame_every, "steps": rendering.framed, "columns": FRAME_COLUMNS}
    if job.channel is None and batch.recipe.photo:
        artefacts["photo"] = stored(ascended_photo(batch.recipe.photo, int(batch.recipe.size)))
    return Entry(job.key, record, lossless(rendering.picture), artefacts)


def keep(store: Store, *entries: Entry) -> None:
    """Put entries into the store, which a worker that ends meanwhile finishes. Only then may anybody hear of them."""
    with _keeping:
        store.put(*entries)


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


_traced: dict[Hashable, Any] = {}  # compiled on the network that is kept; the last used last


@functools.lru_cache(maxsize=1)
def _network(ref: "NetworkRef", name: str, weights_digest: str) -> "Network":
    from atlas.networks.load import load

    _traced.clear()  # it belongs to the network before
    loaded = load(ref)
    if loaded.facts.id != name:
        raise AtlasError(f"{ref.network}: changed while the build ran; build again")
    if loaded.weights.digest != weights_digest:
        raise AtlasError(
            f"the weights of {loaded.facts.title} changed while the build ran: expected {weights_digest}, received "
            f"{loaded.weights.digest}; build again"
        )
    return loaded


def network(setting: Setting) -> "Network":
    """The network that this worker keeps. Raises AtlasError when it, or its weights, are others than were planned."""
    return _network(setting.ref, setting.network, setting.weights_digest)


def traced(setting: Setting, what: Hashable, make: Callable[["Network"], T]) -> T:
    """What ``make`` compiles on the network, kept for the next batch under all that it depends on, ``what``: the last
    KERNELS_KEPT, as long as the network is kept."""
    of = network(setting)
    if what in _traced:
        _traced[what] = _traced.pop(what)
    else:
        while len(_traced) >= KERNELS_KEPT:
            del _traced[next(iter(_traced))]
            gc.collect()  # graphs refer to themselves, and hold weights
        _traced[what] = make(of)
    found: T = _traced[what]
    return found


def _kernel(batch: Batch) -> "Kernel":
    from atlas.ascent.kernel import Kernel

    _check_photos(batch)
    layer, recipe, every = batch.layer, batch.recipe, batch.frame_every
    return traced(
        batch.setting,
        ("kernel", layer, recipe, batch.photos, every),
        lambda network: Kernel(network, layer, recipe, every),
    )


def _check_photos(batch: Batch) -> None:
    """Raise AtlasError unless every photo is what it was when the batch was planned: asked before a picture is made of
    it, and once more before that is kept."""
    for path, name in batch.photos:
        if photo_name(Path(path)) != name:
            raise AtlasError(f"{path}: changed while the build ran; build again")
