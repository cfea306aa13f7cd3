"""Linear maps between two values, against the gradients that Keras's own layers have."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.networks.graph import INPUT, Graph, flatten
from atlas.networks.linear import Reads, is_linear, read_back, taps

layers = keras.layers


def drawn(model: keras.Model) -> keras.Model:
    """The model with every weight drawn anew, batch norms too; variances are positive."""
    generator = np.random.default_rng(5)
    for weight in model.weights:
        values = generator.standard_normal(weight.shape)
        weight.assign(np.abs(values) + 0.2 if "variance" in weight.name else values)
    return model


def naive(model: keras.Model, place: int, channel: int) -> np.ndarray:
    """What the neuron at (place, place) of a channel reads of the input, ``(h, w, c)``: its gradient."""
    given = tf.Variable(np.random.default_rng(1).standard_normal((1, *model.input_shape[1:]), np.float32))
    with tf.GradientTape() as tape:
        neuron = model(given, training=False)[0, place, place, channel]
    return tape.gradient(neuron, given).numpy()[0]


def found(graph: Graph) -> Reads:
    steps = {index: taps(graph, node) for index, node in enumerate(graph.nodes)}
    count = graph.shape_of(graph.output)[3]
    return read_back(graph, steps, INPUT, graph.output, Reads(np.eye(count, dtype=np.float32)[:, None, None, :]))


def branches(given):
    left = layers.Conv2D(3, 3, padding="same")(layers.Conv2D(2, 1)(given))
    right = layers.AveragePooling2D(5, 1, padding="same")(given)
    return layers.Concatenate()([left, layers.Conv2D(2, 1)(right), given])


def reduced(given):
    """Branches of a block that halves its maps, whose windows begin at different places."""
    deep = layers.Conv2D(3, 3, 2)(layers.Conv2D(4, (1, 5), padding="same")(given))
    return layers.Concatenate(axis=3)([layers.Conv2D(2, 3, 2)(given), deep, layers.AveragePooling2D(3, 2)(given)])


def shortcut(given):
    return layers.Add()([layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(given)), given])


def twice(given):
    return layers.Add()([given, given])


def chain(*several):
    def chained(given):
        for layer in several:
            given = layer(given)
        return given

    return chained


CHAINS = {
    "convolution": chain(layers.Conv2D(4, (3, 5), padding="same")),
    "valid": chain(layers.Conv2D(4, 3), layers.Conv2D(3, (2, 4))),
    "strided, same": chain(layers.Conv2D(4, 3, 2, padding="same"), layers.Conv2D(3, (3, 1), padding="same")),
    "strided twice": chain(layers.Conv2D(4, 3, 2, padding="same"), layers.Conv2D(3, (5, 2), 2, padding="same")),
    "dilated": chain(layers.Conv2D(4, 3, padding="same", dilation_rate=2)),
    "groups": chain(layers.Conv2D(9, 3, padding="same", groups=3), layers.BatchNormalization()),
    "depthwise": chain(layers.DepthwiseConv2D(3, 2, padding="same"), layers.BatchNormalization(scale=False)),
    "multiplied": chain(layers.DepthwiseConv2D((3, 5), depth_multiplier=2), layers.Conv2D(3, 1)),
    "separable": chain(layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=3), layers.Dropout(0.5)),
    "averaged": chain(layers.AveragePooling2D(2), layers.Conv2D(4, 3, padding="same")),
    "padded": chain(layers.ZeroPadding2D(((0, 1), (2, 1))), layers.Conv2D(4, 3, 2), layers.Activation("linear")),
    "cropped": chain(layers.Cropping2D(((1, 0), (2, 2))), layers.Conv2D(4, 3)),
    "rectified": chain(layers.Conv2D(4, 3, padding="same"), layers.LeakyReLU(1.0), layers.Conv2D(2, 3)),
    "branches": branches,
    "reduced": reduced,
    "shortcut": shortcut,
    "twice": twice,
}


@pytest.mark.parametrize("name", CHAINS)
def test_what_a_neuron_reads_is_its_gradient(name: str) -> None:
    given = keras.Input((32, 32, 6))
    model = drawn(keras.Model(given, CHAINS[name](given)))
    graph, place = flatten(model), 3 if name == "strided twice" else 6
    assert all(is_linear(graph, node) for node in graph.nodes)
    reads = found(graph)
    stride = 32 // model.output_shape[1]  # near enough, for the borders that windows without padding lose
    y, x = (stride * place + first for first in reads.first)
    _, height, width, depth = reads.weights.shape
    assert depth == 6
    for channel in range(model.output_shape[3]):
        expected = naive(model, place, channel)
        inside = expected[y : y + height, x : x + width].copy()
        np.testing.assert_allclose(reads.weights[channel], inside, atol=1e-5 * max(1.0, np.abs(inside).max()))
        expected[y : y + height, x : x + width] = 0
        assert not expected.any()  # nothing lies outside the window


def test_a_max_pool_counts_as_the_average_and_a_relu_as_the_identity() -> None:
    given = keras.Input((16, 16, 2))
    made = layers.Conv2D(3, 1)(layers.ReLU()(layers.MaxPooling2D((2, 3), 1)(given)))
    model = drawn(keras.Model(given, made))
    reads = found(flatten(model))
    kernel = model.layers[-1].kernel.numpy()[0, 0]
    assert reads.weights.shape == (3, 2, 3, 2)
    for made, y, x, read in np.ndindex(3, 2, 3, 2):
        assert reads.weights[made, y, x, read] == pytest.approx(kernel[read, made] / 6)


def test_sums_over_positions_are_those_of_the_kernels() -> None:
    given = keras.Input((32, 32, 6))
    graph = flatten(drawn(keras.Model(given, reduced(given))))
    totals = {index: tuple(one.total for one in taps(graph, node)) for index, node in enumerate(graph.nodes)}
    summed = read_back(graph, totals, INPUT, graph.output, Reads(np.eye(11)[:, None, None, :]))
    assert summed.weights.shape == (11, 1, 1, 6)
    np.testing.assert_allclose(summed.weights[:, 0, 0], found(graph).weights.sum((1, 2)), atol=1e-4)


def test_what_is_not_linear_is_told_apart() -> None:
    given = keras.Input((16, 16, 6))
    place = layers.GlobalAveragePooling2D(keepdims=True)(given)
    spread = layers.Add()([given, place])
    product = layers.Multiply()([given, layers.Activation("sigmoid")(spread)])
    other = layers.LayerNormalization()(layers.Concatenate(axis=1)([product, given]))
    squashed = layers.Softmax()(layers.Conv2D(3, 1, activation="tanh")(keras.ops.multiply(other, 2.0)))
    graph = flatten(keras.Model(given, squashed))
    told = [(node.function or node.kind, is_linear(graph, node)) for node in graph.nodes]
    assert [kind for kind, linear in told if linear] == ["Conv2D"]
    assert {kind for kind, linear in told if not linear} == {
        *("GlobalAveragePooling2D", "Add", "sigmoid", "Multiply", "Concatenate", "LayerNormalization", "tanh"),
        "softmax",
    }


def test_sums_with_constants_and_bare_sums_are_linear() -> None:
    given = keras.Input((16, 16, 6))
    both = keras.ops.concatenate([given + 1.0, given + given], axis=-1)
    graph = flatten(drawn(keras.Model(given, layers.Conv2D(2, 3, padding="same")(both))))
    assert all(is_linear(graph, node) for node in graph.nodes)
    kernel = graph.nodes[-1].layer.kernel.numpy()
    expected = kernel[:, :, :6] + 2 * kernel[:, :, 6:]
    np.testing.assert_allclose(found(graph).weights.transpose(1, 2, 3, 0), expected, rtol=1e-5, atol=1e-6)
