"""Measure the speed of atlas against the machine, the tutorial's script and other libraries, in one run.

    python scripts/bench.py OUT [--venvs FOLDER] [--repeats 5] [--only kernel,tutorial,...]

Prints one table as Markdown and writes ``results.json`` into OUT: the machine, the versions and every sample. A figure
is a ratio of the medians of repeats that take turns; behind it stand the least and the greatest ratio of one turn.
*Image-steps* are updates of one picture. Atlas works as in a build: one process of one thread on each core, all of them
warm, beginning together. A peer works in one process with all threads, in an environment of its own (in ``--venvs``,
where it stays), on the same network with the same weights, with its own parameterization, transforms and optimizer, one
call for each channel; its start-up and its first channel stand apart. Pictures have 128 pixels where nothing else is
said. Nothing else should run on the machine: peers with several threads suffer most.

Sections: kernel, tutorial, vgg19, lucent, tf-keras-vis, xplique, wall, growth, options, bfloat16. All of them take more
than an hour on two cores; the peers need a package index and 11 GB of disk.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))  # no package: peers run in their own environments
from builds import build
from libraries import LIBRARIES, python_of, run
from measure import CORES, Bench, Figure, UnmeasuredError, column, workers

BATCH = "0-15"  # the channels of a batch of a build at 128 px
LARGE, LARGE_BATCH = 224, "0-1"
STEPS = 64
WHOLE = 128  # the default recipe's own
SHORT_TURNS = 5  # in the place of one, where two quick things are held against each other on a restless machine
WALL_CHANNELS, WALL_REPEATS = 64, 1  # these take minutes each
GROWTH_REPEATS = 2
GROWTH_SIZE, GROWTH_STEPS = 96, 32
FEW, MANY = 64, 512
BFLOAT16 = (  # the layers, and what is to be gained
    ("vgg16", "block3_conv3", 1.6),
    ("vgg16", "block4_conv2", 1.6),
    ("vgg16", "block5_conv1", 1.6),
    ("inceptionv3", "mixed4", 1.35),
)
BFLOAT16_BATCH = "0-7"


def kernel(bench: Bench) -> None:
    """The network alone against the machine, in turns of some seconds each, and the whole recipe against it."""
    given = ["--channels", BATCH, "--steps"]
    with workers("gemm") as gemm, workers("convolutions", *given, str(STEPS // 2)) as alone:
        short = bench.turns("machine", {"sgemm": gemm, "convolutions": alone}, SHORT_TURNS * bench.repeats)
    with workers("convolutions", *given, str(STEPS)) as alone, workers("recipe", *given, str(WHOLE)) as recipe:
        long = bench.turns("kernel", {"convolutions": alone, "default": recipe}, 2 * bench.repeats)
    flops = [sample["rate"] * sample["flop"] for sample in short["convolutions"]]
    sgemm, whole = column(short["sgemm"], "rate"), column(long["default"], "rate")
    network = column(long["convolutions"], "rate")
    bench.ratio("mixed4: convolutions / sgemm, FLOP/s", flops, sgemm, ">= 0.85")
    bench.ratio("mixed4: recipe default / network alone, image-steps/s", whole, network, ">= 0.9")
    bench.plain("sgemm on all cores", [rate / 1e9 for rate in sgemm], "GFLOP/s")
    bench.plain("mixed4: network alone", network, "image-steps/s")
    bench.plain("mixed4: recipe default", whole, "image-steps/s")


def tutorial(bench: Bench) -> None:
    """The tutorial's recipe against the tutorial's script on mixed4, where only plain arithmetic gives its picture."""
    _tutorial(bench, "tutorial", "inceptionv3", "mixed4", 128, BATCH, {"plain": ">= 2"})


def vgg19(bench: Bench) -> None:
    """The same on an early layer of VGG19, whose weights are random, where fast arithmetic gives the same picture."""
    _tutorial(bench, "vgg19", "vgg19", "block1_conv2", LARGE, LARGE_BATCH, {"fast": ">= 4"})


def _tutorial(
    bench: Bench, section: str, network: str, layer: str, size: int, channels: str, must: dict[str, str]
) -> None:
    place = ["--network", network, "--layer", layer]
    given = ["recipe", "--recipe", "tutorial", *place, "--size", str(size), "--channels", channels]
    given += ["--steps", str(STEPS)]
    script = partial(run, bench, "tutorial", "0-4", STEPS, *place, "--apart", size=size)
    with contextlib.ExitStack() as stack:
        ours = {way: stack.enter_context(workers(*given, "--arithmetic", way)) for way in ("plain", "fast")}
        found = bench.turns(section, {**ours, "script": script}, bench.repeats)
    name, theirs = f"{layer}, {size} px: tutorial's", column(found["script"], "rate")
    for way in ours:
        what = f"{name} recipe in arithmetic {way}"
        bench.ratio(f"{what} / script, image-steps/s", column(found[way], "rate"), theirs, must.get(way, ""))
        bench.plain(what, column(found[way], "rate"), "image-steps/s")
    bench.plain(f"{name} script", theirs, "image-steps/s")
    bench.plain(f"{name} script: start-up", column(found["script"], "start_up"), "s")
    bench.plain(f"{name} script: tracing, for each channel", column(found["script"], "prepared"), "s")


def library(name: str, bench: Bench) -> None:
    """The default recipe against a library, for the same channels and as many updates."""
    one, python = LIBRARIES[name], str(python_of(name, bench.venvs))
    peer = partial(run, bench, name, python=python)
    sources: dict[str, Callable[[], dict[str, Any]]] = {name: partial(peer, one.channels, one.steps)}
    if name == "Lucent":
        sources["Lucent at 224 px"] = partial(peer, "0-1", one.steps, "--sees", "0")
    with workers("recipe", "--channels", one.channels, "--steps", str(one.steps)) as once:
        found = bench.turns(name.lower(), {"atlas": once, **sources}, bench.repeats)
    ours, theirs = column(found["atlas"], "rate"), found[name]
    bench.ratio(f"mixed4: default / {name}, image-steps/s", ours, column(theirs, "rate"), ">= 2")
    bench.plain(f"mixed4: {name}", column(theirs, "rate"), "image-steps/s")
    bench.plain(f"{name}: start-up", column(theirs, "start_up"), "s")
    bench.plain(f"{name}: first channel of {one.steps} steps", column(theirs, "first"), "s")
    if name == "Lucent":
        enlarged = column(found["Lucent at 224 px"], "rate")
        bench.ratio("mixed4: default / Lucent that shows the network 224 px, as it does by itself", ours, enlarged)


def wall(bench: Bench) -> None:
    """From command to pictures."""
    channels, repeats = f"0-{WALL_CHANNELS - 1}", min(bench.repeats, WALL_REPEATS)
    ours = partial(build, bench, WALL_CHANNELS, 128, STEPS)
    taken = bench.turns("wall", {"atlas": ours}, repeats)["atlas"]
    bench.plain(f"mixed4: {WALL_CHANNELS} channels, {STEPS} steps, from command to site", column(taken, "wall"), "s")
    for name in (*LIBRARIES, "tutorial"):
        what = f"mixed4: {WALL_CHANNELS} channels, {STEPS} steps, wall time / {name}'s"
        try:
            python = str(python_of(name, bench.venvs)) if name in LIBRARIES else sys.executable
            theirs = partial(run, bench, name, channels, STEPS, python=python)
            found = bench.turns(f"wall {name.lower()}", {"atlas": ours, name: theirs}, repeats)
        except UnmeasuredError as error:
            bench.figures.append(Figure(what, str(error), "<= 0.5"))
        else:
            bench.ratio(what, column(found["atlas"], "wall"), column(found[name], "wall"), "<= 0.5")
            bench.plain(f"{name}: the same", column(found[name], "wall"), "s")


def growth(bench: Bench) -> None:
    """What one more channel costs a large build and a small one, beyond a first batch for each core; and memory."""
    base = min(16 * CORES, 256)
    counts = {f"{base}": base, f"{base} + {FEW}": base + FEW, f"{base} + {MANY}": base + MANY}
    sources = {name: partial(build, bench, count, GROWTH_SIZE, GROWTH_STEPS) for name, count in counts.items()}
    found = bench.turns("growth", sources, min(bench.repeats, GROWTH_REPEATS))
    first, few, many = (column(found[name], "wall") for name in counts)
    each_few = [(b - a) / FEW for a, b in zip(first, few, strict=True)]
    each_many = [(b - a) / MANY for a, b in zip(first, many, strict=True)]
    memory = [column(samples, "memory") for samples in found.values()]
    bench.ratio(f"build: seconds for each channel more, {MANY} / {FEW}", each_many, each_few, "<= 1.1")
    bench.ratio(f"build: peak memory, {MANY} / {FEW} channels more", memory[2], memory[1], "<= 1.1")
    bench.plain(f"build: each of {MANY} channels more, {GROWTH_SIZE} px, {GROWTH_STEPS} steps", each_many, "s")
    bench.plain(f"build: peak memory, {MANY} channels more", memory[2], "GB")


def options(bench: Bench) -> None:
    """What the ways to compute the network are worth on this machine."""
    for network, layer, size in (("inceptionv3", "mixed4", 128), ("vgg19", "block4_conv1", 96)):
        given = ["recipe", "--network", network, "--layer", layer, "--size", str(size), "--steps", "16"]
        with contextlib.ExitStack() as stack:
            ways = ("fast", "plain", "mixed", "xla")
            sources = {way: stack.enter_context(workers(*given, "--arithmetic", way)) for way in ways}
            found = bench.turns(f"options {layer}", sources, bench.repeats)
        for way in ways[1:]:
            what = f"{layer}, {size} px: arithmetic {way} / fast, image-steps/s"
            bench.ratio(what, column(found[way], "rate"), column(found["fast"], "rate"))


def bfloat16(bench: Bench) -> None:
    """What 16 bits are worth on a processor that has them: steps of ``default``, and the network alone over sgemm."""
    for network, layer, least in BFLOAT16:
        given = ["--network", network, "--layer", layer, "--size", "128", "--channels", BFLOAT16_BATCH, "--steps", "16"]
        with contextlib.ExitStack() as stack:
            named = ("fast", "bfloat16")
            ways = {way: stack.enter_context(workers("recipe", *given, "--arithmetic", way)) for way in named}
            alone = stack.enter_context(workers("convolutions", *given, "--arithmetic", "bfloat16"))
            sgemm = stack.enter_context(workers("gemm"))
            found = bench.turns(f"bfloat16 {layer}", {**ways, "alone": alone, "sgemm": sgemm}, bench.repeats)
        rates = {way: column(found[way], "rate") for way in named}
        flops = [sample["rate"] * sample["flop"] for sample in found["alone"]]
        bench.ratio(f"{layer}, 128 px: bfloat16 / fast, image-steps/s", rates["bfloat16"], rates["fast"], f">= {least}")
        what = f"{layer}: convolutions in bfloat16 / sgemm in float32, FLOP/s"
        bench.ratio(what, flops, column(found["sgemm"], "rate"), ">= 1.3")
        for way in named:
            bench.plain(f"{layer}: recipe default in arithmetic {way}", rates[way], "image-steps/s")


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "kernel": kernel,
    "tutorial": tutorial,
    "vgg19": vgg19,
    **{name.lower(): partial(library, name) for name in LIBRARIES},
    "wall": wall,
    "growth": growth,
    "options": options,
    "bfloat16": bfloat16,
}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
    flags = sorted(flag for flag in told.get("flags", "").split() if flag.startswith(("avx512", "amx")))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return {"cpu": told.get("model name", platform.machine()), "cores": CORES, "memory": memory, "flags": flags}


def versions() -> dict[str, str]:
    """The versions of atlas's own side."""
    packages = ("atlas-microscope", "tensorflow", "keras", "numpy")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def write(bench: Bench) -> None:
    """``OUT/results.json`` with what there is so far."""
    results = {
        "machine": machine(),
        "versions": {"atlas": versions(), **bench.versions},
        "figures": [asdict(figure) for figure in bench.figures],
        "samples": bench.samples,
    }
    (bench.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def table(bench: Bench) -> str:
    """The figures as Markdown."""
    said = {True: " (met)", False: " (missed)", None: ""}
    lines = ["| figure | value (median, min-max) | must be |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.value.replace('|', '/')} | {one.must}{said[one.met]} |" for one in bench.figures]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure atlas against the machine, the tutorial and other libraries.")
    parser.add_argument("out", type=Path, help="folder for results.json")
    parser.add_argument("--venvs", type=Path, help="folder where the peers' environments are made and stay")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each figure; wall times and builds take fewer")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, such as kernel,tutorial")
    given = parser.parse_args()
    names = given.only.split(",")
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        parser.error(f"expected sections of {', '.join(SECTIONS)}, received {', '.join(unknown)}")
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(given.out, Path(work), (given.venvs or Path(work)).absolute(), given.repeats)
        for name in names:
            try:
                SECTIONS[name](bench)
            except UnmeasuredError as error:
                bench.figures.append(Figure(name, str(error)))
            write(bench)
    print(table(bench))


if __name__ == "__main__":
    main()
