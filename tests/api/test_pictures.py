"""``atlas.maximize``: the same picture as a build's, and problems in one sentence."""

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest

import atlas
from atlas import runtime
from atlas.ascent import showing
from atlas.errors import AtlasError, ConfigError

QUICK = {"size": 32, "steps": 4}


def test_one_channel_several_and_a_whole_layer(toy):
    given = {"weights": "random:1", "preprocessing": "tf"}
    one = atlas.maximize(toy, "both", 3, **given, **QUICK)
    assert one.picture.shape == (32, 32, 3)
    assert one.picture.dtype == np.uint8
    assert one.channel == 3
    assert one.score["end"] > one.score["start"]
    assert one.trace.shape == (4, 4)
    several = atlas.maximize(str(toy), "both", [5, 3, 3], **given, **QUICK)
    assert [made.channel for made in several] == [5, 3, 3]
    np.testing.assert_array_equal(several[1].picture, one.picture)
    framed = atlas.maximize(toy, "both", 3, frame_every=2, **given, **QUICK)
    assert framed.frames.shape == (3, 32, 32, 3)
    whole = atlas.maximize(toy, "both", objective={"name": "layer"}, **given, **QUICK)
    assert whole.picture.shape == (32, 32, 3)


def test_the_picture_is_that_of_a_build(toy, shell, tmp_path):
    from PIL import Image

    recipe = "{size: 32, steps: 4, seed: 7}"
    layers = "[{name: both, channels: 3}]"
    config = f"network: {toy}\nweights: random:1\npreprocessing: tf\nlayers: {layers}\nrecipes: {{main: {recipe}}}\n"
    (tmp_path / "c.yaml").write_text(config + "compute: {backend: sequential}\n")
    assert shell("build", "c.yaml").code == 0
    made = atlas.maximize(toy, "both", 3, weights="random:1", preprocessing="tf", seed=7, **QUICK)
    with Image.open(tmp_path / "site/c-random/both/3.webp") as built:
        np.testing.assert_array_equal(np.asarray(built.convert("RGB")), made.picture)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"layer": "bothe"}, "did you mean both?"),
        ({"channels": 99}, "expected channels 0 to 23"),
        ({"recipe": "lucidd"}, "did you mean lucid?"),
        ({"steps": -1}, "steps"),
        ({"stepz": 3}, "stepz"),
        ({"channels": None}, "channels: expected one or several channels of both"),
    ],
)
def test_problems_are_sentences(toy, given, sentence):
    asked = {"layer": "both", "channels": 3, **given}
    with pytest.raises((ConfigError, AtlasError)) as caught:
        atlas.maximize(toy, asked.pop("layer"), asked.pop("channels"), weights="random:1", preprocessing="tf", **asked)
    assert sentence in str(caught.value)


def test_there_is_nothing_else_in_the_package():
    with pytest.raises(AttributeError, match="no attribute 'minimize'"):
        _ = atlas.minimize  # type: ignore[attr-defined]


def test_what_takes_long_is_shared_among_processes(toy, monkeypatch):
    """The same bytes as in one, in the order that was asked for."""
    given = {"weights": "random:1", "preprocessing": "tf", "frame_every": 2, **QUICK}
    alone = atlas.maximize(toy, "both", [5, 3, 20, 3], **given)
    monkeypatch.setattr(showing, "WORTH_IT", 1e-9)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(runtime, "_pinned", True)  # as where atlas was imported first
    counts, spread = [], showing.spread
    monkeypatch.setattr(showing, "spread", lambda *given: counts.append(given[-1]) or spread(*given))
    shared = atlas.maximize(toy, "both", [5, 3, 20, 3], **given)
    assert counts == [2]
    assert [made.channel for made in shared] == [5, 3, 20, 3]
    for one, other in zip(shared, alone, strict=True):
        assert (one.score, one.layer, one.network) == (other.score, other.layer, other.network)
        for name in ("pictures", "trace", "frames"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_of_a_whole_layer_there_is_one_picture_whatever_channels_are_named(toy, monkeypatch):
    given = {"weights": "random:1", "preprocessing": "tf", "objective": {"name": "layer"}, **QUICK}
    monkeypatch.setattr(showing, "WORTH_IT", 1e-9)
    assert len(atlas.maximize(toy, "both", [5, 3, 20], **given)) == 1


def test_nothing_is_shared_outside_of_the_main_thread_or_where_tensorflow_was_imported_before(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(runtime, "_pinned", True)
    assert showing.processes(2, 1000) == 2
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(showing.processes, 2, 1000).result() == 1
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "one")
    assert showing.processes(2, 1000) == 1
    monkeypatch.undo()
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(runtime, "_pinned", False)
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    assert showing.processes(2, 1000) == 1
