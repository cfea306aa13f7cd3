"""Convolutions as arrays: their gradients are those of TensorFlow's own."""

import numpy as np
import pytest

from atlas.networks import fuse as fuse_module
from atlas.networks.fuse import Convolution, fuse
from atlas.networks.graph import flatten
from atlas.networks.seen import Seen


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (7, 5), (1, 1)])
@pytest.mark.parametrize(("given", "strides"), [(1, (1, 1)), (3, (1, 1)), (3, (2, 2)), (3, (3, 2)), (4, (4, 4))])
@pytest.mark.parametrize("size", [(12, 9), (17, 24)])
def test_the_gradient_to_a_picture_is_that_of_the_convolution(padding, kernel, given, strides, size):
    import tensorflow as tf

    generator = np.random.default_rng(0)
    weights = generator.standard_normal((*kernel, given, 16), np.float32)
    picture = tf.constant(generator.standard_normal((2, *size, given), np.float32))

    def gradient(convolve):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            total = tf.reduce_sum(tf.square(convolve(picture)))
        return tape.gradient(total, picture).numpy()

    ours = gradient(lambda given: Convolution(weights, np.zeros(16, np.float32), strides, padding, (1, 1))([given]))
    theirs = gradient(lambda given: tf.nn.conv2d(given, weights, strides, padding))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


def test_an_average_behind_a_convolution_is_that_before_it():
    import keras

    given = keras.Input((9, 7, 12))
    pooled = keras.layers.AveragePooling2D(3, strides=1, padding="same", name="pool")(given)
    made = keras.layers.Conv2D(5, 1, bias_initializer="random_normal", name="convolution")(pooled)
    model = keras.Model(given, keras.layers.BatchNormalization(name="norm")(made))
    plain, graph = flatten(model), fuse(flatten(model))
    pictures = np.random.default_rng(0).standard_normal((4, 9, 7, 12), np.float32)
    channels = np.array([4, 0, 2, 4], np.int32)
    expected = Seen(plain, pictures).value(plain.value("norm")).numpy()
    assert len(graph.needed([graph.value("norm")])) == 1  # the average is computed in the convolution
    assert np.array_equal(Seen(graph, pictures).value(graph.value("pool")), Seen(plain, pictures).value((0, 0)))
    np.testing.assert_allclose(Seen(graph, pictures).value(graph.value("norm")), expected, rtol=1e-4, atol=1e-5)
    own = Seen(graph, pictures).channel(graph.value("norm"), channels)
    np.testing.assert_allclose(own, expected[np.arange(4), :, :, channels], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize(
    ("groups", "made", "options"),
    [
        (3, 6, {"strides": 2}),
        (12, 12, {"dilation_rate": 2}),
        (12, 24, {"padding": "same"}),
        (12, 12, {"strides": (2, 1)}),
        (4, 8, {"dilation_rate": 2}),
    ],
)
def test_convolutions_in_groups_are_those_of_keras(groups, made, options, onednn, monkeypatch):
    """Keras computes them by XLA on a processor, a hundred times slower."""
    import keras
    import tensorflow as tf

    if not onednn:  # as on a Mac, where TensorFlow has no gradient of them
        monkeypatch.setattr(fuse_module, "has_grouped_gradients", lambda: False)
    keras.utils.set_random_seed(0)
    given = keras.Input((9, 7, 12))
    layer = keras.layers.Conv2D(made, 3, groups=groups, bias_initializer="random_normal", name="grouped", **options)
    spread = keras.initializers.RandomUniform(0.5, 2.0)
    norm = keras.layers.BatchNormalization(moving_variance_initializer=spread, name="norm")
    model = keras.Model(given, norm(layer(given)))
    plain, graph = flatten(model), fuse(flatten(model))
    pictures = tf.constant(np.random.default_rng(0).standard_normal((4, 9, 7, 12), np.float32))

    def seen(graph, look):
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            found = look(Seen(graph, pictures), graph.value("norm"))
            total = tf.reduce_sum(tf.square(found))
        return found.numpy(), tape.gradient(total, pictures).numpy()

    assert len(graph.needed([graph.value("norm")])) == 1  # the batch norm is in the kernel
    for ours, theirs in zip(seen(graph, Seen.value), seen(plain, Seen.value), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())
    channels = tf.constant(np.array([made - 1, 0, 2, 5], np.int32))
    own = [seen(one, lambda all_of, value: all_of.channel(value, channels)) for one in (graph, plain)]
    for ours, theirs in zip(*own, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())
