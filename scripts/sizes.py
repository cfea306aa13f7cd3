"""One channel's pictures at several sizes in a line, without their labels, for readers who say which they like best.

    python scripts/sizes.py sheets OUT [--networks inceptionv3,vgg16] [--channels 4] [--vary sizes] [--workers 2]
    python scripts/sizes.py count OUT

``sheets`` renders a few channels of an early, a middle and a deep layer of each embedded network and lays them out
in ``OUT/sheets``: on each line a number and one channel's pictures, A to D from the left, in an order that is drawn,
all as wide as the channel's page shows them. ``--vary sizes`` varies the side of the picture, ``steps`` how long it
ascends, ``scale`` how large the network sees it. ``OUT/key.json`` says what is where: keep it from the readers.

A reader writes ``OUT/answers-NAME.txt`` with a line such as ``17 B`` for every number: which picture they would rather
see on the page of that channel. ``count`` unblinds: of each layer, how often each variant was chosen, and its work.
"""

import argparse
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from PIL import Image, ImageDraw

from atlas.spec.facts import NetworkRef
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES

sys.path.insert(0, str(Path(__file__).resolve().parent))
from quality import cost, render_layer

LAYERS = {
    "inceptionv3": ("mixed0", "mixed2", "mixed4"),
    "vgg16": ("block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"),
}
NARROW, USUAL, WIDE = (0.9, 1.3), (0.75, 1.15), (0.5, 0.8)
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "sizes": {f"{side} px": {"size": side, "steps": 153} for side in (96, 128, 160, 224)},
    "steps": {f"{steps} steps": {"steps": steps, "size": 128} for steps in (76, 153, 306, 612)},
    "scale": {
        f"scale {low} to {high}": {"scale": (low, high), "size": 160, "steps": 153}
        for low, high in (NARROW, USUAL, WIDE)
    },
}
SHOWN, GAP, LABEL = 224, 12, 56  # pixels: a picture's width on the sheet, between pictures, for the number
LINES = 5  # of a sheet


def variant(changes: dict[str, Any]) -> Recipe:
    """The default recipe so changed; ``scale`` changes that of its transforms."""
    recipe = RECIPES["default"].model_dump()
    changes = dict(changes)
    if scale := changes.pop("scale", None):
        for transform in recipe["transforms"]:
            if transform["name"] == "scale":
                transform["between"] = scale
    return Recipe.model_validate(recipe | changes)


def chosen(ref: NetworkRef, layer: str, count: int) -> list[int]:
    """So many channels of a layer, evenly spread, neither its first nor its last."""
    from atlas.networks.catalog import facts

    known = facts(ref).layer(layer)
    assert known is not None
    return [int(channel) for channel in np.linspace(0, known.channels, count + 2)[1:-1]]


def sheets(out: Path, what: str, networks: list[str], count: int, workers: int) -> None:
    """Render what is missing and write the sheets and the key, unless OUT holds answers to other sheets."""
    if answers := sorted(out.glob("answers-*.txt")):
        raise SystemExit(f"{out}: expected no answers to other sheets, found {answers[0].name}; choose another folder")
    made = {name: variant(changes) for name, changes in VARIANTS[what].items()}
    given = {"what": what, "networks": networks, "channels": count, "variants": VARIANTS[what]}
    said = json.loads(json.dumps(given))
    if (before := out / "given.json").exists() and json.loads(before.read_text()) != said:
        raise SystemExit(
            f"{out}: expected pictures of the same variants and channels, found others; choose another folder"
        )
    places = [(network, layer) for network in networks for layer in LAYERS[network]]
    channels = {place: chosen(NetworkRef(place[0], "embedded"), place[1], count) for place in places}
    for network in networks:
        (out / network).mkdir(parents=True, exist_ok=True)
    before.write_text(json.dumps(said))
    jobs = [
        (NetworkRef(network, "embedded"), name, recipe, layer, channels[network, layer], str(out / network))
        for network, layer in places
        for name, recipe in made.items()
    ]
    Parallel(n_jobs=workers, backend="loky", batch_size=1)(delayed(render_layer)(*job) for job in jobs)
    draw = random.Random(0)
    lines: list[dict[str, Any]] = [
        {"network": network, "layer": layer, "channel": channel, "order": draw.sample(list(made), len(made))}
        for network, layer in places
        for channel in channels[network, layer]
    ]
    draw.shuffle(lines)
    (out / "sheets").mkdir(exist_ok=True)
    for begin in range(0, len(lines), LINES):
        some = lines[begin : begin + LINES]
        rows = [_pictures(out, line, channels[line["network"], line["layer"]]) for line in some]
        sheet(begin + 1, rows).save(out / "sheets" / f"{begin // LINES + 1:02}.png")
    work = {name: cost(recipe) for name, recipe in made.items()}
    (out / "key.json").write_text(json.dumps({"lines": lines, "work": work}))


def _pictures(out: Path, line: dict[str, Any], channels: list[int]) -> list[np.ndarray]:
    stored = [np.load(out / line["network"] / f"{name}-{line['layer']}.npz")["pictures"] for name in line["order"]]
    return [pictures[channels.index(line["channel"])] for pictures in stored]


def sheet(number: int, rows: list[list[np.ndarray]]) -> Image.Image:
    """Lines numbered from ``number`` on, of pictures ``(s, s, 3) uint8`` that are all shown equally wide."""
    across = max(map(len, rows))
    page = Image.new("RGB", (LABEL + GAP + across * (SHOWN + GAP), GAP + len(rows) * (SHOWN + GAP)), "white")
    pen = ImageDraw.Draw(page)
    for line, pictures in enumerate(rows):
        top = GAP + line * (SHOWN + GAP)
        pen.text((GAP, top + SHOWN // 2), str(number + line), fill="black", font_size=18)
        for place, picture in enumerate(pictures):
            shown = Image.fromarray(picture).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
            page.paste(shown, (LABEL + GAP + place * (SHOWN + GAP), top))
    return page


def counted(out: Path) -> list[str]:
    """The table of what was chosen, as lines of Markdown: a row for each layer, a column for each variant."""
    key = json.loads((out / "key.json").read_text())
    lines, work = key["lines"], key["work"]
    usual = max(work.values())
    votes: dict[str, dict[str, int]] = {}
    answers = sorted(out.glob("answers-*.txt"))
    if not answers:
        raise SystemExit(f"{out}: expected files answers-NAME.txt, found none")
    for path in answers:
        for number, letter in read_answers(path, len(lines), len(work)).items():
            line = lines[number - 1]
            row = votes.setdefault(f"{line['network']} {line['layer']}", dict.fromkeys(work, 0))
            row[line["order"][letter]] += 1
    every = {name: sum(row[name] for row in votes.values()) for name in work}
    return [
        f"| layer | {' | '.join(work)} |",
        "|---|" + "---|" * len(work),
        f"| work | {' | '.join(f'{one / usual:.2f}' for one in work.values())} |",
        *(_row(layer, votes[layer]) for layer in sorted(votes)),
        _row("all", every),
    ]


def read_answers(path: Path, count: int, letters: int) -> dict[int, int]:
    """A reader's answers: number of the line -> place of the picture. Ends with a sentence where a line is none."""
    found = {}
    known = "ABCDEFGH"[:letters]
    for line, text in enumerate(path.read_text().splitlines(), start=1):
        number, _, letter = text.strip().partition(" ")
        if not text.strip():
            continue
        letter = letter.strip().upper()
        if not number.isdecimal() or not 1 <= int(number) <= count or len(letter) != 1 or letter not in known:
            raise SystemExit(
                f"{path}, line {line}: expected a number up to {count} and one of {known}, received {text!r}"
            )
        found[int(number)] = known.index(letter)
    return found


def _row(layer: str, votes: dict[str, int]) -> str:
    total = sum(votes.values())
    return f"| {layer} | {' | '.join(f'{count / total:.0%}' for count in votes.values())} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of several sizes side by side without their labels.")
    parser.add_argument("what", choices=("sheets", "count"))
    parser.add_argument("out", type=Path, help="folder for pictures, sheets, key and answers")
    parser.add_argument("--vary", choices=VARIANTS, default="sizes", help="what differs along a line")
    parser.add_argument("--networks", default=",".join(LAYERS), help="whose channels are judged")
    parser.add_argument("--channels", type=int, default=4, help="of each layer")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    given = parser.parse_args()
    if given.what == "count":
        print("\n".join(counted(given.out)))
        return
    networks = given.networks.split(",")
    if unknown := sorted(set(networks) - set(LAYERS)):
        parser.error(f"--networks: expected some of {', '.join(LAYERS)}, received {unknown[0]}")
    sheets(given.out, given.vary, networks, given.channels, given.workers)


if __name__ == "__main__":
    main()
