"""A cut against Keras itself: for every layer, ``activate(pre(picture))`` is the layer's output in the plain model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.networks.cut import Cut, channel, cut, preprocess, resize
from atlas.networks.families import family_of, preprocessing
from atlas.networks.graph import Graph, flatten, stable_names
from atlas.networks.load import Network, load
from atlas.spec.facts import NetworkRef, Preprocessing

PLAIN = Preprocessing("rgb", (1.0, 1.0, 1.0))
MEMBERS = ("resnet50", "resnet50v2", "mobilenetv2", "mobilenetv3small", "efficientnetb0", "densenet121")


def picture(height: int, width: int, batch: int = 2) -> tf.Tensor:
    return tf.constant(np.random.default_rng(7).random((batch, height, width, 3)), tf.float32)


def outputs(network: Network, pictures: tf.Tensor, layers: list[str]) -> list[np.ndarray]:
    """What the plain Keras model gives for the family's own preprocessing of the pictures."""
    module = getattr(keras.applications, family_of(network.ref.network).module)
    names = {stable: name for name, stable in stable_names(network.model.layers).items()}
    alias = {f"stem{i + 1}": "activation" if i == 0 else f"activation_{i}" for i in range(5)}
    alias |= {"pool1": "max_pooling2d", "pool2": "max_pooling2d_1"} if "inception" in network.ref.network else {}
    tensors = [network.model.get_layer(names[alias.get(layer, layer)]).output for layer in layers]
    given = module.preprocess_input(np.array(255 * pictures))
    return [np.asarray(found) for found in keras.Model(network.model.input, tensors)(given, training=False)]


def slices_agree(found: Cut, pictures: tf.Tensor, before: tf.Tensor) -> None:
    """One channel for each image is what a gather out of the whole layer, ``before``, gives."""
    depth, seen = found.main.channels, found.see(pictures)
    for channels in ([0, depth - 1], [depth // 2, depth // 3]):
        expected = tf.gather(before, channels, axis=3, batch_dims=1).numpy()
        alone = channel(seen, found.main, tf.constant(channels)).numpy()
        np.testing.assert_allclose(alone, expected, atol=2e-5 * np.abs(expected).max() + 1e-7)


def close(found: tf.Tensor, expected: np.ndarray) -> None:
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(found / scale, expected / scale, atol=3e-5)


@pytest.mark.parametrize(("network", "size"), [("vgg19", (48, 40)), ("inceptionv3", (107, 95))])
def test_every_layer_of_the_known_networks(network: str, size: tuple[int, int]) -> None:
    loaded = load(NetworkRef(network, "random", seed=3))
    layers = [layer.name for layer in loaded.facts.layers if layer.listed]
    pictures = picture(*size)
    for layer, expected in zip(layers, outputs(loaded, pictures, layers), strict=True):
        found = loaded.cut(layer)
        before = found.pre(pictures)
        assert found.main.function == "relu"
        assert found.main.channels == expected.shape[-1]
        assert tf.reduce_min(before) < 0
        close(found.activate(before), expected)
        slices_agree(found, pictures, before)


@pytest.mark.parametrize("network", MEMBERS)
def test_some_layers_of_other_families(network: str) -> None:
    loaded = load(NetworkRef(network, "random"))
    feature = [layer.name for layer in loaded.facts.layers]
    layers = sorted({feature[0], *feature[:: max(1, len(feature) // 3)], feature[-1]}, key=feature.index)
    pictures = picture(64, 72)
    for layer, expected in zip(layers, outputs(loaded, pictures, layers), strict=True):
        found = loaded.cut(layer)
        known = loaded.facts.layer(layer)
        assert known is not None
        assert found.main.function == known.activation
        before = found.pre(pictures)
        close(found.activate(before), expected)
        slices_agree(found, pictures, before)


def test_relu6_keeps_its_ceiling() -> None:
    found = load(NetworkRef("mobilenetv2", "random")).cut("Conv1_relu")
    assert found.main.function == "relu"
    np.testing.assert_array_equal(found.activate(tf.constant([-1.0, 2.0, 9.0])), [0.0, 2.0, 6.0])


def test_one_trace_for_every_batch_and_size() -> None:
    found = load(NetworkRef("vgg19", "random")).cut("block2_conv1")
    traces = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)])
    def run(pictures: tf.Tensor) -> tf.Tensor:
        traces.append(1)
        return found.pre(pictures)

    assert run(picture(32, 32)).shape == (2, 16, 16, 128)
    assert run(picture(40, 64, batch=3)).shape == (3, 20, 32, 128)
    assert len(traces) == 1


def small() -> tuple[keras.Model, Graph]:
    """A network whose ReLUs are taken by a pool and by a convolution, as in the step from mixed2 to mixed3."""
    keras.utils.set_random_seed(1)
    given = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu", padding="same", name="first")(given)
    second = keras.layers.Activation("relu", name="second")(keras.layers.Conv2D(3, 3, padding="same")(first))
    joined = keras.layers.Concatenate(name="joined")([first, second])
    padded = keras.layers.ZeroPadding2D(1)(keras.layers.Activation("linear")(keras.layers.Dropout(0.5)(joined)))
    pooled = keras.layers.MaxPooling2D(3, 2, name="pooled")(padded)
    convolved = keras.layers.Conv2D(2, 3, 2, padding="same", activation="relu", name="convolved")(joined)
    merged = keras.layers.Concatenate(name="merged")([convolved, pooled])
    mixed = keras.layers.Concatenate(name="mixed")([first, keras.layers.Conv2D(2, 1, name="linear")(first)])
    summed = keras.layers.Add(name="summed")([first, first])
    model = keras.Model(given, [merged, mixed, summed])
    return model, flatten(model)


def at(graph: Graph, layer: str) -> Cut:
    value = graph.value(layer)
    assert value is not None
    return cut(graph, [(layer, value)], PLAIN)


@pytest.mark.parametrize(
    ("layer", "relu"),
    [("first", True), ("joined", True), ("pooled", True), ("merged", True), ("mixed", False), ("summed", False)],
)
def test_the_walk_back_to_the_relus(layer: str, relu: bool) -> None:
    model, graph = small()
    pictures = picture(8, 10)
    expected = keras.Model(model.input, model.get_layer(layer).output)(pictures)
    found = at(graph, layer)
    before = found.pre(pictures)
    assert (found.main.function == "relu") == relu
    np.testing.assert_allclose(found.activate(before), expected, atol=1e-6)
    assert (tf.reduce_min(before) < 0) == (relu or layer == "mixed")


def test_sums_and_concatenations_with_constants_or_of_other_sizes_are_sliced_as_they_are() -> None:
    """Bare operations keep constants that are none of their inputs, and a sum may spread one place over all."""
    keras.utils.set_random_seed(1)
    given = keras.Input((16, 16, 3))
    first = keras.layers.Conv2D(4, 3, padding="same", name="first")(given)
    moved = keras.layers.ReLU(name="moved")(first + 5.0)
    doubled = keras.layers.ReLU(name="doubled")(keras.layers.Add()([moved + 1.0, first]))
    place = keras.layers.Conv2D(4, 1)(keras.layers.GlobalAveragePooling2D(keepdims=True)(given))
    spread = keras.layers.ReLU(name="spread")(keras.layers.Add()([first, place]))
    longer = keras.layers.ReLU(name="longer")(keras.ops.concatenate([first, first - 1.0], axis=-1))
    model = keras.Model(given, [moved, doubled, spread, longer])
    graph, pictures = flatten(model), picture(16, 16)
    for layer, expected in zip(("moved", "doubled", "spread", "longer"), model(pictures), strict=True):
        found = at(graph, layer)
        before = found.pre(pictures)
        np.testing.assert_allclose(found.activate(before), expected, atol=1e-5)
        slices_agree(found, pictures, before)


def test_other_consumers_still_get_rectified_values() -> None:
    model, graph = small()
    pictures = picture(8, 10)
    before = at(graph, "merged").pre(pictures)
    rectified = keras.Model(model.input, model.get_layer("joined").output)(pictures)
    layer = model.get_layer("convolved")
    expected = tf.nn.conv2d(rectified, layer.kernel, 2, "SAME") + layer.bias
    np.testing.assert_allclose(before[..., :2], expected, atol=1e-6)
    assert tf.reduce_min(expected) < 0


def test_the_activation_is_back_in_place_after_a_cut() -> None:
    model, graph = small()
    pictures = picture(8, 10)
    before = model(pictures)[0]
    at(graph, "first").pre(pictures)
    np.testing.assert_array_equal(model(pictures)[0], before)


def test_only_what_the_layer_needs_is_computed() -> None:
    _, graph = small()
    needed = at(graph, "second")
    names = [needed.graph.nodes[index].name for index in needed.graph.needed([needed.main.value])]
    assert "joined" not in names
    assert "second" not in names  # the ReLU itself is left to activate
    assert "first" in names


def test_dropout_and_batch_norm_are_at_inference() -> None:
    given = keras.Input((None, None, 3))
    out = keras.layers.Dropout(0.9)(keras.layers.BatchNormalization()(given, training=True), training=True)
    model = keras.Model(given, keras.layers.ReLU(name="out")(out))
    model.layers[1].moving_mean.assign([0.1, 0.2, 0.3])
    found = at(flatten(model), "out")
    expected = (picture(4, 4) - [0.1, 0.2, 0.3]) / np.sqrt(1.001)
    np.testing.assert_allclose(found.pre(picture(4, 4)), expected, atol=1e-6)


def test_nasnet_is_resized_to_the_size_it_takes() -> None:
    found = load(NetworkRef("nasnetmobile", "random")).cut("activation")
    pictures = picture(64, 72)
    before = found.pre(pictures)
    assert before.shape == (2, 111, 111, 32)
    np.testing.assert_allclose(before, found.pre(resize(pictures, (224, 224))), atol=1e-4)


@pytest.mark.parametrize("size", [(20, 30), (5, 7), (12, 12)])
def test_resizing_is_that_of_tensorflow(size: tuple[int, int]) -> None:
    pictures = picture(12, 12)
    expected = tf.image.resize(pictures, size, antialias=True)
    np.testing.assert_allclose(resize(pictures, size), expected, atol=1e-5)


def test_a_network_of_one_channel_sees_the_luminance() -> None:
    found = preprocess(tf.constant([[[[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]]), preprocessing("tf"), 1)
    np.testing.assert_allclose(found, [[[[2 * 0.299 - 1], [1.0]]]], atol=1e-6)
