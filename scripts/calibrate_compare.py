"""What `atlas compare` says of pictures of which the answer is known: the figures behind its thresholds.

    python scripts/calibrate_compare.py OUT [--workers 2]

Renders 64 channels of mixed2 to mixed4 of the embedded InceptionV3 with the recipe ``lucid`` twice, from other seeds,
and holds the second set of pictures against the first: as they are, and each for the channel of another of its layer.
Prints a table as Markdown; the pictures stay in OUT, so that they are rendered once.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from quality import SIDE, render_layer

from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.recipes import RECIPES

NETWORK = NetworkRef("inceptionv3", "embedded")
LAYERS = {"mixed2": 288, "mixed3": 768, "mixed4": 768}
CHANNELS = (21, 21, 22)  # of each layer
SEEDS = {"ours": 0, "theirs": 1000}


def cases() -> dict[str, np.ndarray]:
    """The channels of each layer, evenly spread; none of the first two, of which there are pictures by others."""
    spread = zip(LAYERS.items(), CHANNELS, strict=True)
    return {layer: np.linspace(2, depth - 1, count).round().astype(int) for (layer, depth), count in spread}


def judged(layer: str, channels: np.ndarray, out: str) -> dict[str, tuple[np.ndarray, ...]]:
    """Shares of ranks, likeness and verdicts of one layer's channels: right pairs, and permuted ones."""
    start_tensorflow(1)
    from atlas.networks.load import load
    from atlas.probes.versus import Crowd, versus

    made = {name: np.load(Path(out) / f"{name}-{layer}.npz")["pictures"] for name in SEEDS}
    pictures = [one for other in LAYERS for one in np.load(Path(out) / f"ours-{other}.npz")["pictures"]]
    crowd = Crowd(pictures, [one if other == layer else -1 for other, own in cases().items() for one in own])
    turned = np.roll(np.arange(len(channels)), len(channels) // 2)
    found: dict[str, tuple[np.ndarray, ...]] = {}
    for name, order in (("right", np.arange(len(channels))), ("permuted", turned)):
        one = versus(load(NETWORK).cut(layer), channels, made["theirs"][order], made["ours"], crowd)
        found[name] = (one.rank / one.others, one.alike, one.verdict)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures behind the thresholds of atlas compare.")
    parser.add_argument("out", type=Path, help="folder for pictures")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    out, work = str(given.out), Parallel(n_jobs=given.workers, backend="loky", batch_size=1)
    recipe = RECIPES["lucid"].model_copy(update={"size": SIDE})
    work(
        delayed(render_layer)(NETWORK, name, recipe.model_copy(update={"seed": seed}), layer, channels.tolist(), out)
        for name, seed in SEEDS.items()
        for layer, channels in cases().items()
    )
    found = work(delayed(judged)(layer, channels, out) for layer, channels in cases().items())
    print("| pairs | rank's share, median | smallest | largest | alike, 5 % | largest | same | unclear | different |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ("right", "permuted"):
        share, alike, verdict = (np.concatenate(part) for part in zip(*(one[name] for one in found), strict=True))
        counts = " | ".join(str((verdict == place).sum()) for place in range(3))
        shares = f"{np.median(share):.3f} | {share.min():.3f} | {share.max():.3f}"
        print(f"| {name} | {shares} | {np.quantile(alike, 0.05):.2f} | {alike.max():.2f} | {counts} |")


if __name__ == "__main__":
    main()
