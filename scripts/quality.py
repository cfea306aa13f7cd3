"""Compare recipes by what their pictures excite and how they look, over 64 channels of an embedded network.

    python scripts/quality.py OUT [--network inceptionv3] [--recipes default,default@150,lucid,tutorial]
        [--workers 2] [--probes FILE.npz] [--contrast-of default]

Prints tables as Markdown and writes contact sheets, ``results.json``, and ``frontier.json`` for ``frontier.py`` into
OUT. The pictures of a recipe lie there too, so that a recipe is rendered once however often the tables are made.
``default@150`` is a recipe with so many steps, ``default:arithmetic=bfloat16`` one with another value.

The *robust score* of a picture is that of ``atlas.probes.robust``: the mean over 16 fixed draws (scale 0.95 to 1.05,
rotation up to 5 degrees, shift up to 4 px) of its channel's spatial mean on the finished 8-bit picture. *Six views* is
the geometric mean of that score over the picture as it is, with itself mirrored and wrapped around it, and at 0.67,
0.84 and 1.2 of its side, each over that of the recipe ``--against``, whose dead channels are left out. *Selectivity* is
the rank of its own channel in the layer, each channel z-scored over all pictures of the run (of all layers and
recipes), and over those of ``--probes`` (its array of pictures ``(n, h, w, 3) uint8``). *Cost* counts image-steps times
the pixels that the network sees. How pictures look is defined in ``scripts/peers/eye.py``.
More contrast excites most channels more: ``--contrast-of`` brings the pictures of all recipes to the mean and deviation
of one recipe's before they are scored.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from joblib import Parallel, delayed
from PIL import Image

from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
import eye

CHANNELS = 64
# How many channels of each layer, CHANNELS in all. A batch is a power of two; one that is not full costs as much as one
# that is.
LAYERS = {
    "inceptionv3": {"mixed0": 8, "mixed1": 8, "mixed2": 16, "mixed3": 16, "mixed4": 16},
    "vgg16": {
        "block2_conv1": 8,
        "block2_conv2": 8,
        "block3_conv1": 8,
        "block3_conv3": 8,
        "block4_conv1": 8,
        "block4_conv3": 8,
        "block5_conv1": 8,
        "block5_conv3": 8,
    },
}
SIDE = 128
FLOOR = 1e-3


def cases(ref: NetworkRef, total: int) -> dict[str, list[int]]:
    """The channels of each layer, evenly spread from its first to its last: ``total`` in all layers."""
    from atlas.networks.catalog import facts

    known, result = facts(ref), {}
    for name, share in LAYERS[ref.network].items():
        count = share * total // CHANNELS
        layer = known.layer(name)
        assert layer is not None
        result[name] = [int(channel) for channel in np.linspace(0, layer.channels - 1, count).round()]
    return result


def cost(recipe: Recipe) -> float:
    """Image-steps times pixels of one picture; a step with several looks counts as often."""
    return recipe.steps * recipe.looks * float(recipe.seen) ** 2


def recipes(names: list[str]) -> dict[str, Recipe]:
    """The recipes at 128 px: ``NAME`` as it is, ``NAME@STEPS`` with so many steps, ``NAME:KEY=VALUE`` so changed.

    The tutorial's takes as many as the default recipe's cost allows, if none are named.
    """
    found = {}
    for name in names:
        base, _, change = name.partition(":")
        base, _, steps = base.partition("@")
        if base == "tutorial" and not steps:
            steps = str(round(cost(_sized("default")) / SIDE**2))
        key, _, value = change.partition("=")
        changes = {key: yaml.safe_load(value)} if key else {}
        found[name] = _sized(base, **changes, **({"steps": int(steps)} if steps else {}))
    return found


def _sized(name: str, **changes: Any) -> Recipe:
    return Recipe.model_validate(RECIPES[name].model_dump() | {"size": SIDE, **changes})


def render_layer(ref: NetworkRef, name: str, recipe: Recipe, layer: str, channels: list[int], out: str) -> None:
    """Render one layer's channels under one recipe into ``OUT/name-layer.npz``, unless they lie there."""
    place = Path(out) / f"{name}-{layer}.npz"
    if place.exists():
        return
    start_tensorflow(1)
    from atlas.ascent.kernel import Kernel
    from atlas.ascent.render import render
    from atlas.networks.load import load

    kernel = Kernel(load(ref), layer, recipe)
    made = render(kernel, channels)
    np.savez_compressed(
        place, pictures=np.stack([one.picture for one in made]), states=np.array([one.state for one in made])
    )


def levelled(pictures: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Pictures ``(n, s, s, 3) uint8``, each at the mean of every colour and the deviation of its fellow in ``like``."""
    (mean, deviation), (mean_like, deviation_like) = (
        (some.mean(axis=(1, 2), keepdims=True), some.std(axis=(1, 2, 3), keepdims=True)) for some in (pictures, like)
    )
    values = (pictures - mean) * deviation_like / np.maximum(deviation, 1e-6) + mean_like
    return np.asarray(np.clip(values, 0, 255).round(), np.uint8)


def judge_layer(
    ref: NetworkRef, names: list[str], layer: str, channels: list[int], out: str, probes: np.ndarray, level: str = ""
) -> dict[str, Any]:
    """Robust scores in six views, ranks and looks of the pictures of one layer by recipe.

    Where ``level`` names a recipe, scores are those of pictures at the contrast of its own.
    """
    start_tensorflow(1)
    from atlas.networks.load import load
    from atlas.probes.likeness import responses
    from atlas.probes.robust import robust_scores

    cut = load(ref).cut(layer)
    pictures = {name: np.load(Path(out) / f"{name}-{layer}.npz")["pictures"] for name in names}
    own = np.arange(len(channels)), channels
    result: dict[str, Any] = {}
    plain = {name: responses(cut, some)[0] for name, some in pictures.items()}
    others = [np.load(place)["pictures"] for name in names for place in sorted(Path(out).glob(f"{name}-*.npz"))]
    everything = np.concatenate([responses(cut, some)[0] for some in [*others, probes] if len(some)])
    mean, deviation = everything.mean(axis=0), everything.std(axis=0) + 1e-6
    scored = [levelled(some, pictures[level]) if level else some for some in pictures.values()]
    shown = eye.views(np.concatenate(scored))  # of all recipes together, which fill batches
    scores = np.stack([robust_scores(cut, seen, channels * len(names)) for seen in shown.values()])
    scores = scores.reshape(len(shown), len(names), len(channels))
    for place, (name, some) in enumerate(pictures.items()):
        z = (plain[name] - mean) / deviation
        values = some / 255.0
        result[name] = {
            "score": scores[:, place].tolist(),
            "rank": (z > z[own][:, None]).sum(axis=1).tolist(),
            "colour": values.mean(axis=(1, 2)).tolist(),
            "deviation": values.std(axis=(1, 2, 3)).tolist(),
            "saturated": ((some <= 0) | (some >= 255)).mean(axis=(1, 2, 3)).tolist(),
            "fullness": eye.fullness(some).tolist(),
            "holes": eye.in_holes(some).tolist(),
            "spectrum": eye.from_nature(some).tolist(),
            "spread": [eye.colour_spread(some)],
        }
    return result


def sound(colour: np.ndarray, deviation: np.ndarray, saturated: np.ndarray) -> np.ndarray:
    """Which pictures are neither pale, tinted nor blown out."""
    tinted = (np.abs(colour - 0.5) > 0.12).any(axis=1)
    return ~tinted & (deviation >= 0.2) & (saturated < 0.02)


def tables(judged: dict[str, dict[str, Any]], made: dict[str, Recipe], against: str) -> list[str]:
    """The figures as lines of Markdown: scores over those of one recipe, looks, scores by layer."""
    joined, each = _by_recipe(judged), in_views(judged, against)
    lines = [
        f"| over {against} | steps | sees | cost | {' | '.join(eye.VIEWS)} | six views | rank, median | rank 0 |",
        "|---|---|---|---|" + "---|" * len(eye.VIEWS) + "---|---|---|",
    ]
    for name, recipe in made.items():
        found = joined[name]
        lines.append(
            f"| {name} | {recipe.steps} | {recipe.seen} px | {cost(recipe) / cost(made[against]):.2f} "
            f"| {' | '.join(f'{value:.2f}' for value in each[name])} | {geometric(each[name]):.3f} "
            f"| {np.median(found['rank']):g} | {(found['rank'] == 0).mean():.0%} |"
        )
    lines += [
        "",
        "| looks | sound | fullness, four sides | all >= 0.7 | all <= 1.25 | holes | from 1/f | colours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in made:
        found = joined[name]
        good, full = sound(found["colour"], found["deviation"], found["saturated"]), found["fullness"]
        lines.append(
            f"| {name} | {good.mean():.0%} | {', '.join(f'{side:.2f}' for side in full.mean(axis=0))} "
            f"| {(full.min(axis=1) >= 0.7).mean():.0%} | {(full.max(axis=1) <= 1.25).mean():.0%} "
            f"| {(found['holes'] > 0).mean():.0%} | {found['spectrum'].mean():.2f} | {found['spread'].mean():.2f} |"
        )
    lines += ["", "| six views over " + against + " | " + " | ".join(judged) + " |", "|---|" + "---|" * len(judged)]
    for name in made:
        by_layer = [geometric(in_views({layer: one}, against)[name]) for layer, one in judged.items()]
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in by_layer) + " |")
    return lines


def in_views(judged: dict[str, dict[str, Any]], against: str) -> dict[str, list[float]]:
    """Of each recipe the score over that of one, in each view, without the channels that are dead under that one."""
    joined = _by_recipe(judged)
    theirs = np.maximum(joined[against]["score"], FLOOR)
    alive = joined[against]["score"][0] >= FLOOR
    return {
        name: [geometric(row[alive]) for row in np.maximum(found["score"], FLOOR) / theirs]
        for name, found in joined.items()
    }


def _by_recipe(judged: dict[str, dict[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    """What is known of each recipe's pictures, of all layers after each other."""
    names = next(iter(judged.values()))
    return {name: {key: _joined(judged, name, key) for key in found} for name, found in names.items()}


def _joined(judged: dict[str, dict[str, Any]], name: str, key: str) -> np.ndarray:
    """What is known of a recipe's pictures, of all layers after each other; scores are ``(views, n)``."""
    return np.concatenate([np.array(layer[name][key]) for layer in judged.values()], axis=-1 if key == "score" else 0)


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
    parser.add_argument(
        "--network", choices=LAYERS, default="inceptionv3", help="whose channels, with embedded weights"
    )
    parser.add_argument("--recipes", default="default,lucid,tutorial", help="names; default@150 has 150 steps")
    parser.add_argument("--against", default="lucid", help="the one that the others are held against")
    parser.add_argument("--contrast-of", default="", metavar="RECIPE", help="at whose contrast pictures are scored")
    parser.add_argument("--channels", type=int, default=CHANNELS, help="how many of all layers: 64, 32 or 16")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    parser.add_argument("--probes", type=Path, help="an .npz whose pictures join the z-scores")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    ref = NetworkRef(given.network, "embedded")
    level = [given.contrast_of] if given.contrast_of else []
    names, layers = list(dict.fromkeys([*given.recipes.split(","), given.against, *level])), cases(ref, given.channels)
    made = recipes(names)
    out = str(given.out)
    work = Parallel(n_jobs=given.workers, backend="loky", batch_size=1)
    order = sorted(((n, r, la, c) for n, r in made.items() for la, c in layers.items()), key=lambda one: -cost(one[1]))
    work(delayed(render_layer)(ref, *one, out) for one in order)
    probes = np.load(given.probes)["pictures"] if given.probes else np.zeros((0, SIDE, SIDE, 3), np.uint8)
    found = work(delayed(judge_layer)(ref, names, *one, out, probes, given.contrast_of) for one in layers.items())
    judged = dict(zip(layers, found, strict=True))
    (given.out / "results.json").write_text(json.dumps(judged))
    scores = in_views(judged, given.against)
    points = [(name, cost(one) / cost(made[given.against]), geometric(scores[name])) for name, one in made.items()]
    (given.out / "frontier.json").write_text(json.dumps(points))
    sheet(names, layers, given.out)
    print("\n".join(tables(judged, made, given.against)))


if __name__ == "__main__":
    main()
