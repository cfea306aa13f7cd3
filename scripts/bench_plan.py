"""Hold what ``atlas plan`` says against builds: networks of ten families, an early, a middle and a late layer of each.

    python scripts/bench_plan.py OUT [--networks vgg16,...] [--seconds 100]

The machine's speed is measured once, ``atlas plan --calibrate``; then of each network as many channels are built as
would take so many seconds, from an empty store, recipe ``default`` with 32 steps at ``size: auto``. A row has what the
plan said, what the build took (the command from its start to its end), and of the time left that the build told after
its first tenth, how far off it was. Prints a table as Markdown and writes ``plan.json`` into OUT. Weights are drawn,
but for VGG16's and InceptionV3's; channels of drawn weights are lowered, not raised, since those that stay dead would
be tried again and again. Some twenty minutes.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench_families import PLACES

from atlas.networks.catalog import facts
from atlas.spec.facts import NetworkRef

NETWORKS = (
    *("vgg16", "inceptionv3", "vgg19", "resnet50", "densenet121", "xception", "mobilenetv2", "nasnetmobile"),
    *("efficientnetb0", "convnexttiny"),
)
EMBEDDED = {"vgg16", "inceptionv3"}
NOT_EMBEDDED = {f"mixed{number}" for number in range(5, 11)}  # of InceptionV3
STEPS, MOST = 32, 32  # channels of a layer
UNITS = {"s": 1, "min": 60, "h": 3600}
ATLAS = [sys.executable, "-m", "atlas"]


def written(folder: Path, network: str, channels: int) -> str:
    """The name of a configuration of so many channels of each layer."""
    weights = "embedded" if network in EMBEDDED else "random"
    weight = 1 if network in EMBEDDED else -1
    there = facts(NetworkRef(network, weights)).feature_layers
    there = tuple(layer for layer in there if network not in EMBEDDED or layer.name not in NOT_EMBEDDED)
    at = [there[int(place * len(there))] for place in PLACES.values()]
    layers = ", ".join(f"{{name: {one.name}, channels: 0-{min(channels, one.channels) - 1}}}" for one in at)
    (folder / f"{network}.yaml").write_text(
        f"title: {network}\nnetwork: {network}\nweights: {weights}\nlayers: [{layers}]\n"
        f"recipes: {{main: {{base: default, size: auto, steps: {STEPS}, objective: {{weight: {weight}}}}}}}\n"
        f"store: {folder / network}\noutput: {folder / 'site' / network}\n"
    )
    return f"{network}.yaml"


def planned(folder: Path, name: str, *options: str) -> dict[str, Any]:
    """What ``atlas plan`` says."""
    command = [*ATLAS, "plan", name, "--json", *options]
    said = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(said)
    return found


def built(folder: Path, name: str) -> tuple[float, list[tuple[float, float]]]:
    """How long a build took, and each time left that it told: when, and how long."""
    begun, told = time.perf_counter(), []
    with subprocess.Popen([*ATLAS, "build", name], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if found := re.search(r"([\d.]+) (s|min|h) left$", line.strip()):
                told.append((time.perf_counter() - begun, float(found[1]) * UNITS[found[2]]))
    if process.returncode:
        raise SystemExit(f"atlas build {name}: expected it to end well, received exit code {process.returncode}")
    return time.perf_counter() - begun, told


def measured(folder: Path, network: str, seconds: float) -> dict[str, Any]:
    """One row."""
    shutil.rmtree(folder / network, ignore_errors=True)
    one = planned(folder, written(folder, network, 1))
    each = sum(group["seconds"] for group in one["groups"])
    channels = max(2, min(MOST, round((seconds - (one["seconds"] - each)) / each)))
    said = planned(folder, written(folder, network, channels))
    took, told = built(folder, f"{network}.yaml")
    first = next(((at, left) for at, left in told if at >= took / 10), None)
    left = first[1] / (took - first[0]) if first else None
    return {
        "network": network,
        "pictures": said["channels"],
        "by": said["by"],
        "planned": said["seconds"],
        "took": took,
        "left": left,
    }


def line(row: dict[str, Any]) -> str:
    """One row as Markdown."""
    ratio, left = row["planned"] / row["took"], "" if row["left"] is None else f"{row['left']:.2f}"
    numbers = f"{row['planned']:.0f} s | {row['took']:.0f} s | {ratio:.2f} | {left}"
    return f"| {row['network']} | {row['pictures']} | {numbers} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold what atlas plan says against builds.")
    parser.add_argument("out", type=Path, help="folder for stores, sites and plan.json")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--seconds", type=float, default=100, help="that each build is to take")
    given = parser.parse_args()
    folder = given.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    networks = given.networks.split(",")
    planned(folder, written(folder, networks[0], 1), "--calibrate")
    print("| network | pictures | plan | build | plan over build | time left after a tenth over what was left |")
    print("|---|---|---|---|---|---|", flush=True)
    rows = []
    for network in networks:
        rows.append(measured(folder, network, given.seconds))
        print(line(rows[-1]), flush=True)
        (folder / "plan.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
