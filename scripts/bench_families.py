"""Measure every family of keras.applications against plain Keras, at an early, a middle and a late layer, and memory.

    python scripts/bench_families.py OUT [--networks resnet50,...] [--arithmetic fast] [--repeats 3] [--size 224]

Both sides have one thread, in a process of their own, and take turns: atlas takes steps of ``default`` in the batches
that ``batch: auto`` makes; Keras computes the compiled gradient of a channel to its input at the best of five batches,
with neither a parameterization nor transforms nor an optimizer. A figure is the ratio of the medians of pictures a
second, with the least and the greatest of one turn. ``memory`` is the most that the process of atlas ever had. Prints
a table as Markdown and writes ``families.json`` into OUT. Weights are drawn, but for VGG16's and InceptionV3's. Some
half an hour for all.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from measure import Bench, UnmeasuredError, column, workers

from atlas.networks.catalog import facts
from atlas.spec.facts import NetworkRef

NETWORKS = (  # the smallest member of each family
    *("vgg16", "inceptionv3", "resnet50", "resnet50v2", "densenet121", "xception", "inceptionresnetv2"),
    *("mobilenet", "mobilenetv2", "mobilenetv3small", "nasnetmobile", "efficientnetb0", "efficientnetv2b0"),
    "convnexttiny",
)
PLACES = {"early": 0.15, "middle": 0.5, "late": 0.85}  # of a network's feature layers, from input to output
KERAS = {"stem1": "activation", "stem2": "activation_1", "stem3": "activation_2"}  # of InceptionV3, in a fresh process
STEPS = 4


def layer_at(network: str, place: float) -> str:
    """The name of the feature layer at a place between input, 0, and output, 1."""
    layers = facts(NetworkRef(network, "random")).feature_layers
    return layers[int(place * len(layers))].name


def measured(bench: Bench, network: str, layer: str, size: int, arithmetic: str) -> dict[str, Any]:
    """Both sides at one layer: a row of the table."""
    common = ["--network", network, "--size", str(size), "--layer"]
    ours = ["steps", *common, layer, "--steps", str(STEPS), "--arithmetic", arithmetic]
    with (
        workers(*ours, count=1) as atlas,
        workers(*common, KERAS.get(layer, layer), count=1, script="run_keras.py") as keras,
    ):
        found = bench.turns(f"{network} {layer}", {"atlas": atlas, "keras": keras}, bench.repeats)
    mine, theirs = (column(found[side], "rate") for side in ("atlas", "keras"))
    each = [a / b for a, b in zip(mine, theirs, strict=True)]
    return {
        "network": network,
        "layer": layer,
        "atlas": median(mine),
        "batch": found["atlas"][0]["batch"],
        "keras": median(theirs),
        "keras batch": found["keras"][0]["batch"],
        "ratio": median(mine) / median(theirs),
        "least": min(each),
        "greatest": max(each),
        "memory": max(column(found["atlas"], "memory")),
    }


def line(row: dict[str, Any]) -> str:
    """One row as Markdown."""
    ratio = f"{row['ratio']:.2f} ({row['least']:.2f}-{row['greatest']:.2f})"
    return (
        f"| {row['network']} | {row['layer']} | {row['atlas']:.3g} ({row['batch']}) "
        f"| {row['keras']:.3g} ({row['keras batch']}) | {ratio} | {row['memory']:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure every family of keras.applications against plain Keras.")
    parser.add_argument("out", type=Path, help="folder for families.json")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--places", default=",".join(PLACES), help="early, middle, late")
    parser.add_argument("--arithmetic", default="fast")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures in pixels")
    parser.add_argument("--repeats", type=int, default=3)
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
                    rows.append(measured(bench, network, layer, given.size, given.arithmetic))
                    print(line(rows[-1]), flush=True)
                except UnmeasuredError as error:
                    print(f"| {network} | {layer} | {error} | | | |", flush=True)
                (given.out / "families.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
