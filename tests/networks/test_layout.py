"""Layers that put channels before rows and columns: their channels are channels all the same."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.networks import describe
from atlas.networks.fuse import fuse
from atlas.networks.graph import flatten
from atlas.networks.load import load
from atlas.networks.seen import Seen
from atlas.probes.wiring import wiring
from atlas.spec.facts import NetworkRef, Preprocessing

Layers = keras.layers
FIRST = {"data_format": "channels_first"}
MAPS = ("one", "norm", "relu", "pool", "two", "deep", "joined", "back")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(3)
    given = keras.Input((20, 24, 3))
    out = Layers.Conv2D(8, 3, name="one", **FIRST)(Layers.Permute((3, 1, 2), name="turned")(given))
    out = Layers.ReLU(name="relu")(Layers.BatchNormalization(axis=1, name="norm")(out))
    out = Layers.MaxPooling2D(2, name="pool", **FIRST)(out)
    two = Layers.Conv2D(5, 3, padding="same", activation="relu", name="two", **FIRST)(out)
    deep = Layers.DepthwiseConv2D(3, padding="same", activation="relu", name="deep", **FIRST)(out)
    joined = Layers.Concatenate(axis=1, name="joined")([two, deep])
    back = Layers.Conv2D(4, 1, name="back")(Layers.Permute((2, 3, 1))(joined))
    classes = Layers.Dense(3, activation="softmax", name="classes")(Layers.Flatten()(joined))
    return keras.Model(given, [back, classes])


@pytest.mark.parametrize("fused", [False, True])
def test_values_are_keras_s_own_with_channels_last(model: keras.Model, fused: bool) -> None:
    graph = fuse(flatten(model)) if fused else flatten(model)
    pictures = np.random.default_rng(0).random((2, 20, 24, 3)).astype(np.float32)
    seen = Seen(graph, tf.constant(pictures))
    for name in MAPS:
        expected = np.asarray(keras.Model(model.input, model.get_layer(name).output)(pictures))
        if name != "back":
            expected = expected.transpose(0, 2, 3, 1)
        value = graph.value(name)
        assert value is not None
        found = np.asarray(seen.value(value))
        assert graph.shape_of(value)[1:] == expected.shape[1:]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        alone = seen.channel(value, tf.constant([0, 3]))
        np.testing.assert_allclose(alone, np.stack([expected[0, ..., 0], expected[1, ..., 3]]), atol=1e-5)
    np.testing.assert_allclose(seen.value(graph.outputs[1]), model(pictures)[1], atol=1e-5)


def test_facts_count_channels_and_rows(model: keras.Model) -> None:
    found = {layer.name: layer for layer in describe.layers(flatten(model))}
    stated = {name: (found[name].channels, found[name].receptive_field, found[name].stride) for name in MAPS}
    assert stated == {
        **dict.fromkeys(("one", "norm", "relu"), (8, 3, 1)),
        "pool": (8, 4, 2),
        **dict.fromkeys(("two", "deep"), (5, 8, 2)),
        "deep": (8, 8, 2),
        "joined": (13, 8, 2),
        "back": (4, 8, 2),
    }
    assert [layer.name for layer in found.values() if layer.listed] == [
        *("relu", "pool", "two", "deep", "joined", "back", "classes")
    ]
    assert found["relu"].activation == "relu"
    assert found["joined"].activation == "relu"
    assert [(one.name, one.first, one.last) for one in found["joined"].branches] == [("two", 0, 4), ("deep", 5, 12)]


def test_weights_between_such_layers_are_the_kernel_s(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "first.keras")
    network = load(NetworkRef(str(tmp_path / "first.keras"), "own", preprocessing=Preprocessing()))
    found = wiring(network, "pool", "two", 3)
    kernel = np.asarray(network.model.get_layer("two").kernel)  # (3, 3, 8, 5)
    expected = np.abs(kernel.sum((0, 1))).argmax(0)
    assert [
        int(row[np.abs(found.share[place][row]).argmax()]) for place, row in enumerate(found.before.reshape(5, -1))
    ] == (expected.tolist())


@pytest.mark.parametrize("grey", [False, True])
def test_what_is_reshaped_is_as_the_layers_behind_it_want(grey: bool) -> None:
    """A grey picture (28, 28, 1) becomes (1, 28, 28) by a plain reshape."""
    given: Any = keras.Input((28, 28, 1))
    turned = Layers.Reshape((1, 28, 28))(given) if grey else Layers.Permute((3, 1, 2))(given)
    out = Layers.Conv2D(6, 5, activation="relu", name="maps", **FIRST)(turned)
    (maps,) = [layer for layer in describe.layers(flatten(keras.Model(given, out))) if layer.name == "maps"]
    assert (maps.channels, maps.receptive_field, maps.stride) == (6, 5, 1)
