import keras
import numpy as np
import tensorflow as tf

from atlas.networks.architectures import build
from atlas.networks.fill import fill_at_random
from atlas.networks.graph import flatten, stable_names, weights_of
from atlas.networks.seen import Seen


def nested() -> keras.Model:
    inside = [keras.layers.Conv2D(4, 3, name="wide"), keras.layers.ReLU(), keras.layers.Conv2D(4, 1, name="narrow")]
    block = keras.Sequential(inside, name="block")
    given = keras.Input((16, 16, 3))
    first = keras.layers.Conv2D(3, 3, activation="gelu", name="first")(given)
    return keras.Model(given, keras.layers.Add(name="sum")([block(first), keras.layers.Conv2D(4, 3)(first)]))


def test_names_do_not_depend_on_what_was_built_before() -> None:
    def build_one() -> keras.Model:
        given = keras.Input((8, 8, 3))
        first = keras.layers.Conv2D(2, 3)(given)
        second = keras.layers.Conv2D(2, 3, name="mine")(keras.layers.Conv2D(2, 1)(first))
        return keras.Model(given, keras.layers.ReLU()(second))

    one, other = build_one(), build_one()
    assert one.layers[1].name != other.layers[1].name
    for model in (one, other):
        assert list(stable_names(model.layers).values())[1:] == ["conv2d", "conv2d_1", "mine", "re_lu"]


def test_creation_order_decides_the_number_not_the_place_in_the_graph() -> None:
    late, early = keras.layers.Conv2D(2, 1), keras.layers.Conv2D(3, 1)
    given = keras.Input((8, 8, 3))
    model = keras.Model(given, late(early(given)))
    names = stable_names(model.layers)
    assert (names[late.name], names[early.name]) == ("conv2d", "conv2d_1")


def test_inceptionv3_is_named_as_in_a_fresh_process() -> None:
    for _ in range(2):
        model, _ = build("inceptionv3")
        names = [weight.name.partition("/")[0] for weight in weights_of(model)]
        assert {"conv2d", "conv2d_93", "batch_normalization", "batch_normalization_93"} <= set(names)
        assert "conv2d_94" not in names


def test_nested_models_are_opened() -> None:
    graph = flatten(nested())
    names = [node.name for node in graph.nodes]
    assert {"block.wide", "block.narrow", "sum"} <= set(names)
    assert "block" not in names
    assert graph.value("block.narrow") is not None
    assert graph.value("nothing") is None


def test_the_graph_computes_what_the_model_does() -> None:
    model = nested()
    graph = flatten(model)
    given = tf.constant(np.random.default_rng(0).random((2, 16, 16, 3)), tf.float32)
    value = graph.value("sum")
    assert value is not None
    found = Seen(graph, given).value(value)
    np.testing.assert_allclose(found, model(given), atol=1e-6)


def test_an_activation_inside_a_layer_is_a_node_of_its_own() -> None:
    graph = flatten(nested())
    value = graph.value("first")
    assert value is not None
    node = graph.nodes[value[0]]
    assert (node.kind, node.function, node.relu) == ("Activation", "gelu", False)
    inner = graph.nodes[node.parents[0][0]]
    assert (inner.kind, inner.name) == ("Conv2D", "")


def test_a_shared_layer_is_named_for_each_call() -> None:
    layer = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    given = keras.Input((8, 8, 3))
    graph = flatten(keras.Model(given, layer(layer(given))))
    assert [node.name for node in graph.nodes] == ["shared", "shared-2"]


def test_building_leaves_keras_as_it_was() -> None:
    model, download = build("vgg16")
    assert download.file.endswith("notop.h5")
    assert len(download.hash) == 32
    again = keras.layers.Dense(2)
    again.build((None, 3))
    assert again.kernel.shape == (3, 2)
    np.testing.assert_array_equal(again.bias, [0, 0])
    fill_at_random(model, 0)
    assert model(tf.zeros((1, 32, 32, 3))).shape == (1, 1, 1, 512)
