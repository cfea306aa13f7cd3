"""Measure every family of keras.applications against plain Keras, at an early, a middle and a late layer, and memory.

    python scripts/bench_families.py OUT [--networks resnet50,...] [--arithmetic fast] [--repeats 3] [--size 224]

Both sides have one thread, in a process of their own, and take turns: atlas takes steps of ``default`` in the batches
that ``batch: auto`` makes; Keras computes the compiled gradient of a channel to its input at the best of five batches,
with neither a parameterization nor transforms nor an optimizer. A figure is the ratio of the medians of pictures a
second, with the least and the greatest of one turn. ``memory`` is the most that the process of atlas ever had. Prints
a table as Markdown and writes ``families.json`` into OUT. Weights are drawn, but for VGG16's and InceptionV3's. Some
half an hour for all; ``--no-keras`` measures atlas alone.

Last it says what estimates of time rest on, see ``atlas/spec/pace.py``: of each layer what it would take over what it
took, at the one speed that fits all best, and the weights that would fit these measurements best.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.optimize import nnls

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from measure import Bench, UnmeasuredError, column, workers

from atlas.networks.catalog import facts
from atlas.networks.known import INCEPTIONV3_NAMES
from atlas.spec.facts import WORK, NetworkRef
from atlas.spec.pace import RELATIVE

NETWORKS = (  # the smallest member of each family
    *("vgg16", "inceptionv3", "resnet50", "resnet50v2", "densenet121", "xception", "inceptionresnetv2"),
    *("mobilenet", "mobilenetv2", "mobilenetv3small", "nasnetmobile", "efficientnetb0", "efficientnetv2b0"),
    "convnexttiny",
)
PLACES = {"early": 0.15, "middle": 0.5, "late": 0.85}  # of a network's feature layers, from input to output
KERAS = {ours: name for name, ours in INCEPTIONV3_NAMES.items()}  # of InceptionV3, in a fresh process
STEPS = 4
SIDES = ("atlas", "keras")


def layer_at(network: str, place: float) -> str:
    """The name of the feature layer at a place between input, 0, and output, 1."""
    layers = facts(NetworkRef(network, "random")).feature_layers
    return layers[int(place * len(layers))].name


def measured(bench: Bench, network: str, layer: str, size: int, arithmetic: str, keras: bool) -> dict[str, Any]:
    """Both sides at one layer: a row of the table."""
    common = ["--network", network, "--size", str(size), "--layer"]
    ours = ["steps", *common, layer, "--steps", str(STEPS), "--arithmetic", arithmetic]
    with contextlib.ExitStack() as stack:
        sides = {"atlas": stack.enter_context(workers(*ours, count=1))}
        if keras:
            theirs = [*common, KERAS.get(layer, layer)]
            sides["keras"] = stack.enter_context(workers(*theirs, count=1, script="run_keras.py"))
        found = bench.turns(f"{network} {layer}", sides, bench.repeats)
    rates = {side: column(samples, "rate") for side, samples in found.items()}
    each = [a / b for a, b in zip(rates["atlas"], rates["keras"], strict=True)] if keras else []
    return {
        "network": network,
        "layer": layer,
        "size": size,
        "rates": {side: median(some) for side, some in rates.items()},
        "batches": {side: samples[0]["batch"] for side, samples in found.items()},
        "ratio": [median(rates["atlas"]) / median(rates["keras"]), min(each), max(each)] if keras else None,
        "memory": max(column(found["atlas"], "memory")),
    }


def line(row: dict[str, Any]) -> str:
    """One row as Markdown."""
    sides = [f"{row['rates'][side]:.3g} ({row['batches'][side]})" if side in row["rates"] else "" for side in SIDES]
    ratio = "{:.2f} ({:.2f}-{:.2f})".format(*row["ratio"]) if row["ratio"] else ""
    return f"| {row['network']} | {row['layer']} | {' | '.join(sides)} | {ratio} | {row['memory']:.1f} |"


def _parts(row: dict[str, Any]) -> list[float]:
    """How much of each kind of work one picture's step is, as WORK, and the picture's pixels."""
    known = facts(NetworkRef(row["network"], "random")).layer(row["layer"])
    assert known is not None
    pixels = row["size"] ** 2
    times = {"nodes": 1 / row["batches"]["atlas"]}
    return [*(getattr(known.work, kind) * times.get(kind, pixels) for kind in WORK), pixels]


def estimates(rows: list[dict[str, Any]]) -> list[str]:
    """What estimates of time rest on, held against what was measured, as lines of text."""
    took = np.array([1 / row["rates"]["atlas"] for row in rows])
    parts = np.array([_parts(row) for row in rows])
    now = parts @ np.array([*(getattr(RELATIVE.kinds, kind) for kind in WORK), RELATIVE.picture])
    speed = np.exp(np.log(now / took).mean())
    said = [f"{row['network']} {row['layer']}: {one:.2f}" for row, one in zip(rows, now / speed / took, strict=True)]
    weights, best = np.ones(len(rows)) / took, np.zeros(parts.shape[1])
    for _ in range(20):  # so that twice too long counts as much as twice too short
        best, _ = nnls(parts * weights[:, None], took * weights)
        weights = 1 / np.sqrt(took * np.maximum(parts @ best, 1e-9))
    fit = {kind: float(f"{one / best[0]:.3g}") for kind, one in zip([*WORK, "picture"], best, strict=True)}
    return [*said, f"{4 * speed / 1e9:.0f} GFLOP/s; least squares: {fit}"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure every family of keras.applications against plain Keras.")
    parser.add_argument("out", type=Path, help="folder for families.json")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--places", default=",".join(PLACES), help="early, middle, late")
    parser.add_argument("--arithmetic", default="fast")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures in pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-keras", dest="keras", action="store_false", help="measure atlas alone")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print("| network | layer | atlas, steps/s (batch) | Keras (batch) | atlas over Keras | memory, GB |")
    print("|---|---|---|---|---|---|", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(given.out, Path(work), Path(work), given.repeats)
        for network in given.networks.split(","):
            for place in given.places.split(","):
                layer = layer_at(network, PLACES[place])
                try:
                    rows.append(measured(bench, network, layer, given.size, given.arithmetic, given.keras))
                    print(line(rows[-1]), flush=True)
                except UnmeasuredError as error:
                    print(f"| {network} | {layer} | {error} | | | |", flush=True)
                (given.out / "families.json").write_text(json.dumps(rows, indent=1) + "\n")
    print("\n".join(["", *estimates(rows)]))


if __name__ == "__main__":
    main()
