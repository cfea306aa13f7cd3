"""``scripts/blind.py``: how blind sheets are drawn and counted."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.scripts import script

CHANNELS = {"vgg16": {"block3_conv1": [1, 2, 3]}, "inceptionv3": {"mixed0": [0], "mixed4": [5]}}


@pytest.fixture(scope="module")
def blind() -> ModuleType:
    return script("blind")


def test_each_pair_comes_in_both_orders_at_drawn_places(blind: ModuleType) -> None:
    order = blind.pairs(CHANNELS)
    seen = [(pair.network, pair.layer, pair.channel, pair.first) for pair in order]
    assert len(seen) == len(set(seen)) == 10
    assert sum(pair.first for pair in order) == 5
    assert seen != sorted(seen, reverse=True)
    assert order == blind.pairs(CHANNELS)
    assert order != blind.pairs(CHANNELS, seed=1)


def test_a_verdict_that_flips_with_the_order_counts_half(blind: ModuleType) -> None:
    """A reader takes the first recipe for channel 1, the second for 2, always the left for 3; the rest is open."""
    order, answers = blind.pairs(CHANNELS), {}
    for number, pair in enumerate(order, start=1):
        if pair.network == "vgg16":
            left = {1: pair.first, 2: not pair.first, 3: True}[pair.channel]
            answers[number] = "A" if left else "B"
    found = blind.preferred(order, answers)
    assert found == {
        ("vgg16", "block3_conv1", 1): 1,
        ("vgg16", "block3_conv1", 2): 0,
        ("vgg16", "block3_conv1", 3): 0.5,
    }
    del answers[next(number for number, pair in enumerate(order, start=1) if pair.channel == 1)]
    assert len(blind.preferred(order, answers)) == 2


def test_the_interval_is_wilson_s(blind: ModuleType) -> None:
    assert blind.interval(0.6, 96) == pytest.approx((0.500, 0.692), abs=0.001)
    assert blind.interval(1.0, 10) == pytest.approx((0.722, 1.0), abs=0.001)


def test_answers_are_counted_by_reader(blind: ModuleType, tmp_path: Path) -> None:
    order = blind.pairs(CHANNELS)
    key = {"recipes": ["default", "lucid"], "pairs": [vars(pair) for pair in order]}
    (tmp_path / "key.json").write_text(json.dumps(key))
    with pytest.raises(SystemExit, match=r"expected files answers-NAME\.txt"):
        blind.counted(tmp_path)
    ours = [f"{number} {'A' if pair.first else 'B'}" for number, pair in enumerate(order, start=1)]
    (tmp_path / "answers-one.txt").write_text("\n".join(ours) + "\n\n")
    left = [
        f"{number} {'b' if pair.first else 'a'}" if pair.layer == "mixed0" else f"{number} a"
        for number, pair in enumerate(order, start=1)
    ]
    (tmp_path / "answers-two.txt").write_text("\n".join(left))
    lines = blind.counted(tmp_path)
    assert lines[2].startswith("| one | 5 | 100% |")
    assert lines[3].startswith("| two | 5 | 40% |")
    assert lines[4].startswith("| all | 10 | 70% |")
    assert [line.split(" | ")[:3] for line in lines[5:]] == [
        ["| inceptionv3 mixed0", "2", "50%"],
        ["| inceptionv3 mixed4", "2", "75%"],
        ["| vgg16 block3_conv1", "6", "75%"],
    ]
    with pytest.raises(SystemExit, match=r"expected no answers to other sheets, found answers-one\.txt"):
        blind.sheets(tmp_path, ("default", "lucid"), [], 1)
    (tmp_path / "answers-three.txt").write_text("1 A\n11 A\n")
    with pytest.raises(
        SystemExit, match=r"answers-three\.txt, line 2: expected a number up to 10 and A or B, received '11 A'"
    ):
        blind.counted(tmp_path)


def test_a_sheet_has_a_line_for_each_pair(blind: ModuleType) -> None:
    left, right = np.zeros((128, 128, 3), np.uint8), np.full((128, 128, 3), 200, np.uint8)
    page = np.asarray(blind.sheet([(1, left, right), (2, right, left)]))
    first = blind.LABEL + blind.GAP
    second = first + 128 + blind.GAP
    below = 2 * blind.GAP + 128
    assert [page[blind.GAP, first, 0], page[blind.GAP, second, 0]] == [0, 200]
    assert [page[below, first, 0], page[below, second, 0]] == [200, 0]


def test_three_of_four_channels_are_judged(blind: ModuleType) -> None:
    """48 of the 64 of each network, whose layers have eight or sixteen."""
    assert blind.judged([0, 1, 2, 3, 4, 5, 6, 7]) == [0, 1, 2, 4, 5, 6]
    assert all(sum(len(blind.judged([0] * count)) for count in some.values()) == 48 for some in blind.LAYERS.values())
