"""Simulate builds on 1 to 1,000 workers from what was recorded on a few: where does one dispatcher stop to scale?

    python scripts/simulate.py STORE [--batches 20000] [--dispatcher 0.002] [--latency 0.05] [--mtbf 24]

The times of batches, layer by layer, come from the logs of builds in STORE. The queue is the real one: workers stay
with a layer, help where most is left, and try again what a worker died of. Simulated are the clock, the store's latency
for each entry, workers that die once in so many hours and start anew, and the dispatcher, which handles one batch at a
time. Prints a table as Markdown: how long the build takes, what share of the workers' time is spent on batches, and how
much of its time the dispatcher is busy.
"""

import argparse
import heapq
import random
from collections import defaultdict
from dataclasses import dataclass, replace

from atlas.engine.batches import Batch, Setting
from atlas.engine.log import runs
from atlas.engine.queue import Attempt, Queue
from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Job
from atlas.spec.recipe import Recipe
from atlas.store.store import Store

WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
CHANNELS = 16  # of a batch
SETTING = Setting(NetworkRef("simulated", "random"), "simulated", "", "", 1, "cpu")
EMPTY = Batch(SETTING, "", "", "", Recipe(size=128), (), (), 0)


@dataclass(frozen=True)
class World:
    """What is given: seconds of each batch by layer, of a start and a trace, and of what stands in the way."""

    seconds: dict[str, list[float]]
    start: float
    trace: float
    dispatcher: float
    latency: float
    mtbf: float  # seconds between two deaths of one worker


def recorded(store: Store) -> dict[str, list[float]]:
    """The seconds of the batches of all builds, by layer; each layer's first of a build, which traced, left out."""
    found: dict[str, list[float]] = defaultdict(list)
    for run in runs(store):
        seen = set()
        for batch in run.batches:
            if batch["layer"] in seen and batch["flop"]:
                found[batch["layer"]].append(batch["seconds"])
            seen.add(batch["layer"])
    return {layer: seconds for layer, seconds in found.items() if seconds}


def batches(world: World, count: int) -> list[Batch]:
    """So many batches over the layers that were recorded."""
    layers = list(world.seconds)
    made = []
    for number in range(count):
        layer = layers[number * len(layers) // count]
        jobs = tuple(Job(channel, f"{number}-{channel}") for channel in range(CHANNELS))
        made.append(replace(EMPTY, layer=layer, jobs=jobs))
    return made


def simulate(world: World, workers: int, count: int) -> tuple[float, float, float]:
    """Seconds of the build, the share of the workers' time spent on batches, and the share the dispatcher is busy."""
    draw = random.Random(0)
    queue = Queue(batches(world, count), draw)
    traced: dict[int, set[str]] = defaultdict(set)
    events: list[tuple[float, int, float, Attempt | None, bool]] = [
        (world.start, seat, 0.0, None, False) for seat in range(workers)
    ]
    heapq.heapify(events)
    clock, handled, useful = 0.0, 0.0, 0.0
    while events:
        at, seat, worth, attempt, died = heapq.heappop(events)
        clock = max(clock, at) + world.dispatcher  # one after the other
        handled += world.dispatcher
        if attempt and died:
            traced[seat].clear()
            queue.again(attempt.after(1))
        else:
            useful += worth
        if not queue:
            continue
        taken = queue.take(seat)
        layer = taken.batch.layer
        worth = draw.choice(world.seconds[layer]) * len(taken.batch.jobs) / CHANNELS
        spent = worth + world.latency * len(taken.batch.jobs)
        if layer not in traced[seat]:
            traced[seat] = {layer, *list(traced[seat])[-1:]}  # a worker keeps two kernels
            spent += world.trace
        lives = draw.expovariate(1 / world.mtbf)
        died = lives < spent
        end = clock + (lives + world.start if died else spent)
        heapq.heappush(events, (end, seat, worth, taken, died))
    return clock, useful / (clock * workers), handled / clock


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulate builds on 1 to 1,000 workers from recorded batch times.")
    parser.add_argument("store", help="folder or address of a store on which builds have run")
    parser.add_argument("--batches", type=int, default=20_000, help=f"of {CHANNELS} channels each")
    parser.add_argument("--dispatcher", type=float, default=0.002, help="seconds that one batch costs it")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the store takes for an entry")
    parser.add_argument("--mtbf", type=float, default=24.0, help="hours between two deaths of one worker")
    parser.add_argument("--start", type=float, default=8.0, help="seconds until a worker is up")
    parser.add_argument("--trace", type=float, default=6.0, help="seconds for the graph of a layer")
    given = parser.parse_args()
    seconds = recorded(Store(given.store))
    if not seconds:
        parser.error(f"{given.store}: expected the logs of builds, found none")
    world = World(seconds, given.start, given.trace, given.dispatcher, given.latency, given.mtbf * 3600)
    known = sum(map(len, seconds.values()))
    print(f"{given.batches:,} batches as {known} recorded ones of {len(seconds)} layers\n")
    print("| workers | wall time | speed-up | time spent on batches | dispatcher busy |")
    print("|---|---|---|---|---|")
    alone = None
    for workers in WORKERS:
        wall, useful, busy = simulate(world, workers, given.batches)
        alone = alone or wall
        print(f"| {workers:,} | {wall / 3600:.2f} h | {alone / wall:.1f} | {useful:.0%} | {busy:.1%} |")


if __name__ == "__main__":
    main()
