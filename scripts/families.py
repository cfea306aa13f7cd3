"""Count the channels that are raised in ten families of keras.applications with random weights.

    python scripts/families.py [--workers 2] [--channels 16] [--seed 0]

For each network three of its feature layers, an early, a middle and a late one, with as many channels each, spread over
the layer; recipe ``preview`` at 96 px. Prints a table as Markdown, and names the channels that are not raised. Nothing
is downloaded: weights are drawn from the seed. Some ten minutes on two cores.
"""

import argparse
import os

import numpy as np
from joblib import Parallel, delayed

from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.recipes import RECIPES

NETWORKS = (
    *("convnexttiny", "densenet121", "efficientnetb0", "efficientnetv2b0", "mobilenet"),
    *("mobilenetv2", "mobilenetv3small", "nasnetmobile", "resnet50", "xception"),
)
PLACES = (0.15, 0.5, 0.85)  # of a network's feature layers, from input to output
BATCH = 8


def raised(network: str, place: float, count: int, seed: int) -> tuple[str, str, list[tuple[int, str, int]]]:
    """The layer at a place, its activation function, and channel, state and attempt of each picture."""
    start_tensorflow(1)
    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import render
    from atlas.networks.load import load

    loaded = load(NetworkRef(network, "random", seed))
    layers = loaded.facts.feature_layers
    layer = layers[int(place * len(layers))]
    kernel = Kernel(loaded, layer.name, RECIPES["preview"])
    channels = np.unique(np.linspace(0, layer.channels - 1, count).astype(int)).tolist()
    made = [one for first in range(0, len(channels), BATCH) for one in render(kernel, channels[first : first + BATCH])]
    return layer.name, layer.activation, [(one.channel, one.state, one.attempt) for one in made]


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the channels that are raised in ten families.")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    parser.add_argument("--channels", type=int, default=16, help="of each layer")
    parser.add_argument("--seed", type=int, default=0, help="of the weights")
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    given = parser.parse_args()
    parts = [(network, place) for network in given.networks for place in PLACES]
    work = (delayed(raised)(network, place, given.channels, given.seed) for network, place in parts)
    print("| network | layer | behind | raised | at once | by the last resort | not raised |")
    print("|---|---|---|---|---|---|---|")
    good = total = 0
    found = Parallel(n_jobs=given.workers, batch_size=1, return_as="generator")(work)
    for (network, _), (layer, function, states) in zip(parts, found, strict=True):
        up = [attempt for _, state, attempt in states if state in ("activated", "raised")]
        down = ", ".join(str(channel) for channel, state, _ in states if state not in ("activated", "raised"))
        row = (f"{len(up)} of {len(states)}", up.count(0), sum(attempt > 3 for attempt in up), down)
        print(f"| {network} | {layer} | {function or '–'} | {' | '.join(map(str, row))} |", flush=True)
        good, total = good + len(up), total + len(states)
    print(f"| all | | | {good} of {total} ({good / total:.1%}) | | | |")


if __name__ == "__main__":
    main()
