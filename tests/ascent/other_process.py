"""Renders channels of some layers and prints the hashes of their pictures: run by a test in another process."""

import functools
import hashlib
import json
import os
import subprocess
import sys
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")

from atlas.runtime import start_tensorflow

WEIGHTS = {"inceptionv3": "embedded", "vgg16": "embedded"}


def hashes(network: str, layer: str, channels: list[int], arithmetic: str = "fast") -> dict[str, str]:
    """The sha256 of each channel's picture, by its number."""
    from atlas.ascent.render import render

    made = render(kernel(network, layer, arithmetic), channels)
    return {str(one.channel): hashlib.sha256(one.picture).hexdigest() for one in made}


def in_another(asked: list[list[Any]]) -> list[dict[str, str]]:
    """What a process of its own finds for each list of arguments to ``hashes``, one after the other."""
    command = [sys.executable, "-m", "tests.ascent.other_process", json.dumps(asked)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, str]] = json.loads(run.stdout.splitlines()[-1])
    return found


@functools.lru_cache(maxsize=1)
def kernel(network: str, layer: str, arithmetic: str) -> Any:
    """With all that makes it fast: slices, fused batch norms, compiled resampling, images that settle and drop out."""
    from atlas.ascent.kernel import Kernel
    from atlas.networks.load import load
    from atlas.spec.facts import NetworkRef, Preprocessing
    from atlas.spec.recipe import Recipe
    from atlas.spec.slots import Settle

    own = Preprocessing() if network.endswith(".keras") else None
    weights = WEIGHTS.get(network, "random")
    size = 32 if own else 96 if network == "inceptionv3" else 48
    recipe = Recipe(size=size, steps=12, settle=Settle(window=4, gain=0.2), arithmetic=arithmetic)
    return Kernel(load(NetworkRef(network, weights, 1, own)), layer, recipe)


if __name__ == "__main__":
    start_tensorflow(1)  # as a worker does
    print(json.dumps([hashes(*asked) for asked in json.loads(sys.argv[1])]))
