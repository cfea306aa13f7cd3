"""Renders three toy channels and prints their hashes: run by a test in another process."""

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")


def hashes(toy: Path) -> dict[str, str]:
    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import render
    from atlas.networks.load import load
    from atlas.spec.facts import NetworkRef, Preprocessing
    from atlas.spec.recipe import Recipe

    network = load(NetworkRef(str(toy), "random", 1, Preprocessing()))
    kernel = Kernel(network, "both", Recipe(size=32, steps=8))
    return {str(one.channel): hashlib.sha256(one.picture).hexdigest() for one in render(kernel, [1, 13, 20])}


if __name__ == "__main__":
    print(json.dumps(hashes(Path(sys.argv[1]))))
