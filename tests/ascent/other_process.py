"""Renders channels of some layers and prints the hashes of their pictures: run by a test in another process."""

import functools
import hashlib
import json
import os
import sys
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")

from atlas.runtime import start_tensorflow

WEIGHTS = {"inceptionv3": "embedded"}


def hashes(network: str, layer: str, channels: list[int]) -> dict[int, str]:
    from atlas.ascent.render import render

    made = render(kernel(network, layer), channels)
    return {one.channel: hashlib.sha256(one.picture).hexdigest() for one in made}


@functools.lru_cache(maxsize=1)
def kernel(network: str, layer: str) -> Any:
    """With all that makes it fast: slices, fused batch norms, compiled resampling, images that settle and drop out."""
    from atlas.ascent.kernel import Kernel
    from atlas.networks.load import load
    from atlas.spec.facts import NetworkRef, Preprocessing
    from atlas.spec.recipe import Recipe
    from atlas.spec.slots import Settle

    own = Preprocessing() if network.endswith(".keras") else None
    weights = WEIGHTS.get(network, "random")
    size = 32 if own else 96 if network == "inceptionv3" else 48
    recipe = Recipe(size=size, steps=12, settle=Settle(window=4, gain=0.2))
    return Kernel(load(NetworkRef(network, weights, 1, own)), layer, recipe)


if __name__ == "__main__":
    start_tensorflow(1)  # as a worker does
    print(json.dumps([hashes(*asked) for asked in json.loads(sys.argv[1])]))
