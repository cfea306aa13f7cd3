"""``scripts/quality.py`` and ``scripts/frontier.py``: recipes with other steps, scores over another, and the plot."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tests.scripts import script

SCORES = {"mixed0": {"ours": {"score": [[2.0, 8.0], [4.0, 4.0]]}, "theirs": {"score": [[4.0, 2.0], [1.0, 4.0]]}}}


def test_pictures_are_brought_to_the_contrast_of_others() -> None:
    quality, draws = script("quality"), np.random.default_rng(0)
    loud, soft = draws.integers(0, 256, (2, 16, 16, 3)), draws.integers(90, 150, (2, 16, 16, 3))
    made = quality.levelled(loud.astype(np.uint8), soft.astype(np.uint8))
    assert made.std(axis=(1, 2, 3)) == pytest.approx(soft.std(axis=(1, 2, 3)), rel=0.02)
    assert made.mean(axis=(1, 2)) == pytest.approx(soft.mean(axis=(1, 2)), abs=0.6)
    assert np.corrcoef(made[0].ravel(), loud[0].ravel())[0, 1] > 0.99


def test_a_recipe_has_the_steps_that_are_named() -> None:
    quality = script("quality")
    made = quality.recipes(["default", "default@7", "tutorial"])
    assert (made["default@7"].steps, made["default@7"].size) == (7, quality.SIDE)
    assert made["default@7"].transforms == made["default"].transforms
    assert quality.cost(made["tutorial"]) == pytest.approx(quality.cost(made["default"]), rel=0.01)


def test_scores_are_over_those_of_another_recipe_without_its_dead_channels() -> None:
    quality = script("quality")
    assert quality.in_views(SCORES, "theirs") == {"ours": pytest.approx([2**0.5, 2.0]), "theirs": [1.0, 1.0]}
    dead = {"mixed0": {"ours": {"score": [[2.0, 8.0]]}, "theirs": {"score": [[4.0, 0.0]]}}}
    assert quality.in_views(dead, "theirs")["ours"] == pytest.approx([0.5])


def test_the_front_is_what_nothing_beats_in_both() -> None:
    frontier = script("frontier")
    points = [("dear", 1.0, 0.9), ("cheap", 0.1, 0.5), ("good", 0.5, 0.95), ("bad", 0.1, 0.4)]
    assert [name for name, _, _ in frontier.front(points)] == ["cheap", "good"]


def test_the_plot_names_each_recipe_of_each_network() -> None:
    frontier = script("frontier")
    points = [("default", 0.5, 0.95), ("lucid", 1.0, 1.0)]
    drawn = ET.fromstring(frontier.drawing({"vgg16": points, "inceptionv3": points}))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert [texts.count(name) for name in ("default", "lucid", "vgg16", "inceptionv3")] == [2, 2, 1, 1]
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 4
