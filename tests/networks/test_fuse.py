"""Convolutions as arrays: their gradients are those of TensorFlow's own."""

import numpy as np
import pytest

from atlas.networks.fuse import Convolution


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (7, 5), (1, 1)])
@pytest.mark.parametrize("given", [1, 3])
def test_the_gradient_to_a_picture_is_that_of_the_convolution(padding, kernel, given):
    import tensorflow as tf

    generator = np.random.default_rng(0)
    weights = generator.standard_normal((*kernel, given, 16), np.float32)
    picture = tf.constant(generator.standard_normal((2, 12, 9, given), np.float32))

    def gradient(convolve):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            total = tf.reduce_sum(tf.square(convolve(picture)))
        return tape.gradient(total, picture).numpy()

    ours = gradient(lambda given: Convolution(weights, np.zeros(16, np.float32), (1, 1), padding, (1, 1))([given]))
    theirs = gradient(lambda given: tf.nn.conv2d(given, weights, 1, padding))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())
