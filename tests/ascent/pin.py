"""The toy pictures whose bytes are pinned: ``python -m tests.ascent.pin`` writes them after KERNEL was raised."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# oneDNN chooses its code by the processor; without it the same bytes come out on every x86-64 one.
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="2", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", TF_ENABLE_ONEDNN_OPTS="0"
)


def pictures() -> dict[str, Any]:
    sys.modules["sklearn"] = None  # type: ignore[assignment]  # Keras would import it, which takes a second
    import keras
    import numpy as np
    from PIL import Image

    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import render
    from atlas.engine.worker import versions
    from atlas.networks.load import load
    from atlas.spec.facts import NetworkRef, Preprocessing
    from atlas.spec.objectives import Caricature
    from atlas.spec.plan import KERNEL
    from atlas.spec.recipes import RECIPES
    from atlas.spec.slots import Octaves

    picture = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(6, 3, activation="relu", name="first")(picture)
    second = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="second")(first)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pinned.keras"
        keras.Model(picture, second).save(path)
        network = load(NetworkRef(str(path), "random", 1, Preprocessing()))
        photo = Path(folder) / "photo.png"
        rows, columns = np.mgrid[:24, :24]
        Image.fromarray(np.stack([8 * rows, 8 * columns, 4 * rows + 4 * columns], axis=-1).astype(np.uint8)).save(photo)
        for name, recipe in RECIPES.items():
            if name == "fine":  # default, but for its steps
                continue
            changes: dict[str, Any] = {"size": 24, "steps": 5}
            if name == "deepdream":  # from noise, since in grey nothing of so small a layer is active
                changes |= {"octaves": Octaves(count=2), "start": "noise"}
            if name == "caricature":
                changes["objective"] = Caricature(photo=str(photo))
            kernel = Kernel(network, "second", recipe.model_copy(update=changes))
            found[name] = render(kernel, [2])[0].picture.tobytes().hex()
    return {"kernel": KERNEL, "pictures": found, "versions": versions()}


if __name__ == "__main__":
    text = json.dumps(pictures())
    if "--print" in sys.argv:
        print(text)
    else:
        (Path(__file__).parent / "pins.json").write_text(text + "\n")
