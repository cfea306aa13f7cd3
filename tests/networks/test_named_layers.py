"""Layers that no list and no pattern means: whoever names one can look at it, whatever it is called."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent.render import renderings
from atlas.errors import ConfigError
from atlas.networks.answers import catalog
from atlas.networks.cut import activations
from atlas.networks.load import Network, load
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.load import check_request

Layers = keras.layers
ODD = "größe: 1+2"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(2)
    given = keras.Input((24, 24, 3))
    out = Layers.ReLU(name="_first")(Layers.Conv2D(6, 3, name="plain")(given))
    out = Layers.SeparableConv2D(5, 3, name=ODD)(out)  # no convolution that is taken apart
    out = Layers.BatchNormalization(name="a norm")(out)
    gate = Layers.Dense(5, activation="sigmoid", name="gate")(Layers.GlobalAveragePooling2D(keepdims=True)(out))
    out = Layers.Multiply(name="..")([out, gate])
    out = Layers.Dense(7, activation="relu", name="fc1")(Layers.Flatten()(out))
    found = tmp_path_factory.mktemp("named") / "named.keras"
    keras.Model(given, Layers.Dense(3, activation="softmax", name="classes")(out)).save(found)
    return found


@pytest.fixture(scope="module")
def network(path: Path) -> Network:
    return load(NetworkRef(str(path), "own", preprocessing=Preprocessing("rgb", (1.0, 1.0, 1.0))))


def asked(path: Path, *layers: str) -> dict[str, int | None]:
    request = check_request({"network": str(path), "preprocessing": "none", "layers": list(layers)}, catalog())
    return {layer.facts.name: layer.facts.channels for layer in request.layers}


def test_patterns_mean_what_is_listed_and_names_anything(path: Path) -> None:
    assert list(asked(path, "*")) == ["_first", "classes"]
    named = ["plain", ODD, "a norm", "gate", "..", "fc1"]
    assert asked(path, *named) == {"plain": 6, ODD: 5, "a norm": 5, "gate": 5, "..": 5, "fc1": 7}
    with pytest.raises(ConfigError, match=r"expected a layer of named\.keras, received 'fc2'"):
        asked(path, "fc2")


def test_values_are_those_of_the_layer(network: Network) -> None:
    pictures = np.random.default_rng(0).random((2, 24, 24, 3)).astype(np.float32)
    for name in ("plain", ODD, "a norm", "gate", "..", "fc1"):
        cut = network.cut(name)
        expected = np.asarray(keras.Model(network.model.input, network.model.get_layer(name).output)(pictures))
        expected = expected[:, None, None] if expected.ndim == 2 else expected
        np.testing.assert_allclose(activations(cut.see(tf.constant(pictures)), cut.main), expected, atol=1e-5)
    assert network.cut("fc1").main.function == "relu"


def test_layers_behind_the_maps_see_pictures_of_the_one_size_that_they_take(network: Network) -> None:
    assert network.cut("fc1").size == (24, 24)
    assert network.cut("a norm").size is None
    cuts = network.cuts(["_first", "fc1", "classes"], 32)
    assert [[sight.layer for sight in cut.sights] for cut in cuts] == [["_first"], ["fc1", "classes"]]


@pytest.mark.parametrize("layer", [ODD, "a norm", "gate", "..", "fc1"])
def test_they_are_ascended(path: Path, network: Network, layer: str) -> None:
    """In a compiled loop, where TensorFlow takes few letters in the names of layers."""
    wish: dict[str, Any] = {"network": str(path), "preprocessing": "none", "layers": [{"name": layer, "channels": "0"}]}
    recipe = {"base": "preview", "steps": 2, "size": 32, "arithmetic": "plain"}
    (request,) = check_request(wish | {"recipes": {"main": recipe}}, catalog()).layers
    (made,) = renderings(network, layer, [0], request.recipes["main"])
    assert made.pictures[0].shape == (32, 32, 3)
    assert network.model.get_layer(layer).name == layer


def test_those_between_the_listed_layers_of_inceptionv3_are_known_without_keras() -> None:
    wish = {"network": "inceptionv3", "weights": "embedded", "layers": ["conv2d_5", "activation_8", "mixed0"]}
    request = check_request(wish, catalog())
    assert [layer.facts.name for layer in request.layers] == ["conv2d_5", "activation_8", "mixed0"]
    with pytest.raises(ConfigError, match="expected a layer from stem1 to mixed4 with embedded weights"):
        check_request(wish | {"layers": ["conv2d_60"]}, catalog())
