"""``scripts/sizes.py``: how lines of several sizes are laid out and counted."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.scripts import script


@pytest.fixture(scope="module")
def sizes() -> ModuleType:
    return script("sizes")


def test_votes_are_counted_for_what_stood_at_the_place(sizes: ModuleType, tmp_path: Path) -> None:
    lines = [{"network": "vgg16", "layer": "a", "channel": c, "order": order} for c, order in enumerate(("xy", "yx"))]
    (tmp_path / "key.json").write_text(json.dumps({"lines": lines, "work": {"x": 1.0, "y": 4.0}}))
    (tmp_path / "answers-one.txt").write_text("1 A\n2 b\n")
    (tmp_path / "answers-two.txt").write_text("2 A\n")
    assert sizes.counted(tmp_path)[2:] == ["| work | 0.25 | 1.00 |", "| vgg16 a | 67% | 33% |", "| all | 67% | 33% |"]


@pytest.mark.parametrize("line", ["3 A", "1 C", "A 1", "1", "1 AB"])
def test_what_is_no_answer_is_refused_with_its_place(sizes: ModuleType, tmp_path: Path, line: str) -> None:
    (tmp_path / "answers-one.txt").write_text(f"1 A\n{line}\n")
    with pytest.raises(SystemExit, match=r"answers-one.txt, line 2: expected a number up to 2 and one of AB"):
        sizes.read_answers(tmp_path / "answers-one.txt", 2, 2)


def test_all_pictures_of_a_line_are_shown_equally_wide(sizes: ModuleType) -> None:
    small, large = np.zeros((8, 8, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    page = np.asarray(sizes.sheet(1, [[small, large]]))
    black = (page[sizes.GAP + sizes.SHOWN // 3] == 0).all(axis=1)
    assert black.sum() == 2 * sizes.SHOWN


def test_a_variant_changes_the_scale_of_the_transforms(sizes: ModuleType) -> None:
    made = sizes.variant({"scale": (0.5, 0.8), "size": 160, "steps": 10})
    assert [one.between for one in made.transforms if one.name == "scale"] == [(0.5, 0.8)]
    assert (made.size, made.steps) == (160, 10)
