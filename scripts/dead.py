"""Count the channels of mixed0 to mixed4 of the embedded InceptionV3 that end activated, with and without the cure.

    python scripts/dead.py [--workers 2]

Prints a table as Markdown and names the channels that stay dead. The *cure* is what the recipe ``preview`` does for a
channel that is nowhere above zero at its start: the leak of its objective, the share of the gradient that goes on
through shut ReLUs, and the ascent before the ReLU while all of it is shut. Without it the mean activation ascends as it
is. All of it takes about 20 minutes on two cores.
"""

import argparse
import os
from typing import Any
from unittest import mock

import numpy as np
from joblib import Parallel, delayed

from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES

NETWORK = NetworkRef("inceptionv3", "embedded")
LAYERS = {"mixed0": 256, "mixed1": 288, "mixed2": 288, "mixed3": 768, "mixed4": 768}
BATCH = 16
PART = 96  # channels that one process does with one trace


def states(recipe: Recipe, cured: bool, layer: str, channels: list[int]) -> list[tuple[str, int]]:
    """State and attempt of each channel's picture; without the cure of the first attempt only."""
    start_tensorflow(1)
    import tensorflow as tf

    from atlas.ascent import objectives, render
    from atlas.ascent.kernel import Kernel
    from atlas.networks.load import load

    def as_it_is(_term: Any, sight: Any, before: Any) -> objectives.Looked:
        field = sight.activate_channel(before)
        mean = tf.reduce_mean(field, axis=[1, 2])
        return objectives.Looked(mean, mean, field)

    found = []
    with mock.patch.object(objectives, "_raised", objectives._raised if cured else as_it_is):
        kernel = Kernel(load(NETWORK), layer, recipe if cured else recipe.model_copy(update={"through": 0.0}))
        for first in range(0, len(channels), BATCH):
            some = channels[first : first + BATCH]
            found += render.render(kernel, some) if cured else render._batch(kernel, some, 0)
    return [(one.state, one.attempt) for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the channels that end activated, with and without the cure.")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    given = parser.parse_args()
    recipe = RECIPES["preview"]
    parts = [
        (cured, layer, list(range(first, min(first + PART, count))))
        for cured in (False, True)
        for layer, count in LAYERS.items()
        for first in range(0, count, PART)
    ]
    found = Parallel(n_jobs=given.workers, batch_size=1, verbose=5)(delayed(states)(recipe, *part) for part in parts)
    print("| layer | channels | without the cure | with it | after three more seeds | still dead |")
    print("|---|---|---|---|---|---|")
    totals = np.zeros(4, int)
    for layer, count in LAYERS.items():
        bare, cured = (
            [one for part, some in zip(parts, found, strict=True) if part[:2] == (way, layer) for one in some]
            for way in (False, True)
        )
        activated = [state == "activated" for state, _ in cured]
        at_once = sum(good and attempt == 0 for good, (_, attempt) in zip(activated, cured, strict=True))
        row = np.array([count, sum(state == "activated" for state, _ in bare), at_once, sum(activated)])
        dead = ", ".join(str(channel) for channel, good in enumerate(activated) if not good)
        print(f"| {layer} | {' | '.join(map(str, row))} | {dead} |")
        totals += row
    shares = " | ".join(f"{number:,} ({number / totals[0]:.1%})" for number in totals[1:])
    print(f"| all | {totals[0]:,} | {shares} | |")


if __name__ == "__main__":
    main()
