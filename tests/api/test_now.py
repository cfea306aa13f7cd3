"""Train, save, look, train on, save, look, all in one process: what is looked at is what the files hold now."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import atlas
from atlas.api import ask as asking
from atlas.errors import AtlasError, NetworkError
from atlas.networks import load as loading

QUICK = {"size": 32, "steps": 2, "preprocessing": "tf"}
REAL = asking.Kernel
NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def model():
    import keras

    keras.utils.set_random_seed(5)
    picture = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="low")(picture)
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="high")(maps)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(maps)
    return keras.Model(picture, keras.layers.Dense(3, activation="softmax", name="head")(pooled))


def train(model) -> None:
    """Other weights in as many bytes."""
    model.set_weights([weight + 0.3 * np.roll(weight, 1) + 0.01 for weight in model.get_weights()])


def truth(model) -> np.ndarray:
    import keras

    low = keras.Model(model.input, model.get_layer("low").output)
    return np.asarray(low(NOISE[None].astype(np.float32) / 127.5 - 1))


def safetensors(model, path: Path) -> None:
    from atlas.networks.arrays import encode

    names = {f"{layer.name}/{one.name}": np.asarray(one) for layer in model.layers for one in layer.weights}
    path.write_bytes(encode(names))


@pytest.mark.parametrize("form", [".keras", ".weights.h5", ".safetensors"])
def test_the_weights_that_are_looked_at_are_those_that_were_saved_last(model, tmp_path, form):
    network, weights = tmp_path / "s.keras", tmp_path / f"s{form}"
    model.save(network)
    given = QUICK if form == ".keras" else {**QUICK, "weights": weights}
    maps = {key: given[key] for key in given if key not in ("size", "steps")}
    before = None
    for _ in range(3):
        train(model)
        if form == ".safetensors":
            safetensors(model, weights)
        else:
            model.save(weights) if form == ".keras" else model.save_weights(weights)
        found = atlas.feature_maps(network, NOISE, "low", **maps)["low"]
        np.testing.assert_allclose(found, truth(model), atol=2e-5)
        made = atlas.maximize(network, "low", 1, **given)
        again = atlas.feature_maps(network, made.picture, "low", **maps)["low"][..., 1].mean()
        assert made.score["end"] == pytest.approx(again, rel=1e-4)  # of the network as it is now
        assert before is None or made.score["end"] != before.score["end"]
        before = made


def test_an_architecture_that_changes_is_another_network(model, tmp_path):
    import keras

    path = tmp_path / "s.keras"
    model.save(path)
    given = {"weights": "random:1", "preprocessing": "tf"}
    assert list(atlas.feature_maps(path, NOISE, **given)) == ["low", "high"]
    picture = keras.Input((32, 32, 3))
    keras.Model(picture, keras.layers.Conv2D(7, 3, name="low")(picture)).save(path)
    assert {name: maps.shape[-1] for name, maps in atlas.feature_maps(path, NOISE, **given).items()} == {"low": 7}


SMALL = {"size": 32, "steps": 1}
PLAIN = {**SMALL, "parameterization": {"name": "pixel"}, "optimizer": {"name": "ascent", "rate": 0.001}}


def test_photos_class_names_and_images_are_those_of_now(model, tmp_path):
    from atlas.api.explain import explain

    given, network = {"preprocessing": "tf"}, tmp_path / "s.keras"
    model.save(network)
    photo, names, images = tmp_path / "a.png", tmp_path / "names.txt", tmp_path / "images"
    images.mkdir()
    liked, like = [], {"recipe": "caricature", "objective": {"photo": tmp_path / "like.png"}}
    for level, kind in ((40, "one"), (90, "two")):  # files of as many bytes
        for path in (photo, images / "a.png", images / "b.png"):
            Image.new("RGB", (32, 32), (level,) * 3).save(path, compress_level=0)
        Image.fromarray(np.roll(NOISE, level)).save(tmp_path / "like.png", compress_level=0)
        names.write_text("\n".join(f"{kind} {number}" for number in range(3)))
        drawn = atlas.maximize(network, "low", 1, start=photo, frame_every=1, **given, **PLAIN)
        assert (drawn.frames[0] == level).all()
        liked.append(atlas.maximize(network, "low", **like, **given, **SMALL).score["grey"])
        [shown] = atlas.feature_maps(network, photo, "high", **given).values()
        found = explain(network, "high", 1, images, names=names, **given, **SMALL)
        np.testing.assert_allclose(found.images.looked.largest[0], shown[0].max(axis=(0, 1)), atol=1e-5)
        assert (found.images.crop(1) == level).all()
        assert found.called[0][0].startswith(kind)
    assert liked[0] != liked[1]
    for name in ("a.png", "b.png"):
        Image.new("RGB", (32, 32), "red").save(images / name)
    with pytest.raises(AtlasError, match=r"\.png: expected the image that was looked at, received: changed"):
        found.images.crop(1)


def test_a_second_channel_of_a_layer_is_not_compiled_again(model, tmp_path, monkeypatch):
    """A kernel is kept by all that it depends on: the layer, the recipe, the photo as it is now, and the network."""
    made = []

    def counted(*given):
        made.append(given[1])
        return REAL(*given)

    monkeypatch.setattr(asking, "Kernel", counted)
    path, photo = tmp_path / "s.keras", tmp_path / "photo.png"
    model.save(path)
    first = atlas.maximize(path, "low", 1, **QUICK)
    atlas.maximize(path, "low", [2, 3], **QUICK)
    again = atlas.maximize(path, "low", 1, **QUICK)
    np.testing.assert_array_equal(first.picture, again.picture)
    assert made == ["low"]
    atlas.maximize(path, "high", 1, **QUICK)
    atlas.maximize(path, "high", 1, **{**QUICK, "steps": 3})
    for colour in ("red", "blue", "blue"):
        Image.new("RGB", (32, 32), colour).save(photo)
        atlas.maximize(path, "low", 1, start=str(photo), **QUICK)
    assert made == ["low", "high", "high", "low", "low"]
    assert len(asking._kernels) == asking.KERNELS_KEPT
    train(model)
    model.save(path)
    atlas.maximize(path, "low", 1, **QUICK)
    assert made[5:] == ["low"]
    assert len(asking._kernels) == 1


def test_a_file_that_changes_while_it_is_read_is_one_sentence(model, tmp_path, monkeypatch):
    path = tmp_path / "s.keras"
    model.save(path)
    opened = loading.open_model

    def meanwhile(given):
        found = opened(given)
        train(model)
        model.save(path)
        return found

    monkeypatch.setattr(loading, "open_model", meanwhile)
    with pytest.raises(NetworkError, match=r"s\.keras: expected files that stay as they are while they are read"):
        atlas.feature_maps(path, NOISE, "low", preprocessing="tf")


def test_networks_of_before_are_let_go(model, tmp_path):
    path = tmp_path / "s.keras"
    seen = []
    for _ in range(3):
        train(model)
        model.save(path)
        atlas.maximize(path, "low", 1, **QUICK)
        seen.append(weakref.ref(asking._kept[1].model))
    gc.collect()
    assert [one() is None for one in seen] == [True, True, False]
