"""Two recipes side by side without their names, for readers who judge by the eye alone.

    python scripts/blind.py sheets OUT [--recipes default,lucid] [--networks inceptionv3,vgg16] [--workers 2]
    python scripts/blind.py count OUT

``sheets`` lays out pairs at 128 px, 48 channels of each embedded network, in ``OUT/sheets``: on each line a number
and two pictures, A on the left and B on the right. Each pair comes twice, once in each order, at places that are drawn.
The pictures lie in ``OUT/NETWORK``, where ``quality.py OUT/NETWORK --network NETWORK`` puts them too; what does not is
rendered. ``OUT/key.json`` says what is where: keep it from the readers. A reader writes a file
``OUT/answers-NAME.txt`` with a line such as ``17 A`` for every number: which of the two they would rather hang on a
wall as a picture of something. ``count`` unblinds: of each reader, of all, and of all by layer, how often the first
recipe was preferred, with its 95 % interval. A pair whose verdict flips with the order counts half.
"""

import argparse
import json
import math
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image, ImageDraw

from atlas.spec.facts import NetworkRef

sys.path.insert(0, str(Path(__file__).resolve().parent))
from quality import CHANNELS, LAYERS, SIDE, cases, recipes, render_layer

LINES = 12  # pairs on a sheet
GAP, LABEL = 12, 56  # pixels between pictures, and for the number


@dataclass(frozen=True)
class Pair:
    """One channel's two pictures: ``first`` says whether the first recipe's is A."""

    network: str
    layer: str
    channel: int
    first: bool


def pairs(channels: dict[str, dict[str, list[int]]], seed: int = 0) -> list[Pair]:
    """Every channel ``network -> layer -> numbers`` in both orders, at places that the seed draws."""
    found = [
        Pair(network, layer, channel, first)
        for network, layers in channels.items()
        for layer, numbers in layers.items()
        for channel in numbers
        for first in (True, False)
    ]
    random.Random(seed).shuffle(found)
    return found


def judged(channels: list[int]) -> list[int]:
    """Three of four of a layer's channels: 48 of 64."""
    return [channel for index, channel in enumerate(channels) if index % 4 != 3]


def sheet(rows: list[tuple[int, np.ndarray, np.ndarray]]) -> Image.Image:
    """Numbered lines of two pictures ``(s, s, 3) uint8``, A on the left."""
    page = Image.new("RGB", (LABEL + 2 * SIDE + 3 * GAP, GAP + len(rows) * (SIDE + GAP)), "white")
    pen = ImageDraw.Draw(page)
    for line, (number, left, right) in enumerate(rows):
        top = GAP + line * (SIDE + GAP)
        pen.text((GAP, top + SIDE // 2), str(number), fill="black", font_size=18)
        page.paste(Image.fromarray(left), (LABEL + GAP, top))
        page.paste(Image.fromarray(right), (LABEL + SIDE + 2 * GAP, top))
    return page


def sheets(out: Path, names: tuple[str, str], networks: list[str], workers: int) -> None:
    """Render what is missing and write the sheets and the key, unless OUT holds answers to other sheets."""
    if answers := sorted(out.glob("answers-*.txt")):
        raise SystemExit(f"{out}: expected no answers to other sheets, found {answers[0].name}; choose another folder")
    channels = {network: cases(NetworkRef(network, "embedded"), CHANNELS) for network in networks}
    made = recipes(list(names))
    jobs = [
        (NetworkRef(network, "embedded"), name, made[name], layer, numbers, str(out / network))
        for name in names
        for network, layers in channels.items()
        for layer, numbers in layers.items()
    ]
    for network in channels:
        (out / network).mkdir(parents=True, exist_ok=True)
    Parallel(n_jobs=workers, backend="loky", batch_size=1)(delayed(render_layer)(*job) for job in jobs)

    def picture(pair: Pair, name: str) -> np.ndarray:
        stored = np.load(out / pair.network / f"{name}-{pair.layer}.npz")["pictures"]
        return np.asarray(stored[channels[pair.network][pair.layer].index(pair.channel)])

    order = pairs(
        {network: {layer: judged(numbers) for layer, numbers in layers.items()} for network, layers in channels.items()}
    )
    (out / "sheets").mkdir(exist_ok=True)
    for old in (out / "sheets").glob("*.png"):
        old.unlink()
    for begin in range(0, len(order), LINES):
        rows = []
        for number, pair in enumerate(order[begin : begin + LINES], start=begin + 1):
            left, right = (picture(pair, name) for name in (names if pair.first else names[::-1]))
            rows.append((number, left, right))
        sheet(rows).save(out / "sheets" / f"{begin // LINES + 1:02}.png")
    key = {"recipes": names, "pairs": [vars(pair) for pair in order]}
    (out / "key.json").write_text(json.dumps(key))


def preferred(order: list[Pair], answers: dict[int, str]) -> dict[tuple[str, str, int], float]:
    """Of each channel judged in both orders: 1 where the first recipe was preferred, 0.5 where the verdict flipped."""
    votes: dict[tuple[str, str, int], list[bool]] = {}
    for number, pair in enumerate(order, start=1):
        if number in answers:
            chose_first = (answers[number] == "A") == pair.first
            votes.setdefault((pair.network, pair.layer, pair.channel), []).append(chose_first)
    return {channel: sum(both) / 2 for channel, both in votes.items() if len(both) == 2}


def interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of so many (Wilson 1927)."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - reach, middle + reach


def read_answers(path: Path, count: int) -> dict[int, str]:
    """A reader's answers. Ends with a sentence where a line is none."""
    found = {}
    for line, text in enumerate(path.read_text().splitlines(), start=1):
        number, _, letter = text.strip().partition(" ")
        if not text.strip():
            continue
        if not number.isdecimal() or not 1 <= int(number) <= count or letter.strip().upper() not in ("A", "B"):
            raise SystemExit(f"{path}, line {line}: expected a number up to {count} and A or B, received {text!r}")
        found[int(number)] = letter.strip().upper()
    return found


def counted(out: Path) -> list[str]:
    """The table of what was preferred, as lines of Markdown."""
    key = json.loads((out / "key.json").read_text())
    order = [Pair(**pair) for pair in key["pairs"]]
    lines = [
        f"| reader | pairs | {key['recipes'][0]} over {key['recipes'][1]} | 95 % interval | verdict flips |",
        "|---|---|---|---|---|",
    ]
    by_layer: dict[str, list[float]] = {f"{pair.network} {pair.layer}": [] for pair in order}
    for path in sorted(out.glob("answers-*.txt")):
        found = preferred(order, read_answers(path, len(order)))
        for (network, layer, _), share in found.items():
            by_layer[f"{network} {layer}"].append(share)
        lines.append(_line(path.stem.removeprefix("answers-"), list(found.values())))
    every = [share for some in by_layer.values() for share in some]
    if not every:
        raise SystemExit(f"{out}: expected files answers-NAME.txt, found none with a pair in both orders")
    return [*lines, _line("all", every), *(_line(layer, by_layer[layer]) for layer in sorted(by_layer))]


def _line(reader: str, found: list[float]) -> str:
    if not found:
        return f"| {reader} | 0 | | | |"
    share = sum(found) / len(found)
    low, high = interval(share, len(found))
    flips = sum(one == 0.5 for one in found) / len(found)
    return f"| {reader} | {len(found)} | {share:.0%} | {low:.0%} to {high:.0%} | {flips:.0%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Two recipes side by side without their names.")
    parser.add_argument("what", choices=("sheets", "count"))
    parser.add_argument("out", type=Path, help="folder for pictures, sheets, key and answers")
    parser.add_argument("--recipes", default="default,lucid", help="two names")
    parser.add_argument("--networks", default=",".join(LAYERS), help="whose channels are judged")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each")
    given = parser.parse_args()
    if given.what == "count":
        print("\n".join(counted(given.out)))
        return
    first, second = given.recipes.split(",")
    networks = given.networks.split(",")
    if unknown := sorted(set(networks) - set(LAYERS)):
        parser.error(f"--networks: expected some of {', '.join(LAYERS)}, received {unknown[0]}")
    sheets(given.out, (first, second), networks, given.workers)


if __name__ == "__main__":
    main()
