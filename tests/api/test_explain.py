"""``atlas explain``: each number against one that is computed plainly, and what a person is told."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from atlas.api.explain import explain
from tests.api.test_images import outputs, pixels_of

GIVEN = {"weights": "random:1", "preprocessing": "tf", "recipe": "preview"}


def test_every_number_of_an_explanation(toy, toy_ref, folder):
    found = explain(toy, "left", 5, folder, **GIVEN)
    paths, _ = pixels_of(folder)
    pixels = np.stack([np.asarray(Image.open(path).resize((224, 224), Image.Resampling.BICUBIC)) for path in paths])
    maps = outputs(toy_ref, "left", pixels)
    own = outputs(toy_ref, "left", found.picture.picture[None])[0]
    means, mine = maps.mean(axis=(1, 2)), own.mean(axis=(0, 1))
    assert found.score == pytest.approx(mine[5], rel=1e-4)
    assert found.peak == pytest.approx(own[..., 5].max(), rel=1e-4)
    assert found.score_below == (means[:, 5] < mine[5]).mean()
    assert found.peak_below == (maps[..., 5].max(axis=(1, 2)) < own[..., 5].max()).mean()
    apart = {}
    for label in ("noise", "stripes"):
        centre = means[[path.parent.name == label for path in paths]].mean(axis=0)
        cosine = 1 - mine @ centre / np.linalg.norm(mine) / np.linalg.norm(centre)
        apart[label] = (cosine, np.linalg.norm(mine - centre))
    assert [label.name for label in found.labels] == sorted(apart, key=lambda label: apart[label][0])
    for label in found.labels:
        assert (label.cosine, label.euclid) == pytest.approx(apart[label.name], rel=1e-3)
        assert label.images == 6
    correlated = np.corrcoef(means.T)[5]
    correlated[5] = -1
    assert found.together[0][0] == correlated.argmax()
    assert found.together[0][1] == pytest.approx(correlated.max(), abs=1e-4)
    assert found.fed_by == "first"
    assert found.called == found.raises == ()


def test_a_network_with_classes_is_asked_what_it_calls_the_picture(digits, folder, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]))
    network, preprocessing = digits.network.ref.network, "tf"
    found = explain(network, "third", 7, folder, preprocessing=preprocessing, size=32, names=str(names))
    chances = digits.model.predict(found.picture.picture[None] / 127.5 - 1, verbose=0)[0]
    assert found.called[0][0] == names.read_text().split()[chances.argmax()]
    assert found.called[0][1] == pytest.approx(chances.max(), rel=1e-3)
    assert all(value > 0 for _, value in found.raises)
    assert all(value < 0 for _, value in found.lowers)
    assert found.raises or found.lowers


def test_the_command_prints_the_finding(shell, toy, folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "images")
    (folder / "broken.png").write_text("no")
    given = ("--weights", "random:1", "--preprocessing", "tf", "--recipe", "preview", "--images", folder)
    said = shell("explain", toy, "left", 5, *given, "-o", "p.png")
    assert said.code == 0
    assert said.lines[0] == "left 5"
    for word in ("picture", "among images", "excited by", "nearest to", "goes with", "fed by       first", "skipped"):
        assert f"  {word}" in said.out
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size[0] == picture.size[1]
    data = json.loads(shell("explain", toy, "left", 5, *given, "--json").out)
    assert (data["layer"], data["channel"], data["images"]) == ("left", 5, 12)
    assert set(data["skipped"]) == {"broken.png"}
    for wrong, sentence in (
        (("explain", toy, "left", 99, *given), "channels 0 to 11"),
        (("explain", toy, "left", 5, *given[:-1], "nowhere"), "probes.images: expected a folder of images"),
        (("explain", toy, "left", 5, *given, "-o", "p.gif"), "ends in .png"),
    ):
        said = shell(*wrong)
        assert said.code == 2
        assert sentence in said.err
