"""Compare recipes over 64 channels of mixed0 to mixed4 of the embedded InceptionV3, by what their pictures excite.

    python scripts/quality.py OUT [--recipes default,lucid,tutorial] [--workers 2] [--probes FILE.npz]

Prints tables as Markdown and writes contact sheets and ``results.json`` into OUT. The pictures of a recipe lie there
too, so that a recipe is rendered once however often the tables are made.

The *robust score* of a picture is that of ``atlas.probes.robust``: the mean over 16 fixed draws (scale 0.95 to 1.05,
rotation up to 5 degrees, shift up to 4 px) of its channel's spatial mean on the finished 8-bit picture. *Selectivity*
is the rank of its own channel in the layer, each channel z-scored over all pictures of the run (of all layers and
recipes), and over those of ``--probes`` (its array of pictures ``(n, h, w, 3) uint8``). *Cost* counts image-steps
times the pixels that the network sees.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES

NETWORK = NetworkRef("inceptionv3", "embedded")
LAYERS = ("mixed0", "mixed1", "mixed2", "mixed3", "mixed4")
CHANNELS = 64
SIDE = 128
FLOOR = 1e-3


def cases() -> dict[str, list[int]]:
    """The channels of each layer: as many of each as it goes, evenly spread."""
    from atlas.networks.catalog import facts

    known, result = facts(NETWORK), {}
    for index, name in enumerate(LAYERS):
        count = CHANNELS // len(LAYERS) + (index < CHANNELS % len(LAYERS))
        layer = known.layer(name)
        assert layer is not None
        result[name] = [int(channel) for channel in np.linspace(0, layer.channels - 1, count).round()]
    return result


def cost(recipe: Recipe) -> float:
    """Image-steps times pixels of one picture."""
    return recipe.steps * float(recipe.seen) ** 2


def recipes(names: list[str]) -> dict[str, Recipe]:
    """The recipes at 128 px; the tutorial's takes as many steps as the default recipe's cost allows."""
    sized = {name: RECIPES[name].model_copy(update={"size": SIDE}) for name in {*names, "default"}}
    if "tutorial" in names:
        steps = round(cost(sized["default"]) / SIDE**2)
        sized["tutorial"] = sized["tutorial"].model_copy(update={"steps": steps})
    return {name: sized[name] for name in names}


def render_layer(name: str, recipe: Recipe, layer: str, channels: list[int], out: str) -> None:
    """Render one layer's channels under one recipe into ``OUT/name-layer.npz``, unless they lie there."""
    place = Path(out) / f"{name}-{layer}.npz"
    if place.exists():
        return
    start_tensorflow(1)
    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import render
    from atlas.networks.load import load

    kernel = Kernel(load(NETWORK), layer, recipe)
    made = render(kernel, channels)
    np.savez_compressed(
        place, pictures=np.stack([one.picture for one in made]), states=np.array([one.state for one in made])
    )


def judge_layer(names: list[str], layer: str, channels: list[int], out: str, probes: np.ndarray) -> dict[str, Any]:
    """Robust scores, ranks and colours of the pictures of one layer by recipe."""
    start_tensorflow(1)
    from atlas.networks.load import load
    from atlas.probes.likeness import responses
    from atlas.probes.robust import robust_scores

    cut = load(NETWORK).cut(layer)
    pictures = {name: np.load(Path(out) / f"{name}-{layer}.npz")["pictures"] for name in names}
    own = np.arange(len(channels)), channels
    result: dict[str, Any] = {}
    plain = {name: responses(cut, some)[0] for name, some in pictures.items()}
    others = [np.load(place)["pictures"] for name in names for place in sorted(Path(out).glob(f"{name}-mixed?.npz"))]
    everything = np.concatenate([responses(cut, some)[0] for some in [*others, probes] if len(some)])
    mean, deviation = everything.mean(axis=0), everything.std(axis=0) + 1e-6
    for name, some in pictures.items():
        z = (plain[name] - mean) / deviation
        values = some / 255.0
        result[name] = {
            "score": robust_scores(cut, some, channels).tolist(),
            "rank": (z > z[own][:, None]).sum(axis=1).tolist(),
            "colour": values.mean(axis=(1, 2)).tolist(),
            "deviation": values.std(axis=(1, 2, 3)).tolist(),
            "saturated": ((some <= 0) | (some >= 255)).mean(axis=(1, 2, 3)).tolist(),
        }
    return result


def sound(colour: np.ndarray, deviation: np.ndarray, saturated: np.ndarray) -> np.ndarray:
    """Which pictures are neither pale, tinted nor blown out."""
    tinted = (np.abs(colour - 0.5) > 0.12).any(axis=1)
    return ~tinted & (deviation >= 0.2) & (saturated < 0.02)


def tables(judged: dict[str, dict[str, Any]], made: dict[str, Recipe]) -> list[str]:
    """The figures as lines of Markdown; the first recipe is held against the others."""
    joined = {
        name: {key: np.concatenate([np.array(layer[name][key]) for layer in judged.values()]) for key in found}
        for name, found in next(iter(judged.values())).items()
    }
    floored = {name: np.maximum(found["score"], FLOOR) for name, found in joined.items()}
    first = next(iter(made))
    lines = [
        "| recipe | steps | sees | cost | robust score | floored | rank, median | rank 0 | sound pictures |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, recipe in made.items():
        found = joined[name]
        good = sound(found["colour"], found["deviation"], found["saturated"])
        lines.append(
            f"| {name} | {recipe.steps} | {recipe.seen} px | {cost(recipe) / cost(made[first]):.2f} "
            f"| {geometric(floored[name]):.2f} | {(found['score'] < FLOOR).sum()} | {np.median(found['rank']):g} "
            f"| {(found['rank'] == 0).mean():.0%} | {good.mean():.0%} |"
        )
    lines += ["", "| over | " + " | ".join(judged) + " | all |", "|---|" + "---|" * (len(judged) + 1)]
    for name in made:
        if name != first:
            each = [
                geometric(np.maximum(layer[first]["score"], FLOOR) / np.maximum(layer[name]["score"], FLOOR))
                for layer in judged.values()
            ]
            every = [*each, geometric(floored[first] / floored[name])]
            lines.append(f"| {first} / {name} | " + " | ".join(f"{value:.2f}" for value in every) + " |")
    return lines


def geometric(values: Any) -> float:
    return float(np.exp(np.log(values).mean()))


def sheet(names: list[str], layers: dict[str, list[int]], out: Path) -> None:
    """``OUT/sheet-LAYER.png``: a row for each recipe, a column for each channel."""
    for layer in layers:
        rows = [np.load(out / f"{name}-{layer}.npz")["pictures"] for name in names]
        padded = [np.pad(row, ((0, 0), (2, 2), (2, 2), (0, 0))) for row in rows]
        Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in padded])).save(
            out / f"sheet-{layer}.png"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare recipes over 64 channels by what their pictures excite.")
    parser.add_argument("out", type=Path, help="folder for pictures, sheets and results.json")
    parser.add_argument("--recipes", default="default,lucid,tutorial", help="names; the first is held against the rest")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    parser.add_argument("--probes", type=Path, help="an .npz whose pictures join the z-scores")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    names, layers = given.recipes.split(","), cases()
    made = recipes(names)
    out = str(given.out)
    work = Parallel(n_jobs=given.workers, backend="loky", batch_size=1)
    order = sorted(((n, r, la, c) for n, r in made.items() for la, c in layers.items()), key=lambda one: -cost(one[1]))
    work(delayed(render_layer)(*one, out) for one in order)
    probes = np.load(given.probes)["pictures"] if given.probes else np.zeros((0, SIDE, SIDE, 3), np.uint8)
    found = work(delayed(judge_layer)(names, layer, channels, out, probes) for layer, channels in layers.items())
    judged = dict(zip(layers, found, strict=True))
    (given.out / "results.json").write_text(json.dumps(judged))
    sheet(names, layers, given.out)
    print("\n".join(tables(judged, made)))


if __name__ == "__main__":
    main()
