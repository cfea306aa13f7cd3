"""The score of a rendering from its first step to its last, as the geometry of a small line plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 440, 224
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 40  # room for the labels, px
POINTS = 240  # drawn at most


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it stands in px, and what it says."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """All of a plot but its colours. Lengths are px of a ``WIDTH`` by ``HEIGHT`` drawing; ``line`` is an SVG path."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    line: str
    end: tuple[float, float]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: float | None


def plot(trace: Sequence[float]) -> Plot | None:
    """The plot of a score at each step, or None when fewer than two of its values are finite numbers."""
    points = [(step, value) for step, value in enumerate(trace, 1) if math.isfinite(value)]
    if len(points) < 2:
        return None
    low, high = min(0.0, *(value for _, value in points)), max(0.0, *(value for _, value in points))
    if high == low:
        high = low + 1.0
    left, right, top, bottom = float(LEFT), float(WIDTH - RIGHT), float(TOP), float(HEIGHT - BOTTOM)
    first, last = points[0][0], points[-1][0]

    def x(step: float) -> float:
        return left + (right - left) * (step - first) / (last - first)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    stride = math.ceil(len(points) / POINTS)
    drawn = points[:-1:stride] + points[-1:]
    return Plot(
        width=WIDTH,
        height=HEIGHT,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        line="M" + "L".join(f"{x(step):.1f} {y(value):.1f}" for step, value in drawn),
        end=(round(x(last), 1), round(y(points[-1][1]), 1)),
        x_ticks=tuple(Tick(round(x(step), 1), str(step)) for step in _steps(first, last)),
        y_ticks=tuple(Tick(round(y(value), 1), f"{value:g}".replace("-", "−")) for value in _round_values(low, high)),
        zero=round(y(0.0), 1) if low < 0 < high else None,
    )


def _steps(first: int, last: int) -> list[int]:
    """Steps to mark: the first, the last, and round ones between that leave room for them."""
    inner = [int(value) for value in _round_values(first, last) if value == int(value)]
    room = (last - first) / 8
    return [first, *(step for step in inner if first + room < step < last - room), last]


def _round_values(low: float, high: float) -> list[float]:
    """Two to five round values within ``low`` to ``high``, a power of ten times 1, 2 or 5 apart."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]
