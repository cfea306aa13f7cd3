"""Measure how builds scale: very large plans and stores, the dispatcher, a second worker, a Dask cluster.

    python scripts/scaling.py OUT [--only plan,cached,dispatcher,workers,dask]

Prints one table as Markdown. Everything runs for real, in processes of its own; only ``dispatcher`` has a stub in the
place of the kernel, and ``plan`` and ``cached`` render nothing. All of it takes about twenty minutes on two cores;
nothing else should run.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from measure import workers
from promises import SMALL, Row, atlas, measured, table, write

LARGE = 100_000


def plan(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """A plan of a million jobs."""
    recipes = {f"r{number}": {**SMALL, "seed": number} for number in range(422)}
    layers = [f"mixed{number}" for number in range(5)]
    write(out / "plan", layers=layers, recipes=recipes)
    seconds, memory, said = measured(out / "plan", "plan", "atlas.yaml", "--json")
    jobs = json.loads(said)["channels"]
    yield f"planning {jobs:,} jobs", f"{seconds:.1f} s", "< 60 s"
    yield "peak memory", f"{memory:.2f} GB", "< 1 GB"


def cached(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """A build whose hundred thousand pictures are all there; the store's listing and size."""
    recipes = {f"r{number}": {**SMALL, "seed": number} for number in range(43)}
    write(out / "cached", layers=[f"mixed{number}" for number in range(5)], recipes=recipes)
    count = _fill(out / "cached")
    seconds, memory, said = measured(out / "cached", "plan", "atlas.yaml", "--json")
    assert json.loads(said)["missing"] == 0, said
    yield f"a build that finds {count:,} pictures, before pages", f"{seconds:.1f} s", "< 20 s"
    yield "peak memory of that", f"{memory:.2f} GB", ""
    code = (
        "import sys, time; from atlas.store.store import Store; s = Store(sys.argv[1]); t = time.perf_counter(); "
        "n = sum(1 for _ in s.entries()); print(n, time.perf_counter() - t)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(out / "cached" / ".atlas")], capture_output=True, text=True, check=True
    )
    number, took = run.stdout.split()
    yield f"listing {int(number):,} entries", f"{float(took):.2f} s", "< 2 s"
    folders = (out / "cached" / ".atlas" / "v1" / "entries").iterdir()
    yield "files in the largest directory", str(max(len(list(folder.iterdir())) for folder in folders)), "few thousand"
    shutil.rmtree(out / "cached" / ".atlas")
    layers = [{"name": f"mixed{number}", "channels": "0-31"} for number in range(5)]
    write(out / "sizes", layers=layers, recipes={"main": {"size": 128}})
    atlas(out / "sizes", "render", "atlas.yaml", "--quiet").communicate()
    sizes = [path.stat().st_size for path in (out / "sizes").glob(".atlas/v1/entries/*/*")]
    yield (
        f"{LARGE:,} renderings of 128 px, from {len(sizes)}",
        f"{statistics.mean(sizes) * LARGE / 1e9:.1f} GB",
        "<= 6 GB",
    )


def _fill(folder: Path) -> int:
    """Entries for everything that a configuration asks for, with an empty picture each."""
    import numpy as np

    from atlas.cli.prepare import prepare
    from atlas.store.entry import Entry

    here = Path.cwd()
    os.chdir(folder)
    try:
        prepared = prepare("atlas.yaml", {}, None)
        trace = np.zeros((SMALL["steps"], 4), np.float32)
        record = {"state": "activated", "score": {"start": 0.0, "grey": 0.0, "end": 1.0}, "size": [SMALL["size"]] * 2}
        for _, job in prepared.plan.jobs():
            prepared.store.put(Entry(job.key, {**record, "channel": job.channel}, b"picture", {"trace": trace}))
        return len(prepared.plan)
    finally:
        os.chdir(here)


def dispatcher(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """The processor time of the dispatcher for each of ten thousand batches that cost nothing."""
    code = (
        "import random, resource, sys; from dataclasses import replace; "
        "sys.path[:0] = [sys.argv[1], sys.argv[2]]; import simulate; "
        "from atlas.engine.dispatch import dispatch; from atlas.engine import pools; from stub import report\n"
        "if __name__ == '__main__':\n"
        "    pools.carry_out = report; batches = simulate.batches(simulate.World({'a': [1.0]}, 0, 0, 0, 0, 0), 10000)\n"
        "    pool = pools.Processes(2); before = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    done = sum(1 for _ in dispatch(batches, pool, random.Random(0), lambda: False)); pool.close(kill=False)\n"
        "    after = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    print(done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)\n"
    )
    place = out / "dispatcher.py"
    place.write_text(code)
    here = Path(__file__).resolve().parent
    command = [sys.executable, str(place), str(here), str(here / "peers")]
    done, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    each = float(seconds) / int(done)
    yield f"dispatcher's processor time for each of {int(done):,} batches", f"{1000 * each:.2f} ms", ""
    batch = 16 * 128 / 55
    yield f"workers it could feed, at {batch:.0f} s a batch (mixed4, 128 px, 128 steps)", f"{batch / each:,.0f}", ""


def scaling(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Two warm workers over one with the real kernel, against the same for one-thread sgemm."""
    found: dict[str, list[float]] = {}
    for name, arguments in {"sgemm": ["gemm"], "kernel": ["recipe", "--channels", "0-15", "--steps", "48"]}.items():
        for count in (1, 2):
            with workers(*arguments, count=count) as once:
                found[f"{name} {count}"] = [once()["rate"] for _ in range(5)]
    median = {name: statistics.median(rates) for name, rates in found.items()}
    ratio = {name: median[f"{name} 2"] / median[f"{name} 1"] for name in ("sgemm", "kernel")}
    yield "two workers over one, sgemm", f"{ratio['sgemm']:.2f}", ""
    yield "two workers over one, kernel, over that", f"{ratio['kernel'] / ratio['sgemm']:.2f}", ">= 0.95"


def dask(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """128 jobs with two workers of a local Dask cluster, and with two processes, without their start."""
    taken: dict[str, list[float]] = {"processes": [], "dask": []}
    for turn in range(3):
        for backend in taken:
            folder = out / f"{backend}-{turn}"
            write(folder, layers=[{"name": "mixed2", "channels": "0-127"}], recipes={"main": {"size": 96, "steps": 64}})
            build = atlas(folder, "render", "atlas.yaml", "--json", "--backend", backend, "--workers", "2")
            _, said = build.communicate()
            if build.returncode:
                sys.exit(said)
            [log] = (folder / ".atlas" / "v1" / "runs").iterdir()
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            batches = [line for line in lines if line["event"] == "batch"]
            taken[backend].append(batches[-1]["at"] - min(line["at"] - line["seconds"] for line in batches))
    value = statistics.median(taken["dask"]) / statistics.median(taken["processes"])
    yield "128 jobs, local Dask cluster over processes", f"{value:.2f}", "<= 1.1"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how builds scale.")
    sections = {"plan": plan, "cached": cached, "dispatcher": dispatcher, "workers": scaling, "dask": dask}
    table(sections, parser)


if __name__ == "__main__":
    main()
