import math
import re

import pytest

from atlas.pages.plot import POINTS, plot


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", line)]


def test_a_rising_score_rises_from_the_left_edge_to_the_right() -> None:
    made = plot([0.0, 1.0, 2.0, 4.0])
    assert made is not None
    drawn = points(made.line)
    assert (drawn[0], drawn[-1]) == ((made.left, made.bottom), (made.right, made.top))
    assert [y for _, y in drawn] == sorted((y for _, y in drawn), reverse=True)
    assert [tick.label for tick in made.x_ticks] == ["1", "2", "3", "4"]
    assert [tick.label for tick in made.y_ticks] == ["0", "1", "2", "3", "4"]
    assert made.zero is None


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 7.7, ["0", "2", "4", "6"]),
        (-3.0, 1.0, ["−3", "−2", "−1", "0", "1"]),
        (0, 0.00042, ["0", "0.0002", "0.0004"]),
    ],
)
def test_the_marks_are_round_and_within_the_drawing(low: float, high: float, labels: list[str]) -> None:
    made = plot([low, high, high])
    assert made is not None
    assert [tick.label for tick in made.y_ticks] == labels
    assert all(made.top <= tick.at <= made.bottom for tick in made.y_ticks)
    assert (made.zero is not None) == (low < 0)


def test_nothing_to_draw_is_no_plot_and_broken_values_are_left_out() -> None:
    assert plot([]) is None
    assert plot([1.0]) is None
    assert plot([math.nan, math.inf, 2.0]) is None
    made = plot([1.0, math.nan, 2.0])
    assert made is not None
    assert len(points(made.line)) == 2


def test_a_constant_score_is_a_level_line() -> None:
    made = plot([0.0] * 5)
    assert made is not None
    assert {y for _, y in points(made.line)} == {made.bottom}


def test_a_long_trace_is_thinned_and_keeps_its_ends() -> None:
    made = plot([float(step) for step in range(4096)])
    assert made is not None
    drawn = points(made.line)
    assert len(drawn) <= POINTS + 1
    assert (drawn[0][0], drawn[-1][0]) == (made.left, made.right)
    assert made.x_ticks[0].label == "1"
    assert made.x_ticks[-1].label == "4096"
