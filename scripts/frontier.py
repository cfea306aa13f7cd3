"""Draws cost against score, the six views of ``quality.py``, for one network or several beside each other, as an SVG.

    python scripts/frontier.py OUT.svg NETWORK=FOLDER ...

FOLDER is one that ``quality.py`` wrote. Cost is logarithmic; each point is a recipe by its name. Recipes that no other
beats in both are joined by a line, their names above them.
"""

import argparse
import json
import math
from pathlib import Path

WIDE, HIGH = 380, 300  # px of a network's frame
LEFT, TOP, BELOW, GAP = 52, 30, 44, 24
LEAST, MOST = 0.0, 1.3  # of the score
STYLE = """text { font: 12px sans-serif; fill: #555 } .frame, .rule { stroke: #8884; fill: none } .title { fill: #222 }
.front { stroke: #b4441c; stroke-width: 1.5; fill: none } circle { fill: #b4441c }
@media (prefers-color-scheme: dark) { text { fill: #aaa } .title { fill: #eee } }"""

Point = tuple[str, float, float]  # a recipe's name, its cost and its score


def front(points: list[Point]) -> list[Point]:
    """The points that no other beats in cost and score at once, from the cheapest on."""
    best, found = -math.inf, []
    for point in sorted(points, key=lambda one: (one[1], -one[2])):
        if point[2] > best:
            best = point[2]
            found.append(point)
    return found


def drawing(networks: dict[str, list[Point]]) -> str:
    """The SVG of all networks, each in a frame of its own on the same scales."""
    costs = [cost for points in networks.values() for _, cost, _ in points]
    low, high = math.log(min(costs)) - 0.3, math.log(max(costs)) + 0.6
    width = len(networks) * (LEFT + WIDE + GAP)

    def across(cost: float) -> float:
        return round((math.log(cost) - low) / (high - low) * WIDE, 1)

    def up(score: float) -> float:
        return round(HIGH - (score - LEAST) / (MOST - LEAST) * HIGH, 1)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HIGH + BELOW}"><style>{STYLE}</style>'
    ]
    for place, (network, points) in enumerate(networks.items()):
        lines.append(f'<g transform="translate({LEFT + place * (LEFT + WIDE + GAP)} {TOP})">')
        lines.append(f'<text class="title" y="-10">{network}</text><path class="frame" d="M0 0V{HIGH}H{WIDE}"/>')
        for score in (0.2, 0.4, 0.6, 0.8, 1.0, 1.2):
            lines.append(
                f'<path class="rule" d="M0 {up(score)}H{WIDE}"/><text x="-28" y="{up(score) + 4}">{score:g}</text>'
            )
        for cost in (0.1, 0.2, 0.5, 1, 2, 5):
            if low < math.log(cost) < high:
                lines.append(f'<text x="{across(cost)}" y="{HIGH + 18}" text-anchor="middle">{cost:g}</text>')
        lines.append(f'<text x="{WIDE}" y="{HIGH + 36}" text-anchor="end">cost, over Lucid’s 513 updates</text>')
        best = front(points)
        way = "L".join(f"{across(cost)} {up(score)}" for _, cost, score in best)
        lines.append(f'<path class="front" d="M{way}"/>')
        for point in points:
            name, cost, score = point
            x, y = across(cost), up(max(score, LEAST))
            where = f'x="{x}" y="{y - 9}" text-anchor="middle"' if point in best else f'x="{x + 7}" y="{y + 13}"'
            lines.append(f'<circle cx="{x}" cy="{y}" r="3.5"/><text {where}>{name}</text>')
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws cost against score as an SVG.")
    parser.add_argument("out", type=Path, help="the SVG")
    parser.add_argument("networks", nargs="+", metavar="NETWORK=FOLDER", help="folders that quality.py wrote")
    given = parser.parse_args()
    found = {}
    for one in given.networks:
        network, _, folder = one.partition("=")
        found[network] = [tuple(point) for point in json.loads((Path(folder) / "frontier.json").read_text())]
    given.out.write_text(drawing(found))


if __name__ == "__main__":
    main()
